"""`python -m benchmarks.budget`: where a picture's CPU time goes, stage by stage.

py-spy samples the processes under load; each process' CPU time, which the kernel counts, is divided
among the stages as its samples are. Redis, Flower and the supervisor are not sampled. Commands and
reads of Redis and system calls are counted in the same way as a picture's CPU: all of the load,
divided by its pictures.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import psutil
import redis

from benchmarks import counted_calls, pictures, processes, report, wrk
from benchmarks.service import Started, load, loaded, started_service
from benchmarks.stages import REST, rows, samples, shared
from petiole.markdown import table
from tasks.settings import EMBEDDED_ADDRESS

CONNECTIONS = 16
RATE = 200
SETTLE_SECONDS = 1.0
SAMPLED = ("worker", "worker child", "api child")
MARK = "budget"


@dataclass(frozen=True)
class Traffic:
    """What Redis counts: commands, those inside scripts among them, and reads from sockets."""

    commands: Counter[str]
    reads: int


def profiler() -> str:
    """Return the path of py-spy, or end the program and say how to get it."""
    places = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    found = shutil.which("py-spy", path=places)
    if found is None:
        sys.exit("benchmarks.budget needs py-spy, which the development packages bring")
    return found


def profiles(service: Started, directory: Path, *, seconds: float) -> dict[str, Counter[str]]:
    """Sample all processes of the roles for `seconds`; return samples by role and stage."""
    running = []
    for role, ids in processes.ids(service.process.pid).items():
        for number in ids if role in SAMPLED else ():
            target = directory / f"{role}-{number}"
            words = ("--rate", str(RATE), "--duration", f"{seconds:.0f}", "--nonblocking")
            command = [profiler(), "record", *words, "--format", "raw", "--output", str(target)]
            command += ["--pid", str(number)]
            running.append((role, target, subprocess.Popen(command, **_silent())))  # noqa: S603
    found: dict[str, Counter[str]] = {role: Counter() for role in SAMPLED}
    for role, target, process in running:
        if process.wait():
            sys.exit(f"py-spy could not sample {target.name}; it needs the right to (root)")
        found[role] += samples(target.read_text())
    return found


def _silent() -> dict[str, Any]:
    return {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def traffic(service: Started) -> Traffic:
    """Return what the service's Redis has counted so far."""
    state = psutil.Process(service.process.pid).environ()["PETIOLE_UP_STATE_DIRECTORY"]
    address = (Path(state) / EMBEDDED_ADDRESS).read_text("utf-8").strip()
    client: Any = redis.Redis.from_url(address, decode_responses=True)
    stats = client.info("commandstats").items()
    commands = Counter({name.removeprefix("cmdstat_"): each["calls"] for name, each in stats})
    return Traffic(commands, client.info("stats")["total_reads_processed"])


def measure(service: Started, images: Sequence[Path], directory: Path, *, seconds: float) -> str:
    """Return the tables of stages, of Redis' commands and of system calls."""
    load(service.api, images, connections=CONNECTIONS, seconds=3)
    under = partial(load, service.api, images, connections=CONNECTIONS)
    thread = Thread(target=under, kwargs={"seconds": seconds + 2 * SETTLE_SECONDS})
    thread.start()
    sleep(SETTLE_SECONDS)
    found = profiles(service, directory, seconds=seconds)
    thread.join()
    # CPU time and traffic are taken without the profiler, which costs some itself.
    before = traffic(service)
    result, cpu_ms = loaded(service, images, connections=CONNECTIONS, seconds=seconds)
    after = traffic(service)
    # Children that are not sampled stand as a whole.
    by_role = {
        role: shared(found[role], ms) if role in found else {REST: ms}
        for role, ms in cpu_ms.items()
        if ms >= 0.005  # noqa: PLR2004 - less is 0.00 in the table
    }
    calls = counted_calls.table_of(service, under)
    return "\n\n".join([rows(by_role), _redis(before, after, result.finished), calls])


def _redis(before: Traffic, after: Traffic, pictures_done: int) -> str:
    commands = after.commands - before.commands
    often = [(name, n / pictures_done) for name, n in commands.most_common()]
    lines = [(f"`{name}`", f"{each:.2f}") for name, each in often if each >= 0.05]  # noqa: PLR2004
    reads = (after.reads - before.reads) / pictures_done
    lines.append(
        ("**commands, those inside scripts among them**", f"**{sum(n for _, n in often):.1f}**")
    )
    lines.append(("**reads from sockets (round trips; a pipeline is one)**", f"**{reads:.1f}**"))
    return table(("Redis", "a picture"), lines)


def main() -> None:
    """Measure, print the tables, and write them into the document that was named."""
    parser = argparse.ArgumentParser(prog="benchmarks.budget", description=__doc__)
    parser.add_argument("--images", type=Path, help="folder of JPEGs; a drawn set by default")
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--document", type=Path)
    arguments = parser.parse_args()
    wrk.demand()
    profiler()
    images = pictures.chosen(arguments.images)
    with tempfile.TemporaryDirectory() as state, started_service(Path(state)) as service:
        text = measure(service, images.files, Path(state), seconds=arguments.seconds)
    span = f"{arguments.seconds:g} s, {RATE} samples a second"
    what = f"{images.described}; {CONNECTIONS} connections, {span}."
    text = f"{report.heading(what)}\n\n{text}"
    print(text)  # noqa: T201 - the tables are the output
    if arguments.document:
        report.write(arguments.document, text, mark=MARK)


if __name__ == "__main__":
    main()
