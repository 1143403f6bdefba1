"""From a run against an installation to its row: what was counted, and by whom."""

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import requests

from petiole import probes
from petiole.chaos.findings import (
    Findings,
    broken_by,
    codes,
    rate_during,
    recovery,
    slowest,
)
from petiole.chaos.golden import version_of
from petiole.chaos.installation import LOOKING, Installation
from petiole.chaos.run import Fault, Run

REFUSALS = frozenset({429, 503})
FORGETTING_SECONDS = 10.0
TRIES = 2
"""DELETE ends a job that is not over, and forgets one that is."""


def row_of(
    fault: Fault, run: Run, installation: Installation, *, rate_after: float, whole: bool
) -> Findings:
    """Return the row of a run; one that is not whole was interrupted, and nobody waited.

    Executions beyond one are counted as starts, by the jobs' own records.
    """
    journal = run.journal
    judged = _judged(run)
    row = Findings(
        scenario=fault.name,
        accepted=len(journal.accepted),
        answered=len(journal.ends),
        lost=len(journal.open()) if whole else None,
        doubled=installation.doubled(journal.accepted),
        may_be_doubled=run.redone,
        wrong=judged["wrong"],
        falsely_failed=judged["failed"],
        recovery_seconds=recovery(journal, run.span),
        slowest_seconds=slowest(journal, run.span) if run.begun_at else 0.0,
        codes=codes(journal.attempts),
        worst_api_seconds=max((attempt.seconds for attempt in journal.attempts), default=0.0),
        rates=(run.rate, rate_during(journal, run.span), rate_after),
    )
    promised = broken_by(
        row, recovers_within=round(run.recovers_within, 1), client_errors=fault.client_errors
    )
    return replace(row, broken=(*promised, *_broken_in(run), *run.broken))


def look_again(run: Run) -> None:
    """See that each end is still the one that was seen first."""
    seen = list(run.journal.ends)
    with ThreadPoolExecutor(LOOKING) as pool:
        looked = pool.map(lambda task_id: run.journal.look(run.api, task_id), seen)
        run.journal.changed += [i for i, over in zip(seen, looked, strict=True) if not over]


def forget(run: Run) -> int:
    """Delete every picture of this run with its result; return how many could not be."""
    with ThreadPoolExecutor(LOOKING) as pool:
        forgotten = list(pool.map(lambda task_id: _forget(run.api, task_id), run.journal.accepted))
    return forgotten.count(False)


def _forget(api: str, task_id: str) -> bool:
    for _ in range(TRIES):
        try:
            response = requests.delete(
                f"{api}/result/{task_id}",
                timeout=FORGETTING_SECONDS,
                headers=probes.credentials(),
            )
        except requests.RequestException:
            return False
        if response.status_code != requests.codes.ok:
            break
    return response.status_code in {requests.codes.no_content, requests.codes.gone}


def _judged(run: Run) -> Counter[str]:
    """Count the ends that are wrong, and those that failed; remark what was not compared."""
    judged, strange = Counter[str](), Counter[str]()
    for task_id, end in run.journal.ends.items():
        sent = run.journal.accepted[task_id].picture
        if end.state != "SUCCESS" or sent is None:
            judged["failed"] += 1
            continue
        verdict = run.answers.verdict(sent, end.document)
        judged[verdict] += 1
        version = version_of(end.document)
        if verdict == "not compared" and version not in run.answers.versions:
            strange[version] += 1
    for version, n in strange.items():
        run.remarks.append(
            f"{n} answers are of {version}, which did not answer in calm: not compared"
        )
    return judged


def _broken_in(run: Run) -> Iterable[str]:
    if run.journal.changed:
        yield f"{len(run.journal.changed)} ends changed"
    impolite = [a for a in run.journal.attempts if a.status in REFUSALS and not a.retry_after]
    if impolite:
        yield f"{len(impolite)} refusals did not say when to come again"
