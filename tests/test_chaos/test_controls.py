"""What is concluded from the two runs of a control."""

import pytest

from chaos.controls import CONTROLS, Control, Verdict
from chaos.layout import Protection
from petiole.chaos.findings import Findings

CONTROL = CONTROLS[0]


def verdict(*, without: Findings, pair: Findings) -> Verdict:
    """Return what two runs of the first control show."""
    return Verdict(CONTROL, without, pair)


def row(*broken: str, skipped: str = "") -> Findings:
    """Return the row of a run."""
    return Findings(CONTROL.scenario.name, broken=broken, skipped=skipped)


def test_a_control_shows_what_its_protection_is_for() -> None:
    """It loses without it and keeps everything with it."""
    seen = verdict(without=row("1 lost", "left: 1 uploads"), pair=row())

    assert (seen.shown, seen.doubts) == (("1 lost",), ())


@pytest.mark.parametrize("without", [row(), row("the API took 2.1 s"), row(skipped="no disk")])
def test_a_control_that_does_not_lose_is_a_doubt(without: Findings) -> None:
    """Also where something else was broken, or where it could not be run."""
    assert verdict(without=without, pair=row()).doubts == (
        "it did not fail: the harness would not see a loss",
    )


@pytest.mark.parametrize("pair", [row("2 lost"), row(skipped="2 lost")])
def test_a_control_whose_pair_loses_too_shows_nothing(pair: Findings) -> None:
    """Then it is not the protection that makes the difference."""
    assert verdict(without=row("1 lost"), pair=pair).doubts == ("its pair was not kept: 2 lost",)


def settings_of(protection: Protection) -> set[object]:
    """Return everything that a protection is made of."""
    return {*protection.worker_options, *protection.environment.items(), protection.worker_app}


@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.scenario.name)
def test_exactly_one_protection_is_taken_out(control: Control) -> None:
    """One setting is another one, and nothing else."""
    assert len(settings_of(control.without) - settings_of(control.pair)) == 1
