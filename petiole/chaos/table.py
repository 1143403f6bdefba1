"""The rows of a run, as cells under one heading."""

from collections.abc import Sequence

from petiole import markdown
from petiole.chaos.findings import Findings

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
UNCOUNTED = "not counted"


def of(rows: Sequence[Findings]) -> str:
    """Return the rows as a Markdown table."""
    return markdown.table(HEAD, [cells(row) for row in rows])


def cells(row: Findings) -> tuple[str, ...]:
    """Return what stands under each heading."""
    if row.skipped:
        return (row.scenario, *[""] * (len(HEAD) - 2), "not run")
    return (
        row.scenario,
        str(row.accepted),
        str(row.answered),
        UNCOUNTED if row.lost is None else str(row.lost),
        UNCOUNTED if row.doubled is None else f"{row.doubled} (≤ {row.may_be_doubled})",
        str(row.wrong),
        str(row.falsely_failed),
        f"{row.recovery_median:.1f}, {row.slowest_seconds:.1f}" if row.answered else "",
        ", ".join(f"{code or NO_ANSWER}: {n}" for code, n in row.codes.items()) or "0",
        f"{row.worst_api_seconds * 1000:.0f}",
        ", ".join(f"{rate:.0f}" for rate in row.rates),
        kept(row),
    )


def kept(row: Findings) -> str:
    """Return whether every promise was kept, as far as that was seen."""
    if row.broken:
        return "no"
    return "interrupted" if row.lost is None else "yes"
