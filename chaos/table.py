"""The rows of a run as Markdown, and below them every promise that was not kept."""

from collections.abc import Mapping, Sequence

from benchmarks import report
from chaos.findings import Findings

HEAD = (
    "scenario",
    "accepted",
    "answered",
    "lost",
    "doubled",
    "wrong",
    "falsely failed",
    "recovery s (median, max)",
    "not 200/202",
    "worst API ms",
    "pictures/s before, during, after",
    "kept",
)
NO_ANSWER = "none"


def markdown(
    rows: Sequence[Findings], *, seed: int, settings: str, titles: Mapping[str, str]
) -> str:
    """Return the table of one run, with what was done in each scenario and what was broken."""
    heading = report.heading(f"Seed {seed}; {settings}.")
    table = report.table(HEAD, [_row(row) for row in rows])
    done = "\n".join(f"- **{row.scenario}**: {titles[row.scenario]}" for row in rows)
    broken = [f"- **{row.scenario}**: {'; '.join(row.broken)}" for row in rows if row.broken]
    parts = [heading, table, "What is done:", done]
    if broken:
        parts += ["Not kept:", "\n".join(broken)]
    return "\n\n".join(parts)


def _row(row: Findings) -> tuple[str, ...]:
    if row.skipped:
        return (row.scenario, *[""] * (len(HEAD) - 2), "not run")
    return (
        row.scenario,
        str(row.accepted),
        str(row.answered),
        str(row.lost),
        f"{row.doubled} (≤ {row.may_be_doubled})",
        str(row.wrong),
        str(row.falsely_failed),
        f"{row.recovery_median:.1f}, {row.slowest_seconds:.1f}" if row.answered else "",
        ", ".join(f"{code or NO_ANSWER}: {n}" for code, n in row.codes.items()) or "0",
        f"{row.worst_api_seconds * 1000:.0f}",
        ", ".join(f"{rate:.0f}" for rate in row.rates),
        "no" if row.broken else "yes",
    )
