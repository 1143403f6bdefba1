"""What `make bench-peers` measures: first each server alone, then all in turn, round for round."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from benchmarks.bare_loop import BareLoop, LoopResult
from benchmarks.measurements import LoadResult
from benchmarks.peers import running
from benchmarks.peers.catalog import Peer
from benchmarks.peers.int8 import RUNTIME
from benchmarks.peers.running import Running, ServerError

MANY, ONE = 16, 1
# Drawn pictures look like nothing; on photographs the bar of a variant is far higher.
INT8_LEAST_SAME = 0.5
WARM_SECONDS = 3.0
OURS = "Petiole"
Start = Callable[[Path, str], AbstractContextManager[Running]]


@dataclass
class Found:
    """What one server did.

    Attributes:
        name: As in the table, with its version.
        refused: Why it was not measured; empty where it was.
        load: What wrk saw in each round, by connections.
        cpu_ms: CPU milliseconds a picture of all its processes, in each round at `MANY`.
        pss_mib: Memory of all its processes after the same load, alone on the machine.
        processes: How many they are.
        start_seconds: From its start to its first right answer, its files in the page cache.
        least_same: The share of answers that must be the bare loop's.
        same: The share that is.
    """

    name: str
    refused: str = ""
    load: dict[int, list[LoadResult]] = field(default_factory=lambda: {MANY: [], ONE: []})
    cpu_ms: list[float] = field(default_factory=list)
    pss_mib: float = 0.0
    processes: int = 0
    start_seconds: float = 0.0
    least_same: float = 1.0
    same: float = 0.0


@dataclass
class Table:
    """All servers of one run beside the bare loop, whose rounds are the same."""

    runtime: str
    bare: list[LoopResult]
    servers: list[Found]


def measure(
    peers: Sequence[Peer],
    images: Sequence[Path],
    *,
    rounds: int,
    seconds: float,
    version: str,
    int8: Mapping[str, str],
) -> Table:
    """Check every server's answers, then measure those that answer right, in turn.

    `int8` are the settings with which the service answers by int8; without any it is left out.
    """
    with _bare_loop(images) as loop:
        labels = loop.best_labels()
    table = Table("", [], [Found(f"{OURS} {version}")])
    starts: list[Start] = [running.petiole]
    if int8:
        table.servers.append(
            Found(f"{OURS} {version}, {int8[RUNTIME]}", least_same=INT8_LEAST_SAME)
        )
        starts.append(partial(running.petiole, environment=int8))
    for each in peers:
        table.servers.append(Found(f"{each.title} ({each.package} {each.version})", each.missing))
        starts.append(partial(running.peer, each))
    for found, start in zip(table.servers, starts, strict=True):
        _alone(found, start, images, labels)
    sound = [(f, s) for f, s in zip(table.servers, starts, strict=True) if not f.refused]
    with ExitStack() as stack:
        loop = stack.enter_context(_bare_loop(images))
        table.runtime = loop.runtime
        sides = [(f, _started(stack, f, s, images[0], labels[0])) for f, s in sound]
        for number in range(rounds):
            table.bare.append(loop.run(seconds))
            for found, server in sides if number % 2 == 0 else sides[::-1]:
                _round(found, server, images, seconds)
            _say(f"round {number + 1}: bare {table.bare[-1].rate:.1f}/s", sides)
    return table


@contextmanager
def _bare_loop(images: Sequence[Path]) -> Iterator[BareLoop]:
    loop = BareLoop(images)
    try:
        yield loop
    finally:
        loop.stop()


def _alone(found: Found, start: Start, images: Sequence[Path], labels: Sequence[str]) -> None:
    """Start one server, compare its answers with the bare loop's, and read its memory."""
    if found.refused:
        return
    try:
        with start(images[0], labels[0]) as server:
            found.same = compare(server, images, labels, least=found.least_same)
            server.load(images, connections=MANY, seconds=WARM_SECONDS)
            tree = server.tree()
            found.pss_mib, found.processes = tree.pss_mib, tree.count
    except ServerError as exc:
        found.refused = str(exc).partition("\n")[0]
        print(f"{found.name}: {exc}", file=sys.stderr)  # noqa: T201 - which it did, to the person


def compare(
    server: Running, images: Sequence[Path], labels: Sequence[str], *, least: float = 1.0
) -> float:
    """Return for what share of pictures a server's best label is the one given.

    Raises:
        ServerError: for less than `least` of them; says for how many not, and shows one.
    """
    answers = [server.best_label(image) for image in images]
    other = [(i.name, a, b) for i, a, b in zip(images, answers, labels, strict=True) if a != b]
    same = 1 - len(other) / len(labels)
    if same < least:
        name, said, right = other[0]
        raise ServerError(
            f"{len(other)} of {len(images)} answers differ from the bare loop's:"
            f" {said!r} instead of {right!r} for {name}"
        )
    return same


def _started(stack: ExitStack, found: Found, start: Start, image: Path, label: str) -> Running:
    server = stack.enter_context(start(image, label))
    found.start_seconds = server.start_seconds
    return server


def _round(found: Found, server: Running, images: Sequence[Path], seconds: float) -> None:
    server.load(images, connections=MANY, seconds=WARM_SECONDS / 3)
    before = server.tree().cpu_seconds
    result = server.load(images, connections=MANY, seconds=seconds)
    used = server.tree().cpu_seconds - before
    found.cpu_ms.append(1000 * used / max(1, result.finished))
    found.load[MANY].append(result)
    half = max(1.0, seconds // 2)  # wrk knows whole seconds alone
    found.load[ONE].append(server.load(images, connections=ONE, seconds=half))


def _say(words: str, sides: Sequence[tuple[Found, Running]]) -> None:
    rates = (f"{found.name.split()[0]} {found.load[MANY][-1].rate:.1f}/s" for found, _ in sides)
    print(words, *rates, sep=", ", file=sys.stderr)  # noqa: T201
