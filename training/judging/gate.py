"""The gate: whether a trained model is good enough to be published."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model_store import ModelStore, serving
from model_store.errors import UnknownModelError
from training.journal import Advance
from training.judging.evaluation import Evaluation
from training.pictures import sources
from training.pictures.data import Picture
from training.pictures.sources import Source
from training.settings import TrainingSettings


@dataclass(frozen=True)
class Verdict:
    """What the gate says; `text` begins with `passed` or `failed`, and is empty without a gate."""

    passed: bool
    text: str


@dataclass(frozen=True)
class Rival:
    """The version in production on the same test pictures."""

    reference: str
    top1: float


def judge(settings: TrainingSettings, evaluation: Evaluation, rival: Rival | None) -> Verdict:
    """Return whether every bar that was set is reached; the text has each number and its bar."""
    checks = [*_accuracy(settings, evaluation), *_recalls(settings, evaluation)]
    if rival is not None:
        checks.append(_compared(evaluation, rival))
    failed = [text for passed, text in checks if not passed]
    if failed:
        return Verdict(False, f"failed: {'; '.join(failed)}")
    texts = "; ".join(text for _, text in checks)
    return Verdict(True, f"passed: {texts}" if checks else "")


def rival_of(
    store: ModelStore, name: str, source: Source, testing: Sequence[Picture], *, advance: Advance
) -> Rival | None:
    """Return how the version in production does on test pictures; None when there is none.

    Its labels are compared by name, so it may know other ones or have another order.
    """
    try:
        model = serving.load(store, name)
    except UnknownModelError:
        return None
    right = 0
    for done, picture in enumerate(testing, start=1):
        pixels = model.prepare(sources.read_again(source, picture.path))
        best = int(np.argmax(model.predict(pixels[None])[0]))
        right += model.card.labels[best] == picture.label
        advance(done, len(testing))
    return Rival(model.card.ref, right / len(testing))


_Check = tuple[bool, str]


def _accuracy(settings: TrainingSettings, evaluation: Evaluation) -> list[_Check]:
    bar = settings.assert_accuracy_at_least
    if bar is None:
        return []
    top1 = evaluation.top1.value
    return [(top1 >= bar, f"top-1 accuracy is {top1:.4f}, assert_accuracy_at_least is {bar}")]


def _recalls(settings: TrainingSettings, evaluation: Evaluation) -> list[_Check]:
    bar = settings.min_recall
    if bar is None:
        return []
    found = [(one.label, one.recall.value) for one in evaluation.per_class if one.recall]
    return [(r >= bar, f"recall of {label} is {r:.4f}, min_recall is {bar}") for label, r in found]


def _compared(evaluation: Evaluation, rival: Rival) -> _Check:
    top1 = evaluation.top1.value
    text = f"top-1 accuracy is {top1:.4f}, that of {rival.reference} is {rival.top1:.4f}"
    return top1 >= rival.top1, f"{text} on the same {evaluation.pictures} pictures"
