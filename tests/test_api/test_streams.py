"""The way to one client of a stream: what waits for it while it reads slowly, and heartbeats."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from api import streams
from api.access import Standing
from api.events import HEARTBEAT, EventStream
from api.story import Story
from api.streams import Line
from tasks.errors import UnknownJobError
from tasks.views import Answer
from tests.test_api.test_events import said, told

ANYBODY = Standing("")
RUNS, WAITS = Answer("a", "STARTED"), Answer("a", "PENDING")
OVER = Answer("a", "SUCCESS", '{"task_id": "a", "state": "SUCCESS"}')


def heard(tell: Coroutine[Any, Any, bytes]) -> list[tuple[str, str, object]]:
    """Return what the client of a line is told."""
    return [said(event) for event in told(asyncio.run(tell))]


def test_a_slow_client_is_told_the_latest() -> None:
    """What was not sent yet is replaced, so that nothing piles up."""

    async def tell() -> bytes:
        line = Line(EventStream(Story(["a", "b"]), ANYBODY))
        for said_ in (WAITS, RUNS):
            line.put("a", said_)
        line.put("b", UnknownJobError("there is no task 'b'"))
        return await line.events()

    assert heard(tell()) == [("state", "a", "STARTED"), ("problem", "b", 404)]


def test_an_end_is_not_replaced() -> None:
    """By what a look found that began before it, whether it was sent already or not."""

    async def tell() -> bytes:
        line = Line(EventStream(Story(["a", "b"]), ANYBODY))
        line.put("a", OVER)
        line.put("a", RUNS)
        first = await line.events()
        line.put("a", RUNS)
        return first + await line.events()

    assert heard(tell()) == [("end", "a", "SUCCESS")]


def test_looks_that_find_nothing_are_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """A heartbeat comes although the line is woken all the time."""
    monkeypatch.setattr(streams, "HEARTBEAT_SECONDS", 0.3)

    async def tell() -> list[bytes]:
        line = Line(EventStream(Story(["a"]), ANYBODY))
        pieces = []
        for _ in range(20):
            line.put("a", WAITS)
            pieces.append(await line.events())
            await asyncio.sleep(0.05)
        return pieces

    pieces = asyncio.run(tell())
    assert pieces.count(HEARTBEAT) >= 1
    assert len(told(b"".join(pieces))) == 1
