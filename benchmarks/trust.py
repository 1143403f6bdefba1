"""What doubts of a trained model are worth: `python -m benchmarks.trust --images F --foreign G`.

Five folds, so that every picture is a test picture once: each trains on three quarters, fits on the
validation pictures and shows on its fifth, as a training does. Then each label is left out in turn
and taken for the foreign pictures: things that are near to what the model knows.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from model_store import heavy
from training import beginning, doubting, lesson
from training.doubting import Sight
from training.journal import Journal
from training.judging import evaluation
from training.judging.evaluation import Evaluation
from training.judging.intervals import wilson
from training.judging.reliability import expected_calibration_error
from training.judging.temperature import softmax
from training.judging.trust import Judged, Measured
from training.learning.backbone import Backbone
from training.pictures import folds
from training.pictures.prepared import Prepared
from training.settings import TrainingSettings


@dataclass(frozen=True, eq=False)
class Fold:
    """What one training says of its test pictures, and how far that can be trusted."""

    answers: evaluation.TestSet
    found: Evaluation
    measured: Measured


def main() -> None:
    """Print both tables in Markdown."""
    settings, n = _said()
    heavy.quiet_libraries()
    journal = Journal()
    prepared = beginning.check(settings, journal)
    backbone = beginning.load_backbone(settings, journal)
    found = [_fold(settings, each, backbone) for each in _splits(prepared, settings, n)]
    print("\n".join(_far(found)))  # noqa: T201 - what it is for
    print("\n".join(_near(settings, prepared, backbone)))  # noqa: T201


def _said() -> tuple[TrainingSettings, int]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, required=True, help="a folder for each label")
    parser.add_argument("--foreign", type=Path, required=True, help="photographs of other things")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--validation", type=int, default=20, help="percent of what is not tested")
    said = parser.parse_args()
    settings = TrainingSettings(
        image_dir=said.images, foreign=said.foreign, validation_percentage=said.validation
    )
    return settings, said.folds


def _splits(prepared: Prepared, settings: TrainingSettings, n: int) -> Iterator[Prepared]:
    percentage = settings.validation_percentage
    for each in folds.assign(prepared.data, folds=n, validation_percentage=percentage):
        yield replace(prepared, split=each)


def _fold(settings: TrainingSettings, prepared: Prepared, backbone: Backbone) -> Fold:
    journal = Journal()
    learned = lesson.learn(settings, prepared, backbone, journal)
    answers = learned.answers(prepared)
    found = evaluation.evaluate(answers)
    head = learned.head.dense
    sight = Sight(backbone, learned.extractor, learned.held_out, head, found.temperature)
    measured = doubting.doubts(settings, prepared, sight, found, journal)
    if measured is None:
        raise SystemExit("too few pictures: 20 for validation and 20 for testing are needed")
    return Fold(answers, found, measured)


def _far(found: Sequence[Fold]) -> Iterator[str]:
    own = [each for fold in found for each in fold.measured.own]
    foreign = [each for fold in found for each in fold.measured.foreign]
    sizes = [len(each.doubts.label_set or ()) for each in own]
    held = [each.true_label in (each.doubts.label_set or ()) for each in own]
    yield f"| measured on {len(own)} test pictures of {len(found)} folds | |"
    yield "|---|---|"
    yield f"| best label right | {_share([each.is_right for each in own])} |"
    yield f"| calibration error | {_error(found, 1):.3f} before, {_error(found):.3f} after |"
    yield f"| 90 % label sets hold the true label | {_share(held)} |"
    yield f"| labels in a set | {np.mean(sizes):.2f} on average |"
    yield f"| own pictures called unknown | {_flagged(own)} |"
    yield f"| foreign pictures called unknown | {_flagged(foreign)} |"
    for verdict in ("confident", "uncertain", "unknown"):
        said = [each for each in own if each.doubts.verdict == verdict]
        share = f"{len(said) / len(own):.1%} of own pictures"
        yield f"| {verdict} | {share}; best label right for {_share([e.is_right for e in said])} |"


def _near(settings: TrainingSettings, prepared: Prepared, backbone: Backbone) -> Iterator[str]:
    yield "\n| label left out of training, and taken for foreign | called unknown | own |"
    yield "|---|---|---|"
    for label in prepared.data.labels:
        folder = settings.model_copy(update={"foreign": Path(settings.image_dir) / label})
        fold = _fold(folder, _without(prepared, label), backbone)
        yield f"| {label} | {_flagged(fold.measured.foreign)} | {_flagged(fold.measured.own)} |"


def _without(prepared: Prepared, label: str) -> Prepared:
    data, split = prepared.data, prepared.split
    labels = tuple(each for each in data.labels if each != label)
    parts = {
        name: tuple(picture for picture in getattr(split, name) if picture.label != label)
        for name in ("training", "validation", "testing")
    }
    pictures = tuple(picture for picture in data.pictures if picture.label != label)
    kept = replace(data, labels=labels, pictures=pictures)
    return replace(prepared, data=kept, split=replace(split, **parts))


def _error(found: Sequence[Fold], temperature: float | None = None) -> float:
    """Return the calibration error of all answers together."""
    rows = [
        softmax(f.answers.logits, temperature=temperature or f.found.temperature) for f in found
    ]
    truth = np.concatenate([fold.answers.truth for fold in found])
    return expected_calibration_error(np.concatenate(rows), truth)


def _flagged(judged: Sequence[Judged]) -> str:
    return _share([each.doubts.verdict == "unknown" for each in judged])


def _share(hits: Sequence[bool]) -> str:
    if not hits:
        return "none"
    found = wilson(sum(hits), len(hits))
    return f"{found.value:.1%} ({found.low:.1%} to {found.high:.1%} of {len(hits)})"


if __name__ == "__main__":
    main()
