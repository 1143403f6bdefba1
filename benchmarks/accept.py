"""`python -m benchmarks.accept`: how soon a picture is accepted while the workers are saturated.

One client sends a picture every `PAUSE_SECONDS` and takes the time until its 202. In calm it is
alone; saturated, 16 connections wait for answers at the same time; flooded, 16 connections hand in
as many pictures as are taken, and nobody waits.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import requests

from benchmarks import pictures, report, wrk
from benchmarks.service import Started, load, started_service
from petiole.markdown import table

CONNECTIONS = 16
PAUSE_SECONDS = 0.05
FLOOD_SECONDS = 3.0
ACCEPTED = 202
MARK = "accept"
HEAD = ("", "answers", "p50 ms", "p99 ms", "p50 by calm's, in a round (lowest to highest)")
CALM, SATURATED, FLOODED = "calm", "saturated: 16 connections wait", "flooded: nobody waits"
Beside = Callable[[], AbstractContextManager[None]]


def accepted_ms(api: str, images: Sequence[Path], *, seconds: float) -> list[float]:
    """Send a picture after the other for `seconds`; return what each 202 took, in ms."""
    connection = HTTPConnection(api.removeprefix("http://"), timeout=60)
    begun = monotonic()
    found: list[float] = []
    while monotonic() - begun < seconds:
        upload = images[len(found) % len(images)].read_bytes()
        sent = monotonic()
        connection.request("POST", "/classify", upload, {"Content-Type": "image/jpeg"})
        answer = connection.getresponse()
        said = answer.read()
        found.append((monotonic() - sent) * 1000)
        if answer.status != ACCEPTED:
            sys.exit(f"a picture was not accepted: {answer.status} {said[:200]!r}")
        sleep(PAUSE_SECONDS)
    connection.close()
    return found


@contextmanager
def beside(work: Callable[[], object]) -> Iterator[None]:
    """Run `work` in a thread for the duration of the block, and see it through."""
    thread = Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def wait_for_calm(api: str, image: Path) -> None:
    """Return when all that was handed in is over: what comes last is answered at once."""
    headers, status = {"Content-Type": "image/jpeg"}, 0
    while status != requests.codes.ok:
        url = f"{api}/classify?wait=20"
        status = requests.post(url, image.read_bytes(), headers=headers, timeout=60).status_code


def measure(
    service: Started, images: Sequence[Path], *, rounds: int, seconds: float
) -> dict[str, list[list[float]]]:
    """Return what each 202 took, by state of the service and round."""
    waiting = partial(load, service.api, images, connections=CONNECTIONS, seconds=seconds + 1)
    flood = partial(
        wrk.send,
        f"{service.api}/classify",
        images,
        connections=CONNECTIONS,
        seconds=FLOOD_SECONDS,
    )
    states: dict[str, tuple[Beside, float]] = {
        CALM: (nullcontext, seconds),
        SATURATED: (partial(beside, waiting), seconds),
        FLOODED: (partial(beside, flood), FLOOD_SECONDS - 1),
    }
    found: dict[str, list[list[float]]] = {name: [] for name in states}
    load(service.api, images, connections=CONNECTIONS, seconds=2)
    for _ in range(rounds):
        for name, (neighbour, span) in states.items():
            with neighbour():
                sleep(0.5)
                found[name].append(accepted_ms(service.api, images, seconds=span))
            wait_for_calm(service.api, images[0])
    return found


def markdown(found: dict[str, list[list[float]]], images: str) -> str:
    """Return the table, one row for each state."""
    calm = [statistics.median(each) for each in found[CALM]]
    rows = []
    for name, rounds in found.items():
        took = [ms for each in rounds for ms in each]
        hundredths = statistics.quantiles(took, n=100)
        ratios = [statistics.median(r) / c for r, c in zip(rounds, calm, strict=True)]
        ratio = f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"
        rows.append((name, str(len(took)), f"{hundredths[49]:.1f}", f"{hundredths[98]:.1f}", ratio))
    what = f"{images}; {len(calm)} rounds, interleaved; the load generator is on the same machine."
    return f"{report.heading(what)}\n\n{table(HEAD, rows)}"


def main() -> None:
    """Measure, print the table, and write it into the document that was named."""
    parser = argparse.ArgumentParser(prog="benchmarks.accept", description=__doc__)
    parser.add_argument("--images", type=Path, help="folder of JPEGs; a drawn set by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--document", type=Path)
    arguments = parser.parse_args()
    wrk.demand()
    images = pictures.chosen(arguments.images)
    rounds, seconds = arguments.rounds, arguments.seconds
    with tempfile.TemporaryDirectory() as state, started_service(Path(state)) as service:
        found = measure(service, images.files, rounds=rounds, seconds=seconds)
    text = markdown(found, images.described)
    print(text)  # noqa: T201 - the table is the output
    if arguments.document:
        report.write(arguments.document, text, mark=MARK)


if __name__ == "__main__":
    main()
