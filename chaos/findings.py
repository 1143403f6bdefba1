"""What became of one run, counted, and which promises that breaks."""

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from chaos.journal import NO_ANSWER, Accepted, Attempt, End, Journal
from chaos.pictures import Harm
from chaos.run import Run, Scenario

MAX_ATTEMPTS = 3
PROBABILITY_TOLERANCE = 1e-4
API_SECONDS = 2.0
THROUGHPUT_SHARE = 0.7
FINE = frozenset({200, 202, 429, 503})


@dataclass(frozen=True)
class Findings:
    """One row of the table.

    Attributes:
        lost: Accepted jobs without an end in time.
        doubled: Executions of harmless pictures beyond one each.
        may_be_doubled: How many of them what was done to the service excuses.
        wrong: Ends that are not the picture's.
        falsely_failed: Harmless pictures that ended as FAILURE or REVOKED.
        recovery_seconds: From the fault's end to the answer, of each job that was open then.
        slowest_seconds: The same for the slowest job of all since the fault began.
        codes: Answers of the API that are neither 200 nor 202; 0 means that none came.
        rates: Pictures answered a second before, during and after the fault.
        broken: The promises that were not kept.
    """

    scenario: str
    accepted: int = 0
    answered: int = 0
    lost: int = 0
    doubled: int = 0
    may_be_doubled: int = 0
    wrong: int = 0
    falsely_failed: int = 0
    recovery_seconds: tuple[float, ...] = ()
    slowest_seconds: float = 0.0
    codes: Mapping[int, int] = field(default_factory=dict)
    worst_api_seconds: float = 0.0
    rates: tuple[float, float, float] = (0.0, 0.0, 0.0)
    broken: tuple[str, ...] = ()
    skipped: str = ""

    @property
    def recovery_median(self) -> float:
        """The middle one of `recovery_seconds`, 0 when no job was open."""
        return statistics.median(self.recovery_seconds) if self.recovery_seconds else 0.0


@dataclass(frozen=True)
class Measured:
    """What is known besides the journal once a run is over."""

    executions: Counter[str]
    rate_before: float
    rate_after: float
    left: tuple[str, ...]
    """What was not tidied up."""


def findings(scenario: Scenario, run: Run, measured: Measured) -> Findings:
    """Return the row of a run that is over."""
    journal = run.journal
    ends, accepted = journal.ends, journal.accepted
    failed = [i for i, end in ends.items() if _falsely_failed(accepted[i], end)]
    wrong = [i for i, end in ends.items() if _is_wrong(accepted[i], end, measured.executions)]
    row = Findings(
        scenario=scenario.name,
        accepted=len(accepted),
        answered=len(ends),
        lost=len(accepted) - len(ends),
        doubled=_doubled(journal, measured.executions),
        may_be_doubled=run.faults.redone,
        wrong=len(wrong),
        falsely_failed=len(failed),
        recovery_seconds=_recovery(run),
        slowest_seconds=_slowest(run),
        codes=_codes(journal.attempts),
        worst_api_seconds=max(attempt.seconds for attempt in journal.attempts),
        rates=(measured.rate_before, _rate_during(run), measured.rate_after),
    )
    broken = (*_broken(scenario, row), *_broken_by(run, measured), *measured.left, *run.broken)
    return replace(row, broken=broken)


def _broken(scenario: Scenario, row: Findings) -> Iterable[str]:
    counts = {"lost": row.lost, "wrong": row.wrong, "falsely failed": row.falsely_failed}
    yield from (f"{count} {what}" for what, count in counts.items() if count)
    if row.doubled > row.may_be_doubled:
        yield f"{row.doubled} doubled, {row.may_be_doubled} are excused"
    if row.slowest_seconds > scenario.recovers_within:
        yield f"recovery {row.slowest_seconds:.1f} s, promised {scenario.recovers_within:g} s"
    if row.worst_api_seconds > API_SECONDS:
        yield f"the API took {row.worst_api_seconds:.1f} s"
    if row.rates[2] < THROUGHPUT_SHARE * row.rates[0]:
        yield f"throughput {row.rates[2]:.0f}/s afterwards, {row.rates[0]:.0f}/s before"
    refusals = {code: n for code, n in row.codes.items() if _is_wrong_code(scenario, code)}
    yield from (f"{n} answers {code}" if code else f"{n} no answer" for code, n in refusals.items())


def _is_wrong_code(scenario: Scenario, code: int) -> bool:
    if code == NO_ANSWER:
        return not scenario.loses_connections
    return code not in FINE and code not in scenario.client_errors


def _broken_by(run: Run, measured: Measured) -> Iterable[str]:
    journal = run.journal
    unasked = sum(bool(measured.executions[p.fingerprint]) for p in journal.refused)
    if unasked:
        yield f"{unasked} refused pictures were classified"
    if journal.changed:
        yield f"{len(journal.changed)} ends changed"
    often = [
        measured.executions[picture.fingerprint]
        for picture in journal.pictures()
        if picture.harm is not Harm.NONE
    ]
    if often and max(often) > MAX_ATTEMPTS:
        yield f"a harmful picture was tried {max(often)} times"


def _falsely_failed(job: Accepted, end: End) -> bool:
    harmless = job.picture is not None and job.picture.harm is Harm.NONE
    return harmless and end.state != "SUCCESS"


def _is_wrong(job: Accepted, end: End, executions: Counter[str]) -> bool:
    """Tell whether an end belongs to another picture, or to none."""
    picture = job.picture
    if picture is None or end.state != "SUCCESS":
        return False
    best = end.document["predictions"][0]
    off = abs(best["probability"] - picture.probability)
    fits = best["label"] == picture.label and off < PROBABILITY_TOLERANCE
    return not fits or not executions[picture.fingerprint]


def _doubled(journal: Journal, executions: Counter[str]) -> int:
    harmless = [p for p in journal.pictures() if p.harm is Harm.NONE]
    return sum(max(0, executions[picture.fingerprint] - 1) for picture in harmless)


def _recovery(run: Run) -> tuple[float, ...]:
    accepted = run.journal.accepted
    return tuple(
        end.at - run.healed_at
        for task_id, end in run.journal.ends.items()
        if accepted[task_id].at < run.healed_at < end.at
    )


def _slowest(run: Run) -> float:
    accepted = run.journal.accepted
    waits = [
        end.at - max(run.healed_at, accepted[task_id].at)
        for task_id, end in run.journal.ends.items()
        if accepted[task_id].at > run.begun_at or end.at > run.begun_at
    ]
    return max([0.0, *waits])


def _rate_during(run: Run) -> float:
    seconds = run.healed_at - run.begun_at
    return run.journal.ended_between(run.begun_at, run.healed_at) / seconds if seconds else 0.0


def _codes(attempts: Iterable[Attempt]) -> dict[int, int]:
    counted = Counter(attempt.status for attempt in attempts)
    return {code: n for code, n in sorted(counted.items()) if code not in {200, 202}}
