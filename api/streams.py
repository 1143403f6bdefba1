"""Streams of events, served by the event loop: one look a second for all of them, no thread each.

What is told of a task while its client reads slowly is replaced by what is told later, so a stream
holds little memory; an end is told last and is never replaced.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from api.asgi import Receive, Send, send_head, send_piece
from api.events import HEARTBEAT, HEARTBEAT_SECONDS, LOOK_SECONDS, EventStream, Inquiry
from api.refusals import Answer
from api.story import Told
from tasks import stores, views

LOOKED_UP_AT_ONCE = 500
"""Tasks in one look: all streams of a process together ask for no more in a second."""
LEAST_PAUSE_SECONDS = 0.05
"""Between two looks, however many streams begin."""

logger = logging.getLogger(__name__)


class Line:
    """The way to one client: what is to be told, and whether it still listens."""

    def __init__(self, stream: EventStream) -> None:
        """Begin with nothing to be told."""
        self.stream = stream
        self.is_ended = False
        self._told: dict[str, Told] = {}
        self._woken = asyncio.Event()
        self._heartbeat_at = asyncio.get_running_loop().time() + HEARTBEAT_SECONDS

    def put(self, task_id: str, said: Told) -> None:
        """Take what is known of a task; an end stays, whatever a slow look found before it."""
        if not _is_end(self._told.get(task_id)):
            self._told[task_id] = said
        self._woken.set()

    def end(self) -> None:
        """Tell nothing more."""
        self.is_ended = True
        self._woken.set()

    async def events(self) -> bytes:
        """Wait for what may be new and return it, or a heartbeat when nothing was for a while."""
        loop = asyncio.get_running_loop()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._heartbeat_at):
                await self._woken.wait()
        self._woken.clear()
        told, self._told = self._told, {}
        piece = self.stream.tell(told)
        if not piece and loop.time() >= self._heartbeat_at:
            piece = HEARTBEAT
        if piece:
            self._heartbeat_at = loop.time() + HEARTBEAT_SECONDS
        return piece


def _is_end(said: Told | None) -> bool:
    return isinstance(said, Exception) or (said is not None and said.document is not None)


Awaited = tuple[Line, str]
"""A task that is looked up for a line."""


class Streams:
    """All streams of one process."""

    def __init__(self) -> None:
        """Begin without one."""
        self._lines: set[Line] = set()
        self._new: deque[Awaited] = deque()
        self._known: deque[Awaited] = deque()
        self._lookout = Inquiry()
        self._looking: asyncio.Task[None] | None = None
        self._has_new = asyncio.Event()
        self._is_ending = False

    def end(self) -> None:
        """End every stream, also those that come: another process goes on with them."""
        self._is_ending = True
        for line in self._lines:
            line.end()

    async def serve(
        self, stream: EventStream, answer: Answer, receive: Receive, send: Send
    ) -> None:
        """Send what happens until all is told, the client is gone, or the process ends."""
        line = Line(stream)
        gone = asyncio.create_task(_disconnect(receive, line))
        try:
            await send_head(send, answer)
            await send_piece(send, stream.opening())
            with self._following(line):
                while not (stream.story.is_over or line.is_ended):
                    if events := await line.events():
                        await send_piece(send, events)
            await send_piece(send, b"", is_last=True)
        finally:
            gone.cancel()
            stream.close()

    @contextmanager
    def _following(self, line: Line) -> Iterator[None]:
        """Let a line hear of its tasks: of ends at once, of the rest from look to look."""
        loop = asyncio.get_running_loop()

        def hear(task_id: str, document: str) -> None:
            loop.call_soon_threadsafe(line.put, task_id, views.ended(task_id, document))

        if self._is_ending:
            line.end()
        self._lines.add(line)
        try:
            with stores.prompt_job_store().following(line.stream.story.open_ids, hear):
                self._begin_to_look_for(line)
                yield
        finally:
            self._lines.discard(line)

    def _begin_to_look_for(self, line: Line) -> None:
        self._new.extend((line, task_id) for task_id in line.stream.story.open_ids)
        self._has_new.set()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_while_needed())

    async def _look_while_needed(self) -> None:
        """Look at new tasks at once, and once a second at those that are known."""
        loop = asyncio.get_running_loop()
        due_at = loop.time() + LOOK_SECONDS
        while self._lines:
            is_due = loop.time() >= due_at
            if is_due:
                due_at = loop.time() + LOOK_SECONDS
            try:
                if is_due:
                    await self._end_whose_standing_is_lost()
                await self._look(self._next(self._known if is_due else self._new))
            except Exception:
                # Without this task no stream would tell of anything but ends.
                logger.exception("look for streams failed")
            await asyncio.sleep(LEAST_PAUSE_SECONDS)
            if not self._new:
                self._has_new.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(due_at):
                        await self._has_new.wait()

    async def _end_whose_standing_is_lost(self) -> None:
        """End streams whose key was revoked; their clients are told 401 when they come back."""
        lines = [line for line in self._lines if line.stream.standing.key_id]
        if not lines:
            return
        shown = {line.stream.standing for line in lines}
        lost = await asyncio.to_thread(lambda: {each for each in shown if each.is_lost()})
        for line in lines:
            if line.stream.standing in lost:
                line.end()

    def _next(self, queue: deque[Awaited]) -> list[Awaited]:
        """Return the next to be looked up, which then wait behind the others that are known."""
        chosen: list[Awaited] = []
        for _ in range(len(queue)):
            if len(chosen) == LOOKED_UP_AT_ONCE:
                break
            line, task_id = queue.popleft()
            if line in self._lines and line.stream.story.awaits(task_id):
                chosen.append((line, task_id))
        self._known.extend(chosen)
        return chosen

    async def _look(self, chosen: list[Awaited]) -> None:
        """Look tasks up in a thread, and put what is known where it is waited for."""
        if not chosen:
            return
        task_ids = list(dict.fromkeys(task_id for _, task_id in chosen))
        told = await asyncio.to_thread(self._lookout.look, task_ids)
        for line, task_id in chosen:
            if task_id in told:
                line.put(task_id, told[task_id])


async def _disconnect(receive: Receive, line: Line) -> None:
    """End a line when its client goes away; whatever else it sends is not for this answer."""
    while (await receive())["type"] != "http.disconnect":
        continue
    line.end()
