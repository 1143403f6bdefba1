"""Many pictures at once: so many under way, in their order or as they become ready."""

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Iterator
from typing import Generic, TypeVar

from petiole.client.answers import ClassifiedTask
from petiole.client.errors import PetioleError
from petiole.client.outcomes import Outcome
from petiole.client.progress import ProgressLine

AHEAD = 4
"""So many times `concurrency` are begun before the first one is done: a slow one does not hold up
the others, and those that are done do not fill the memory."""

P = TypeVar("P")


class Many(Generic[P]):
    """Pictures on their way through `classify`."""

    def __init__(
        self,
        pictures: Iterable[P],
        classify: Callable[[P], Awaitable[ClassifiedTask]],
        *,
        concurrency: int,
        line: ProgressLine,
    ) -> None:
        """Begin none yet.

        Raises:
            TypeError, ValueError: `pictures` is a single one, or `concurrency` is below 1.
        """
        if isinstance(pictures, str | bytes | os.PathLike):
            raise TypeError(
                f"pictures is one {type(pictures).__name__}; give a list, or classify()"
            )
        if concurrency < 1:
            raise ValueError(f"concurrency is {concurrency}; it must be 1 or more")
        self._pictures = pictures
        self._classify = classify
        self._concurrency = concurrency
        self._slots = asyncio.Semaphore(concurrency)
        self._line = line

    async def in_order(self) -> AsyncGenerator[Outcome[P], None]:
        """Yield what became of each picture, in their order."""
        begun: deque[asyncio.Task[Outcome[P]]] = deque()
        try:
            for task in self._begin():
                begun.append(task)
                while begun and (begun[0].done() or len(begun) >= AHEAD * self._concurrency):
                    yield await begun[0]
                    begun.popleft()
            while begun:
                yield await begun[0]
                begun.popleft()
        finally:
            await self._end(begun)

    async def as_ready(self) -> AsyncGenerator[Outcome[P], None]:
        """Yield what became of each picture, as soon as that is known."""
        running: set[asyncio.Task[Outcome[P]]] = set()
        try:
            for task in self._begin():
                running.add(task)
                if len(running) >= self._concurrency:
                    done, running = await _first_of(running)
                    for each in done:
                        yield each.result()
            while running:
                done, running = await _first_of(running)
                for each in done:
                    yield each.result()
        finally:
            await self._end(running)

    def _begin(self) -> Iterator[asyncio.Task[Outcome[P]]]:
        for index, picture in enumerate(self._pictures):
            yield asyncio.create_task(self._outcome(index, picture))

    async def _outcome(self, index: int, picture: P) -> Outcome[P]:
        async with self._slots:
            try:
                outcome = Outcome(index, picture, task=await self._classify(picture))
            except PetioleError as exc:
                outcome = Outcome(index, picture, error=exc)
        self._line.count(failed=outcome.error is not None)
        return outcome

    async def _end(self, tasks: Collection[asyncio.Task[Outcome[P]]]) -> None:
        """End what is under way; each withdraws its picture."""
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._line.hide()


async def _first_of(
    running: set[asyncio.Task[Outcome[P]]],
) -> tuple[set[asyncio.Task[Outcome[P]]], set[asyncio.Task[Outcome[P]]]]:
    return await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
