"""`python -m benchmarks.at_rest`: what a key for the image store costs a picture.

A picture is written, read and deleted, as by API and worker, in a directory, with and without a
key, in turns; the CPU time of this process and its threads is counted.
"""

import argparse
import os
import statistics
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

from benchmarks import report
from petiole.markdown import table
from tasks.at_rest.keyring import KEY_BYTES, Keyring
from tasks.image_store import ImageStore

SIZES = (20_000, 100_000, 1_000_000, 10_000_000)
ROUNDS, STEP_BYTES = 9, 20_000_000
"""Rounds, and the bytes that are written in each, of each size."""

MARK = "at-rest"
HEAD = ("a picture of", "plain, CPU ms", "with a key", "ratio of the rounds", "more")


def cost_ms(images: ImageStore, upload: bytes, *, n: int) -> float:
    """Return the CPU milliseconds of one picture, written, read and deleted."""
    begun = process_time()
    for _ in range(n):
        images.put("picture", upload)
        images.get("picture")
        images.delete("picture")
    return 1000 * (process_time() - begun) / n


def measured(rounds: int) -> dict[int, list[tuple[float, float]]]:
    """Return what a picture of each size costs plain and with a key, in each round."""
    with TemporaryDirectory() as plain, TemporaryDirectory() as encrypted:
        stores = ImageStore.open(plain), ImageStore.open(encrypted, Keyring((os.urandom(32),)))
        found: dict[int, list[tuple[float, float]]] = {}
        for size in SIZES:
            upload, n = os.urandom(size), max(4, min(200, STEP_BYTES // size))
            for each in stores:
                cost_ms(each, upload, n=4)
            rows = [[cost_ms(each, upload, n=n) for each in stores] for _ in range(rounds)]
            found[size] = [(one, other) for one, other in rows]
    return found


def markdown(found: Mapping[int, list[tuple[float, float]]], what: str) -> str:
    """Return the table, a row for each size; medians of the rounds."""
    return f"{report.heading(what)}\n\n{table(HEAD, [_row(s, f) for s, f in found.items()])}"


def _row(size: int, rounds: list[tuple[float, float]]) -> tuple[str, ...]:
    plain, encrypted = (statistics.median(each) for each in zip(*rounds, strict=True))
    ratios = sorted(other / one for one, other in rounds)
    said = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    more = f"{encrypted - plain:+.2f} ms"
    return f"{size:,} bytes", f"{plain:.2f}", f"{encrypted:.2f}", said, more


def main() -> None:
    """Measure, print the table, and write it into the document that was named."""
    parser = argparse.ArgumentParser(prog="benchmarks.at_rest", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--document", type=Path)
    arguments = parser.parse_args()
    what = (
        f"A directory, AES-256-GCM with a key of {KEY_BYTES} bytes; {arguments.rounds} rounds,"
        " interleaved; medians."
    )
    text = markdown(measured(arguments.rounds), what)
    print(text)  # noqa: T201 - the table is the output
    if arguments.document:
        report.write(arguments.document, text, mark=MARK)


if __name__ == "__main__":
    main()
