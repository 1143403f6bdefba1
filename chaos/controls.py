"""Controls: runs with a protection taken out, which must fail, or the harness sees nothing."""

from dataclasses import dataclass, replace

from chaos.experiment import row_of
from chaos.layout import EARLY, UNRECONCILED, UNSAFE_TASK, Protection
from chaos.run import Scenario, say
from chaos.scenarios import SCENARIOS
from chaos.scenarios.workers import ENDED
from chaos.service import Petiole

PATIENCE_SECONDS = 12.0
"""What is not answered then is lost: nobody looks after it."""


@dataclass(frozen=True)
class Control:
    """A scenario under a protection that cannot hold; one of `signs` must show that it did not."""

    name: str
    scenario: Scenario
    protection: Protection
    signs: tuple[str, ...]


def _control(scenario: str, protection: Protection, *signs: str) -> Control:
    impatient = replace(SCENARIOS[scenario], answers_within=PATIENCE_SECONDS)
    return Control(f"{scenario} with {protection.name}", impatient, protection, signs)


CONTROLS = (
    _control("frozen-handover", UNRECONCILED, " lost"),
    _control("kill-main", EARLY, " lost", " falsely failed"),
    _control("memory-error", UNSAFE_TASK, ENDED),
)


def fails(control: Control, seed: int) -> bool:
    """Run a control; tell whether it failed as it must."""
    say(f"control, which has to fail: {control.name}")
    row = row_of(control.scenario, seed=seed, service=Petiole(control.protection))
    return any(sign in promise for sign in control.signs for promise in row.broken)
