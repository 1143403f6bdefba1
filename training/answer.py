"""What a run prints at its end: what came of it, and what to do next."""

from collections.abc import Iterator

from model_store import ModelReference
from training.phases import Prepared
from training.run import Outcome
from training.settings import TrainingSettings
from training.split import SPLITS


def of_check(prepared: Prepared) -> str:
    """Return the table of a check: pictures by label and part."""
    data = prepared.data
    counts = prepared.split.counts(data.labels)
    width = max(len("label"), *map(len, data.labels))
    lines = [f"{'label':{width}}  " + "  ".join(SPLITS)]
    for label, parts in counts.items():
        numbers = "  ".join(f"{parts[name]:{len(name)}}" for name in SPLITS)
        lines.append(f"{label:{width}}  {numbers}")
    total = f"{len(data.pictures)} pictures are fine, {len(data.set_aside)} were set aside"
    return "\n".join([*lines, total])


def of_run(outcome: Outcome, settings: TrainingSettings) -> str:
    """Return the lines that a run ends with."""
    return "\n".join(_lines(outcome, settings))


def _lines(outcome: Outcome, settings: TrainingSettings) -> Iterator[str]:
    top1, n = outcome.evaluation.top1, outcome.evaluation.pictures
    if settings.print_misclassified_test_images:
        for mistake in outcome.evaluation.mistakes:
            # The form of retrain.py.
            yield f"{mistake.path:>70}  {mistake.predicted_label}"
    yield f"Final test accuracy = {100 * top1.value:.1f}% (N={n})"
    if outcome.verdict.text:
        yield f"Gate {outcome.verdict.text}"
    for path in outcome.written:
        yield f"Wrote {path}"
    yield f"Report: {outcome.report.resolve().as_uri()}"
    if outcome.version is None:
        yield "Nothing was published."
        return
    reference = ModelReference(outcome.name, str(outcome.version))
    yield f"Published {reference}. It classifies with:"
    yield f"  petiole label_image picture.jpg --model {reference}"
    yield (
        f"  curl -F image=@picture.jpg 'http://127.0.0.1:8000/classify?wait=10&model={reference}'"
    )
