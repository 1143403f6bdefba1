"""Cross-validation: how good a model from these pictures really is, with every picture as judge.

Each fold is trained like a run of its own, on features that are computed once. Nothing is
published; what was measured is left in the run's folder as `cross_validation.json`.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from training import beginning, lesson, whole
from training.beginning import Start
from training.errors import SettingsError
from training.journal import Journal
from training.judging import evaluation, gate
from training.judging.evaluation import Evaluation, TestSet
from training.judging.gate import Verdict
from training.judging.reliability import expected_calibration_error
from training.judging.temperature import softmax
from training.learning.backbone import Backbone
from training.pictures import folds
from training.pictures.prepared import Prepared
from training.reporting import record
from training.settings import TrainingSettings

JSON = "cross_validation.json"

# Each of them is about one model or one split, and here are several.
_MEANINGLESS = (
    "check",
    "foreign",
    "keep_thumbnails",
    "not_worse_than_production",
    "output_graph",
    "output_labels",
    "saved_model_dir",
    "summaries_dir",
    "testing_percentage",
)


@dataclass(frozen=True, eq=False)
class Fold:
    """One training and what it said about the pictures that it had not seen.

    Attributes:
        answers: The fold's testing pictures with the logits of its own model.
        trained_on: Number of training pictures.
        chosen_on: Number of validation pictures.
        chosen: How the head was chosen.
    """

    answers: TestSet
    trained_on: int
    chosen_on: int
    chosen: str

    @property
    def top1(self) -> float:
        """Share of the testing pictures whose most probable label is right."""
        return float((self.answers.logits.argmax(axis=1) == self.answers.truth).mean())


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """What all folds say together.

    Attributes:
        folds: One entry a fold, in order.
        mean: Mean of the folds' accuracies.
        deviation: Standard deviation of the folds' accuracies, with K - 1 in the denominator.
        pooled: All answers as one test set, each made probable with its own fold's temperature.
        error_before_temperature: Expected calibration error of the plain softmax over all answers.
        verdict: What the gate says to the pooled numbers.
        document: Where `cross_validation.json` is.
    """

    folds: tuple[Fold, ...]
    mean: float
    deviation: float
    pooled: Evaluation
    error_before_temperature: float
    verdict: Verdict
    document: Path


def run(settings: TrainingSettings, journal: Journal) -> CrossValidation:
    """Train and judge `cross_validate` times; return what came of it.

    The same call after a kill goes on where the first one was, like that of `training.run`.

    Raises:
        SettingsError: a flag makes no sense together with cross_validate.
        DataError: the pictures do not suffice for so many folds.
        BackboneUnavailableError: the backbone cannot be had here.
    """
    refuse(settings)
    start = beginning.begin(settings, journal)
    prepared = beginning.check(settings, journal)
    splits = folds.assign(
        prepared.data,
        folds=settings.cross_validate or 0,
        validation_percentage=settings.validation_percentage,
    )
    backbone = beginning.load_backbone(settings, journal)
    found = []
    for number, split in enumerate(splits, start=1):
        found.append(_fold(settings, replace(prepared, split=split), backbone, journal))
        _tell(found[-1], number, len(splits), journal)
    return _finished(start, prepared, found, journal)


def refuse(settings: TrainingSettings) -> None:
    """Make sure that nothing was asked for that needs one model or one split.

    Raises:
        SettingsError: with every such setting.
    """
    fields = TrainingSettings.model_fields
    given = [name for name in _MEANINGLESS if getattr(settings, name) != fields[name].default]
    if given:
        raise SettingsError(
            f"cross_validate {settings.cross_validate} trains one model for each fold, keeps none "
            f"and tests on every picture; leave out {', '.join(given)}"
        )


def _fold(
    settings: TrainingSettings, prepared: Prepared, backbone: Backbone, journal: Journal
) -> Fold:
    learned = lesson.learn(settings, prepared, backbone, journal)
    split = prepared.split
    return Fold(
        answers=learned.answers(prepared),
        trained_on=len(split.training),
        chosen_on=len(split.validation),
        chosen=learned.head.chosen,
    )


def _tell(fold: Fold, number: int, total: int, journal: Journal) -> None:
    pictures = len(fold.answers.truth)
    journal.event("fold finished", fold=number, folds=total, top1=fold.top1, pictures=pictures)
    journal.note(f"Fold {number} of {total}: {100 * fold.top1:.1f}% of {pictures} pictures")


def _finished(
    start: Start, prepared: Prepared, found: Sequence[Fold], journal: Journal
) -> CrossValidation:
    with journal.phase("Evaluating"):
        plain, calibrated = _pooled(found, fitted=False), _pooled(found, fitted=True)
        pooled = evaluation.evaluate(calibrated)
        shares = [fold.top1 for fold in found]
        result = CrossValidation(
            folds=tuple(found),
            mean=float(np.mean(shares)),
            deviation=float(np.std(shares, ddof=1)),
            pooled=pooled,
            error_before_temperature=expected_calibration_error(softmax(plain.logits), plain.truth),
            verdict=gate.judge(start.settings, pooled, None),
            document=start.directory / JSON,
        )
    _write(start, prepared, result)
    journal.event("cross-validated", mean=result.mean, gate=result.verdict.text)
    return result


def _pooled(found: Sequence[Fold], *, fitted: bool) -> TestSet:
    """Return the answers of all folds as one test set, divided by their own temperature or not."""
    parts = [fold.answers for fold in found]
    logits = [part.logits / np.float32(part.temperature if fitted else 1) for part in parts]
    return TestSet(
        labels=parts[0].labels,
        paths=tuple(path for part in parts for path in part.paths),
        truth=np.concatenate([part.truth for part in parts]),
        logits=np.concatenate(logits),
        temperature=1.0,
    )


def _write(start: Start, prepared: Prepared, result: CrossValidation) -> None:
    document = {
        "name": start.name,
        "started_at": start.started_at,
        "settings": start.settings.model_dump(mode="json"),
        "versions": record.versions(),
        "data_fingerprint": prepared.data.fingerprint,
        "accuracy": {"mean": result.mean, "standard_deviation": result.deviation},
        "folds": [_described(fold) for fold in result.folds],
        "pooled": _summary(result),
        "gate": result.verdict.text,
    }
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    whole.write_text(result.document, text)


def _described(fold: Fold) -> dict[str, Any]:
    return {
        "pictures": len(fold.answers.truth),
        "top1": fold.top1,
        "trained_on": fold.trained_on,
        "chosen_on": fold.chosen_on,
        "chosen": fold.chosen,
        "temperature": fold.answers.temperature,
    }


def _summary(result: CrossValidation) -> dict[str, Any]:
    pooled = result.pooled
    return {
        "pictures": pooled.pictures,
        "top1": asdict(pooled.top1),
        "macro_f1": pooled.macro_f1,
        "recall": {
            one.label: {"pictures": one.support, **asdict(one.recall)}
            for one in pooled.per_class
            if one.recall
        },
        "expected_calibration_error": {
            "before_temperature": result.error_before_temperature,
            "after_temperature": pooled.after.expected_calibration_error,
        },
        "confusion": pooled.confusion.tolist(),
        "mistakes": [asdict(mistake) for mistake in pooled.mistakes],
        "mistake_count": pooled.mistake_count,
    }
