"""One run from a folder of pictures to a published version, told phase by phase.

The same call after a kill goes on where the first one was: fingerprints, extractor and features
are kept as they are made, and everything after them takes seconds and is deterministic.
"""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model_store import ModelStore, heavy
from model_store.references import is_name
from training import phases
from training.errors import SettingsError
from training.journal import EventFile, Journal
from training.judging import gate
from training.judging.evaluation import Evaluation
from training.judging.gate import Verdict
from training.learning import backbones
from training.learning.backbones import Backbone, Request
from training.learning.head import Curves, Head
from training.phases import Prepared
from training.pictures import data, inspection, sources, split
from training.publishing import results, samples
from training.publishing.trained import Trained
from training.reporting import record, report
from training.reporting.record import Run
from training.settings import TrainingSettings


@dataclass(frozen=True)
class Outcome:
    """What a run ended with; `version` is None when nothing was published."""

    name: str
    version: int | None
    report: Path
    evaluation: Evaluation
    verdict: Verdict
    written: tuple[Path, ...]


@dataclass(frozen=True)
class Start:
    """What is known before anything is looked at; `directory` is the run's own folder."""

    settings: TrainingSettings
    name: str
    started_at: str
    directory: Path


def check(settings: TrainingSettings, journal: Journal) -> Prepared:
    """Return the usable pictures and their split, after telling everything odd about them.

    Raises:
        DataError: nothing could be learned from these pictures; the message says all reasons.
    """
    with journal.phase("Checking the pictures"):
        source = sources.open_source(settings.image_dir)
        cache = inspection.findings_cache(settings.bottleneck_dir / "fingerprints")
        found = data.check(source, cache, advance=journal.count)
    aside = _aside(found)
    journal.event("data checked", counts=found.counts, set_aside=aside)
    for one in aside:
        journal.event("warning", text=f"Set aside {one['path']}: {one['reason']}")
    for text in found.warnings:
        journal.event("warning", text=text)
    parts = split.assign(
        found,
        validation_percentage=settings.validation_percentage,
        testing_percentage=settings.testing_percentage,
    )
    return Prepared(source, found, parts)


def train(settings: TrainingSettings, store: ModelStore, journal: Journal) -> Outcome:
    """Train, judge and, if the gate lets it pass, publish; return what came of it.

    Raises:
        SettingsError: a setting cannot work; found before anything slow.
        DataError: nothing could be learned from these pictures.
        BackboneUnavailableError: the backbone cannot be had here.
        ModelStoreError: the store cannot be written.
    """
    _refuse_other_commands(settings)
    start = begin(settings, journal)
    prepared = check(settings, journal)
    backbone = load_backbone(settings, journal)
    learned = phases.learn(settings, prepared, backbone, journal)
    head = learned.head
    journal.event("head trained", chosen=head.chosen)
    with journal.phase("Evaluating"):
        evaluation, temperature = phases.evaluate(prepared, learned.sets, head)
        verdict = _judge(settings, store, prepared, evaluation, journal)
    journal.event("evaluated", top1=evaluation.top1.value, gate=verdict.text)
    extractor = phases.prepare_extractor(settings, learned.backbone, journal)
    trained = Trained(
        backbone=learned.backbone,
        features=extractor.saved_model,
        dense=head.dense,
        labels=prepared.data.labels,
        temperature=temperature,
        metrics=_metrics(evaluation),
        int8=settings.int8,
    )
    version = _publish(start, store, prepared, trained, verdict, journal)
    with journal.phase("Writing the report"):
        _summarise(start, prepared, evaluation, head)
        page = _report(start, prepared, evaluation, head, _Ending(version, verdict, journal))
    journal.event("report written", path=str(page), version=version)
    written = _write_files(settings, trained, verdict, journal)
    journal.event("run finished", version=version)
    return Outcome(start.name, version, page, evaluation, verdict, written)


def _refuse_other_commands(settings: TrainingSettings) -> None:
    for name, said in (("check", settings.check), ("cross_validate", settings.cross_validate)):
        if said:
            raise SettingsError(f"{name} publishes nothing; leave it out to train")


def name_of(settings: TrainingSettings) -> str:
    """Return the model's name: what was said, or the name of the pictures' folder.

    Raises:
        SettingsError: that is no name that the store takes.
    """
    name = settings.name or settings.image_dir.resolve().stem.lower()
    if not is_name(name):
        raise SettingsError(
            f"name is {name!r}; give --name with at most 64 lower-case letters, digits, dots, "
            "dashes and underscores"
        )
    return name


@dataclass(frozen=True)
class _Ending:
    """What the report has to say about the end."""

    version: int | None
    verdict: Verdict
    journal: Journal


def begin(settings: TrainingSettings, journal: Journal) -> Start:
    """Return the name and the folder of a run; from now on its events are written there.

    Raises:
        SettingsError: a setting cannot work.
    """
    now = datetime.now(UTC)
    name = name_of(settings)
    results.refuse_bad_places(settings)
    # The process id tells apart two runs that start in one second.
    directory = settings.runs_dir / f"{name}-{now:%Y%m%d-%H%M%S}-{os.getpid()}"
    journal.listen(EventFile(directory))
    journal.event("run started", settings=settings.model_dump(mode="json"))
    return Start(settings, name, now.isoformat(timespec="seconds"), directory)


def load_backbone(settings: TrainingSettings, journal: Journal) -> Backbone:
    """Return the backbone that the settings name, in memory.

    Raises:
        BackboneUnavailableError: it cannot be had here.
    """
    with journal.phase("Loading TensorFlow and the backbone"):
        # One thread, like a worker child, so that the published times are the ones it will see.
        heavy.load("model_store.runtimes.tensorflow").limit_threads(1)
        request = Request(
            settings.backbone_reference, settings.input_size, settings.backbone_weights
        )
        return backbones.find(request)


def _judge(
    settings: TrainingSettings,
    store: ModelStore,
    prepared: Prepared,
    evaluation: Evaluation,
    journal: Journal,
) -> Verdict:
    rival = None
    if settings.not_worse_than_production:
        rival = gate.rival_of(
            store,
            name_of(settings),
            prepared.source,
            prepared.split.testing,
            advance=journal.count,
        )
    return gate.judge(settings, evaluation, rival)


def _publish(
    start: Start,
    store: ModelStore,
    prepared: Prepared,
    trained: Trained,
    verdict: Verdict,
    journal: Journal,
) -> int | None:
    """Publish if that is wanted and the gate lets it pass; return the version."""
    if not (verdict.passed and start.settings.publish):
        return None
    with journal.phase("Publishing"):
        if (card := results.published(store, start.name, trained)) is not None:
            journal.note(f"{card.ref} is this model already, so it is not published again")
            return card.version
        sets = samples.choose(prepared, trained.backbone.spec, int8=trained.int8)
        run = start.directory.name
        card = results.publish(store, start.name, trained, sets, run=run, report=journal.note)
    journal.event("published", model=card.ref)
    return card.version


def _write_files(
    settings: TrainingSettings, trained: Trained, verdict: Verdict, journal: Journal
) -> tuple[Path, ...]:
    """Write the files that were asked for, if the gate lets it pass; return their places."""
    asked = (settings.output_labels, settings.output_graph, settings.saved_model_dir)
    if not (verdict.passed and any(asked)):
        return ()
    with journal.phase("Writing the files"):
        return tuple(results.write_files(settings, trained))


def _metrics(evaluation: Evaluation) -> dict[str, float]:
    return {
        "top1": evaluation.top1.value,
        "macro_f1": evaluation.macro_f1,
        "expected_calibration_error": evaluation.after.expected_calibration_error,
        "test_pictures": evaluation.pictures,
    }


def _report(
    start: Start, prepared: Prepared, evaluation: Evaluation, head: Head, ending: _Ending
) -> Path:
    found = prepared.data
    run = Run(
        name=start.name,
        version=ending.version,
        settings=start.settings.model_dump(mode="json"),
        versions=record.versions(),
        data={"counts": prepared.split.counts(found.labels), "set_aside": _aside(found)},
        phases_seconds=dict(ending.journal.phases_seconds),
        curves=_curves(head.curves),
        data_fingerprint=found.fingerprint,
        started_at=start.started_at,
        gate=ending.verdict.text,
    )
    return report.write(start.directory, run, evaluation, pictures=prepared.source.read)


def _summarise(start: Start, prepared: Prepared, evaluation: Evaluation, head: Head) -> None:
    if start.settings.summaries_dir is not None:
        directory = start.settings.summaries_dir / start.directory.name
        summaries = heavy.load("training.reporting.summaries")
        summaries.write(directory, head.dense, head.curves)
        worst = evaluation.worst_mistakes
        summaries.write_mistakes(directory, worst, pictures=prepared.source.read)


def _curves(curves: Curves) -> dict[str, list[float]]:
    return {name: list(values) for name, values in curves.values.items()}


def _aside(found: data.DataSet) -> list[dict[str, Any]]:
    return [{"path": one.path, "reason": one.reason} for one in found.set_aside]
