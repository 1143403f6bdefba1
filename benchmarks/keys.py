"""`python -m benchmarks.keys`: what a picture costs where a key is asked for, beside where none is.

Two services with the same model take turns. One client sends one picture after the other and waits
for each; the key is looked up, counted, and checked as for any client.
"""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import report
from benchmarks.cache import HEAD, Client, Seen, row, run
from benchmarks.service import started_service
from petiole.markdown import table
from tasks.keys.records import CLASSIFY, new
from tasks.keys.stores import RedisKeys
from tasks.settings import EMBEDDED_ADDRESS, TasksSettings

WITHOUT, WITH = "no key is asked for", "a key is shown"
MARK = "keys"


def measured(images: Sequence[Path], *, rounds: int, step: int) -> dict[str, Seen]:
    """Send pictures without and with a key, in turn, in an order that changes."""
    found = {kind: Seen() for kind in (WITHOUT, WITH)}
    with ExitStack() as stack:
        sides = [(_client(stack, asks=kind == WITH), kind) for kind in found]
        uploads = cycle([file.read_bytes() for file in images])
        for client, _ in sides:
            client.send(uploads, Seen(), 2 * len(images))
        for number in range(rounds):
            for client, kind in sides if number % 2 == 0 else sides[::-1]:
                client.send(uploads, found[kind], step)
            print(f"round {number + 1} is over", file=sys.stderr)  # noqa: T201
    return found


def _client(stack: ExitStack, *, asks: bool) -> Client:
    """Start a service, and return a client of it that is let in."""
    state = Path(stack.enter_context(TemporaryDirectory(prefix="petiole-keys-")))
    settings = {"PETIOLE_API_REQUIRE_KEYS": str(asks).lower()}
    service = stack.enter_context(started_service(state, environment=settings))
    if not asks:
        return Client(service)
    key, token = new("benchmark", (CLASSIFY,))
    url = (state / EMBEDDED_ADDRESS).read_text().strip()
    RedisKeys(TasksSettings(job_store_url=url)).create(key)
    return Client(service, {"Authorization": f"Bearer {token}"})


def markdown(found: dict[str, Seen], what: str) -> str:
    """Return the table of the cache's without its hits, of which there are none."""
    rows = [row(kind, seen)[:-1] for kind, seen in found.items()]
    return f"{report.heading(what)}\n\n{table(HEAD[:-1], rows)}"


if __name__ == "__main__":
    run("benchmarks.keys", __doc__, measured, markdown, mark=MARK)
