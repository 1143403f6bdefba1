"""Controls: runs with one protection taken out, which must fail, or the harness sees nothing.

Each has a pair, the same run with exactly that protection back, which must be kept: else it would
be something else that the run fails of.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from chaos.experiment import row_of
from chaos.layout import EARLY, FULL, LATE, UNRECONCILED, UNSAFE_TASK, UNWATCHED, Protection
from chaos.run import Scenario, say
from chaos.scenarios import SCENARIOS
from chaos.scenarios.workers import ENDED
from chaos.service import Petiole
from petiole.chaos.findings import Findings

PATIENCE_SECONDS = 20.0
"""What is not answered then is lost: whatever could still answer it is quicker."""


@dataclass(frozen=True)
class Control:
    """A scenario without and with one protection.

    Attributes:
        taken_out: The protection, in words.
        scenario: Which both run.
        without: What the service has without it; one of `signs` must be among its broken promises.
        pair: The same with it, which must keep every promise.
        signs: How a run without it fails.
    """

    taken_out: str
    scenario: Scenario
    without: Protection
    pair: Protection
    signs: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What both runs of a control showed."""

    control: Control
    without: Findings
    pair: Findings

    @property
    def shown(self) -> tuple[str, ...]:
        """The broken promises that the control was to break."""
        signs = self.control.signs
        return tuple(each for each in self.without.broken if any(sign in each for sign in signs))

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why the harness is not to be trusted; nothing when both runs went as they must."""
        doubts = []
        if not self.shown:
            doubts.append("it did not fail: the harness would not see a loss")
        if self.pair.broken or self.pair.skipped:
            reasons = self.pair.skipped or "; ".join(self.pair.broken)
            doubts.append(f"its pair was not kept: {reasons}")
        return tuple(doubts)


def _control(
    taken_out: str, scenario: str, without: Protection, *signs: str, pair: Protection = FULL
) -> Control:
    patient = replace(
        SCENARIOS[scenario], answers_within=PATIENCE_SECONDS, recovers_within=PATIENCE_SECONDS
    )
    return Control(taken_out, patient, without, pair, signs)


CONTROLS = (
    _control("the reconciler", "frozen-handover", UNRECONCILED, " lost"),
    _control("late acknowledgement", "lose-host", EARLY, " lost", pair=LATE),
    _control("the task class that survives a MemoryError", "memory-error", UNSAFE_TASK, ENDED),
    _control("the watchdog of a worker that takes nothing", "stranded", UNWATCHED, " lost"),
)


def judged(control: Control, *, seed: int, rows: Iterable[Findings] = ()) -> Verdict:
    """Run a control and its pair, unless that is among the `rows` of the service as it is."""
    name = control.scenario.name
    say(f"control, which has to fail: {name} without {control.taken_out}")
    without = row_of(control.scenario, seed=seed, service=Petiole(control.without))
    known = [row for row in rows if row.scenario == name and control.pair is FULL]
    if not known:
        say(f"its pair, which has to hold: {name} with {control.taken_out}")
        known = [row_of(control.scenario, seed=seed, service=Petiole(control.pair))]
    return Verdict(control, without, known[0])
