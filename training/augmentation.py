"""Changed views of a picture, for training only: mirrored, cropped, enlarged, brighter or darker.

A view depends on the picture's content, the seed and its number, so it is the same in every run.
"""

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model_store import preprocessing
from model_store.card import PreprocessingSpec

PERCENT = 100


@dataclass(frozen=True)
class Augmentation:
    """How far views may differ, as retrain.py's flags say it: percentages, except for the mirror.

    Attributes:
        flip_left_right: Mirror every second view.
        random_crop: Margin that a crop of 100 / (100 + margin) moves in.
        random_scale: Most that a view is enlarged by.
        random_brightness: Most that all channels are multiplied up or down by.
        seed: Another seed gives other views.
    """

    flip_left_right: bool = False
    random_crop: int = 0
    random_scale: int = 0
    random_brightness: int = 0
    seed: int = 0


def view(
    upload: bytes, spec: PreprocessingSpec, augmentation: Augmentation, number: int
) -> NDArray[np.uint8]:
    """Return one changed view of an upload as pixels [H, W, 3] with H = W = input_size.

    Source: the distortions of the TensorFlow Hub example retrain.py, `add_input_distortions`.
    """
    generator = _generator(upload, augmentation.seed, number)
    margin = 1 + augmentation.random_crop / PERCENT
    zoom = margin * generator.uniform(1, 1 + augmentation.random_scale / PERCENT)
    shorter_side = math.ceil(spec.input_size / spec.crop_fraction * zoom)
    image = _cropped(preprocessing.decode(upload, shorter_side=shorter_side), zoom, generator)
    if augmentation.flip_left_right and generator.random() < 1 / 2:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return _brightened(preprocessing.pixels(image, spec), augmentation, generator)


def _generator(upload: bytes, seed: int, number: int) -> np.random.Generator:
    digest = hashlib.sha256(upload).digest()
    return np.random.default_rng([seed, number, int.from_bytes(digest[:8], "big")])


def _cropped(image: Image.Image, zoom: float, generator: np.random.Generator) -> Image.Image:
    width, height = round(image.width / zoom), round(image.height / zoom)
    left = int(generator.integers(0, image.width - width + 1))
    top = int(generator.integers(0, image.height - height + 1))
    return image.crop((left, top, left + width, top + height))


def _brightened(
    pixels: NDArray[np.uint8], augmentation: Augmentation, generator: np.random.Generator
) -> NDArray[np.uint8]:
    most = augmentation.random_brightness / PERCENT
    factor = generator.uniform(1 - most, 1 + most)
    return (pixels * np.float32(factor)).round().clip(0, 255).astype(np.uint8)
