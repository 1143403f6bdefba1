"""What is counted when a job ends, as sums that the job store keeps for the whole service.

Counted in the same atomic step as the end itself, so the figures are right across
processes, hosts and restarts; `GET /metrics` shows them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields

from model_store.rollouts import Rollout
from tasks.documents import ClassifiedTask, Timings

STAGES = tuple(field.name for field in fields(Timings))
BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
INFINITE = "+Inf"
RESENT = "resent"
"""Count of jobs whose message was sent again."""
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
    """All that was counted so far: ended jobs by (state, model, error), times by stage."""

    ended: Mapping[tuple[str, str, str], float]
    stages: Mapping[str, StageHistogram]


def of_success(document: ClassifiedTask) -> dict[str, float]:
    """Return the counts of a finished classification, with its stage times."""
    model = f"{document.model}@{document.model_version}"
    counts = of_end(document.state, model=model)
    for stage in STAGES:
        seconds = getattr(document.timings_ms, stage) / 1000.0
        counts[_name("bucket", stage, _bucket_of(seconds))] = 1
        counts[_name("seconds", stage)] = seconds
    return counts


def of_end(state: str, *, model: str, error: str = "") -> dict[str, float]:
    """Return the count of one ended job."""
    return {_name("ended", state, model, error): 1}


def of_cache(outcome: str) -> str:
    """Return the name of a count of pictures whose answer might have been known."""
    return _name("cache", outcome)


def of_refused(reason: str) -> dict[str, float]:
    """Return the count of one message that was no worker's to do."""
    return {_name("refused", reason): 1}


def refused(counts: Mapping[str, float]) -> dict[str, float]:
    """Return how many messages were refused for each reason."""
    return {parts[0]: amount for kind, parts, amount in _split(counts) if kind == "refused"}


def of_known(model: str, outcome: str) -> dict[str, float]:
    """Return the counts of a job that ended with what was known; it had no stages."""
    return of_end("SUCCESS", model=model) | {of_cache(outcome): 1}


def cache(counts: Mapping[str, float]) -> dict[str, float]:
    """Return how many pictures had each outcome."""
    return {parts[0]: amount for kind, parts, amount in _split(counts) if kind == "cache"}


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
    stages = {stage: StageHistogram() for stage in STAGES}
    for kind, parts, amount in _split(counts):
        if kind == "ended":
            ended[parts[0], parts[1], parts[2]] = amount
        elif kind == "bucket":
            stages[parts[0]].buckets[parts[1]] = amount
        elif kind == "seconds":
            stages[parts[0]].sum_seconds = amount
    return Totals(ended, stages)


def _bucket_of(seconds: float) -> str:
    return next((str(limit) for limit in BUCKETS_SECONDS if seconds <= limit), INFINITE)


def _name(*parts: str) -> str:
    return SEPARATOR.join(parts)


def _split(counts: Mapping[str, float]) -> Iterable[tuple[str, list[str], float]]:
    for name, amount in counts.items():
        kind, *parts = name.split(SEPARATOR)
        yield kind, parts, amount
