"""The pictures that are sent: a folder that was named, or a set drawn like photographs.

Photographs of ImageNet have a median of 500 x 334 pixels and a mean of 108 kB; the drawn set has
the same, with small and large ones, upright ones and ones of more or less detail.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COUNT = 64
SEED = 108
FOLDER = Path(__file__).parent.parent / "var" / "bench-pictures"
MEDIAN_SIDES = (500, 334)
MEAN_BYTES = 108_000
"""Of 99 photographs of ImageNet, as are the sides."""

ASPECTS = (1.5, 1.5, 4 / 3, 1.0)
COMMON_SHARE, UPRIGHT_SHARE = 0.56, 0.22
SMALLEST, LARGEST = 300, 1500
QUALITIES = (75, 95)
BYTES_A_PIXEL = 0.53
DETAIL_STEPS = 5


@dataclass(frozen=True)
class PictureSet:
    """The files that are sent in turn, and what they are called in a table."""

    files: tuple[Path, ...]
    origin: str

    @property
    def described(self) -> str:
        """Their number, origin and mean size."""
        mean = sum(file.stat().st_size for file in self.files) / len(self.files) / 1000
        return f"{len(self.files)} pictures, {self.origin}, mean {mean:.0f} kB"


def chosen(folder: Path | None) -> PictureSet:
    """Return the JPEG files of a folder, or the drawn set where none is named.

    Raises:
        FileNotFoundError: the folder has no JPEG files.
    """
    if folder is None:
        return PictureSet(tuple(draw(FOLDER)), "drawn like photographs")
    files = tuple(sorted(folder.glob("*.[jJ][pP]*")))
    if not files:
        raise FileNotFoundError(f"{folder} has no *.jpg or *.jpeg; name a folder of photographs")
    return PictureSet(files, "from a folder")


def draw(folder: Path, *, count: int = COUNT, seed: int = SEED) -> list[Path]:
    """Write the set into `folder`, the same bytes each time with the same Pillow; return it."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    files = [folder / f"{number:03}.jpg" for number in range(count)]
    for file, size in zip(files, sizes(random, count), strict=True):
        file.write_bytes(_photograph(random, size))
    return files


def sizes(random: np.random.Generator, count: int) -> list[tuple[int, int]]:
    """Return widths and heights in pixels: over half are 500 x 334, a few have 1,500 pixels."""
    common = round(COMMON_SHARE * count)
    others = [_size(random) for _ in range(count - common)]
    found = [MEDIAN_SIDES] * common + others
    return [found[i] for i in random.permutation(count)]


def _size(random: np.random.Generator) -> tuple[int, int]:
    longer = int(np.clip(random.lognormal(np.log(MEDIAN_SIDES[0]), 0.45), SMALLEST, LARGEST))
    shorter = round(longer / random.choice(ASPECTS))
    upright = random.random() < UPRIGHT_SHARE / (1 - COMMON_SHARE)
    return (shorter, longer) if upright else (longer, shorter)


def _photograph(random: np.random.Generator, size: tuple[int, int]) -> bytes:
    """Return a JPEG whose detail is chosen so that it has about the bytes of a photograph."""
    quality = int(random.integers(*QUALITIES))
    wanted = BYTES_A_PIXEL * size[0] * size[1] * random.lognormal(-0.08, 0.4)
    coarse, fine = _clouds(random, size), random.normal(0, 1, (size[1], size[0], 1))
    low, high = 0.0, 60.0
    for _ in range(DETAIL_STEPS):
        detail = (low + high) / 2
        upload = _jpeg(coarse + detail * fine, quality)
        low, high = (low, detail) if len(upload) > wanted else (detail, high)
    return upload


def _clouds(random: np.random.Generator, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return colours [H, W, 3] whose contrast falls with their frequency, as in nature."""
    total = np.full((size[1], size[0], 3), 127.0, np.float32)
    for octave in range(1, 7):
        cells = 2**octave
        grid = Image.fromarray(random.integers(0, 256, (cells, cells, 3), np.uint8))
        layer = np.asarray(grid.resize(size, Image.Resampling.BICUBIC), np.float32)
        total += (layer - 127) * 1.6 / octave**1.2
    return total


def _jpeg(pixels: NDArray[np.floating], quality: int) -> bytes:
    upload = BytesIO()
    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    image.save(upload, "JPEG", quality=quality)
    return upload.getvalue()


def sides(files: Sequence[Path]) -> list[tuple[int, int]]:
    """Return width and height of each picture, in pixels."""
    found = []
    for file in files:
        with Image.open(file) as image:
            found.append(image.size)
    return found
