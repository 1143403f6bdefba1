"""The doubts of an answer: believable probabilities, sets of labels, how strange a picture is.

`section` is what a card says of them; the other modules fit it on validation pictures and turn the
probabilities and features of one picture into its doubts. The same functions serve and judge.
"""
