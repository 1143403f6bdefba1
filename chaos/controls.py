"""Controls: runs with a protection taken out, which must fail, or the harness sees nothing."""

from dataclasses import dataclass, replace

from chaos.experiment import row_of
from chaos.layout import EARLY, UNRECONCILED, UNSAFE_TASK, Protection
from chaos.run import Scenario
from chaos.scenarios import SCENARIOS

PATIENCE_SECONDS = 12.0
"""What is not answered then is lost: nobody looks after it."""


@dataclass(frozen=True)
class Control:
    """A scenario under a protection that cannot hold."""

    name: str
    scenario: Scenario
    protection: Protection


def _control(scenario: str, protection: Protection) -> Control:
    name = f"{scenario}, {protection.name}"
    impatient = replace(SCENARIOS[scenario], name=name, answers_within=PATIENCE_SECONDS)
    return Control(name, impatient, protection)


CONTROLS = (
    _control("frozen-handover", UNRECONCILED),
    _control("kill-main", EARLY),
    _control("memory-error", UNSAFE_TASK),
)


def fails(control: Control, seed: int) -> bool:
    """Run a control; tell whether it failed as it must: a picture was lost or held against."""
    row = row_of(control.scenario, seed=seed, protection=control.protection)
    return not row.skipped and bool(row.lost or row.falsely_failed or row.wrong)
