"""One lesson: what is learned from the pictures that train, and what it says to those that test.

A run has one, cross-validation one for each fold. With `fine_tune` there are two candidates, and
the validation pictures choose.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.journal import Journal
from training.judging.evaluation import TestSet
from training.judging.temperature import fit_temperature
from training.learning import extractors, fine_tuning, head
from training.learning.backbone import Backbone
from training.learning.examples import HeldOut, Sight
from training.learning.extractors import Extractor
from training.learning.fine_tuning import Tuned
from training.learning.head import Curves, Head
from training.pictures.prepared import Prepared
from training.settings import TrainingSettings


@dataclass(frozen=True)
class Learned:
    """A backbone with what computes its features, what it sees of pictures held out, and a head."""

    backbone: Backbone
    extractor: Extractor
    held_out: HeldOut
    head: Head

    def answers(self, prepared: Prepared) -> TestSet:
        """Return what the head says about the test pictures, with a temperature to believe it by.

        The temperature is fitted on the validation pictures.
        """
        validation, testing = self.held_out.validation, self.held_out.testing
        logits = self.head.dense.logits(validation.features)
        return TestSet(
            labels=prepared.data.labels,
            paths=tuple(picture.path for picture in prepared.split.testing),
            truth=testing.truth,
            logits=self.head.dense.logits(testing.features),
            temperature=fit_temperature(logits, validation.truth),
        )


def learn(
    settings: TrainingSettings, prepared: Prepared, backbone: Backbone, journal: Journal
) -> Learned:
    """Return what was learned from the training pictures.

    With `fine_tune` that is the tuned backbone, unless the frozen one is clearly better.

    Raises:
        BackboneUnavailableError: it shall be fine-tuned and cannot be.
        DataError: a picture changed or vanished since the check.
        TrainingError: fine-tuning ended early.
    """
    lesson = _Lesson(settings, prepared, journal)
    if not settings.fine_tune:
        return lesson.frozen(backbone)
    fine_tuning.refuse_closed(backbone)
    frozen = lesson.frozen(backbone)
    return kept_of(frozen, lesson.tuned(frozen), journal)


def kept_of(frozen: Learned, tuned: Learned, journal: Journal) -> Learned:
    """Return the tuned one, unless it says the validation pictures clearly worse, and say which.

    Clearly is by more than one standard error of the difference: with a hundred pictures most of
    a smaller one is chance, and tuning was asked for because it usually helps. One picture alone is
    never clear, however badly it is said; a tuning that ended without finite numbers always is.
    """
    losses = [_validation_losses(one) for one in (frozen, tuned)]
    difference = losses[1].astype(np.float64) - losses[0]
    is_kept = not _is_clear(difference)
    journal.note(
        f"Loss on the validation pictures: {losses[0].mean():.3f} frozen, {losses[1].mean():.3f} "
        f"fine-tuned; the {'fine-tuned' if is_kept else 'frozen'} backbone is kept"
    )
    return tuned if is_kept else frozen


@dataclass(frozen=True)
class _Lesson:
    """Both ways to learn from one run's pictures."""

    settings: TrainingSettings
    prepared: Prepared
    journal: Journal

    def frozen(self, backbone: Backbone) -> Learned:
        """Train a head on the features that the backbone gives as it is."""
        sight = self._sight(backbone)
        with self.journal.phase("Computing features"):
            training, held_out = sight.everything()
        classes = len(self.prepared.data.labels)
        with self.journal.phase("Training the head"):
            trained = head.train(self.settings, training, held_out.validation, classes=classes)
        return Learned(backbone, sight.extractor, held_out, trained)

    def tuned(self, frozen: Learned) -> Learned:
        """Train the backbone further, along with the head that was found for it."""
        pictures = self.prepared.split.training
        with self.journal.phase("Fine-tuning the backbone"):
            tuned = fine_tuning.tuned(
                self.settings.model_copy(update={"image_dir": self.prepared.source.place}),
                frozen.backbone,
                pictures,
                self.prepared.truth(pictures),
                frozen.head.dense,
                advance=self.journal.count,
            )
        backbone = frozen.backbone.tuned(tuned.weights)
        sight = self._sight(backbone)
        with self.journal.phase("Computing features"):
            held_out = sight.held_out()
        return Learned(backbone, sight.extractor, held_out, _tuned_head(tuned))

    def _sight(self, backbone: Backbone) -> Sight:
        place = self.settings.bottleneck_dir / "backbones"
        with self.journal.phase("Preparing the backbone"):
            extractor = extractors.prepare(backbone, place, report=self.journal.note)
        return Sight(self.settings, self.prepared, backbone, extractor, self.journal.count)


def _tuned_head(tuned: Tuned) -> Head:
    """Return the head that learned along with the backbone.

    One that is solved anew on the tuned features does worse: those of the training pictures are
    tidier than any that will come.
    """
    curves = Curves(list(range(1, len(tuned.losses) + 1)))
    curves.values |= {"training_loss": tuned.losses, "training_accuracy": tuned.accuracies}
    return Head(tuned.dense, f"fine-tuned in {len(tuned.losses)} epochs", curves)


def _is_clear(difference: NDArray[np.float64]) -> bool:
    mean = difference.mean()
    return not np.isfinite(mean) or bool(mean > difference.std() / np.sqrt(len(difference)))


def _validation_losses(learned: Learned) -> NDArray[np.float32]:
    """Return the weighted -log p(truth) of each picture in nats, as served: after the temperature.

    Without it the loss would tell how sure a head is, which tuning changes and the temperature
    undoes. After a tuning that did not end with finite numbers all losses are infinite.
    """
    validation = learned.held_out.validation
    logits = learned.head.dense.logits(validation.features)
    if not np.isfinite(logits).all():
        return np.full(len(logits), np.inf, np.float32)
    temperature = fit_temperature(logits, validation.truth)
    return validation.losses(logits / np.float32(temperature))
