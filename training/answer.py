"""What a run prints at its end: what came of it, and what to do next."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from model_store import command_line
from training.cross_validation import CrossValidation
from training.judging.intervals import Estimate
from training.pictures.parts import SPLITS
from training.pictures.prepared import Prepared
from training.publishing.publication import Published
from training.reporting import doubt_lines
from training.run import Outcome
from training.settings import TrainingSettings


def of_check(prepared: Prepared, settings: TrainingSettings) -> str:
    """Return the table of a check, pictures by label and part, and the call that trains on them."""
    data = prepared.data
    counts = prepared.split.counts(data.labels)
    width = max(len("label"), *map(len, data.labels))
    lines = [f"{'label':{width}}  " + "  ".join(SPLITS)]
    for label, parts in counts.items():
        numbers = "  ".join(f"{parts[name]:{len(name)}}" for name in SPLITS)
        lines.append(f"{label:{width}}  {numbers}")
    total = f"{len(data.pictures)} pictures are fine, {len(data.set_aside)} were set aside"
    return "\n".join([*lines, total, *_training(settings)])


def of_run(outcome: Outcome, settings: TrainingSettings, *, api_url: str = "") -> str:
    """Return the lines that a run ends with.

    Args:
        outcome: What came of it.
        settings: Those of the run.
        api_url: Where a service of this machine answers; empty when none is known.
    """
    return "\n".join(_lines(outcome, settings, api_url))


def of_cross_validation(found: CrossValidation, settings: TrainingSettings) -> str:
    """Return the table of the folds, what they say together, and the call that publishes."""
    pooled = found.pooled
    before, after = found.error_before_temperature, pooled.after.expected_calibration_error
    n, k = pooled.pictures, len(found.folds)
    lines = [
        *_folds(found),
        f"Cross-validated accuracy = {100 * found.mean:.1f}% ± {100 * found.deviation:.1f}% "
        f"(K={k}, N={n})",
        "  mean and standard deviation over the folds",
        f"All answers together = {_interval(pooled.top1)} (N={n})",
        f"Macro F1 = {pooled.macro_f1:.3f}",
        f"Calibration error = {before:.3f} before temperature, {after:.3f} after",
        *_recalls(found),
    ]
    if found.verdict.text:
        lines.append(f"Gate {found.verdict.text}")
    lines.append(f"Numbers: {found.document.resolve().as_uri()}")
    return "\n".join([*lines, "Nothing was published.", *_training(settings)])


def _training(settings: TrainingSettings) -> Iterator[str]:
    """Yield the call that trains and publishes with what was said, but the look at it alone."""
    said = sorted(settings.model_fields_set - {"check", "cross_validate"})
    words = [word for name in said for word in _flag(name, getattr(settings, name))]
    yield "To train and publish:"
    yield f"  {command_line.command('train', *words)}"


def _flag(name: str, value: object) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    return [] if value is None else [f"--{name}", str(value)]


def _folds(found: CrossValidation) -> Iterator[str]:
    yield "fold     N   top-1"
    for number, fold in enumerate(found.folds, start=1):
        yield f"{number:4}  {len(fold.answers.truth):4}  {100 * fold.top1:5.1f}%"


def _recalls(found: CrossValidation) -> Iterator[str]:
    width = max(len("label"), *(len(one.label) for one in found.pooled.per_class))
    yield f"{'label':{width}}     N  recall"
    for one in found.pooled.per_class:
        if one.recall:
            yield f"{one.label:{width}}  {one.support:4}  {_interval(one.recall)}"


def _interval(share: Estimate) -> str:
    return f"{100 * share.value:.1f}%, {_ends(share)}"


def _ends(share: Estimate) -> str:
    return f"95% interval {100 * share.low:.1f}% to {100 * share.high:.1f}%"


def _lines(outcome: Outcome, settings: TrainingSettings, api_url: str) -> Iterator[str]:
    top1, n = outcome.evaluation.top1, outcome.evaluation.pictures
    if settings.print_misclassified_test_images:
        for mistake in outcome.evaluation.mistakes:
            # The form of retrain.py.
            yield f"{mistake.path:>70}  {mistake.predicted_label}"
    yield f"Final test accuracy = {100 * top1.value:.1f}% (N={n})"
    yield f"  {_ends(top1)}"
    if outcome.trust is not None:
        yield from doubt_lines.of(outcome.trust)
    if outcome.verdict.text:
        yield f"Gate {outcome.verdict.text}"
    for path in outcome.written:
        yield f"Wrote {path}"
    yield f"Report: {outcome.report.resolve().as_uri()}"
    if outcome.published is None:
        yield "Nothing was published."
    else:
        yield from _published(outcome.published, outcome.example, api_url)


def _published(published: Published, example: Path | None, api_url: str) -> Iterator[str]:
    reference = str(published.reference)
    if published.is_new:
        yield f"Published {reference}."
    else:
        yield f"{reference} is this model already; nothing new was published."
    if example is None:
        yield "What it is, and how it is sent a picture:"
        yield f"  {command_line.command('models', 'show', reference)}"
    else:
        yield from _classifying(command_line.here(example), reference, api_url)
    if published.production != published.version:
        in_production = f"{published.name}@{published.production}"
        yield f"In production is still {in_production}. To put {reference} there:"
        yield f"  {command_line.command('models', 'promote', str(reference))}"


def _classifying(picture: str, reference: str, api_url: str) -> Iterator[str]:
    """Yield calls that classify a picture, without and with a service."""
    yield "It classifies with:"
    yield f"  {command_line.command('label-image', picture, '--model', reference)}"
    if api_url:
        file, address = f"image=@{picture}", f"{api_url}/classify?wait=10&model={reference}"
        yield f"and while the service runs (`{command_line.command('up')}`) with:"
        yield f"  curl -F {shlex.quote(file)} {shlex.quote(address)}"
