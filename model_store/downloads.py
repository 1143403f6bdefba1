"""Downloads by other libraries, with the time limit that they do not set themselves.

TensorFlow Hub and Keras fetch with `urllib` and wait for ever on a network that drops packets.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

SILENCE_SECONDS = 15.0


@contextmanager
def limited(seconds: float = SILENCE_SECONDS) -> Iterator[None]:
    """End every connection made inside that is silent for so long, with `TimeoutError`.

    The limit holds for the whole process, so this is for commands and not for a service.
    """
    former = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(former)
