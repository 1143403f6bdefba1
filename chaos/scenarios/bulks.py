"""Many pictures in one request, while whatever works on them is killed."""

import io
import json
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import numpy as np
import requests

from chaos.findings import fits
from chaos.layout import Layout
from chaos.pictures import Picture, drawn
from chaos.run import Run, Scenario, say
from petiole.parts import BULK

PICTURES = 800
ANSWERED_SECONDS = 90.0
READ_SECONDS = 5.0
PACKS_OF_TEN = Layout(
    bulk_children=2,
    environment={"PETIOLE_TASKS_BULK_PACK_PICTURES": "10", "PETIOLE_TASKS_BULK_TTL_SECONDS": "600"},
)


@dataclass
class Reader:
    """A client that reads a bulk's lines, and goes on behind the last one when it is cut off."""

    results: str
    cursor: str = ""
    lines: list[dict[str, Any]] = field(default_factory=list)

    def read(self) -> None:
        """Read what there is, and what comes within a few seconds; a broken line is read again."""
        asked = {"wait": f"{READ_SECONDS:g}", **({"cursor": self.cursor} if self.cursor else {})}
        try:
            with requests.get(self.results, asked, stream=True, timeout=2 * READ_SECONDS) as answer:
                if answer.ok:
                    self._take(line for line in answer.iter_lines() if line)
        except requests.RequestException as exc:
            say(f"cut off after {len(self.lines)} lines: {type(exc).__name__}")

    def _take(self, lines: Iterator[bytes]) -> None:
        for text in lines:
            try:
                line = json.loads(text)
            except ValueError:
                return  # the last one, whose end did not come
            self.lines.append(line)
            self.cursor = line["cursor"]


def _bulk(run: Run) -> None:
    """Children and the main process of a bulk's worker, Redis and the API are killed in turn."""
    faults = run.faults
    hurts: tuple[Callable[[], None], ...] = (
        faults.kill_bulk_child,
        lambda: faults.kill(BULK, with_children=True),
        faults.kill_redis,
        faults.kill_bulk_child,
        lambda: faults.kill("api", with_children=True),
        lambda: faults.kill(BULK),
    )
    pictures = [
        drawn(np.random.default_rng(each)) for each in run.rng.integers(1 << 32, size=PICTURES)
    ]
    bulk = _sent(run, pictures)
    reader = Reader(f"{bulk}/results")
    with run.load(per_second=4), run.fault():
        for hurt in hurts:
            run.calm(1.0)
            hurt()
            reader.read()
    _read_to_the_end(run, reader)
    _expect_each_once(run, pictures, reader.lines, "as they came")
    again = Reader(reader.results)
    again.read()
    _expect_each_once(run, pictures, again.lines, "read once more")
    requests.delete(bulk, timeout=READ_SECONDS).raise_for_status()


def _sent(run: Run, pictures: Sequence[Picture]) -> str:
    """Send the pictures as one archive; return the bulk's address."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as members:
        for number, picture in enumerate(pictures):
            members.writestr(f"{number}.png", picture.upload)
    answer = requests.post(f"{run.stack.api}/bulk", archive.getvalue(), timeout=READ_SECONDS)
    answer.raise_for_status()
    return run.stack.api + str(answer.json()["bulk_url"])


def _read_to_the_end(run: Run, reader: Reader) -> None:
    deadline = monotonic() + ANSWERED_SECONDS
    while len(reader.lines) < PICTURES and monotonic() < deadline:
        reader.read()
    say(f"{len(reader.lines)} of {PICTURES} lines of the bulk")


def _expect_each_once(
    run: Run, pictures: Sequence[Picture], lines: Sequence[dict[str, Any]], when: str
) -> None:
    seen = Counter(line["number"] for line in lines)
    missing = PICTURES - len(seen)
    run.expect(not missing, f"{missing} pictures of a bulk have no line, {when}")
    twice = sum(count > 1 for count in seen.values())
    run.expect(not twice, f"{twice} pictures of a bulk have several lines, {when}")
    wrong = [line for line in lines if not _is_right(line, pictures)]
    run.expect(not wrong, f"{len(wrong)} lines of a bulk are wrong, {when}: {wrong[:1]}")


def _is_right(line: dict[str, Any], pictures: Sequence[Picture]) -> bool:
    number = line["number"]
    is_named = line["name"] == f"{number}.png"
    return is_named and line["state"] == "SUCCESS" and fits(line, pictures[number])


SCENARIOS = (Scenario("bulk", _bulk, PACKS_OF_TEN, answers_within=60.0, loses_connections=True),)
