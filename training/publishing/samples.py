"""Photographs of the run that a version's variants are held against it on, and calibrated on."""

from collections.abc import Sequence

import numpy as np

from model_store import preprocessing
from model_store.card import PreprocessingSpec
from model_store.picture_sets import LARGEST_SET, Pictures, PictureSets
from training.pictures import sources
from training.pictures.data import Picture
from training.pictures.prepared import Prepared

# Float32 variants differ by rounding alone, which few pictures show; int8 ones change answers.
ENOUGH_FOR_FLOAT32 = 32


def choose(prepared: Prepared, spec: PreprocessingSpec, *, int8: bool) -> PictureSets:
    """Return test pictures to judge variants on and, for int8, training pictures to calibrate on.

    Each is at most `LARGEST_SET` pictures, evenly taken from the split.
    """
    judged = LARGEST_SET if int8 else ENOUGH_FOR_FLOAT32
    calibrated = LARGEST_SET if int8 else 0
    return PictureSets(
        calibration=_pictures(prepared, _some(prepared.split.training, calibrated), spec),
        judged=_pictures(prepared, _some(prepared.split.testing, judged), spec),
        real=True,
    )


def _some(pictures: Sequence[Picture], limit: int) -> tuple[Picture, ...]:
    n = min(len(pictures), limit)
    return tuple(pictures[i * len(pictures) // n] for i in range(n))


def _pictures(
    prepared: Prepared, pictures: tuple[Picture, ...], spec: PreprocessingSpec
) -> Pictures:
    images = np.zeros((len(pictures), spec.input_size, spec.input_size, 3), np.uint8)
    for image, picture in zip(images, pictures, strict=True):
        image[:] = preprocessing.prepare(sources.read_again(prepared.source, picture.path), spec)
    return Pictures(images, prepared.truth(pictures).astype(np.intp))
