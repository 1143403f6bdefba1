"""`python -m benchmarks.cache`: what a picture costs whose answer is known, beside one that is not.

Two services with the same model take turns: one with the cache, one without. A new picture is one
of the set with some bytes behind its end, which decoders pass over: to the service it is another
picture, to the model the same. One client sends one picture after the other and waits for each.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.client import HTTPConnection
from itertools import count, cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

from benchmarks import pictures, processes, report
from benchmarks.service import WAIT_SECONDS, Started, started_service
from chaos.layout import CACHE, NO_CACHE
from petiole.markdown import table

ROUNDS, STEP = 5, 200
"""Rounds, and the pictures of each kind that are sent in each."""

ROLES = {
    "API": ("api", "api child"),
    "Redis": ("redis",),
    "workers": ("worker", "worker child"),
}
HIT, MISS, WITHOUT = "known", "new", "new, without the cache"
MARK = "cache"
Measure = Callable[..., dict[str, "Seen"]]
Shown = Callable[[dict[str, "Seen"], str], str]
HEAD = ("picture", "CPU ms", *(f"{role}" for role in ROLES), "p50 ms", "p99 ms", "hits")


@dataclass
class Seen:
    """What was seen of one kind of pictures: CPU milliseconds by role, and times, of each."""

    cpu_ms: dict[str, list[float]] = field(default_factory=dict)
    times_ms: list[float] = field(default_factory=list)
    hits: int = 0

    def add(self, cpu_ms: dict[str, float]) -> None:
        """Add what one round has used."""
        for role, used in cpu_ms.items():
            self.cpu_ms.setdefault(role, []).append(used)

    def median_of(self, *roles: str) -> float:
        """Return the median over the rounds of what some processes use for a picture."""
        found = [self.cpu_ms[role] for role in roles if role in self.cpu_ms]
        return statistics.median(map(sum, zip(*found, strict=True))) if found else 0.0


class Client:
    """One connection to a service."""

    def __init__(self, service: Started, headers: Mapping[str, str] | None = None) -> None:
        """Connect when first used; `headers` come with every picture."""
        self._service, self._headers = service, {"Content-Type": "image/jpeg", **(headers or {})}
        self._connection = HTTPConnection(service.api.removeprefix("http://"), timeout=60)

    def send(self, uploads: Iterator[bytes], seen: Seen, n: int = STEP) -> None:
        """Send so many pictures, one after the other, and add what they cost."""
        self._connection.close()  # one that was idle for long is closed by the server
        before = processes.roles(self._service.process.pid)
        for _ in range(n):
            begun = monotonic()
            seen.hits += self._is_hit(next(uploads))
            seen.times_ms.append(1000 * (monotonic() - begun))
        after = processes.roles(self._service.process.pid)
        seen.add({r: 1000 * (after[r].cpu_seconds - before[r].cpu_seconds) / n for r in before})

    def _is_hit(self, upload: bytes) -> bool:
        path = f"/classify?wait={WAIT_SECONDS}"
        self._connection.request("POST", path, upload, self._headers)
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status != 200:  # noqa: PLR2004 - the only answer that is one
            sys.exit(f"no answer: {answer.status} {said[:200]!r}")
        return answer.headers.get("X-Cache") == "hit"


def new_ones(files: Sequence[Path]) -> Iterator[bytes]:
    """Yield pictures of which no two have the same bytes."""
    uploads = [file.read_bytes() for file in files]
    for number, upload in zip(count(), cycle(uploads)):
        yield upload + number.to_bytes(8)


def measured(images: Sequence[Path], *, rounds: int, step: int) -> dict[str, Seen]:
    """Send the three kinds in turn, in an order that changes from round to round."""
    found = {kind: Seen() for kind in (HIT, MISS, WITHOUT)}
    with ExitStack() as stack:
        cached = Client(_started(stack, {CACHE: "86400"}))
        uncached = Client(_started(stack, NO_CACHE))
        new, known = new_ones(images), cycle([file.read_bytes() for file in images])
        for client in (cached, uncached):
            client.send(known, Seen(), 2 * len(images))
        steps = [(cached, known, HIT), (cached, new, MISS), (uncached, new, WITHOUT)]
        for number in range(rounds):
            for client, uploads, kind in steps[number % 3 :] + steps[: number % 3]:
                client.send(uploads, found[kind], step)
            print(f"round {number + 1}", *_said(found), file=sys.stderr)  # noqa: T201
    return found


def _started(stack: ExitStack, settings: dict[str, str]) -> Started:
    state = Path(stack.enter_context(TemporaryDirectory(prefix="petiole-cache-")))
    return stack.enter_context(started_service(state, environment=settings))


def _said(found: dict[str, Seen]) -> list[str]:
    return [f"{kind}: {seen.median_of(*seen.cpu_ms):.2f} ms;" for kind, seen in found.items()]


def markdown(found: dict[str, Seen], what: str) -> str:
    """Return the table: what a picture of each kind costs, of which process."""
    return f"{report.heading(what)}\n\n{table(HEAD, [row(k, s) for k, s in found.items()])}"


def row(kind: str, seen: Seen) -> tuple[str, ...]:
    """Return what the table says of one kind."""
    own = [f"{seen.median_of(*roles):.2f}" for roles in ROLES.values()]
    times = sorted(seen.times_ms)
    p50, p99 = statistics.median(times), times[int(len(times) * 0.99)]
    every = f"{seen.median_of(*seen.cpu_ms):.2f}"
    return kind, every, *own, f"{p50:.1f}", f"{p99:.1f}", f"{seen.hits} of {len(times)}"


def run(name: str, described: str | None, measure: Measure, shown: Shown, *, mark: str) -> None:
    """Measure as the command line says, print the table, and write it into the named document."""
    parser = argparse.ArgumentParser(prog=name, description=described)
    parser.add_argument("--images", type=Path, help="folder of JPEGs; a drawn set by default")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--step", type=int, default=STEP, help="pictures of a kind in a round")
    parser.add_argument("--document", type=Path)
    arguments = parser.parse_args()
    images = pictures.chosen(arguments.images)
    found = measure(images.files, rounds=arguments.rounds, step=arguments.step)
    what = (
        f"{images.described}; one client, {arguments.rounds} rounds of {arguments.step} pictures"
        " of each kind, interleaved;\nmedians of the rounds, CPU milliseconds a picture."
    )
    text = shown(found, what)
    print(text)  # noqa: T201 - the table is the output
    if arguments.document:
        report.write(arguments.document, text, mark=mark)


if __name__ == "__main__":
    run("benchmarks.cache", __doc__, measured, markdown, mark=MARK)
