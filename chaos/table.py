"""The rows of a run as Markdown, and below them every promise that was not kept."""

from collections.abc import Mapping, Sequence

from benchmarks import report
from petiole.chaos import table
from petiole.chaos.findings import Findings


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
