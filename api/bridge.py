"""From the event loop that reads requests to the threads that answer them.

A request is read whole before a thread sees it, so a client that sends slowly holds a buffer and
no thread; a thread that waits for a job gives its turn to another request.
"""

import asyncio
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from urllib.parse import unquote_to_bytes

from api import refusals
from api.asgi import Receive, Scope, Send, send_whole
from api.events import HAND_OVER, EventStream
from api.refusals import Answer
from api.streams import Streams
from tasks.job_stores import notices

Application = Callable[[dict[str, Any], Callable[..., Any]], Any]

MEMORY_BYTES = 262_144
"""A longer body goes to a temporary file, so that many slow uploads do not fill the memory."""

LINGER_SECONDS = 2.0
"""How long the rest of a refused body is read and thrown away: a connection that is closed over
unread bytes is reset, and the client would never see why it was refused (RFC 9112, 9.6)."""

WITHOUT_PREFIX = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}


Answered = tuple[Answer, EventStream | None]
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
    ) -> None:
        """Let `threads` requests run at the same time, besides `waiters` that wait."""
        self._application = application
        self._turns = asyncio.Semaphore(threads)
        self._pool = ThreadPoolExecutor(threads + waiters, thread_name_prefix="request")
        self._max_body_bytes = max_body_bytes
        self._request_seconds = request_seconds
        self._running: set[asyncio.Future[Answered]] = set()
        self.streams = Streams()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; whatever is no HTTP request is refused."""
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        # Closed by `_run`, when the thread is done.
        body = SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115
        try:
            async with asyncio.timeout(self._request_seconds):
                size = await self._read(scope, receive, body)
        except (DisconnectedError, TimeoutError) as exc:
            body.close()
            if isinstance(exc, TimeoutError):
                await self._refuse_slow(scope, receive, send)
            return
        answer, stream = await self._answer(environ_of(scope, body, size))
        if stream is not None:
            await self.streams.serve(stream, answer, receive, send)
            return
        await send_whole(send, answer)
        if size > self._max_body_bytes:
            await _discard_rest(receive)

    @property
    def is_busy(self) -> bool:
        """Tell whether a thread works on an answer, be it for a client that is gone."""
        return bool(self._running)

    async def _read(self, scope: Scope, receive: Receive, body: IO[bytes]) -> int:
        """Read the body; returns its size, or one over the limit, with no body, if it is larger.

        The application then refuses what is too large, as it does under any other server.

        Raises:
            DisconnectedError: the client went away.
        """
        announced = next((v for name, v in scope["headers"] if name == b"content-length"), b"0")
        size, limit = 0, self._max_body_bytes
        more_body = int(announced) <= limit
        if not more_body:
            return int(announced)
        while more_body and size <= limit:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise DisconnectedError
            size += body.write(message["body"])
            more_body = message["more_body"]
        body.seek(0)
        return size

    async def _refuse_slow(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = next(
            (v.decode("latin-1") for name, v in scope["headers"] if name == b"origin"), ""
        )
        await send_whole(send, refusals.too_slow(self._request_seconds, origin=origin))
        await _discard_rest(receive)

    async def _answer(self, environ: dict[str, Any]) -> Answered:
        await self._turns.acquire()
        loop = asyncio.get_running_loop()
        aside = Turn(self._turns, loop).aside
        running = loop.run_in_executor(self._pool, self._run, environ, aside)
        self._running.add(running)
        running.add_done_callback(self._end_turn)
        # Shielded: gunicorn cancels what a client left behind, but the thread goes on.
        return await asyncio.shield(running)

    def _end_turn(self, running: "asyncio.Future[Answered]") -> None:
        self._running.discard(running)
        self._turns.release()
        if not running.cancelled():
            running.exception()  # looked at, for an answer that nobody awaits any more

    def _run(self, environ: dict[str, Any], aside: notices.Aside) -> Answered:
        """Call the application in a thread; return its whole answer, or the begin of a stream."""
        notices.aside.set(aside)
        began: list[Any] = []
        streams: list[EventStream] = []
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
    """One of the places in which requests run; given up while its request waits."""

    def __init__(self, turns: asyncio.Semaphore, loop: asyncio.AbstractEventLoop) -> None:
        """Hold one of `turns`, which belong to `loop`."""
        self._turns = turns
        self._loop = loop

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Let another request run meanwhile; called in the request's thread."""
        self._loop.call_soon_threadsafe(self._turns.release)
        try:
            yield
        finally:
            asyncio.run_coroutine_threadsafe(self._turns.acquire(), self._loop).result()


def environ_of(scope: Scope, body: IO[bytes], size: int) -> dict[str, Any]:
    """Return the WSGI environment of a request (PEP 3333) whose body is `size` bytes long."""
    host, port = scope["server"] or ("localhost", 0)
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope["root_path"],
        "PATH_INFO": _path_of(scope),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": (scope["client"] or ("",))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        key = WITHOUT_PREFIX.get(name) or _variable(name)
        text = value.decode("latin-1")
        joint = "; " if name == b"cookie" else ","
        environ[key] = f"{environ[key]}{joint}{text}" if key in environ else text
    if size or "CONTENT_LENGTH" in environ:
        environ["CONTENT_LENGTH"] = str(size)
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    return environ


def _path_of(scope: Scope) -> str:
    """Return the path below the root path, whether or not a proxy has taken that away."""
    path, root = unquote_to_bytes(scope["raw_path"]).decode("latin-1"), scope["root_path"]
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


def _variable(name: bytes) -> str:
    return f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}"


async def _discard_rest(receive: Receive) -> None:
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while (await receive()).get("more_body"):
                continue
    except TimeoutError:
        # It sends for longer than we listen; the connection ends over what is left.
        return
