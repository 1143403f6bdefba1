"""What became of the pictures of one run, counted, and which promises that breaks."""

import statistics
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from petiole.chaos.journal import NO_ANSWER, Attempt, Journal

API_SECONDS = 2.0
THROUGHPUT_SHARE = 0.7
"""What a service that is whole again answers in a second, at least, of what it did before."""

FINE = frozenset({200, 202, 429, 503})


@dataclass(frozen=True)
class Span:
    """From when to when something was wrong, by the monotonic clock."""

    begun_at: float
    healed_at: float


@dataclass(frozen=True)
class Findings:
    """One row of the table.

    Attributes:
        lost: Accepted jobs without an end in time; None where nobody waited for it.
        doubled: Executions of harmless pictures beyond one each; None where nobody counted them.
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
    lost: int | None = 0
    doubled: int | None = 0
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


def broken_by(
    row: Findings,
    *,
    recovers_within: float,
    client_errors: Collection[int] = (),
    loses_connections: bool = False,
) -> Iterable[str]:
    """Return the promises that a row breaks, whoever counted it.

    Args:
        row: What was counted.
        recovers_within: Seconds after the fault within which a job must be answered.
        client_errors: Statuses of 4xx that the requests deserve.
        loses_connections: Whether the API itself is restarted, so that it may refuse to be called.
    """
    counts = {"lost": row.lost, "wrong": row.wrong, "falsely failed": row.falsely_failed}
    yield from (f"{count} {what}" for what, count in counts.items() if count)
    if row.doubled is not None and row.doubled > row.may_be_doubled:
        yield f"{row.doubled} doubled, {row.may_be_doubled} are excused"
    if row.slowest_seconds > recovers_within:
        yield f"recovery {row.slowest_seconds:.1f} s, promised {recovers_within:g} s"
    if row.worst_api_seconds > API_SECONDS:
        yield f"the API took {row.worst_api_seconds:.1f} s"
    fine = {*FINE, *client_errors, *([NO_ANSWER] if loses_connections else [])}
    refusals = {code: n for code, n in row.codes.items() if code not in fine}
    yield from (f"{n} answers {code}" if code else f"{n} no answer" for code, n in refusals.items())


def recovery(journal: Journal[Any], fault: Span) -> tuple[float, ...]:
    """Return the seconds from the fault's end to the answer, of each job that was open then."""
    return tuple(
        end.at - fault.healed_at
        for task_id, end in journal.ends.items()
        if journal.accepted[task_id].at < fault.healed_at < end.at
    )


def slowest(journal: Journal[Any], fault: Span) -> float:
    """Return the same for the slowest job of all since the fault began; 0 when there is none."""
    accepted = journal.accepted
    waits = [
        end.at - max(fault.healed_at, accepted[task_id].at)
        for task_id, end in journal.ends.items()
        if accepted[task_id].at > fault.begun_at or end.at > fault.begun_at
    ]
    return max([0.0, *waits])


def rate_during(journal: Journal[Any], fault: Span) -> float:
    """Return how many pictures were answered in a second of the fault."""
    seconds = fault.healed_at - fault.begun_at
    return journal.ended_between(fault.begun_at, fault.healed_at) / seconds if seconds else 0.0


def codes(attempts: Iterable[Attempt]) -> dict[int, int]:
    """Return how often the API answered otherwise than 200 and 202, by status."""
    counted = Counter(attempt.status for attempt in attempts)
    return {code: n for code, n in sorted(counted.items()) if code not in {200, 202}}
