"""One hostile file and what must become of it; and what the builders of such files share."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image

from model_store.errors import TooManyPixelsError

# As many bytes as an upload may have, and a square of as many pixels as it may have.
MOST_BYTES = 10_000_000
SIDE = 6324

ANSWERED = "answer"
TOO_MANY = (TooManyPixelsError.__name__,)


@dataclass(frozen=True)
class Case:
    """One hostile file.

    Attributes:
        name: Its format and what it does, in a few words.
        build: Returns its bytes; the largest take a second.
        expected: What may become of it: `answer`, or classes of errors. Empty where any answer and
            any error of the model store's is right.
    """

    name: str
    build: Callable[[], bytes]
    expected: tuple[str, ...] = ()


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    """Return an image as a file."""
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def filled(head: bytes, piece: bytes, tail: bytes = b"") -> bytes:
    """Return the file of the largest size that repeats one piece between head and tail."""
    return head + piece * ((MOST_BYTES - len(head) - len(tail)) // len(piece)) + tail


def bits(text: str) -> bytes:
    """Return bits that are written as `0` and `1`, filled up with ones to whole bytes."""
    padded = text + "1" * (-len(text) % 8)
    return int(padded, 2).to_bytes(len(padded) // 8, "big")
