"""From what was learned to how far its answers can be trusted, with pictures of other things.

The validation pictures fit, the test pictures show; pictures of other things are photographs that
somebody gave, else drawn ones.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model_store import drawings
from model_store.doubts import examples
from model_store.doubts.likeness import FEWEST_OWN
from model_store.doubts.section import DRAWN, IN_NETWORK, PHOTOGRAPHS
from training.journal import Journal
from training.judging import trust
from training.judging.evaluation import Evaluation
from training.judging.temperature import softmax
from training.judging.trust import (
    DRAWN_PICTURES,
    DRAWN_SEED,
    DRAWN_SOURCE,
    Material,
    Measured,
    Seen,
    SeenForeign,
)
from training.learning import features
from training.learning.backbone import Backbone
from training.learning.dense import Dense, Examples, Matrix
from training.learning.examples import HeldOut
from training.learning.extractors import Extractor
from training.pictures import foreign, references
from training.pictures.data import Picture
from training.pictures.prepared import Prepared
from training.pictures.sources import Reader
from training.settings import TrainingSettings


@dataclass(frozen=True)
class Sight:
    """What of a lesson is needed: how pictures are seen, and what is said to them.

    `temperature` is what logits are divided by before the softmax.
    """

    backbone: Backbone
    extractor: Extractor
    held_out: HeldOut
    dense: Dense
    temperature: float


def doubts(
    settings: TrainingSettings,
    prepared: Prepared,
    sight: Sight,
    found: Evaluation,
    journal: Journal,
) -> Measured | None:
    """Return how far the answers can be trusted; None where too few pictures were held out.

    Raises:
        SettingsError: `foreign` is no folder with pictures.
        DataError: a picture changed or vanished since the check.
    """
    split = prepared.split
    if min(len(split.validation), len(split.testing)) < trust.FEWEST_PICTURES:
        journal.note(
            f"{len(split.validation)} validation and {len(split.testing)} test pictures say too "
            f"little of doubts; {trust.FEWEST_PICTURES} of each are needed"
        )
        return None
    look = _Look(settings, prepared, sight, journal)
    calibration = trust.calibration_of(found, applied=IN_NETWORK, fitted_on=len(split.validation))
    measured = trust.measure(look.material(), calibration)
    if measured is None or measured.likeness is None:
        return measured
    return replace(measured, examples=look.told_of_references())


@dataclass(frozen=True)
class _Look:
    """A run's pictures, as what will be served sees them."""

    settings: TrainingSettings
    prepared: Prepared
    sight: Sight
    journal: Journal

    def material(self) -> Material:
        """Return all that is fitted and judged on."""
        split, held_out = self.prepared.split, self.sight.held_out
        enough = len(split.validation) >= FEWEST_OWN
        return Material(
            labels=self.prepared.data.labels,
            validation=self._seen(split.validation, held_out.validation),
            testing=self._seen(split.testing, held_out.testing),
            references=self._references() if enough else None,
            foreign=self._foreign(),
        )

    def told_of_references(self) -> examples.Examples:
        """Return what is told of the references."""
        training, read = self.prepared.split.training, self.prepared.source.read
        return references.examples(training, read, show=self.settings.keep_thumbnails)

    def _seen(self, pictures: tuple[Picture, ...], examples: Examples) -> Seen:
        paths = tuple(picture.path for picture in pictures)
        return Seen(paths, examples.truth, self._said(examples.features), examples.features)

    def _said(self, rows: Matrix) -> Matrix:
        logits = self.sight.dense.logits(rows)
        return softmax(logits, temperature=self.sight.temperature).astype(np.float32)

    def _references(self) -> Matrix:
        some = references.some(self.prepared.split.training)
        return self._features(self.prepared.source, some)

    def _foreign(self) -> SeenForeign:
        if self.settings.foreign is None:
            rows = np.concatenate(list(self._drawn()))
            return SeenForeign(DRAWN, DRAWN_SOURCE, self._of_others(_drawn_names(), rows))
        folder = self.settings.foreign
        others = foreign.look(folder, own={one.digest for one in self.prepared.data.pictures})
        for text in others.notes:
            self.journal.event("warning", text=text)
        rows = self._features(others.files, others.pictures)
        paths = tuple(picture.path for picture in others.pictures)
        return SeenForeign(PHOTOGRAPHS, folder.resolve().name, self._of_others(paths, rows))

    def _of_others(self, paths: tuple[str, ...], rows: Matrix) -> Seen:
        return Seen(paths, np.full(len(paths), -1), self._said(rows), rows)

    def _drawn(self) -> Iterator[Matrix]:
        size = self.sight.backbone.spec.input_size
        network = self.sight.extractor.load()
        for image in drawings.textures(DRAWN_PICTURES, input_size=size, seed=DRAWN_SEED):
            yield network.predict(image[None])

    def _features(self, source: Reader, pictures: Sequence[Picture]) -> Matrix:
        place = self.settings.bottleneck_dir / "features"
        known = features.cache(self.sight.backbone, place)
        rows: NDArray[np.float32] = features.compute(
            source, pictures, self.sight.extractor, known, advance=self.journal.count
        )
        return rows


def _drawn_names() -> tuple[str, ...]:
    return tuple(f"texture {i}" for i in range(1, DRAWN_PICTURES + 1))
