"""What a run leaves: the version in the model store, and the files that flags ask for.

It begins where a model is trained and judged.
"""
