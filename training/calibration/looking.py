"""A version in memory as its network is, and what it says of pictures.

No temperature stands between: what is fitted on these answers is the whole of it.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_store import ModelCard, ModelStore, drawings, preprocessing, runtimes
from model_store.agreement import FLOAT32
from model_store.card import Variant
from model_store.doubts.section import DRAWN, PHOTOGRAPHS
from model_store.errors import ImageError, RuntimeUnavailableError
from model_store.runtimes import LoadedArtifact, Rows
from training.errors import DataError
from training.journal import Journal
from training.judging.trust import DRAWN_PICTURES, DRAWN_SEED, DRAWN_SOURCE, Seen, SeenForeign
from training.pictures import foreign, sources, split
from training.pictures.data import DataSet, Picture
from training.pictures.sources import Reader, Source

# Of 100 pictures 40 are what others are held against, 30 fit and 30 show. Without features nothing
# is held against them, and half fit.
WITH_FEATURES, WITHOUT_FEATURES = (0.4, 0.7), (0.0, 0.5)
# Fastest first; the reference and others come after them.
_PREFERENCE = ("openvino", "litert")


@dataclass(frozen=True, eq=False)
class Parts:
    """What was seen of each part of the pictures; `references` are features [N, width].

    `shown` are the pictures of the references.
    """

    validation: Seen
    testing: Seen
    references: NDArray[np.float32] | None
    shown: Sequence[Picture]
    counts: dict[str, dict[str, int]]


@dataclass(frozen=True, eq=False)
class Looking:
    """A version in memory as its network is, without a temperature beside it."""

    card: ModelCard
    directory: Path
    source: Source
    artifact: LoadedArtifact
    journal: Journal

    @classmethod
    def of(cls, store: ModelStore, card: ModelCard, source: Source, journal: Journal) -> "Looking":
        """Return a version of the store with its network in memory."""
        directory = store.fetch(card.name, card.version)
        return cls(card, directory, source, loaded(card, directory), journal)

    def parts(self, found: DataSet) -> Parts:
        """Divide the pictures by content alone, and look at each."""
        has_features = self._rows_of_black().features is not None
        first, second = WITH_FEATURES if has_features else WITHOUT_FEATURES
        shares = {picture.group: split.share(picture.group) for picture in found.pictures}
        kinds = {
            "references": [p for p in found.pictures if shares[p.group] < first],
            "validation": [p for p in found.pictures if first <= shares[p.group] < second],
            "testing": [p for p in found.pictures if shares[p.group] >= second],
        }
        seen = {name: self.seen(self.source, some) for name, some in kinds.items()}
        counts = {
            label: {name: sum(p.label == label for p in some) for name, some in kinds.items()}
            for label in sorted({picture.label for picture in found.pictures})
        }
        references = seen["references"].features if kinds["references"] else None
        shown = kinds["references"]
        return Parts(seen["validation"], seen["testing"], references, shown, counts)

    def seen(self, source: Reader, pictures: Sequence[Picture]) -> Seen:
        """Return what the network says of pictures, one at a time, as a worker asks it."""
        rows = []
        for n, picture in enumerate(pictures, start=1):
            upload = sources.read_unchanged(source, picture.path, picture.digest)
            try:
                image = preprocessing.prepare(upload, self.card.preprocessing)
            except ImageError as exc:
                raise DataError(f"{picture.path} cannot be used: {exc}; take it away") from exc
            rows.append(runtimes.describe(self.artifact, image[None]))
            self.journal.count(n, len(pictures))
        truth = [self._class_index(picture) for picture in pictures]
        return self.joined([picture.path for picture in pictures], truth, rows)

    def joined(self, paths: Sequence[str], truth: Sequence[int], rows: Sequence[Rows]) -> Seen:
        """Return what was said of pictures one after another."""
        found = [row.features for row in rows if row.features is not None]
        probabilities = [row.probabilities for row in rows]
        return Seen(
            tuple(paths),
            np.array(truth, np.int64),
            np.concatenate(probabilities) if rows else np.zeros((0, len(self.card.labels)), "f4"),
            np.concatenate(found) if found else None,
        )

    def _class_index(self, picture: Picture) -> int:
        labels = self.card.labels
        return labels.index(picture.label) if picture.label in labels else -1

    def _rows_of_black(self) -> Rows:
        size = self.card.preprocessing.input_size
        return runtimes.describe(self.artifact, np.zeros((1, size, size, 3), np.uint8))


def others(looking: Looking, folder: Path | None, own: set[str], journal: Journal) -> SeenForeign:
    """Return what is said of photographs of other things; without a folder, of drawn pictures.

    `own` are the SHA-256 (hexadecimal) of the pictures of the labels, which are left out.
    """
    if folder is None:
        return SeenForeign(DRAWN, DRAWN_SOURCE, _drawn(looking))
    found = foreign.look(folder, own=own)
    for text in found.notes:
        journal.event("warning", text=text)
    seen = looking.seen(found.files, found.pictures)
    return SeenForeign(PHOTOGRAPHS, folder.resolve().name, seen)


def _drawn(looking: Looking) -> Seen:
    size = looking.card.preprocessing.input_size
    textures = drawings.textures(DRAWN_PICTURES, input_size=size, seed=DRAWN_SEED)
    rows = [runtimes.describe(looking.artifact, image[None]) for image in textures]
    names = [f"texture {i}" for i in range(1, DRAWN_PICTURES + 1)]
    return looking.joined(names, [-1] * DRAWN_PICTURES, rows)


def loaded(card: ModelCard, directory: Path) -> LoadedArtifact:
    """Return the network in the first runtime that is installed, float32 and without temperature.

    Raises:
        RuntimeUnavailableError: none is.
    """
    bare = replace(card, trust=None)
    for variant in sorted(card.variants, key=_place):
        if variant.precision == FLOAT32 and variant.serves:
            with suppress(RuntimeUnavailableError):
                return runtimes.load(variant.runtime, directory / variant.path, bare, threads=1)
    raise RuntimeUnavailableError(f"no runtime that serves {card.ref} in {FLOAT32} is installed")


def _place(variant: Variant) -> int:
    names = (*_PREFERENCE, "")
    return names.index(variant.runtime) if variant.runtime in names else len(names)
