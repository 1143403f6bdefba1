"""asyncio's loop in a thread, for the many pictures of a program that knows no asyncio.

A thread, because notebooks have a loop of their own running already, and none can run inside it.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import suppress
from threading import Thread
from typing import TypeVar

from petiole.client.asynchronous import AsyncClient

END_SECONDS = 5.0
"""A service that does not answer must not keep a program from its end."""

T = TypeVar("T")


def in_background(
    connect: Callable[[], AsyncClient], begin: Callable[[AsyncClient], AsyncGenerator[T, None]]
) -> Generator[T, None, None]:
    """Yield what a generator of an `AsyncClient` does, which goes on meanwhile in a thread."""
    client = connect()
    outcomes = begin(client)
    loop = asyncio.new_event_loop()
    # A daemon, so that an interrupted program ends also where the service does not answer.
    thread = Thread(target=loop.run_forever, name="petiole-client", daemon=True)
    thread.start()
    try:
        while True:
            try:
                yield asyncio.run_coroutine_threadsafe(_next(outcomes), loop).result()
            except StopAsyncIteration:
                return
    finally:
        ended = asyncio.run_coroutine_threadsafe(_end(client, outcomes), loop)
        with suppress(TimeoutError):
            ended.result(timeout=END_SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=END_SECONDS)
        if not thread.is_alive():
            loop.close()


async def _next(outcomes: AsyncGenerator[T, None]) -> T:
    return await anext(outcomes)


async def _end(client: AsyncClient, outcomes: AsyncGenerator[T, None]) -> None:
    """End whatever still runs in this loop, then the connections."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await outcomes.aclose()
    await client.close()
