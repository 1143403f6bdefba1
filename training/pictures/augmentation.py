"""Changed views of a picture, for training only: mirrored, cropped, enlarged, brighter or darker.

`view` is what retrain.py's flags ask for, `piece` what fine-tuning sees. Either depends on the
picture's content, the seed and its number, so it is the same in every run.
"""

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model_store import preprocessing
from model_store.card import PreprocessingSpec
from model_store.pictures.decoding import decode

PERCENT = 100

# A random piece is at most this much wider than high, or higher than wide.
MOST_STRETCH = 4 / 3
# When none of so many lies inside a long picture, the largest square does.
MOST_DRAWS = 10


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


@dataclass(frozen=True)
class Pieces:
    """How fine-tuning sees pictures: another piece each time, so that none is learned by heart.

    Attributes:
        least_area: Smallest share of the picture that a piece covers, over 0; 1 for the largest.
        flip_left_right: Mirror every second piece.
        seed: Another seed gives other pieces.
    """

    least_area: float
    flip_left_right: bool
    seed: int


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
    image = _cropped(decode(upload, shorter_side=shorter_side), zoom, generator)
    if augmentation.flip_left_right and generator.random() < 1 / 2:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return _brightened(preprocessing.pixels(image, spec), augmentation, generator)


def piece(upload: bytes, spec: PreprocessingSpec, pieces: Pieces, number: int) -> NDArray[np.uint8]:
    """Return a random piece of an upload, stretched to [H, W, 3] with H = W = input_size.

    Source: Szegedy et al. 2015, "Going deeper with convolutions", section 6; there the least area
    is 0.08.
    """
    generator = _generator(upload, pieces.seed, number)
    shorter_side = math.ceil(spec.input_size / math.sqrt(pieces.least_area))
    image = decode(upload, shorter_side=shorter_side)
    pixels = preprocessing.stretched(image, _box(image, pieces.least_area, generator), spec)
    is_mirrored = pieces.flip_left_right and generator.random() < 1 / 2
    return pixels[:, ::-1] if is_mirrored else pixels


def _box(
    image: Image.Image, least_area: float, generator: np.random.Generator
) -> tuple[float, float, float, float]:
    """Draw left, top, right and bottom of a piece that lies inside the image."""
    width = height = float(min(image.size))
    for _ in range(MOST_DRAWS):
        area = generator.uniform(least_area, 1) * image.width * image.height
        ratio = math.exp(generator.uniform(-math.log(MOST_STRETCH), math.log(MOST_STRETCH)))
        drawn = math.sqrt(area * ratio), math.sqrt(area / ratio)
        if drawn[0] <= image.width and drawn[1] <= image.height:
            width, height = drawn
            break
    left = generator.uniform(0, image.width - width)
    top = generator.uniform(0, image.height - height)
    return left, top, left + width, top + height


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
