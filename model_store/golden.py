"""Golden pictures: drawn when a version is published, answered again by every child that loads it.

They hold everything between an upload's bytes and its probabilities: decoder, EXIF orientation,
crop, resize kernel, channel order and the runtime itself.
"""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model_store import arrays, drawings, preprocessing
from model_store.card import ModelCard, PreprocessingSpec, Variant
from model_store.errors import GoldenMismatchError
from model_store.pictures.orientation import ORIENTATION_TAG

FOLDER = "golden"
PIXELS = f"{FOLDER}/pixels.npy"
PROBABILITIES = f"{FOLDER}/probabilities.npy"

# Mean difference from the published pixels that is allowed, of 255. JPEG decoders round differently
# by less than that; another resize kernel moves one picture by 0.9 or more, at 8 to 600 pixels.
PIXEL_TOLERANCE = 0.5

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class Form:
    """The file that a golden picture is: name, size in pixels, and how it is encoded."""

    name: str
    size: tuple[int, int]
    format: str
    mode: str = "RGB"
    options: dict[str, Any] = field(default_factory=dict)


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = 6
    return exif


FORMS = (
    Form("landscape.png", (320, 260), "PNG"),
    Form(
        "turned.jpg",
        (360, 280),
        "JPEG",
        options={"quality": 95, "subsampling": 0, "exif": _turned()},
    ),
    Form("panorama.png", (640, 120), "PNG"),
    Form("grey.jpg", (280, 330), "JPEG", "L", options={"quality": 95}),
    Form("transparent.png", (260, 260), "PNG", "RGBA"),
)


def write(directory: Path, spec: PreprocessingSpec, predict: Predict) -> tuple[str, ...]:
    """Draw the golden pictures into `directory/golden`; return their paths inside `directory`.

    Their pixels [N, H, W, 3] and probabilities [N, classes] are written beside them.

    Args:
        directory: The files of a version that is not published yet.
        spec: How the version turns uploads into pixels.
        predict: The SavedModel: probabilities [N, classes] of images [N, H, W, 3].
    """
    (directory / FOLDER).mkdir()
    paths = tuple(f"{FOLDER}/{form.name}" for form in FORMS)
    for seed, (path, form) in enumerate(zip(paths, FORMS, strict=True)):
        (directory / path).write_bytes(_encode(form, seed))
    pixels = _prepared(directory, paths, spec)
    np.save(directory / PIXELS, pixels)
    np.save(directory / PROBABILITIES, one_by_one(predict, pixels))
    return paths


def images(directory: Path) -> NDArray[np.uint8]:
    """Return the pixels of the golden pictures as they were published, [N, H, W, 3]."""
    pixels: NDArray[np.uint8] = arrays.load(directory / PIXELS)
    return pixels


def one_by_one(predict: Predict, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the probabilities [N, classes] of images [N, H, W, 3], in batches of one.

    A worker's usual batch; another size would make some runtimes lay out their memory again.
    """
    return np.concatenate([predict(images[i : i + 1]) for i in range(len(images))])


def check(directory: Path, card: ModelCard, variant: Variant, predict: Predict) -> None:
    """Answer the golden pictures anew and compare with what was published.

    Args:
        directory: The verified files of the version.
        card: The version's card.
        variant: What predicts; its `tolerance` is allowed.
        predict: Its probabilities [N, classes] of images [N, H, W, 3].

    Raises:
        GoldenMismatchError: pixels or probabilities are too far off, or nothing was published.
    """
    if not card.golden:
        raise GoldenMismatchError(f"{card.ref} has no golden pictures to check; publish it again")
    pixels = _prepared(directory, card.golden, card.preprocessing)
    off = np.abs(pixels.astype(np.int16) - images(directory)).mean(axis=(1, 2, 3))
    _refuse(off, PIXEL_TOLERANCE, f"{card.ref}: the pixels (0 to 255) of", card)
    expected = arrays.load(directory / PROBABILITIES)
    off = np.abs(one_by_one(predict, pixels) - expected).max(axis=1)
    _refuse(off, variant.tolerance, f"{card.ref} through {variant.choice}: probabilities of", card)


def _refuse(off: NDArray[Any], tolerance: float, what: str, card: ModelCard) -> None:
    worst = int(off.argmax())
    # Written so that an answer which is no number is refused, too.
    if not off[worst] <= tolerance:
        raise GoldenMismatchError(
            f"{what} {card.golden[worst]} are off by {off[worst]:.4f}; allowed is {tolerance:.4f}. "
            "Preprocessing or runtime differ from those it was published with: install those, or "
            "publish it again"
        )


def _encode(form: Form, seed: int) -> bytes:
    # The strongest layer is as fine as the picture itself; that is where kernels differ.
    widths = (form.size[0], 40, 5)
    picture = drawings.texture(np.random.default_rng(seed), form.size, widths).convert(form.mode)
    if form.mode == "RGBA":
        picture.putalpha(Image.radial_gradient("L").resize(form.size))
    stream = io.BytesIO()
    picture.save(stream, form.format, **form.options)
    return stream.getvalue()


def _prepared(directory: Path, paths: Iterable[str], spec: PreprocessingSpec) -> NDArray[np.uint8]:
    uploads = [(directory / path).read_bytes() for path in paths]
    return np.stack([preprocessing.prepare(upload, spec) for upload in uploads])
