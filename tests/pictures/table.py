"""The table of `docs/pictures.md`: every layout that is tried, and what comes of it.

python -m tests.pictures.table            # print it
python -m tests.pictures.table --write    # write it into the document
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import report
from model_store.errors import ImageError
from model_store.pictures.decoding import decode
from model_store.pictures.headers import ACCEPTED_FORMATS
from tests.pictures import (
    bmp_layouts,
    carried_layouts,
    other_files,
    photo_layouts,
    png_layouts,
    tiff_layouts,
)
from tests.pictures.files import BLOCK
from tests.pictures.layouts import Layout

DOCUMENT = Path(__file__).parents[2] / "docs" / "pictures.md"
LAYOUTS = (photo_layouts, carried_layouts, png_layouts, bmp_layouts, tiff_layouts)
RIGHT = "right"
ANY_LAYOUT = "any layout"

Key = tuple[str, ...]
"""Format, colours, polarity, answer, bits and alpha of a row."""
DEPTH, ALPHA = 4, 5

# Parts of a refusal that only say again what the columns of the table say.
_SAID_BY_COLUMNS = re.compile(r", (an extra sample|associated alpha|straight alpha|in planes)")
_COLUMNS = ("format", "colours", "bits", "zero is", "alpha", "tried as", "answer")


@dataclass(frozen=True)
class Outcome:
    """What came of one layout: `right`, the sentence of a refusal, or what is wrong."""

    layout: Layout
    answer: str

    @property
    def is_right(self) -> bool:
        """Say whether the colours were those of the reference."""
        return self.answer == RIGHT

    @property
    def is_fault(self) -> bool:
        """Say whether the answer is neither right nor a refusal."""
        return self.answer.startswith(("wrong", "answered"))


@cache
def outcomes() -> tuple[Outcome, ...]:
    """Return what comes of every layout."""
    layouts = chain.from_iterable(module.all_layouts() for module in LAYOUTS)
    return tuple(Outcome(layout, _answer(layout)) for layout in layouts)


def _answer(layout: Layout) -> str:
    try:
        image = decode(layout.upload)
    except ImageError as exc:
        return str(exc)
    if layout.colours is None:
        return "answered, though nobody can say what it shows"
    return _compared(np.asarray(image), layout)


def _compared(found: NDArray[np.uint8], layout: Layout) -> str:
    if found.shape != layout.colours.shape:
        return f"wrong: {found.shape} instead of {layout.colours.shape}"
    difference = np.abs(found.astype(int) - layout.colours)[_inner(layout)]
    largest = int(difference.max())
    return RIGHT if largest <= layout.tolerance else f"wrong by {largest} levels"


def _inner(layout: Layout) -> NDArray[np.bool_]:
    """Return which pixels [H, W] are compared: those that lie `edge` or more inside a block."""
    height, width = layout.colours.shape[:2]
    place = np.arange(max(height, width)) % BLOCK
    inner = (place >= layout.edge) & (place < BLOCK - layout.edge)
    return inner[:height, None] & inner[None, :width]


def rendered() -> str:
    """Return what stands between the marks of the document."""
    found = outcomes()
    right, faults = (
        [one for one in found if getattr(one, kind)] for kind in ("is_right", "is_fault")
    )
    refused = [one for one in found if not (one.is_right or one.is_fault)]
    others = [(each.name, each.answer()) for each in other_files.all_files()]
    return "\n".join(
        (
            f"{len(found)} layouts are tried: {len(right)} are right, {len(refused)} are refused"
            f" by name, {len(faults)} are wrong.\n",
            "### Right\n",
            _table(_COLUMNS, _rows(right)),
            "\n### Refused\n",
            "The sentence is that of the first layout of its row, with N for its numbers.\n",
            _table(_COLUMNS, _rows(refused)),
            "\n### No pictures, known by their first bytes\n",
            f"`…` stands for the list of what is accepted: {', '.join(ACCEPTED_FORMATS)}.\n",
            _table(("sent", "answer"), others),
        )
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table of text, which stands at the left."""
    accepted = ", ".join(ACCEPTED_FORMATS)
    return report.table(columns, list(rows)).replace("---:", "---").replace(accepted, "…")


def _rows(found: Iterable[Outcome]) -> Iterator[tuple[str, ...]]:
    """Give the rows of a table; those that differ in bits alone are one, and so for alpha."""
    varieties: dict[Key, set[str]] = defaultdict(set)
    for one in found:
        layout = one.layout
        places = (layout.format, layout.model, layout.polarity, _generalised(one.answer))
        varieties[(*places, layout.depth, layout.alpha)].add(_shortened(layout.variety))
    rows: dict[Key, str] = {key: _together(tried) for key, tried in varieties.items()}
    for place in (DEPTH, ALPHA):
        rows = _merged(rows, place)
    for (format, model, polarity, answer, depth, alpha), tried in sorted(rows.items(), key=_order):
        yield format, model, depth, polarity, alpha, tried, answer


def _order(row: tuple[Key, str]) -> tuple[int, str, str]:
    (format, model, *_), _ = row
    return ACCEPTED_FORMATS.index(format), model, row[0][DEPTH]


def _merged(rows: dict[Key, str], place: int) -> dict[Key, str]:
    """Return rows of which those are one that differ only at this place of their key."""
    merged: dict[tuple[Key, str], list[str]] = defaultdict(list)
    for key, tried in rows.items():
        merged[(*key[:place], "", *key[place + 1 :]), tried].append(key[place])
    return {
        (*key[:place], ", ".join(found), *key[place + 1 :]): tried
        for (key, tried), found in merged.items()
    }


def _shortened(variety: str) -> str:
    """Return a variety without an orientation's number, or how many colours a palette has."""
    return re.sub(r" \d$|, \d+ (greys|colours)$", "", variety)


def _together(tried: set[str]) -> str:
    """Return varieties in the order of their names; all those of TIFF under one name."""
    every = set(tiff_layouts.VARIETIES) - {"predictor", "BigTIFF, big-endian"}
    together = {variety for variety in every if "planes" not in variety}
    for name, meant in ((ANY_LAYOUT, every), (f"{ANY_LAYOUT} but planes", together)):
        if meant <= tried:
            tried = {name, *(tried - meant - {"predictor"})}
    return "; ".join(sorted(tried))


def _generalised(answer: str) -> str:
    return re.sub(r"\b\d+\b", "N", _SAID_BY_COLUMNS.sub("", answer)) if answer != RIGHT else answer


if __name__ == "__main__":
    if "--write" in sys.argv:
        report.write(DOCUMENT, rendered(), mark="layouts")
    else:
        print(rendered())  # noqa: T201 - what it is asked for
