"""The examples of a run: its pictures as a backbone sees them, with what they show.

What trains and what is held out are two things: a backbone that learned along with its head needs
only the second.
"""

from dataclasses import dataclass

import numpy as np

from training.journal import Advance
from training.learning import features
from training.learning.backbone import Backbone
from training.learning.dense import Examples, Matrix, counting
from training.learning.extractors import Extractor
from training.learning.features import View
from training.pictures.augmentation import Augmentation
from training.pictures.data import Picture
from training.pictures.prepared import Prepared
from training.settings import TrainingSettings


@dataclass(frozen=True)
class HeldOut:
    """What the head is not trained on: it is chosen on `validation` and judged on `testing`."""

    validation: Examples
    testing: Examples


@dataclass(frozen=True)
class Sight:
    """A run's pictures through one backbone; features that are known are not computed again."""

    settings: TrainingSettings
    prepared: Prepared
    backbone: Backbone
    extractor: Extractor
    advance: Advance

    def everything(self) -> tuple[Examples, HeldOut]:
        """Return the examples that train, all views one after another, and those held out.

        Only the pictures that train are ever changed.
        """
        split = self.prepared.split
        # In one pass, so that there is one bar for it.
        self._rows((*split.training, *split.validation, *split.testing), None)
        return self._training(), self.held_out()

    def held_out(self) -> HeldOut:
        """Return the examples that the head is not trained on."""
        split = self.prepared.split
        self._rows((*split.validation, *split.testing), None)
        return HeldOut(
            validation=self._examples(
                split.validation, [None], balance=self.settings.class_balance
            ),
            testing=self._examples(split.testing, [None], balance="none"),
        )

    def _training(self) -> Examples:
        views = views_of(self.settings)
        return self._examples(
            self.prepared.split.training, views, balance=self.settings.class_balance
        )

    def _examples(
        self, pictures: tuple[Picture, ...], views: list[View | None], *, balance: str
    ) -> Examples:
        rows = np.concatenate([self._rows(pictures, view) for view in views])
        truth = np.tile(self.prepared.truth(pictures), len(views))
        classes = len(self.prepared.data.labels)
        return Examples(rows, truth, counting(truth, classes=classes, balance=balance))

    def _rows(self, pictures: tuple[Picture, ...], view: View | None) -> Matrix:
        place = self.settings.bottleneck_dir / "features"
        known = features.cache(self.backbone, place, view)
        return features.compute(
            self.prepared.source, pictures, self.extractor, known, view=view, advance=self.advance
        )


def views_of(settings: TrainingSettings) -> list[View | None]:
    """Return how the training pictures are seen: as they are, and changed several times."""
    if not settings.augments:
        return [None]
    changes = Augmentation(
        settings.flip_left_right,
        settings.random_crop,
        settings.random_scale,
        settings.random_brightness,
        settings.seed,
    )
    return [None, *(View(changes, number) for number in range(settings.augmented_views))]
