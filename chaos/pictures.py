"""Pictures whose answer is known beforehand, each with pixels that no other picture has.

The answer is computed here by hand, so a result that belongs to another picture is seen even
where both have the same label.
"""

import hashlib
import io
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from PIL import Image

LABELS = ("red", "green", "blue")
SIZE = 8
LOGIT_SCALE = 0.02
STRONG = (170, 256)
WEAK = (0, 120)
MARK = (13, 37)
"""The first two channels of a harmful picture's first pixel; the third says what it does."""


class Harm(Enum):
    """What a picture does to the process that classifies it."""

    NONE = 0
    SEGFAULT = 1
    MEMORY = 2
    ENDLESS = 3


@dataclass(frozen=True)
class Picture:
    """An upload and what must become of it; `label` is empty where it must fail."""

    upload: bytes
    fingerprint: str
    label: str
    probability: float
    harm: Harm = Harm.NONE


def drawn(rng: np.random.Generator, harm: Harm = Harm.NONE) -> Picture:
    """Return a new picture: one random colour prevails, the rest is noise."""
    pixels = rng.integers(*WEAK, size=(SIZE, SIZE, 3), dtype=np.uint8)
    channel = int(rng.integers(len(LABELS)))
    pixels[..., channel] = rng.integers(int(rng.integers(*STRONG)), 256, size=(SIZE, SIZE))
    if harm is not Harm.NONE:
        pixels[0, 0] = (*MARK, harm.value)
    probabilities = expected(pixels)
    best = int(probabilities.argmax())
    return Picture(
        upload=_png(pixels),
        fingerprint=fingerprint(pixels),
        label=LABELS[best] if harm is Harm.NONE else "",
        probability=float(probabilities[best]),
        harm=harm,
    )


def broken(rng: np.random.Generator) -> bytes:
    """Return the bytes of a picture that was cut off, or in which bytes were overwritten."""
    upload = bytearray(drawn(rng).upload)
    if rng.random() < 0.5:  # noqa: PLR2004 - heads or tails
        return bytes(upload[: int(rng.integers(1, len(upload)))])
    for place in rng.integers(len(upload), size=4):
        upload[place] = int(rng.integers(256))
    return bytes(upload)


def expected(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the probabilities [labels] of an image [H, W, 3]: the softmax of scaled means."""
    logits = pixels.mean(axis=(0, 1), dtype=np.float64) * LOGIT_SCALE
    powers = np.exp(logits - logits.max())
    probabilities: NDArray[np.float64] = powers / powers.sum()
    return probabilities


def fingerprint(pixels: NDArray[np.uint8]) -> str:
    """Return what tells these pixels [H, W, 3] from all others."""
    return hashlib.sha256(pixels.tobytes()).hexdigest()[:20]


def harm_of(pixels: NDArray[np.uint8]) -> Harm:
    """Return what the picture [H, W, 3] asks for; a picture without the mark is harmless."""
    first = tuple(int(value) for value in pixels[0, 0])
    if first[:2] != MARK or first[2] not in {harm.value for harm in Harm}:
        return Harm.NONE
    return Harm(first[2])


def _png(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()
