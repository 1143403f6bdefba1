"""The table of a run as people read it."""

from dataclasses import replace

from chaos import table
from chaos.controls import CONTROLS, Verdict
from petiole.chaos.findings import Findings

ROW = Findings(
    "redis-full",
    accepted=30,
    answered=28,
    lost=2,
    doubled=1,
    may_be_doubled=2,
    recovery_seconds=(1.0, 2.0, 6.0),
    slowest_seconds=6.5,
    codes={0: 1, 503: 12},
    worst_api_seconds=1.25,
    rates=(30.0, 0.0, 29.6),
    broken=("2 lost",),
)


def markdown(*rows: Findings) -> list[str]:
    """Return the lines of a table of these rows."""
    titles = {row.scenario: "Something happens." for row in rows}
    return table.markdown(rows, seed=7, settings="petiole", titles=titles).splitlines()


def test_a_row_says_what_became_of_the_pictures() -> None:
    """Counts, excuses, seconds, refusals and rates, in the order of the heading."""
    row = (
        "| redis-full | 30 | 28 | 2 | 1 (≤ 2) | 0 | 0 | 2.0, 6.5 | none: 1, 503: 12 | 1250"
        " | 30, 0, 30 | no |"
    )

    assert row in markdown(ROW)


def test_what_was_broken_stands_below_the_table() -> None:
    """With the seed that repeats the run, and what was done."""
    lines = markdown(ROW)

    assert "Seed 7; petiole." in lines
    assert "- **redis-full**: Something happens." in lines
    assert "- **redis-full**: 2 lost" in lines


def test_a_scenario_that_this_machine_forbids_is_named() -> None:
    """Not run is not the same as kept."""
    (row,) = [line for line in markdown(Findings("disk-full", skipped="no")) if "disk" in line][:1]

    assert row.startswith("| disk-full |")
    assert row.endswith("| not run |")


def test_a_control_says_what_its_protection_is_for() -> None:
    """What was broken without it, and that nothing was with it; else the doubt is named."""
    kept = replace(ROW, answered=30, lost=0, broken=())
    sharp, blind = Verdict(CONTROLS[0], ROW, kept), Verdict(CONTROLS[0], kept, kept)
    lines = table.controls([sharp, blind], seed=7).splitlines()

    assert "| frozen-handover | the reconciler | 30 | 2 lost | 30 of 30 answered |" in lines
    assert "- **frozen-handover**: it did not fail: the harness would not see a loss" in lines
