"""One run from a folder of pictures to a published version, told phase by phase.

The same call after a kill goes on where the first one was: fingerprints, extractor and features
are kept as they are made, and everything after them takes seconds and is deterministic.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from model_store import ModelStore, heavy
from model_store.doubts.section import Trust
from training import beginning, doubting, lesson
from training.beginning import Start
from training.doubting import Sight
from training.errors import SettingsError
from training.journal import Journal
from training.judging import evaluation, gate
from training.judging.evaluation import Evaluation
from training.judging.gate import Verdict
from training.judging.trust import Measured
from training.learning.head import Head
from training.lesson import Learned
from training.pictures.prepared import Prepared
from training.publishing import files, publication, samples
from training.publishing.publication import Beside, Published
from training.publishing.trained import Trained
from training.reporting import record, report
from training.reporting.record import Run, RunData
from training.settings import TrainingSettings, name_of


@dataclass(frozen=True)
class Outcome:
    """What a run ended with; `published` is None when nothing was.

    `example` is the file of a picture that the model has not learned from, where there is one, and
    `trust` what was measured of the doubts of its answers.
    """

    name: str
    published: Published | None
    report: Path
    evaluation: Evaluation
    verdict: Verdict
    written: tuple[Path, ...]
    example: Path | None = None
    trust: Trust | None = None

    @property
    def version(self) -> int | None:
        """The version that the model has in the store; None when it is not there."""
        return self.published.version if self.published else None


@dataclass(frozen=True)
class _Ending:
    """All that the report has to say."""

    start: Start
    prepared: Prepared
    found: Evaluation
    measured: Measured | None
    head: Head
    verdict: Verdict
    journal: Journal

    def report(self, directory: Path, *, version: int | None, is_in_version: bool = False) -> Path:
        """Write the report into a folder; return where its page is."""
        source, foreign = self.prepared.source, self.start.settings.foreign
        return report.write(
            directory,
            replace(self._run(version), is_in_version=is_in_version),
            self.found,
            self.measured,
            pictures=source.read,
            foreign_pictures=(lambda path: (foreign / path).read_bytes()) if foreign else None,
        )

    def write_beside(self, directory: Path) -> None:
        """Write the report into the folder of a version that is not published yet."""
        self.report(directory, version=None, is_in_version=True)

    def _run(self, version: int | None) -> Run:
        start, data = self.start, self.prepared.data
        return Run(
            name=start.name,
            version=version,
            settings=start.settings.model_dump(mode="json"),
            versions=record.versions(),
            data=RunData(self.prepared.split.counts(data.labels), data.set_aside, data.given_parts),
            phases_seconds=dict(self.journal.phases_seconds),
            curves={name: list(values) for name, values in self.head.curves.values.items()},
            data_fingerprint=data.fingerprint,
            started_at=start.started_at,
            gate=self.verdict.text,
        )


def train(settings: TrainingSettings, store: ModelStore, journal: Journal) -> Outcome:
    """Train, judge and, if the gate lets it pass, publish; return what came of it.

    Raises:
        SettingsError: a setting cannot work; found before anything slow.
        DataError: nothing could be learned from these pictures.
        BackboneUnavailableError: the backbone cannot be had here.
        ModelStoreError: the store cannot be written.
    """
    _refuse(settings)
    start = beginning.begin(settings, journal)
    prepared = beginning.check(settings, journal)
    backbone = beginning.load_backbone(settings, journal)
    learned = lesson.learn(settings, prepared, backbone, journal)
    journal.event("head trained", chosen=learned.head.chosen)
    with journal.phase("Evaluating"):
        found = evaluation.evaluate(learned.answers(prepared))
        verdict = _judge(settings, store, prepared, found, journal)
    journal.event("evaluated", top1=found.top1.value, gate=verdict.text)
    with journal.phase("Measuring doubts"):
        measured = doubting.doubts(settings, prepared, _sight(learned, found), found, journal)
    trained = _trained(learned, found, measured, int8=settings.int8)
    ending = _Ending(start, prepared, found, measured, learned.head, verdict, journal)
    published = _publish(ending, store, trained)
    version = published.version if published else None
    with journal.phase("Writing the report"):
        _summarise(start, prepared, found, learned.head)
        page = ending.report(start.directory, version=version)
    journal.event("report written", path=str(page), version=version)
    written = _write_files(settings, trained, verdict, journal)
    journal.event("run finished", version=version)
    example = _example(settings, prepared)
    trust = trained.trust
    return Outcome(start.name, published, page, found, verdict, written, example, trust)


def _example(settings: TrainingSettings, prepared: Prepared) -> Path | None:
    """Return a test picture that is a file of its own: in the folder, or beside the list."""
    path, place = prepared.split.testing[0].path, Path(settings.image_dir)
    files = (place / path, place.parent / path)
    return next((file for file in files if file.is_file()), None)


def _refuse(settings: TrainingSettings) -> None:
    for name, said in (("check", settings.check), ("cross_validate", settings.cross_validate)):
        if said:
            raise SettingsError(f"{name} publishes nothing; leave it out to train")
    if settings.foreign is not None and not settings.foreign.is_dir():
        raise SettingsError(f"foreign is {settings.foreign}, which is no folder")
    files.refuse_bad_places(settings)


def _judge(
    settings: TrainingSettings,
    store: ModelStore,
    prepared: Prepared,
    found: Evaluation,
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
    return gate.judge(settings, found, rival)


def _sight(learned: Learned, found: Evaluation) -> Sight:
    head = learned.head.dense
    return Sight(learned.backbone, learned.extractor, learned.held_out, head, found.temperature)


def _trained(
    learned: Learned, found: Evaluation, measured: Measured | None, *, int8: bool
) -> Trained:
    return Trained(
        backbone=learned.backbone,
        features=learned.extractor.saved_model,
        dense=learned.head.dense,
        labels=found.labels,
        temperature=found.temperature,
        metrics={
            "top1": found.top1.value,
            "macro_f1": found.macro_f1,
            "expected_calibration_error": found.after.expected_calibration_error,
            "test_pictures": found.pictures,
        },
        int8=int8,
        trust=measured.trust if measured else None,
        likeness=measured.likeness if measured else None,
        examples=measured.examples if measured else None,
    )


def _publish(ending: _Ending, store: ModelStore, trained: Trained) -> Published | None:
    """Publish if that is wanted and the gate lets it pass."""
    start, journal = ending.start, ending.journal
    if not (ending.verdict.passed and start.settings.publish):
        return None
    with journal.phase("Publishing"):
        if (card := publication.find(store, start.name, trained)) is not None:
            journal.note(f"{card.ref} is this model already, so it is not published again")
            return Published.of(store, card, is_new=False)
        sets = samples.choose(ending.prepared, trained.backbone.spec, int8=trained.int8)
        beside = Beside(sets, start.directory.name, ending.write_beside)
        card = publication.publish(store, start.name, trained, beside, report=journal.note)
    journal.event("published", model=card.ref)
    return Published.of(store, card, is_new=True)


def _write_files(
    settings: TrainingSettings, trained: Trained, verdict: Verdict, journal: Journal
) -> tuple[Path, ...]:
    """Write the files that were asked for, if the gate lets it pass; return their places."""
    asked = (settings.output_labels, settings.output_graph, settings.saved_model_dir)
    if not (verdict.passed and any(asked)):
        return ()
    with journal.phase("Writing the files"):
        return tuple(files.write_files(settings, trained))


def _summarise(start: Start, prepared: Prepared, found: Evaluation, head: Head) -> None:
    if start.settings.summaries_dir is None:
        return
    heavy.prepare()
    from training.reporting import summaries  # noqa: PLC0415 - TensorFlow

    directory = start.settings.summaries_dir / start.directory.name
    summaries.write(directory, head.dense, head.curves)
    summaries.write_mistakes(directory, found.worst_mistakes, pictures=prepared.source.read)
