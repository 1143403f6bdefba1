"""The design of the Keras, Flask and Redis tutorial: a list, base64 float arrays, sleeps of 0.25 s.

Its model server reads the list and shortens it in two steps, so there can be only one of it; it
predicts with as many threads as there are cores.
"""

QUEUE = "image_queue"
BATCH_SIZE = 32
SLEEP_SECONDS = 0.25
