"""`python -m benchmarks.slow_senders`: what other clients notice of 200 slow ones.

Starts Redis and the API, and compares the p95 of ordinary clients in calm and beside senders of a
byte a second, half of them in the head and half in a body, in turn and in one run.
"""

import argparse
import statistics
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import report
from benchmarks.slow_clients import SLOW_SOCKETS, Api, latencies, slow_sockets, started_api, state

ROUNDS = 7
MARK = "slow"
MIB = 2**20
HEAD = "| | calm: p95 ms | beside 200 slow: p95 ms | ratio |\n| --- | ---: | ---: | ---: |"
LABELS = ("`GET /livez`", "`POST /classify`")


@dataclass(frozen=True)
class Round:
    """One look: p95 of each kind of request in ms, and what the API's process holds."""

    p95_ms: list[float]
    memory_bytes: int
    spooled_bytes: int


def look(api: Api) -> Round:
    """Ask as ordinary clients do, and look at what the process holds afterwards."""
    p95_ms = [float(each) for each in latencies(api)]
    return Round(p95_ms, api.worker.memory_info().rss, spooled_bytes(api.worker))


def spooled_bytes(process: psutil.Process) -> int:
    """Return the size of the bodies that a process keeps in temporary files (Linux)."""
    return sum(_size_without_name(each) for each in Path(f"/proc/{process.pid}/fd").iterdir())


def _size_without_name(descriptor: Path) -> int:
    """Return the size of an open file that has no name any more; 0 for any other."""
    try:
        is_nameless = str(descriptor.readlink()).endswith(" (deleted)")
        return descriptor.stat().st_size if is_nameless else 0
    except FileNotFoundError:  # closed in this moment
        return 0


def rounds(api: Api) -> list[tuple[Round, Round]]:
    """Look in calm and beside slow senders, in turn."""
    found = []
    look(api)  # the first requests load what the later ones find there
    for _ in range(ROUNDS):
        calm = look(api)
        with slow_sockets(api):
            found.append((calm, look(api)))
    return found


def markdown(found: list[tuple[Round, Round]]) -> str:
    """Return the table, and what the process held."""
    rows = []
    for place, label in enumerate(LABELS):
        calm = statistics.median(before.p95_ms[place] for before, _ in found)
        beside = statistics.median(after.p95_ms[place] for _, after in found)
        rows.append(f"| {label} | {calm:.1f} | {beside:.1f} | {beside / calm:.2f} |")
    grown = max(after.memory_bytes - before.memory_bytes for before, after in found)
    spooled = max(after.spooled_bytes for _, after in found)
    held = (
        f"Beside the slow ones the process grew by {grown / MIB:.1f} MiB at most, and kept"
        f" {spooled / MIB:.1f} MiB in temporary files."
    )
    what = f"{SLOW_SOCKETS} senders of a byte a second; {ROUNDS} rounds in turn; medians."
    return "\n\n".join((report.heading(what), "\n".join((HEAD, *rows)), held))


def main() -> None:
    """Measure, and write the table into a document or to the terminal."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.slow_senders")
    parser.add_argument("--document", type=Path, help="write the table between its marks")
    document: Path | None = parser.parse_args().document
    with state() as directory, started_api({}, Path(directory)) as api:
        text = markdown(rounds(api))
    if document:
        report.write(document, text, mark=MARK)
    else:
        print(text)  # noqa: T201


if __name__ == "__main__":
    main()
