"""The counts as Markdown, and below them everything that must not be."""

from collections.abc import Mapping, Sequence

from benchmarks import report
from chaos.hostile.contract import Contract
from chaos.hostile.guided import Guided
from chaos.hostile.tally import Tally
from petiole.markdown import table

_HEAD = ("files", "tried", "decoded", "refused", "crashes", "wrong", "slowest ms", "most MiB")
_GUIDED_HEAD = ("decoder", "uploads tried", "places reached", "kept and judged", "crashes", "wrong")
_MIB = 2**20
_SHOWN = 5


def heading(seed: int) -> str:
    """Return when, where and from which number everything was made."""
    return report.heading(f"Seed {seed}; milliseconds are of the processor.")


def corpus(tallies: Sequence[Tally]) -> str:
    """Return a row for each group of files, and by which errors they were refused."""
    rows = [
        (
            tally.group,
            f"{tally.tried:,}",
            f"{tally.answers:,}",
            f"{tally.errors.total():,}",
            str(tally.crashes),
            str(_wrong(tally)),
            f"{tally.slowest_ms:.0f}",
            f"{tally.memory_bytes / _MIB:.0f}",
        )
        for tally in tallies
    ]
    classes = sorted({name for tally in tallies for name in tally.errors})
    refusals = [
        (tally.group, *(f"{tally.errors[name]:,}" for name in classes)) for tally in tallies
    ]
    parts = [table(_HEAD, rows), table(("refused with", *classes), refusals)]
    return "\n\n".join(parts + _sentences(tallies))


def guided(found: Mapping[str, Guided]) -> str:
    """Return a row for each decoder that was fuzzed with coverage as its guide."""
    rows = [
        (
            format,
            f"{each.executions:,}",
            f"{each.coverage:,}",
            f"{each.tally.tried:,}",
            str(each.tally.crashes),
            str(_wrong(each.tally)),
        )
        for format, each in found.items()
    ]
    faults = _sentences([each.tally for each in found.values()])
    return "\n\n".join([table(_GUIDED_HEAD, rows), *faults])


def contract(found: Contract) -> str:
    """Return what became of the requests that were made of the specification."""
    wrong = sum(found.failures.values())
    row = (str(found.operations), f"{found.requests:,}", str(wrong), str(len(found.broken)))
    head = ("operations", "requests", "failed checks", "tracebacks, left processes")
    failed = [f"- {title} ({count} times)" for title, count in found.failures.items()]
    failed += [f"- {each}" for each in found.broken]
    return "\n\n".join([table(head, [row]), *(["\n".join(failed)] if failed else [])])


def is_clean(tallies: Sequence[Tally]) -> bool:
    """Tell whether nothing was wrong."""
    return not any(tally.faults for tally in tallies)


def _wrong(tally: Tally) -> int:
    """Return how many files did something that none may do."""
    return len({name for names in tally.faults.values() for name in names})


def _sentences(tallies: Sequence[Tally]) -> list[str]:
    lines = [
        f"- {tally.group}: {fault} ({len(names)}: {', '.join(names[:_SHOWN])})"
        for tally in tallies
        for fault, names in tally.faults.items()
    ]
    return ["Wrong:", "\n".join(lines)] if lines else []
