"""How far answers move when a wide gamut is taken for sRGB: the second table of `docs/pictures.md`.

python -m tests.pictures.gamuts [--images FOLDER] [--write]
"""

import argparse
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import report
from model_store import ModelStore, serving
from model_store.pictures.decoding import decode
from model_store.predictions import Prediction
from model_store.settings import ModelSettings
from petiole.console import SAMPLE
from tests.pictures import icc, table
from tests.pictures.files import encoded
from tests.pictures.icc import Space

MOST_PICTURES = 200
SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
_COLUMNS = (
    "stored in",
    "profile",
    "sample's best label",
    "same best label",
    "probability moves by",
)


@dataclass(frozen=True)
class Answers:
    """What the model says to each picture as it is, with a profile applied, and with it ignored."""

    space: Space
    as_it_is: Sequence[Prediction]
    applied: Sequence[Prediction]
    ignored: Sequence[Prediction]


def measured(images: Sequence[Path]) -> Iterator[Answers]:
    """Give the answers for each wide gamut."""
    settings = ModelSettings()
    model = serving.load(ModelStore.open(settings.store_url), settings.default_model)

    def best(upload: bytes) -> Prediction:
        return model.classify(upload, k=1)[0]

    pictures = [decode(image.read_bytes()) for image in images]
    plain = [best(encoded(picture, "PNG")) for picture in pictures]
    for space in icc.WIDE:
        stored = [_stored(picture, space) for picture in pictures]
        profile = space.profile()
        applied = [best(encoded(each, "PNG", icc_profile=profile)) for each in stored]
        yield Answers(space, plain, applied, [best(encoded(each, "PNG")) for each in stored])


def _stored(picture: Image.Image, space: Space) -> Image.Image:
    """Return the same colours as a wide gamut stores them."""
    colours = space.from_srgb(np.asarray(picture) / 255)
    return Image.fromarray(np.rint(colours * 255).astype(np.uint8))


def rendered(images: Sequence[Path], found: Sequence[Answers]) -> str:
    """Return what stands between the marks of the document."""
    what = f"The sample photograph, and {len(images)} photographs in all; the default model."
    rows = [("sRGB", "none", _label(found[0].as_it_is[0]), "", "")]
    for answers in found:
        for name, given in (("applied", answers.applied), ("ignored", answers.ignored)):
            rows.append((answers.space.name, name, *_compared(answers.as_it_is, given)))
    return f"{report.heading(what)}\n\n{report.table(_COLUMNS, rows)}"


def _compared(expected: Sequence[Prediction], given: Sequence[Prediction]) -> tuple[str, str, str]:
    pairs = list(zip(expected, given, strict=True))
    same = sum(a.label == b.label for a, b in pairs) / len(pairs)
    moves = statistics.mean(abs(a.probability - b.probability) for a, b in pairs)
    return _label(given[0]), f"{100 * same:.1f} %", f"{moves:.3f}"


def _label(prediction: Prediction) -> str:
    return f"{prediction.label} {prediction.probability:.3f}"


def _images(folder: Path | None) -> list[Path]:
    found = sorted(folder.rglob("*")) if folder else []
    photographs = [path for path in found if path.suffix.lower() in SUFFIXES]
    return [SAMPLE, *photographs[:MOST_PICTURES]]


def main() -> None:
    """Measure, and print or write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, help="A folder of photographs beside the sample.")
    parser.add_argument("--write", action="store_true", help="Write the table into the document.")
    options = parser.parse_args()
    images = _images(options.images)
    text = rendered(images, list(measured(images)))
    if options.write:
        report.write(table.DOCUMENT, text, mark="gamuts")
    else:
        print(text)  # noqa: T201 - what it is asked for


if __name__ == "__main__":
    main()
