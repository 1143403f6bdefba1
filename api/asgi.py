"""What an ASGI application is called with, and how it sends an answer."""

from collections.abc import Awaitable, Callable
from typing import Any

from api.refusals import Answer

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def send_whole(send: Send, answer: Answer) -> None:
    """Send an answer that is known to its end."""
    await send_head(send, answer)
    await send_piece(send, answer.content, is_last=True)


async def send_head(send: Send, answer: Answer) -> None:
    """Send the status and the headers of an answer; servers keep them until the first piece."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})


async def send_piece(send: Send, piece: bytes, *, is_last: bool = False) -> None:
    """Send a piece of an answer's body, once the client has read enough of those before."""
    await send({"type": "http.response.body", "body": piece, "more_body": not is_last})
