"""A variant's answers to drawn pictures, kept beside it: whether another CPU answers the same.

An int8 variant is judged on real pictures where it is made. Another kind of CPU may add up its
products of bytes differently: without VNNI they saturate in 16 bits, and the same file answers
something else. The fingerprint tells, and shows nobody's picture: the pictures are drawn anew by
each machine, and only the best labels and their probabilities are kept, in a few kilobytes.
"""

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_store import drawings, golden
from model_store.card import FINGERPRINT, ModelCard
from model_store.errors import ModelFormatError

DRAWN = 64
SEED = 2
LABELS_KEPT = 5

# EfficientNet-Lite0 (OpenVINO) on a CPU limited by ONEDNN_MAX_CPU_ISA: where nothing saturates,
# 0.99 to 1.00 of 128 drawn pictures keep their label, and the drift is 0.00 to 0.02. Where sums do,
# 0.66 to 0.68 keep it, of 299 photographs 0.72 to 0.83, and the drift is 0.65 to 0.69.
SAME_TOP1 = 0.95
LARGEST_DRIFT = 0.1
SMALLEST_PROBABILITY = 1e-30


@dataclass(frozen=True)
class Fingerprint:
    """What a variant answered where it was made.

    Attributes:
        pixels_sha256: Digest of the pixels of the drawn pictures [N, H, W, 3].
        class_indices: Of each picture the best labels, best first.
        probabilities: Theirs.
    """

    pixels_sha256: str
    class_indices: tuple[tuple[int, ...], ...]
    probabilities: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Sameness:
    """How far a variant answers here what it answered where it was made.

    Attributes:
        n: Number of drawn pictures.
        same_top1: Share of them with the same best label.
        drift: How far the logits of the kept labels moved, as a share of their spread. It tells
            even where a network is so sure of what is drawn that no label changes.
    """

    n: int
    same_top1: float
    drift: float

    @property
    def is_enough(self) -> bool:
        """Whether what was measured where it was made holds here as well."""
        return self.same_top1 >= SAME_TOP1 and self.drift <= LARGEST_DRIFT

    @property
    def sentence(self) -> str:
        """The figures with their bars."""
        return (
            f"the same best label on {self.same_top1:.1%} of {self.n} drawn pictures,"
            f" logits moved by {self.drift:.1%} of their spread"
            f" (bar: {SAME_TOP1:.0%} and {LARGEST_DRIFT:.0%})"
        )


def write(folder: Path, card: ModelCard, predict: golden.Predict) -> None:
    """Write what a variant's network answers to the drawn pictures into its folder.

    Before any temperature: the next version of the same network may have another one.
    """
    pixels = _drawn(card)
    probabilities = golden.one_by_one(predict, pixels)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :LABELS_KEPT]
    found = Fingerprint(
        _digest(pixels), _rows(best), _rows(np.take_along_axis(probabilities, best, axis=1))
    )
    (folder / FINGERPRINT).write_text(json.dumps(asdict(found)) + "\n", "utf-8")


def compare(path: Path, card: ModelCard, predict: golden.Predict) -> Sameness:
    """Ask a variant the same pictures here.

    Args:
        path: The fingerprint, verified like every file of a version.
        card: The version's card.
        predict: The variant's network: probabilities [N, classes] of images [N, H, W, 3].

    Raises:
        ModelFormatError: the drawn pictures are others here, or the file is none of ours.
    """
    made = _read(path)
    pixels = _drawn(card)
    if _digest(pixels) != made.pixels_sha256:
        raise ModelFormatError(
            f"the pictures that {path.name} was made with are drawn differently here; install the"
            " NumPy and Pillow it was published with, or quantize it again"
        )
    here, indices = golden.one_by_one(predict, pixels), np.array(made.class_indices)
    same = here.argmax(axis=1) == indices[:, 0]
    kept = np.take_along_axis(here, indices, axis=1)
    drift = _drift(_logits(kept), _logits(np.array(made.probabilities)))
    return Sameness(len(pixels), float(same.mean()), drift)


def _logits(probabilities: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the logits [N, k] of probabilities, less their mean, which softmax does not show."""
    logits = np.log(np.maximum(probabilities, SMALLEST_PROBABILITY))
    centred: NDArray[np.floating] = logits - logits.mean(axis=1, keepdims=True)
    return centred


def _drift(here: NDArray[np.floating], there: NDArray[np.floating]) -> float:
    spread = np.sqrt(np.square(there).mean())
    moved = np.sqrt(np.square(here - there).mean())
    return float(moved / max(spread, np.finfo(np.float32).eps))


def _drawn(card: ModelCard) -> NDArray[np.uint8]:
    return drawings.textures(DRAWN, input_size=card.preprocessing.input_size, seed=SEED)


def _digest(pixels: NDArray[np.uint8]) -> str:
    return sha256(pixels.tobytes()).hexdigest()


def _rows(array: NDArray[Any]) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(row) for row in array.tolist())


def _read(path: Path) -> Fingerprint:
    try:
        return Fingerprint(**json.loads(path.read_text("utf-8")))
    except (ValueError, TypeError) as exc:
        raise ModelFormatError(f"{path} is no fingerprint: {exc}; quantize it again") from exc
