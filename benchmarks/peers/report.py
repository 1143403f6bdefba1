"""The table of `make bench-peers`."""

import statistics
from collections.abc import Sequence

from benchmarks.measurements import LoadResult
from benchmarks.peers.rounds import MANY, ONE, Found, Table
from benchmarks.report import heading
from petiole.markdown import table

HEAD = (
    "server",
    "pictures/s",
    "ratio (spread)",
    "CPU ms a picture (spread)",
    "p50 ms",
    "p99 ms",
    "failed",
    "one connection: p50 ms",
    "p99 ms",
    "PSS MiB (processes)",
    "start s",
)


def markdown(found: Table, pictures: str, *, seconds: float) -> str:
    """Return the table, one row for each server, and why the others were not measured."""
    what = (
        f"Model {found.runtime}; {pictures}.\n"
        f"{len(found.bare)} rounds of {seconds:g} s for each, interleaved, at {MANY} connections,"
        " then half as long at one; medians, ratios to the\nbare loop within a round, in brackets"
        " the lowest and highest round. Memory and start: all processes of a server, alone\non the"
        " machine after the same load; to the first right answer, its files in the page cache."
    )
    rows = [_bare(found), *(_row(each, found) for each in found.servers if not each.refused)]
    refused = [
        f"- {each.name}: not measured, {each.refused}" for each in found.servers if each.refused
    ]
    also = [
        f"{each.name}: the same best label as the bare loop for {each.same:.0%} of the pictures."
        for each in found.servers
        if 0 < each.same < 1
    ]
    below = ["\n".join(lines) for lines in (refused, also) if lines]
    return "\n\n".join([heading(what), table(HEAD, rows), *below])


def _bare(found: Table) -> tuple[str, ...]:
    rates = [result.rate for result in found.bare]
    cpu = [sum(result.cpu_ms.values()) for result in found.bare]
    blank = [""] * (len(HEAD) - 4)
    return (
        "bare loop, a process a core",
        f"{statistics.median(rates):.1f}",
        "1.00",
        spread(cpu, 1),
        *blank,
    )


def _row(each: Found, found: Table) -> tuple[str, ...]:
    many, one = each.load[MANY], each.load[ONE]
    ratios = [r.rate / bare.rate for r, bare in zip(many, found.bare, strict=True)]
    return (
        each.name,
        f"{statistics.median(r.rate for r in many):.1f}",
        spread(ratios, 2),
        spread(each.cpu_ms, 1),
        *_latency(many),
        str(sum(r.failed for r in (*many, *one))),
        *_latency(one),
        f"{each.pss_mib:.0f} ({each.processes})",
        f"{each.start_seconds:.1f}",
    )


def _latency(results: Sequence[LoadResult]) -> tuple[str, str]:
    p50 = statistics.median(result.p50_ms for result in results)
    p99 = statistics.median(result.p99_ms for result in results)
    return f"{p50:.0f}", f"{p99:.0f}"


def spread(values: Sequence[float], digits: int) -> str:
    """Return the median of some values, and the lowest and highest of them."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"
