"""The rows of a run as Markdown, and below them every promise that was not kept."""

from collections.abc import Mapping, Sequence

from benchmarks import report
from chaos.controls import Verdict
from petiole.chaos import table
from petiole.chaos.findings import Findings
from petiole.markdown import table as markdown_table

CONTROLS_HEAD = ("scenario", "taken out", "accepted", "then broken", "with it back")


def markdown(
    rows: Sequence[Findings], *, seed: int, settings: str, titles: Mapping[str, str]
) -> str:
    """Return the table of one run, with what was done in each scenario and what was broken."""
    heading = report.heading(f"Seed {seed}; {settings}.")
    done = "\n".join(f"- **{row.scenario}**: {titles[row.scenario]}" for row in rows)
    broken = [f"- **{row.scenario}**: {'; '.join(row.broken)}" for row in rows if row.broken]
    parts = [heading, table.of(rows), "What is done:", done]
    if broken:
        parts += ["Not kept:", "\n".join(broken)]
    return "\n\n".join(parts)


def controls(verdicts: Sequence[Verdict], *, seed: int) -> str:
    """Return what each control broke, and whether its pair was kept."""
    rows = [
        (
            verdict.control.scenario.name,
            verdict.control.taken_out,
            str(verdict.without.accepted),
            "; ".join(verdict.shown) or "nothing",
            f"{verdict.pair.answered} of {verdict.pair.accepted} answered"
            if not verdict.pair.broken
            else "; ".join(verdict.pair.broken),
        )
        for verdict in verdicts
    ]
    heading = report.heading(f"Seed {seed}.")
    doubts = [f"- **{v.control.scenario.name}**: {each}" for v in verdicts for each in v.doubts]
    parts = [heading, markdown_table(CONTROLS_HEAD, rows)]
    if doubts:
        parts += ["Not as it must be:", "\n".join(doubts)]
    return "\n\n".join(parts)
