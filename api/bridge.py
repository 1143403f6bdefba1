"""From the event loop that reads requests to the threads that answer them.

A request is read whole before a thread sees it, so a client that sends slowly holds a buffer and
no thread; a thread that waits for a job gives its turn to another request.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import Any

from api import pieces, refusals
from api.asgi import Receive, Scope, Send, send_whole
from api.events import HAND_OVER, EventStream
from api.intake import Intake
from api.pieces import PieceStream
from api.refusals import Answer, Asker
from api.streams import Streams
from api.wsgi import announced_bytes, environ_of, path_of
from tasks.errors import TasksError
from tasks.job_stores import notices

Application = Callable[[dict[str, Any], Callable[..., Any]], Any]

logger = logging.getLogger(__name__)

LINGER_SECONDS = 2.0
"""How long the rest of a refused body is read and thrown away: a connection that is closed over
unread bytes is reset, and the client would never see why it was refused (RFC 9112, 9.6)."""

Answered = tuple[Answer, EventStream | PieceStream | None]
"""What a thread made of a request: a whole answer, or the head of one and what streams the rest."""


class DisconnectedError(Exception):
    """The client went away before its request was whole; nobody is there to answer."""


class Bridge:
    """An ASGI application that reads, and hands whole requests to a WSGI application's threads."""

    def __init__(
        self,
        application: Application,
        *,
        threads: int,
        waiters: int,
        max_body_bytes: int,
        request_seconds: float,
        intakes: Mapping[str, Intake] | None = None,
    ) -> None:
        """Let `threads` requests run at the same time, besides `waiters` that wait.

        What is posted to the routes of `intakes` is taken in as those say, if it comes from whom
        `admits`, everybody at first, lets in; the application refuses the others.
        """
        self._application = application
        self._turns = asyncio.Semaphore(threads)
        self._pool = ThreadPoolExecutor(threads + waiters, thread_name_prefix="request")
        self._intake = Intake.of_pictures(max_bytes=max_body_bytes, seconds=request_seconds)
        self._intakes = intakes or {}
        self.admits: Callable[[Scope], bool] = lambda _: True
        self._running: set[asyncio.Future[Answered]] = set()
        self.streams = Streams()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever is no HTTP request is refused."""
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        intake = await self._intake_of(scope)
        try:
            body, size = await self._taken_in(scope, receive, intake)
        except DisconnectedError:
            return
        except TimeoutError:
            slow = refusals.too_slow(intake.seconds, Asker.of(scope["headers"]))
            await _refuse(receive, send, slow)
            return
        except (OSError, TasksError) as exc:
            await _refuse(receive, send, _no_room(exc, Asker.of(scope["headers"])))
            return
        answer, stream = await self._answer(environ_of(scope, body, size))
        await self._send(answer, stream, receive, send)
        if size > intake.max_bytes:
            await _discard_rest(receive)

    async def _send(
        self,
        answer: Answer,
        stream: EventStream | PieceStream | None,
        receive: Receive,
        send: Send,
    ) -> None:
        if isinstance(stream, PieceStream):
            await pieces.serve(stream, answer, receive, send)
        elif stream is not None:
            await self.streams.serve(stream, answer, receive, send)
        else:
            await send_whole(send, answer)

    async def _intake_of(self, scope: Scope) -> Intake:
        route = f"/{path_of(scope).rpartition('/')[2]}"
        intake = self._intakes.get(route) if scope["method"] == "POST" else None
        if intake is None or not await asyncio.to_thread(self.admits, scope):
            return self._intake
        return intake

    def end_streams(self) -> None:
        """End every stream, also those that come: another process goes on with them."""
        self.streams.end()
        pieces.end_all()

    @property
    def is_busy(self) -> bool:
        """Tell whether a thread works on an answer, be it for a client that is gone."""
        return bool(self._running)

    async def _taken_in(self, scope: Scope, receive: Receive, intake: Intake) -> tuple[Any, int]:
        """Return the body, which `_run` closes when the thread is done, and its size.

        Raises:
            DisconnectedError: the client went away.
            TimeoutError: it took too long.
            OSError, TasksError: there is no room for it.
        """
        body = intake.open()
        try:
            async with asyncio.timeout(intake.seconds):
                size = await self._read(receive, body, intake, announced=announced_bytes(scope))
        except BaseException:
            body.close()
            raise
        return body, size

    async def _read(self, receive: Receive, body: Any, intake: Intake, *, announced: int) -> int:
        """Read the body; returns its size, or one over the limit, with no body, if it is larger.

        The application then refuses what is too large, as it does under any other server.

        Raises:
            DisconnectedError: the client went away.
        """
        size, limit = 0, intake.max_bytes
        more_body = announced <= limit
        if not more_body:
            return announced
        waiting = bytearray()
        while more_body and size <= limit:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise DisconnectedError
            size += len(message["body"])
            waiting += message["body"]
            more_body = message["more_body"]
            await intake.write(body, waiting, is_last=not more_body)
        body.seek(0)
        return size

    async def _answer(self, environ: dict[str, Any]) -> Answered:
        await self._turns.acquire()
        loop = asyncio.get_running_loop()
        turn = Turn(self._turns, loop)
        running = loop.run_in_executor(self._pool, self._run, environ, turn.aside)
        self._running.add(running)
        running.add_done_callback(partial(self._end, turn))
        # Shielded: gunicorn cancels what a client left behind, but the thread goes on.
        return await asyncio.shield(running)

    def _end(self, turn: "Turn", running: "asyncio.Future[Answered]") -> None:
        self._running.discard(running)
        turn.give_up()
        if not running.cancelled():
            running.exception()  # looked at, for an answer that nobody awaits any more

    def _run(self, environ: dict[str, Any], aside: notices.Aside) -> Answered:
        """Call the application in a thread; return its whole answer, or the begin of a stream."""
        notices.aside.set(aside)
        began: list[Any] = []
        streams: list[EventStream | PieceStream] = []
        if environ["REQUEST_METHOD"] == "GET":
            environ[HAND_OVER] = streams.append

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
            began[:] = [int(status.split(" ", 1)[0]), headers]

        with environ["wsgi.input"]:
            chunks = self._application(environ, start_response)
            try:
                content = b"".join(chunks)
            finally:
                if hasattr(chunks, "close"):
                    chunks.close()
        status, headers = began
        is_stream = bool(streams) and status == HTTPStatus.OK
        return Answer(status, headers, content), streams[0] if is_stream else None


class Turn:
    """One of the places in which requests run; given up for good once its request waits.

    What is left to do after a wait is to write the answer down: to take a place again for that cost
    more than it saved, two more turns of the loop for each request.
    """

    def __init__(self, turns: asyncio.Semaphore, loop: asyncio.AbstractEventLoop) -> None:
        """Hold one of `turns`, which belong to `loop`."""
        self._turns = turns
        self._loop = loop
        self._is_held = True

    def give_up(self) -> None:
        """Let another request run, once; called in the loop."""
        if self._is_held:
            self._is_held = False
            self._turns.release()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let another request run from now on; called in the request's thread."""
        self._loop.call_soon_threadsafe(self.give_up)
        yield


def _no_room(exc: Exception, asker: Asker) -> Answer:
    fields = {"request_id": asker.request_id, "reason": str(exc)}
    logger.warning("body not taken in", extra=fields)
    return refusals.of(503, "there is no room for the body now; try again later", asker)


async def _refuse(receive: Receive, send: Send, answer: Answer) -> None:
    await send_whole(send, answer)
    await _discard_rest(receive)


async def _discard_rest(receive: Receive) -> None:
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while (await receive()).get("more_body"):
                continue
    except TimeoutError:
        # It sends for longer than we listen; the connection ends over what is left.
        return
