"""`petiole chaos load-spike`: far more pictures at once than can be classified in a moment."""

from collections.abc import Sequence

from petiole.chaos import load
from petiole.chaos.installation import Installation
from petiole.chaos.run import BURST, Fault, Run, say

NAME = "load-spike"
SECONDS_OF_WORK = 16
"""Eight times what two seconds can do."""

SMALLEST = 50
OTHERS = 30
"""Pictures of another client, one a second."""

RECOVERY_SECONDS = 10.0


def prepared(installation: Installation) -> Fault:
    """Return the fault; it needs nothing but the API."""
    return Fault(
        NAME,
        does=(
            f"as many pictures at once to {installation.api} as it classifies in"
            f" {SECONDS_OF_WORK} s, within the bound below"
        ),
        others=(
            f"pictures that are sent then wait behind these, up to {SECONDS_OF_WORK} s or more, or"
            " are refused for a while (503 with Retry-After) where the service has a bound"
        ),
        act=_act,
        usual_seconds=30,
        recovers_within=RECOVERY_SECONDS,
    )


def _act(run: Run) -> None:
    wanted = max(SMALLEST, round(run.rate * SECONDS_OF_WORK))
    n = min(wanted, run.left(kept=BURST + OTHERS))
    # Twice the time that this work takes in calm: other clients have a right to their share.
    run.recovers_within += 2 * n / max(run.rate, 1.0)
    others: list[str] = []

    def send_as_another() -> None:
        if task_id := run.send():
            others.append(task_id)

    with load.steady(send_as_another, per_second=1.0):
        with run.fault():
            say(f"spike: {n} pictures at once")
            accepted = run.burst(n)
        send_as_another()
        say(f"spike: {len(accepted)} accepted, {n - len(accepted)} refused")
        run.watcher.wait_for(accepted, until=run.deadline)
    run.watcher.wait_for(others, until=run.deadline)
    run.remarks.append(_waited(run, others))


def _waited(run: Run, others: Sequence[str]) -> str:
    """Say how long pictures that came one by one meanwhile had to wait."""
    ends, accepted = run.journal.ends, run.journal.accepted
    waits = [ends[i].at - accepted[i].at for i in others if i in ends]
    slowest = f"answered after {max(waits):.1f} s at most" if waits else "none was answered"
    return f"another client, a picture a second meanwhile: {len(others)} accepted, {slowest}"
