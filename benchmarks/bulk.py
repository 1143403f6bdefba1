"""`make bulk-bench`: a bulk over HTTP beside the bare loop, and single pictures beside a bulk.

Everything is interleaved in one run, and told as ratios.
Writes the table into the document that was named.
"""

import argparse
import statistics
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

import requests

from benchmarks import pictures, processes, report
from benchmarks.bare_loop import STAGES, BareLoop, LoopResult
from benchmarks.pictures import PictureSet
from benchmarks.service import ROOT, Started, started_service
from petiole.markdown import table

BATCHES = (1, 8)
MARK = "bulk"
WAIT_SECONDS = 20
WARM_UP = 200
LONGEST_SECONDS = 3600
SHARE_AT_95 = 0.95


@dataclass(frozen=True)
class Done:
    """One bulk from its first byte to its last result.

    Attributes:
        count: Its pictures.
        accepted_seconds: Until its body was sent and the answer was there.
        first_seconds: From then until the first result was.
        rest_seconds: From then until the last one was.
        cpu_ms: What each kind of process used, in CPU milliseconds a picture.
    """

    count: int
    accepted_seconds: float
    first_seconds: float
    rest_seconds: float
    cpu_ms: dict[str, float]

    @property
    def rate(self) -> float:
        """Pictures a second of all of it."""
        return self.count / (self.accepted_seconds + self.first_seconds + self.rest_seconds)

    @property
    def steady_rate(self) -> float:
        """Pictures a second once they come."""
        return self.count / self.rest_seconds


@dataclass
class Found:
    """All rounds: the bare loop by batch, the bulk, and p95s in milliseconds.

    `alone` and `beside` are of single pictures, one after the other, without and with a bulk.
    """

    bare: dict[int, list[LoopResult]] = field(default_factory=lambda: {n: [] for n in BATCHES})
    bulk: list[Done] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)

    def faster(self) -> list[LoopResult]:
        """Return the faster bare loop of each round."""
        turns = zip(*self.bare.values(), strict=True)
        return [max(turn, key=lambda each: each.rate) for turn in turns]

    def ratios(self, rate: Callable[[Done], float] = lambda done: done.rate) -> list[float]:
        """Return the bulk's rate by the faster bare loop's, of each round."""
        return [rate(d) / bare.rate for d, bare in zip(self.bulk, self.faster(), strict=True)]

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


def done(service: Started, archive: Path, count: int) -> Done:
    """Have a bulk done, and read all of its results as they come."""
    before, begun = processes.roles(service.process.pid), monotonic()
    address = send(service, archive)
    accepted = monotonic()
    options = {"wait": str(LONGEST_SECONDS)}
    with requests.get(
        f"{address}/results", params=options, stream=True, timeout=LONGEST_SECONDS
    ) as results:
        came = [monotonic() for line in results.iter_lines(chunk_size=1024) if line]
    after = processes.roles(service.process.pid)
    failed = requests.get(address, timeout=WAIT_SECONDS).json()["failed"]
    if (len(came), failed) != (count, 0):
        sys.exit(f"{len(came)} results of {count} pictures, {failed} of them failed")
    requests.delete(address, timeout=WAIT_SECONDS)
    used = {name: role.cpu_seconds - before[name].cpu_seconds for name, role in after.items()}
    cpu_ms = {name: 1000 * seconds / count for name, seconds in used.items()}
    return Done(count, accepted - begun, came[0] - accepted, came[-1] - came[0], cpu_ms)


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


def measure(images: tuple[Path, ...], *, count: int, rounds: int, seconds: float) -> Found:
    """Run all of it in turn, `rounds` times."""
    loop, found = BareLoop(images), Found()
    with tempfile.TemporaryDirectory(dir=ROOT / "var") as state:
        archive = archive_of(images, count, Path(state) / "many.zip")
        few = archive_of(images, WARM_UP, Path(state) / "few.zip")
        with started_service(Path(state)) as service:
            p95_ms(service, images, 2)
            done(service, few, WARM_UP)  # loads the models
            for _ in range(rounds):
                for batch, results in found.bare.items():
                    results.append(loop.run(seconds, batch=batch))
                found.bulk.append(done(service, archive, count))
                found.alone.append(p95_ms(service, images, seconds))
                found.beside.append(p95_ms_beside(service, images, archive, seconds))
                _say(found)
    loop.stop()
    return found


def _say(found: Found) -> None:
    bare = ", ".join(f"batch {n} {each[-1].rate:.1f}/s" for n, each in found.bare.items())
    print(  # noqa: T201 - how far it is
        f"round: bare {bare}, bulk {found.bulk[-1].rate:.1f}/s ({found.ratios()[-1]:.2f});"
        f" p95 alone {found.alone[-1]:.1f} ms, beside {found.beside[-1]:.1f} ms",
        file=sys.stderr,
    )


def markdown(found: Found, images: PictureSet, count: int) -> str:
    """Return the table of rates, and that of where the time goes."""
    median = statistics.median
    rows = [
        (f"bare loop, batch {n}, pictures/s", f"{median(each.rate for each in results):.1f}")
        for n, results in found.bare.items()
    ]
    rows += [
        (f"bulk of {count} over HTTP, pictures/s", f"{median(d.rate for d in found.bulk):.1f}"),
        ("**its ratio to the faster loop**", f"**{median(found.ratios()):.3f}**"),
        ("until it is accepted, s", f"{median(d.accepted_seconds for d in found.bulk):.1f}"),
        ("from then to the first result, s", f"{median(d.first_seconds for d in found.bulk):.1f}"),
        (
            "from then on: ratio to the faster loop",
            f"{median(found.ratios(lambda d: d.steady_rate)):.3f}",
        ),
        ("single pictures alone, p95 ms", f"{median(found.alone):.1f}"),
        ("single pictures beside a bulk, p95 ms", f"{median(found.beside):.1f}"),
        ("**rise**", f"**{100 * median(found.rises()):.0f} %**"),
    ]
    what = f"{images.described}; medians of {len(found.bulk)} rounds."
    tables = (table(("", "median"), rows), _cpu(found))
    return "\n\n".join((report.heading(what), *tables))


def _cpu(found: Found) -> str:
    """Return CPU milliseconds a picture: of the faster loop by stage, of the bulk by process."""
    bare = {f"bare: {name}": [d.cpu_ms[name] for d in found.faster()] for name in STAGES}
    bulk = {f"bulk: {n}": [d.cpu_ms[n] for d in found.bulk] for n in found.bulk[0].cpu_ms}
    rows = [(name, f"{statistics.median(each):.2f}") for name, each in {**bare, **bulk}.items()]
    sums = {
        "**bare, sum**": [sum(d.cpu_ms.values()) for d in found.faster()],
        "**bulk, sum**": [sum(d.cpu_ms.values()) for d in found.bulk],
    }
    rows += [(name, f"**{statistics.median(each):.2f}**") for name, each in sums.items()]
    return table(("stage or process", "CPU ms a picture"), rows)


def main() -> None:
    """Measure, print the tables, and write them into the document that was named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=Path, help="folder of JPEGs; a drawn set by default")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--document", type=Path)
    arguments = parser.parse_args()
    images = pictures.chosen(arguments.images)
    found = measure(
        images.files, count=arguments.count, rounds=arguments.rounds, seconds=arguments.seconds
    )
    text = markdown(found, images, arguments.count)
    print(text)  # noqa: T201 - the tables are the output
    if arguments.document:
        report.write(arguments.document, text, mark=MARK)


if __name__ == "__main__":
    main()
