"""The phases of a run between the pictures and the decision: features, head, evaluation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.journal import Journal
from training.judging import evaluation
from training.judging.evaluation import Evaluation, TestSet
from training.judging.temperature import fit_temperature
from training.learning import extractors, features, fine_tuning, head
from training.learning.backbones import Backbone
from training.learning.dense import Examples, Matrix, counting
from training.learning.extractors import Extractor
from training.learning.features import View
from training.learning.fine_tuning import Tuned
from training.learning.head import Curves, Descent, Head
from training.pictures.augmentation import Augmentation
from training.pictures.data import DataSet, Picture
from training.pictures.sources import Source
from training.pictures.split import Split
from training.settings import (
    DEFAULT_BATCH_SIZE,
    DEFAULT_LEARNING_RATE,
    DEFAULT_STEPS,
    TrainingSettings,
)


@dataclass(frozen=True)
class Prepared:
    """The pictures of a run: where they are, what the check found, how they were split."""

    source: Source
    data: DataSet
    split: Split

    def truth(self, pictures: tuple[Picture, ...]) -> NDArray[np.int64]:
        """Return the class index of each picture, [N]."""
        place = {label: i for i, label in enumerate(self.data.labels)}
        return np.array([place[picture.label] for picture in pictures], np.int64)


@dataclass(frozen=True)
class Sets:
    """Everything that the head sees: weighted examples to train and choose on, plain ones to judge.

    With augmentation `training` holds all views of the training pictures, one after another.
    """

    training: Examples
    validation: Examples
    testing: Examples


@dataclass(frozen=True)
class Learned:
    """A backbone, the features that it gives, and the head that was trained on them."""

    backbone: Backbone
    sets: Sets
    head: Head


def learn(
    settings: TrainingSettings, prepared: Prepared, backbone: Backbone, journal: Journal
) -> Learned:
    """Return what was learned from the training pictures.

    With `fine_tune` that is the tuned backbone, unless the frozen one is clearly better.
    """
    frozen = Learned(backbone, *_train_head(settings, prepared, backbone, journal))
    if not settings.fine_tune:
        return frozen
    weights = fine_tuning.weights_of(backbone)
    tuned = _fine_tune(settings, prepared, frozen, journal)
    kept = kept_of(frozen, tuned, journal)
    if kept is frozen:
        backbone.keras_model.set_weights(weights)
    return kept


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


def _is_clear(difference: NDArray[np.float64]) -> bool:
    mean = difference.mean()
    return not np.isfinite(mean) or bool(mean > difference.std() / np.sqrt(len(difference)))


def _validation_losses(learned: Learned) -> NDArray[np.float32]:
    """Return the weighted -log p(truth) of each picture in nats, as served: after the temperature.

    Without it the loss would tell how sure a head is, which tuning changes and the temperature
    undoes. After a tuning that did not end with finite numbers all losses are infinite.
    """
    validation = learned.sets.validation
    logits = learned.head.dense.logits(validation.features)
    if not np.isfinite(logits).all():
        return np.full(len(logits), np.inf, np.float32)
    temperature = fit_temperature(logits, validation.truth)
    return validation.losses(logits / np.float32(temperature))


def _train_head(
    settings: TrainingSettings, prepared: Prepared, backbone: Backbone, journal: Journal
) -> tuple[Sets, Head]:
    sets = compute_features(settings, prepared, backbone, journal)
    with journal.phase("Training the head"):
        return sets, train_head(settings, sets, classes=len(prepared.data.labels))


def _fine_tune(
    settings: TrainingSettings, prepared: Prepared, frozen: Learned, journal: Journal
) -> Learned:
    pictures = prepared.split.training
    with journal.phase("Fine-tuning the backbone"):
        tuned = fine_tuning.tuned(
            settings,
            frozen.backbone,
            pictures,
            prepared.truth(pictures),
            frozen.head.dense,
            advance=journal.count,
        )
    sets = compute_features(settings, prepared, tuned.backbone, journal)
    return Learned(tuned.backbone, sets, _tuned_head(tuned))


def _tuned_head(tuned: Tuned) -> Head:
    """Return the head that learned along with the backbone.

    One that is solved anew on the tuned features does worse: those of the training pictures are
    tidier than any that will come.
    """
    curves = Curves(list(range(1, len(tuned.losses) + 1)))
    curves.values |= {"training_loss": tuned.losses, "training_accuracy": tuned.accuracies}
    return Head(tuned.dense, f"fine-tuned in {len(tuned.losses)} epochs", curves)


def prepare_extractor(
    settings: TrainingSettings, backbone: Backbone, journal: Journal
) -> Extractor:
    """Return what computes features of a backbone; it is made once and kept."""
    place = settings.bottleneck_dir / "backbones"
    return extractors.prepare(backbone, place, report=journal.note)


def compute_features(
    settings: TrainingSettings, prepared: Prepared, backbone: Backbone, journal: Journal
) -> Sets:
    """Return the features of all pictures; only the training pictures are ever changed."""
    with journal.phase("Preparing the backbone"):
        extractor = prepare_extractor(settings, backbone, journal)
    split = prepared.split
    held_out = []
    with journal.phase("Computing features"):
        everything = (*split.training, *split.validation, *split.testing)
        plain = _Features(settings, prepared.source, backbone, extractor, journal)
        plain.rows(everything, None)
        training = np.concatenate([plain.rows(split.training, view) for view in _views(settings)])
        held_out = [plain.rows(part, None) for part in (split.validation, split.testing)]
    balance = settings.class_balance
    classes = len(prepared.data.labels)
    truth = np.tile(prepared.truth(split.training), len(training) // len(split.training))
    validation, testing = prepared.truth(split.validation), prepared.truth(split.testing)
    return Sets(
        Examples(training, truth, counting(truth, classes=classes, balance=balance)),
        Examples(held_out[0], validation, counting(validation, classes=classes, balance=balance)),
        Examples(held_out[1], testing, counting(testing, classes=classes, balance="none")),
    )


def train_head(settings: TrainingSettings, sets: Sets, *, classes: int) -> Head:
    """Return the last layer, solved exactly or, where steps were asked for, by descent."""
    if not settings.descends:
        return head.solve(sets.training, sets.validation, classes=classes)
    how = Descent(
        steps=settings.how_many_training_steps or DEFAULT_STEPS,
        learning_rate=settings.learning_rate or DEFAULT_LEARNING_RATE,
        batch_size=settings.train_batch_size or DEFAULT_BATCH_SIZE,
        eval_step_interval=settings.eval_step_interval,
        draws_classes_equally=settings.class_balance == "uniform",
        seed=settings.seed,
    )
    training = sets.training
    if how.draws_classes_equally:
        # Drawn equally already, so weighting as well would count small classes twice.
        ones = np.ones_like(training.weights)
        training = Examples(training.features, training.truth, ones)
    return head.descend(training, sets.validation, classes=classes, how=how)


def evaluate(prepared: Prepared, sets: Sets, trained: Head) -> tuple[Evaluation, float]:
    """Return what was measured on the test pictures, and the temperature fitted on validation."""
    answers = answer(prepared, sets, trained)
    return evaluation.evaluate(answers), answers.temperature


def answer(prepared: Prepared, sets: Sets, trained: Head) -> TestSet:
    """Return what the head says about the test pictures, with the temperature from validation."""
    validation, testing = sets.validation, sets.testing
    temperature = fit_temperature(trained.dense.logits(validation.features), validation.truth)
    return TestSet(
        labels=prepared.data.labels,
        paths=tuple(picture.path for picture in prepared.split.testing),
        truth=testing.truth,
        logits=trained.dense.logits(testing.features),
        temperature=temperature,
    )


class _Features:
    """Computes features with everything but the pictures already decided."""

    def __init__(
        self,
        settings: TrainingSettings,
        source: Source,
        backbone: Backbone,
        extractor: Extractor,
        journal: Journal,
    ) -> None:
        self._source = source
        self._backbone = backbone
        self._extractor = extractor
        self._journal = journal
        self._directory = settings.bottleneck_dir / "features"

    def rows(self, pictures: tuple[Picture, ...], view: View | None) -> Matrix:
        """Return the features [N, width] of pictures seen this way."""
        known = features.cache(self._backbone, self._directory, view)
        return features.compute(
            self._source,
            pictures,
            self._extractor,
            known,
            view=view,
            advance=self._journal.count,
        )


def _views(settings: TrainingSettings) -> list[View | None]:
    """Return how the training pictures are seen: as they are, or changed several times."""
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
