"""`make bulk-bench`: a bulk over HTTP beside the bare loop, and single pictures beside a bulk.

Everything is interleaved in one run, and told as ratios.
Writes the table into the document that was named.
"""

import argparse
import statistics
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

import requests

from benchmarks import report
from benchmarks.bare_loop import BareLoop
from benchmarks.service import ROOT, SAMPLE, Started, started_service
from petiole.markdown import table

BATCHES = (1, 8)
MARK = "bulk"
WAIT_SECONDS = 20
WARM_UP = 200
LONGEST_SECONDS = 3600
SHARE_AT_95 = 0.95


@dataclass
class Found:
    """All rounds: the bare loop by batch and the bulk in pictures a second, p95s in milliseconds.

    `alone` and `beside` are of single pictures, one after the other, without and with a bulk.
    """

    bare: dict[int, list[float]] = field(default_factory=lambda: {n: [] for n in BATCHES})
    bulk: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)

    def ratios(self) -> list[float]:
        """Return the bulk's rate by the faster bare loop's, of each round."""
        best = [max(rates) for rates in zip(*self.bare.values(), strict=True)]
        return [bulk / bare for bulk, bare in zip(self.bulk, best, strict=True)]

    def rises(self) -> list[float]:
        """Return by how much the p95 of single pictures rises beside a bulk, of each round."""
        return [b / a - 1 for a, b in zip(self.alone, self.beside, strict=True)]


def archive_of(images: Sequence[Path], count: int, path: Path) -> Path:
    """Write a zip archive of so many pictures, in turn."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for number in range(count):
            image = images[number % len(images)]
            archive.write(image, f"{number:06}-{image.name}")
    return path


def send(service: Started, archive: Path) -> str:
    """Send the archive and return the bulk's address."""
    with archive.open("rb") as body:
        answer = requests.post(f"{service.api}/bulk", data=body, timeout=LONGEST_SECONDS)
    if answer.status_code != requests.codes.accepted:
        sys.exit(f"the bulk was not accepted: {answer.status_code} {answer.text}")
    return f"{service.api}{answer.json()['bulk_url']}"


def rate_of_bulk(service: Started, archive: Path, count: int) -> float:
    """Return pictures a second, from the first byte sent to the last result read."""
    begun = monotonic()
    address = send(service, archive)
    options = {"wait": str(LONGEST_SECONDS)}
    with requests.get(
        f"{address}/results", params=options, stream=True, timeout=LONGEST_SECONDS
    ) as results:
        lines = sum(1 for line in results.iter_lines(chunk_size=65_536) if line)
    seconds = monotonic() - begun
    failed = requests.get(address, timeout=WAIT_SECONDS).json()["failed"]
    if (lines, failed) != (count, 0):
        sys.exit(f"{lines} results of {count} pictures, {failed} of them failed")
    requests.delete(address, timeout=WAIT_SECONDS)
    return count / seconds


def p95_ms(service: Started, images: Sequence[Path], seconds: float) -> float:
    """Return the 95th percentile of single pictures, one after the other for `seconds`."""
    uploads = [image.read_bytes() for image in images]
    took_ms: list[float] = []
    until = monotonic() + seconds
    with requests.Session() as session:
        while monotonic() < until:
            begun = monotonic()
            answer = session.post(
                f"{service.api}/classify?wait={WAIT_SECONDS}",
                data=uploads[len(took_ms) % len(uploads)],
                headers={"Content-Type": "image/jpeg"},
                timeout=WAIT_SECONDS + 10,
            )
            answer.raise_for_status()
            took_ms.append((monotonic() - begun) * 1000)
    return sorted(took_ms)[int(SHARE_AT_95 * len(took_ms))]


def p95_ms_beside(service: Started, images: Sequence[Path], archive: Path, seconds: float) -> float:
    """Return the same while a bulk is in work, which is cancelled afterwards."""
    address = send(service, archive)
    while not requests.get(address, timeout=WAIT_SECONDS).json()["done"]:
        sleep(0.1)
    p95 = p95_ms(service, images, seconds)
    if requests.get(address, timeout=WAIT_SECONDS).json()["state"] != "STARTED":
        sys.exit("the bulk was over too early: give it more pictures")
    requests.delete(address, timeout=WAIT_SECONDS)
    sleep(2)
    return p95


def measure(images: Sequence[Path], *, count: int, rounds: int, seconds: float) -> Found:
    """Run all of it in turn, `rounds` times."""
    loop, found = BareLoop(images), Found()
    with tempfile.TemporaryDirectory(dir=ROOT / "var") as state:
        archive = archive_of(images, count, Path(state) / "many.zip")
        few = archive_of(images, WARM_UP, Path(state) / "few.zip")
        with started_service(Path(state)) as service:
            p95_ms(service, images, 2)
            rate_of_bulk(service, few, WARM_UP)  # loads the models
            for _ in range(rounds):
                for batch, rates in found.bare.items():
                    rates.append(loop.run(seconds, batch=batch).rate)
                found.bulk.append(rate_of_bulk(service, archive, count))
                found.alone.append(p95_ms(service, images, seconds))
                found.beside.append(p95_ms_beside(service, images, archive, seconds))
                _say(found)
    loop.stop()
    return found


def _say(found: Found) -> None:
    bare = ", ".join(f"batch {n} {rates[-1]:.1f}/s" for n, rates in found.bare.items())
    print(  # noqa: T201 - how far it is
        f"round: bare {bare}, bulk {found.bulk[-1]:.1f}/s ({found.ratios()[-1]:.2f});"
        f" p95 alone {found.alone[-1]:.1f} ms, beside {found.beside[-1]:.1f} ms",
        file=sys.stderr,
    )


def markdown(found: Found, images: Sequence[Path], count: int) -> str:
    """Return the table."""
    median = statistics.median
    rows = [
        (f"bare loop, batch {n}, pictures/s", f"{median(r):.1f}") for n, r in found.bare.items()
    ]
    rows += [
        (f"bulk of {count} over HTTP, pictures/s", f"{median(found.bulk):.1f}"),
        ("**its ratio to the faster loop**", f"**{median(found.ratios()):.3f}**"),
        ("single pictures alone, p95 ms", f"{median(found.alone):.1f}"),
        ("single pictures beside a bulk, p95 ms", f"{median(found.beside):.1f}"),
        ("**rise**", f"**{100 * median(found.rises()):.0f} %**"),
    ]
    what = f"{len(images)} different pictures, medians of {len(found.bulk)} rounds."
    return f"{report.heading(what)}\n\n{table(('', 'median'), rows)}"


def main() -> None:
    """Measure, print the table, and write it into the document that was named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, help="folder of JPEGs; the sample by default")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--document", type=Path)
    arguments = parser.parse_args()
    images = sorted(arguments.images.rglob("*.[jJ][pP]*")) if arguments.images else [SAMPLE]
    found = measure(
        images, count=arguments.count, rounds=arguments.rounds, seconds=arguments.seconds
    )
    text = markdown(found, images, arguments.count)
    print(text)  # noqa: T201 - the table is the output
    if arguments.document:
        report.write(arguments.document, text, mark=MARK)


if __name__ == "__main__":
    main()
