"""Answers that are sent piece by piece: under gunicorn by the event loop, without a thread each."""

import asyncio
from collections.abc import Iterator
from threading import Lock
from time import sleep
from weakref import WeakSet

from api.asgi import Receive, Send, send_head, send_piece
from api.errors import TooManyStreamsError
from api.refusals import Answer
from api.settings import settings
from tasks.once import once

PAUSE_SECONDS = 0.25


class PieceStream:
    """Pieces of one answer; an empty one says that nothing is there for the moment."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        """Take a place.

        Raises:
            TooManyStreamsError: none is free.
        """
        self._pieces = pieces
        self.is_ended = False
        _places().take(self)

    def next(self) -> bytes | None:
        """Return the next piece, or None at the end."""
        return None if self.is_ended else next(self._pieces, None)

    def whole(self) -> Iterator[bytes]:
        """Give all pieces, waiting in this thread."""
        while (piece := self.next()) is not None:
            if piece:
                yield piece
            else:
                sleep(PAUSE_SECONDS)


class _Places:
    """The streams that this process has; one that nobody has any more takes no place."""

    def __init__(self) -> None:
        self._streams: WeakSet[PieceStream] = WeakSet()
        self._lock = Lock()

    def take(self, stream: PieceStream) -> None:
        most = settings().max_streams
        with self._lock:
            if len(self._streams) >= most:
                raise TooManyStreamsError(f"{most} streams are open already; try again later")
            self._streams.add(stream)

    def end_all(self) -> None:
        for stream in list(self._streams):
            stream.is_ended = True


@once
def _places() -> _Places:
    return _Places()


def end_all() -> None:
    """End every stream after its present piece: its client goes on elsewhere."""
    _places().end_all()


async def serve(stream: PieceStream, answer: Answer, receive: Receive, send: Send) -> None:
    """Send pieces as fast as the client takes them, until the end or until it is gone."""
    gone = asyncio.create_task(_disconnect(receive, stream))
    try:
        await send_head(send, answer)
        while (piece := await asyncio.to_thread(stream.next)) is not None:
            if piece:
                await send_piece(send, piece)
            else:
                await asyncio.sleep(PAUSE_SECONDS)
        await send_piece(send, b"", is_last=True)
    finally:
        gone.cancel()


async def _disconnect(receive: Receive, stream: PieceStream) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
    stream.is_ended = True
