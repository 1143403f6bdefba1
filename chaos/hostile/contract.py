"""Requests that are made of our OpenAPI are sent to a service of its own, with every check on.

schemathesis makes them: what the specification allows and what it does not, one at a time and in
sequences that follow an answer into the next request, as POST /classify to GET /result. No address
may be downloaded from, so nothing leaves the machine.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chaos.hostile.trials import ROOT
from chaos.layout import Layout
from chaos.service import OURS
from chaos.stack import Stack

HOOKS = "chaos.hostile.hooks"
SETTINGS = Path(__file__).with_suffix(".toml")
# DELETE of a task that is not over cancels it, and its record stays; `hooks.py` has a check of its
# own instead: what was forgotten with 204 is not answered any more.
REPLACED = "use_after_free"
PHASES = "coverage,fuzzing,stateful"
# What begins just before the time is over, and the shrinking of what was found.
LATE_SECONDS = 300.0
TRACEBACK_LINES = 60
# No download, and room for every bulk: here is no worker of bulks.
SURROUNDINGS = {
    "PETIOLE_TASKS_BULK_MAX_OPEN": "100000",
    "PETIOLE_TASKS_DOWNLOAD_ALLOW_HOSTS": "127.0.0.1",
    "PETIOLE_TASKS_DOWNLOAD_DENY_NETWORKS": "0.0.0.0/0,::/0",
}


class ContractError(Exception):
    """The requests could not be made; the message has what was said last."""


@dataclass(frozen=True)
class Contract:
    """What became of the requests.

    Attributes:
        operations: How many operations of the specification were tried.
        requests: How many requests were sent.
        failures: Failed checks, by their title.
        broken: What else must not be: tracebacks in the log, things left behind.
        said: What schemathesis printed of the failures.
    """

    operations: int
    requests: int
    failures: dict[str, int]
    broken: tuple[str, ...]
    said: str


@dataclass(frozen=True)
class Extent:
    """How many requests are made: for so many seconds, or once through so many an operation."""

    seconds: float = 0.0
    examples: int = 0

    def words(self) -> tuple[str, ...]:
        """Return it as schemathesis wants it."""
        if self.examples:
            return ("--max-examples", str(self.examples))
        return ("--max-time", str(max(1, round(self.seconds))))


def checked(extent: Extent, *, seed: int) -> Contract:
    """Start a service, send requests, and return what was not as specified.

    Raises:
        StackError: the service cannot be started here.
        ContractError: schemathesis ended without a report.
    """
    with tempfile.TemporaryDirectory(prefix="petiole-contract-") as directory:
        stack = Stack(Path(directory), Layout(work_seconds=0.0, environment=SURROUNDINGS), OURS)
        try:
            stack.start()
            report, said = _reported(stack, extent, seed=seed)
        finally:
            outlived = stack.stop()
        log = (stack.directory / "log").read_text(encoding="utf-8", errors="replace")
    broken = [f"left running: {command}" for command in outlived]
    broken += [f"in the log: {traceback}" for traceback in _tracebacks(log)]
    return _contract(report, said, tuple(broken))


def _reported(stack: Stack, extent: Extent, *, seed: int) -> tuple[dict[str, Any], str]:
    path = stack.directory / "report.json"
    words = (
        *("--config-file", str(SETTINGS), "run", f"{stack.api}/openapi.json", "--no-color"),
        *(
            "--exclude-checks",
            REPLACED,
            "--checks",
            "all",
            "--phases",
            PHASES,
            "--continue-on-failure",
        ),
        *(*extent.words(), "--seed", str(seed)),
        *("--generation-database", "none", "--report-json-path", str(path)),
    )
    finished = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", "schemathesis.cli", *words],
        cwd=stack.directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": HOOKS},
        capture_output=True,
        text=True,
        timeout=extent.seconds + LATE_SECONDS,
        check=False,
    )
    if not path.exists():
        raise ContractError(f"schemathesis wrote no report:\n{finished.stderr[-2000:]}")
    return json.loads(path.read_text(encoding="utf-8")), finished.stdout


def _tracebacks(log: str) -> list[str]:
    """Return what each traceback in a log is about: its lines, and who wrote it."""
    lines = log.splitlines()
    begun = [number for number, line in enumerate(lines) if "Traceback" in line]
    return ["\n".join(lines[max(0, at - 2) : at + TRACEBACK_LINES]) for at in begun]


def _contract(report: dict[str, Any], said: str, broken: tuple[str, ...]) -> Contract:
    failures: Counter[str] = Counter()
    for each in report["failures"]:
        failures[f"{each['title']}: {', '.join(each['operations'])}"] += each["count"]
    for each in report["errors"]:
        failures[str(each)] += 1
    operations, cases = report["operations"]["tested"], report["test_cases"]["generated"]
    return Contract(operations, cases, dict(failures), broken, said if failures else "")
