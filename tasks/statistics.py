"""What is counted, as sums that the job store keeps for the whole service; `/metrics` shows them.

Jobs are counted in the same atomic step as their acceptance and their end, so these figures are
right across processes, hosts and restarts. Times and labels are added up in each process first (see
`sums`): what it has not handed over yet is lost with it.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields

from model_store.rollouts import Rollout
from tasks import lanes
from tasks.documents import ClassifiedTask, Timings

STAGES = tuple(field.name for field in fields(Timings))
BUCKETS_SECONDS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0),
)
"""From what a small network needs to how long a queue may be."""
INFINITE = "+Inf"
RESENT = "resent"
"""Count of jobs whose message was sent again."""
QUARANTINED = "quarantined"
"""Count of jobs whose picture went into quarantine."""
WITHDRAWN = "withdrawn"
"""Count of jobs that were accepted and taken back: not queued, or their record expired."""
UNKNOWN, OTHER = "unknown", "other"
"""In the place of a version that nobody looked up, and of labels without a count of their own."""
UPLOAD, ADDRESS, KNOWN = "upload", "address", "known"
SEPARATOR = "|"
HIT, MISS, FOLLOWER = "hit", "miss", "follower"
"""A picture that was answered at once by what was known, one that was not, and one of the latter
that was answered by what another one of the same bytes had been predicted meanwhile."""


@dataclass
class StageHistogram:
    """Times of one stage in seconds: how many fell in each bucket, and their sum."""

    buckets: dict[str, float] = field(default_factory=dict)
    sum_seconds: float = 0.0


@dataclass(frozen=True)
class Totals:
    """All that was counted so far.

    Attributes:
        ended: Jobs by state, version and error.
        stages: Times by version and stage.
    """

    ended: Mapping[tuple[str, str, str], float]
    stages: Mapping[tuple[str, str], StageHistogram]


@dataclass(frozen=True)
class Tally:
    """Sums of one process: plain ones, and those of labels, which are bounded by the job store.

    Attributes:
        plain: Amounts by name.
        labels: How many answers had each best label, by (version, label).
    """

    plain: Mapping[str, int]
    labels: Mapping[tuple[str, str], int]

    def __bool__(self) -> bool:
        """Tell whether there is anything in it."""
        return bool(self.plain or self.labels)


def of_success(document: ClassifiedTask) -> dict[str, int]:
    """Return the count of a finished classification."""
    return of_end(document.state, model=document.ref)


def details_of(document: ClassifiedTask) -> Tally:
    """Return the times of a finished classification in microseconds, its verdict and its label."""
    version, plain = document.ref, Counter[str]()
    for stage in STAGES:
        ms = getattr(document.timings_ms, stage)
        plain[_name("time", version, stage, _bucket_of(ms / 1000.0))] = 1
        plain[_name("microseconds", version, stage)] = round(ms * 1000)
    if document.verdict is not None:
        plain[_name("verdict", version, document.verdict)] = 1
    labels = {(version, best.label): 1 for best in document.predictions[:1]}
    return Tally(plain, labels)


def of_label(version: str, label: str) -> str:
    """Return the name of a count of answers with this best label."""
    return _name("label", version, label)


def labels_of(version: str) -> str:
    """Return the name of the count of labels of a version that have a series of their own."""
    return _name("labels", version)


def of_accepted(version: str, *, lane: str) -> str:
    """Return the name of a count of accepted pictures."""
    is_address = lanes.queue_of(lane) == lanes.DOWNLOADS
    return _name("accepted", version or UNKNOWN, ADDRESS if is_address else UPLOAD)


def accepted(counts: Mapping[str, float]) -> dict[tuple[str, str], float]:
    """Return how many pictures were accepted, by version and by how they came.

    One whose answer was known is accepted and ended in one step, which counts it once.
    """
    found: dict[tuple[str, str], float] = {}
    for kind, parts, amount in _split(counts):
        if kind == "accepted":
            found[parts[0], parts[1]] = amount
        elif kind == "cache" and parts[0] == HIT:
            found[parts[-1], KNOWN] = amount
    return found


def labels(counts: Mapping[str, float]) -> dict[tuple[str, str], float]:
    """Return how many answers had each best label, by version and label."""
    found = (each for each in _split(counts) if each[0] == "label")
    return {(parts[0], SEPARATOR.join(parts[1:])): amount for _, parts, amount in found}


def verdicts(counts: Mapping[str, float]) -> dict[tuple[str, str], float]:
    """Return how many answers had each verdict, by version and verdict."""
    return {(p[0], p[1]): amount for kind, p, amount in _split(counts) if kind == "verdict"}


def of_end(state: str, *, model: str, error: str = "") -> dict[str, int]:
    """Return the count of one ended job."""
    return {_name("ended", state, model, error): 1}


def of_cache(outcome: str, *version: str) -> str:
    """Return the name of a count of pictures whose answer might have been known."""
    return _name("cache", outcome, *version)


def of_refused(reason: str) -> dict[str, int]:
    """Return the count of one message that was no worker's to do."""
    return {_name("refused", reason): 1}


def refused(counts: Mapping[str, float]) -> dict[str, float]:
    """Return how many messages were refused for each reason."""
    return {parts[0]: amount for kind, parts, amount in _split(counts) if kind == "refused"}


def of_known(model: str, outcome: str) -> dict[str, int]:
    """Return the counts of a job that ended with what was known; it had no stages."""
    return of_end("SUCCESS", model=model) | {of_cache(outcome, model): 1}


def cache(counts: Mapping[str, float]) -> dict[str, float]:
    """Return how many pictures had each outcome."""
    found: dict[str, float] = {}
    for kind, parts, amount in _split(counts):
        if kind == "cache":
            found[parts[0]] = found.get(parts[0], 0.0) + amount
    return found


def trial(name: str, rollout: Rollout, what: str) -> str:
    """Return the name of a count of one trial."""
    return _name("trial", name, str(rollout.number), rollout.kind, str(rollout.version), what)


def trials(counts: Mapping[str, float]) -> list[tuple[list[str], float]]:
    """Return every count of every trial: [model, number, kind, version, measure] and amount."""
    return [(parts, amount) for kind, parts, amount in _split(counts) if kind == "trial"]


def webhook_tries(counts: Mapping[str, float]) -> dict[str, float]:
    """Return how many tries to deliver a webhook had each outcome."""
    return {parts[0]: amount for kind, parts, amount in _split(counts) if kind == "webhook"}


@dataclass(frozen=True)
class TrialTotals:
    """What was seen in one trial so far; times are of predict alone."""

    compared: float = 0.0
    agreed: float = 0.0
    errors: float = 0.0
    unserved: float = 0.0
    production_seconds: float = 0.0
    candidate_seconds: float = 0.0

    @property
    def agreement(self) -> float:
        """Share of the compared pictures with the same best label; 1 when none failed to."""
        return self.agreed / self.compared if self.compared else 1.0

    @property
    def slowdown(self) -> float:
        """Mean time of the candidate by that of production."""
        if not self.production_seconds:
            return 1.0
        return self.candidate_seconds / self.production_seconds

    def __str__(self) -> str:
        """Return one line for people."""
        return (
            f"agreement {self.agreement:.3f} on {self.compared:.0f} pictures,"
            f" {self.slowdown:.2f} times production's predict time, {self.errors:.0f} errors"
        )


def trial_totals(counts: Mapping[str, float], name: str, rollout: Rollout) -> TrialTotals:
    """Return what was counted for one trial."""
    names = [field.name for field in fields(TrialTotals)]
    return TrialTotals(**{what: counts.get(trial(name, rollout, what), 0.0) for what in names})


def totals(counts: Mapping[str, float]) -> Totals:
    """Return the sums of a job store in the shape that metrics need."""
    ended: dict[tuple[str, str, str], float] = {}
    stages: dict[tuple[str, str], StageHistogram] = defaultdict(StageHistogram)
    for kind, parts, amount in _split(counts):
        if kind == "ended":
            ended[parts[0], parts[1], parts[2]] = amount
        elif kind == "time":
            stages[parts[0], parts[1]].buckets[parts[2]] = amount
        elif kind == "microseconds":
            stages[parts[0], parts[1]].sum_seconds = amount / 1e6
    return Totals(ended, stages)


def _bucket_of(seconds: float) -> str:
    return next((str(limit) for limit in BUCKETS_SECONDS if seconds <= limit), INFINITE)


def _name(*parts: str) -> str:
    return SEPARATOR.join(parts)


def _split(counts: Mapping[str, float]) -> Iterable[tuple[str, list[str], float]]:
    for name, amount in counts.items():
        kind, *parts = name.split(SEPARATOR)
        yield kind, parts, amount
