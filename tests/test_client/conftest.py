"""A real service of the tiny model, and both clients of it under the same tests."""

import asyncio
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from petiole.client import AsyncClient, Client
from tests.test_end_to_end.conftest import RunningService, frozen_children, start, wait_until
from tests.test_petiole.conftest import settings_of

MOST_OPEN = 12
MAX_UPLOAD_BYTES, MAX_PIXELS = 100_000, 1_000_000

Ask = Callable[..., Any]


@pytest.fixture(scope="session")
def service(
    tmp_path_factory: pytest.TempPathFactory,
    colour_store: str,
    original_environment: dict[str, str],
) -> Iterator[RunningService]:
    """A service with small limits, whose state is in `var` of its folder."""
    folder = tmp_path_factory.mktemp("client")
    environment = settings_of(folder / "var", colour_store, original_environment) | {
        "PETIOLE_TASKS_MAX_OPEN_JOBS": str(MOST_OPEN),
        "PETIOLE_TASKS_MAX_UPLOAD_BYTES": str(MAX_UPLOAD_BYTES),
        "PETIOLE_TASKS_MAX_PIXELS": str(MAX_PIXELS),
        "PETIOLE_TASKS_DOWNLOAD_MAX_RETRIES": "0",
    }
    running = start(environment, folder / "log")
    yield running
    assert running.stop() == 0


@pytest.fixture(params=["Client", "AsyncClient"])
def ask(request: pytest.FixtureRequest, service: RunningService) -> Ask:
    """Call a method of either client: the same tests hold for both."""

    def ask(method: str, *arguments: Any, url: str = service.api, **options: Any) -> Any:
        if request.param == "Client":
            with Client(url) as client:
                answer = getattr(client, method)(*arguments, **options)
                return list(answer) if method in {"map", "stream"} else answer
        return asyncio.run(_ask(url, method, *arguments, **options))

    return ask


async def _ask(url: str, method: str, *arguments: Any, **options: Any) -> Any:
    async with AsyncClient(url) as client:
        answer = getattr(client, method)(*arguments, **options)
        if method in {"map", "stream"}:
            return [outcome async for outcome in answer]
        return await answer


def ended_jobs(service: RunningService) -> int:
    """Return how many jobs the service has ended so far, in whatever way."""
    counts = re.findall(r"^petiole_jobs_total\{.*\} (\S+)$", service.get("/metrics").text, re.M)
    return round(sum(map(float, counts)))


def open_jobs(service: RunningService) -> int:
    """Return how many jobs wait or are worked on."""
    listed = service.get("/jobs").json()
    return len(listed["waiting"]) + len(listed["started"])


def interrupted(
    service: RunningService, words: list[str], *, cwd: Path, open_before: int
) -> tuple[int, str, str]:
    """Interrupt a program as Ctrl-C does once it has so many jobs open, none of which is worked on.

    Returns how many are open when it has ended, and its outputs.
    """
    # A shell ignores it for what it starts in the background, such as these tests.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    environment = service.environment | {"PETIOLE_URL": service.api}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "preexec_fn": heard}
    with (
        frozen_children(service),
        subprocess.Popen(words, cwd=cwd, env=environment, text=True, **options) as program,
    ):
        wait_until(lambda: open_jobs(service) == open_before)
        program.send_signal(signal.SIGINT)
        output, errors = program.communicate(timeout=20)
        return open_jobs(service), output, errors
