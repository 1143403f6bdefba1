"""Pictures that int8 variants are calibrated on, and those that all variants are compared on.

No int8 variant is judged on a picture it was calibrated on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_store import drawings, preprocessing
from model_store.card import ModelCard
from model_store.errors import CalibrationError, ImageError
from model_store.reports import Report

LARGEST_SET = 200

# A variant that has the SavedModel's best label on only 0.90 of all pictures passes the int8 bar
# (0.97) on 50 of them once in 30 times; on 20 of them once in 8.
FEWEST_JUDGED = 50

# After 32, 64 and 100 textures EfficientNet-Lite0 in int8 (OpenVINO) keeps the label of 0.97, 0.98
# and 0.99 of 99 photographs; after 60 of those photographs themselves, of 0.98.
DRAWN_TO_CALIBRATE = 100
DRAWN_TO_JUDGE = 32
UNKNOWN = -1


@dataclass(frozen=True)
class Pictures:
    """Prepared pictures.

    Attributes:
        images: Pixels [N, H, W, 3] that artifacts take.
        class_indices: What each one shows [N], or `UNKNOWN`.
    """

    images: NDArray[np.uint8]
    class_indices: NDArray[np.intp]

    @classmethod
    def unlabelled(cls, images: NDArray[np.uint8]) -> "Pictures":
        """Return pictures of which nobody knows what they show."""
        return cls(images, np.full(len(images), UNKNOWN, np.intp))

    def __len__(self) -> int:
        """Return the number of pictures."""
        return len(self.images)

    def __getitem__(self, rows: slice) -> "Pictures":
        """Return some of the pictures."""
        return Pictures(self.images[rows], self.class_indices[rows])


@dataclass(frozen=True)
class PictureSets:
    """Pictures to calibrate on, others to judge on, and whether somebody took the latter.

    Without pictures to calibrate on no int8 variant is made.
    """

    calibration: Pictures
    judged: Pictures
    real: bool


def choose(draft: ModelCard, directory: Path | None, report: Report) -> PictureSets:
    """Return what to calibrate on and what to judge on.

    Of enough given pictures every second one is for calibration. Of fewer all are for judging,
    and drawn ones are for calibration, as they are where none were given.

    Args:
        draft: Its labels and its preprocessing are used.
        directory: Pictures, in any depth; a folder named like a label says what they show.
        report: Called with a line for each file that is skipped.

    Raises:
        CalibrationError: the directory has no picture.
    """
    size = draft.preprocessing.input_size
    textures = Pictures.unlabelled(drawings.textures(DRAWN_TO_CALIBRATE, input_size=size))
    if directory is None:
        judged = drawings.textures(DRAWN_TO_JUDGE, input_size=size, seed=1)
        return PictureSets(textures, Pictures.unlabelled(judged), real=False)
    given = read(directory, draft, report)
    if len(given) < 2 * FEWEST_JUDGED:
        return PictureSets(textures, given, real=True)
    return _halved(given)


def of_pixels(card: ModelCard, pixels: Sequence[bytes]) -> PictureSets:
    """Return pictures that a model was really asked, every second one to calibrate on.

    Args:
        card: The version that they were prepared for.
        pixels: Of each the bytes of uint8 [H, W, 3], as artifacts take them.

    Raises:
        CalibrationError: there are too few to do both.
    """
    if len(pixels) < 2 * FEWEST_JUDGED:
        raise CalibrationError(
            f"{len(pixels)} different pictures were asked; int8 is calibrated on half of them and"
            f" judged on the others, and needs {2 * FEWEST_JUDGED}"
        )
    size = card.preprocessing.input_size
    images = np.stack([np.frombuffer(each, np.uint8).reshape(size, size, 3) for each in pixels])
    return _halved(Pictures.unlabelled(images))


def _halved(given: Pictures) -> PictureSets:
    return PictureSets(given[1::2], given[::2], real=True)


def read(directory: Path, draft: ModelCard, report: Report) -> Pictures:
    """Return at most twice `LARGEST_SET` pictures of a directory through the real preprocessing.

    Raises:
        CalibrationError: it has no picture.
    """
    report(f"Reading the pictures in {directory}")
    paths = _evenly(sorted(path for path in directory.rglob("*") if path.is_file()))
    prepared = [(path, image) for path in paths if (image := _prepared(path, draft, report))]
    if not prepared:
        raise CalibrationError(f"{directory} has {len(paths)} files, but no picture; give another")
    indices = [_class_index(path, draft) for path, _ in prepared]
    return Pictures(np.concatenate([image for _, [image] in prepared]), np.array(indices, np.intp))


def _evenly(paths: list[Path]) -> list[Path]:
    limit = 2 * LARGEST_SET
    return [paths[i * len(paths) // limit] for i in range(limit)] if len(paths) > limit else paths


def _prepared(path: Path, draft: ModelCard, report: Report) -> list[NDArray[np.uint8]]:
    try:
        return [preprocessing.prepare(path.read_bytes(), draft.preprocessing)[None]]
    except (ImageError, OSError) as exc:
        report(f"Skipped {path.name}: {exc}")
        return []


def _class_index(path: Path, draft: ModelCard) -> int:
    return draft.labels.index(path.parent.name) if path.parent.name in draft.labels else UNKNOWN
