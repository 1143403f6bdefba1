"""How true `estimate_seconds` is: a burst of pictures, what each was told, and when it was over.

Prints the share of answers within 30 % of the truth, of those given with the 202 and of later ones.
An answer is judged only where a second or more was left: below, the rounding of clocks decides.
Sender and asker use http.client, for they share the cores with what they measure.

With `--work-seconds` a picture takes a known time in a model that only waits, and the cores have
time to spare: what is left of the error is the estimate's own. On a shared machine the speed of the
real model changes from second to second, and nobody can foretell that.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http.client import HTTPConnection
from json import loads
from pathlib import Path
from statistics import median
from time import sleep, time
from typing import Any

from benchmarks import report
from benchmarks.service import SAMPLE, started_service
from chaos.layout import Layout
from chaos.service import OURS
from chaos.stack import Stack
from petiole.markdown import table

SENDERS = 2
ASKED_EACH = 10
ASK_SECONDS = 0.5
TOLERANCE = 0.3
LEAST_SECONDS = 1.0
MARK = "estimates"
HEAD = (
    *("a picture takes", "answers of", "judged", "within 30 %", "told by true, median"),
    "90 % of them",
)


@dataclass(frozen=True)
class Said:
    """One answer: which picture, when it was sent, when this was said, how many seconds are left.

    The seconds are None where the service did not know.
    """

    task_id: str
    sent_at: float
    at: float
    seconds: float | None


@dataclass(frozen=True)
class Judged:
    """What was told, by what was true, and how many pictures a second left meanwhile."""

    at_once: tuple[float, ...]
    later: tuple[float, ...]
    rate: float


def _ask(connection: HTTPConnection, path: str, image: bytes | None = None) -> Any:
    headers = {"Content-Type": "image/jpeg"} if image else {}
    connection.request("POST" if image else "GET", path, image, headers)
    return loads(connection.getresponse().read())


def _said(answer: dict[str, Any]) -> Said:
    sent_at = datetime.fromisoformat(answer["submitted_at"]).timestamp()
    return Said(answer["task_id"], sent_at, time(), answer.get("estimate_seconds"))


def burst(address: str, pictures: int, *, per_second: float) -> list[Said]:
    """Send pictures at a rate, or as fast as the service takes them; returns what each was told."""
    send = partial(_send, address, pictures // SENDERS, per_second=per_second / SENDERS)
    with ThreadPoolExecutor(SENDERS) as pool:
        sending = [pool.submit(send) for _ in range(SENDERS)]
        return [said for each in sending for said in each.result()]


def _send(address: str, pictures: int, *, per_second: float) -> list[Said]:
    image, connection = SAMPLE.read_bytes(), HTTPConnection(address, timeout=60)
    begun, answers = time(), []
    for n in range(pictures):
        sleep(max(0.0, begun + n / per_second - time()))
        answers.append(_said(_ask(connection, "/classify", image)))
    connection.close()
    return answers


def ask_until_over(address: str, task_ids: Sequence[str]) -> list[Said]:
    """Ask for some of the waiting pictures twice a second until the last one is over."""
    found: list[Said] = []
    connection = HTTPConnection(address, timeout=60)
    while "predictions" not in _ask(connection, f"/result/{task_ids[-1]}"):
        for task_id in task_ids[:: max(1, len(task_ids) // ASKED_EACH)]:
            answer = _ask(connection, f"/result/{task_id}")
            found += [_said(answer)] if "estimate_seconds" in answer else []
        sleep(ASK_SECONDS)
    connection.close()
    return found


def measure(address: str, pictures: int, *, per_second: float) -> Judged:
    """Send two bursts, and judge what was told in the second, when the service knows its rate."""
    first = burst(address, pictures, per_second=per_second)
    ask_until_over(address, [said.task_id for said in first])
    begun = time()
    at_once = burst(address, pictures, per_second=per_second)
    later = ask_until_over(address, [said.task_id for said in at_once])
    over = _ends(address, at_once)
    rate = len(over) / (max(over.values()) - begun)
    return Judged(_ratios(at_once, over), _ratios(later, over), rate)


def _ends(address: str, sent: Sequence[Said]) -> dict[str, float]:
    """Return when each picture was over, in seconds since the epoch."""
    connection, over = HTTPConnection(address, timeout=60), {}
    for said in sent:
        document = _ask(connection, f"/result/{said.task_id}?wait=30")
        over[said.task_id] = said.sent_at + document["timings_ms"]["total"] / 1000
    connection.close()
    return over


def _ratios(said: Sequence[Said], over: dict[str, float]) -> tuple[float, ...]:
    told = [(s.seconds, over[s.task_id] - s.at) for s in said if s.seconds is not None]
    return tuple(seconds / left for seconds, left in told if left >= LEAST_SECONDS)


def _row(takes: str, name: str, ratios: Sequence[float]) -> tuple[str, ...]:
    ordered, twentieth = sorted(ratios), len(ratios) // 20
    within = sum(abs(ratio - 1) <= TOLERANCE for ratio in ratios) / len(ratios)
    spread = f"{ordered[twentieth]:.2f} to {ordered[-1 - twentieth]:.2f}"
    return takes, name, str(len(ratios)), f"{within:.0%}", f"{median(ratios):.2f}", spread


@contextmanager
def _served(work_seconds: float) -> Iterator[str]:
    """Run a service, with a model that only waits if that takes time; yields its host and port."""
    with tempfile.TemporaryDirectory() as state:
        if not work_seconds:
            with started_service(Path(state)) as service:
                yield service.api.removeprefix("http://")
            return
        stack = Stack(Path(state), Layout(work_seconds=work_seconds), OURS)
        try:
            stack.start()
            yield stack.api.removeprefix("http://")
        finally:
            stack.stop()


def _judged(work_seconds: float, pictures: int, *, per_second: float) -> Iterator[tuple[str, ...]]:
    """Measure one service, and yield its rows."""
    with _served(work_seconds) as address:
        judged = measure(address, pictures, per_second=per_second)
    if not (judged.at_once and judged.later):
        sys.exit("no picture waited for a second: send more")
    model = f"{1000 * work_seconds:g} ms of waiting" if work_seconds else "the real model"
    yield _row(f"{model}, {judged.rate:.0f} pictures/s", "POST", judged.at_once)
    yield _row("", "`/result`, later", judged.later)


def main() -> None:
    """Measure a burst of each, print the table, and write it into the document that was named."""
    parser = argparse.ArgumentParser(prog="benchmarks.estimates", description=__doc__)
    parser.add_argument("--pictures", type=int, default=400)
    parser.add_argument("--per-second", type=float, default=1000.0)
    parser.add_argument("--work-seconds", type=float, nargs="+", default=[0.1, 0.03, 0.0])
    parser.add_argument("--document", type=Path)
    arguments = parser.parse_args()
    rows: list[tuple[str, ...]] = []
    for seconds in arguments.work_seconds:
        rows += _judged(seconds, arguments.pictures, per_second=arguments.per_second)
    what = f"Two bursts of {arguments.pictures} pictures each; the second one is judged."
    text = f"{report.heading(what)}\n\n{table(HEAD, rows)}"
    print(text)  # noqa: T201 - the table is the output
    if arguments.document:
        report.write(arguments.document, text, mark=MARK)


if __name__ == "__main__":
    main()
