"""What became of one run, counted, and which promises that breaks."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from chaos.pictures import Harm, Picture
from chaos.run import Run, Scenario
from petiole.chaos.findings import (
    THROUGHPUT_SHARE,
    Findings,
    Span,
    broken_by,
    codes,
    rate_during,
    recovery,
    slowest,
)
from petiole.chaos.journal import Accepted, End, Journal

PROBABILITY_TOLERANCE = 1e-4


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
    journal, fault = run.journal, Span(run.begun_at, run.healed_at)
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
        recovery_seconds=recovery(journal, fault),
        slowest_seconds=slowest(journal, fault),
        codes=codes(journal.attempts),
        worst_api_seconds=max(attempt.seconds for attempt in journal.attempts),
        rates=(measured.rate_before, rate_during(journal, fault), measured.rate_after),
    )
    broken = (*_broken(scenario, row), *_broken_by(run, measured), *measured.left, *run.broken)
    return replace(row, broken=broken)


def _broken(scenario: Scenario, row: Findings) -> Iterable[str]:
    yield from broken_by(
        row,
        recovers_within=scenario.recovers_within,
        client_errors=scenario.client_errors,
        loses_connections=scenario.loses_connections,
    )
    if row.rates[2] < THROUGHPUT_SHARE * row.rates[0]:
        yield f"throughput {row.rates[2]:.0f}/s afterwards, {row.rates[0]:.0f}/s before"


def _broken_by(run: Run, measured: Measured) -> Iterable[str]:
    journal = run.journal
    refused = {picture.fingerprint for picture in journal.refused}
    if run.repeats:
        # Another copy of it was accepted.
        refused -= {picture.fingerprint for picture in journal.pictures()}
    unasked = sum(bool(measured.executions[fingerprint]) for fingerprint in refused)
    if unasked:
        yield f"{unasked} refused pictures were classified"
    if journal.changed:
        yield f"{len(journal.changed)} ends changed"
    often = [
        measured.executions[picture.fingerprint]
        for picture in journal.pictures()
        if picture.harm is not Harm.NONE
    ]
    if often and max(often) > run.stack.service.max_attempts:
        yield f"a harmful picture was tried {max(often)} times"


def _falsely_failed(job: Accepted[Picture], end: End) -> bool:
    harmless = job.picture is not None and job.picture.harm is Harm.NONE
    return harmless and end.state != "SUCCESS"


def _is_wrong(job: Accepted[Picture], end: End, executions: Counter[str]) -> bool:
    """Tell whether an end belongs to another picture, or to none."""
    picture = job.picture
    if picture is None or end.state != "SUCCESS":
        return False
    return not fits(end.document, picture) or not executions[picture.fingerprint]


def fits(document: Mapping[str, Any], picture: Picture) -> bool:
    """Tell whether the best prediction is the picture's; a document without any is not."""
    if not document.get("predictions"):
        return False
    best = document["predictions"][0]
    off = abs(float(best["probability"]) - picture.probability)
    return best["label"] == picture.label and off < PROBABILITY_TOLERANCE


def _doubled(journal: Journal[Picture], executions: Counter[str]) -> int:
    """Return the executions beyond one for each picture, however often it was sent."""
    harmless = {p.fingerprint for p in journal.pictures() if p.harm is Harm.NONE}
    return sum(max(0, executions[fingerprint] - 1) for fingerprint in harmless)
