"""The client for asyncio: the same names as `Client` has, each to be awaited."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeVar, Unpack

import httpx2

from petiole.client import conversations, transport
from petiole.client.answers import AcceptedTask, ClassifiedTask, ExplainedTask, TrainedTask
from petiole.client.conversations import Order
from petiole.client.many import Many
from petiole.client.options import (
    CONCURRENCY,
    MANY_WAIT_SECONDS,
    RETRY_SECONDS,
    WAIT_SECONDS,
    KeyedOptions,
    Options,
    parameters_of,
)
from petiole.client.outcomes import Outcome
from petiole.client.patience import Patience
from petiole.client.pictures import Picture, prepared
from petiole.client.progress import ProgressLine
from petiole.client.steps import Call, Conversation, InterruptedConversationError, Lost, Reply
from petiole.client.transport import Service

T = TypeVar("T")
P = TypeVar("P", bound=Picture)


class AsyncClient:
    """A service at `url`, for one event loop; see `Client`.

    A task that is cancelled while it classifies withdraws its picture first.
    """

    def __init__(
        self, url: str, key: str | None = None, *, retry_seconds: float = RETRY_SECONDS
    ) -> None:
        """Connect with the first call.

        Raises:
            ValueError: `url` is none of a web server.
        """
        self._service = Service(url, key, retry_seconds)
        self._http = httpx2.AsyncClient(**self._service.settings())
        self._met = False

    async def classify(
        self, picture: Picture, *, wait: float = WAIT_SECONDS, **options: Unpack[KeyedOptions]
    ) -> ClassifiedTask:
        """Return the labels of a picture; see `Client.classify`."""
        asked = await _order(picture, options)
        return await self._hold(conversations.classification(asked, self._patience(wait)))

    async def submit(
        self, picture: Picture, *, wait: float = WAIT_SECONDS, **options: Unpack[KeyedOptions]
    ) -> AcceptedTask:
        """Return the task of a picture as soon as it is accepted; see `Client.submit`."""
        asked = await _order(picture, options)
        return await self._hold(conversations.submission(asked, self._patience(wait)))

    async def result(
        self, task_id: str, *, wait: float = WAIT_SECONDS
    ) -> ClassifiedTask | TrainedTask:
        """Return what became of a task; see `Client.result`."""
        return await self._hold(conversations.result(task_id, self._patience(wait)))

    async def explain(
        self, task_id: str, *, label: str = "", wait: float = WAIT_SECONDS
    ) -> ExplainedTask:
        """Explain the best label of a picture, or another one; see `Client.explain`."""
        return await self._hold(conversations.explanation(task_id, label, self._patience(wait)))

    async def heat_map(self, explained: ExplainedTask, *, label: str = "") -> bytes:
        """Return the map of an explanation, as a PNG; see `Client.heat_map`."""
        return await self._hold(conversations.heat_map(explained, label, self._patience(0.0)))

    async def cancel(self, task_id: str) -> bool:
        """Cancel a task; see `Client.cancel`."""
        return await self._hold(conversations.cancellation(task_id, self._patience(0.0)))

    async def forget(self, task_id: str) -> None:
        """Have a task forgotten; see `Client.forget`."""
        await self._hold(conversations.forgetting(task_id, self._patience(0.0)))

    def map(
        self,
        pictures: Iterable[P],
        *,
        concurrency: int = CONCURRENCY,
        wait: float = MANY_WAIT_SECONDS,
        progress: bool | None = None,
        **options: Unpack[Options],
    ) -> AsyncGenerator[Outcome[P], None]:
        """Yield what became of each picture, in their order; see `Client.map`."""
        return self._many(pictures, concurrency, wait, progress, options).in_order()

    def stream(
        self,
        pictures: Iterable[P],
        *,
        concurrency: int = CONCURRENCY,
        wait: float = MANY_WAIT_SECONDS,
        progress: bool | None = None,
        **options: Unpack[Options],
    ) -> AsyncGenerator[Outcome[P], None]:
        """Yield what `map` does, but each as soon as it is ready."""
        return self._many(pictures, concurrency, wait, progress, options).as_ready()

    async def close(self) -> None:
        """End its connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        """Give the client."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End its connections."""
        await self.close()

    def _many(
        self,
        pictures: Iterable[P],
        concurrency: int,
        wait: float,
        progress: bool | None,
        options: Options,
    ) -> Many[P]:
        async def classify(picture: P) -> ClassifiedTask:
            return await self.classify(picture, wait=wait, **options)

        line = ProgressLine(pictures, shown=progress)
        return Many(pictures, classify, concurrency=concurrency, line=line)

    def _patience(self, wait_seconds: float) -> Patience:
        return Patience(wait_seconds, retry_seconds=self._service.retry_seconds)

    async def _hold(self, conversation: Conversation[T]) -> T:
        try:
            call = next(conversation)
            while True:
                call = conversation.send(await self._heard_of(call))
        except StopIteration as end:
            result: T = end.value
            return result
        except asyncio.CancelledError:
            await self._let_go(conversation)
            raise

    async def _let_go(self, conversation: Conversation[T]) -> None:
        """Let a conversation take back what it began."""
        with suppress(InterruptedConversationError, StopIteration):
            call = conversation.throw(InterruptedConversationError())
            while True:
                call = conversation.send(await self._heard_of(call))

    async def _heard_of(self, call: Call) -> Reply | Lost:
        await asyncio.sleep(call.pause_seconds)
        try:
            response = await self._http.request(**transport.request_of(call))
        except httpx2.TransportError as exc:
            return transport.lost(exc, self._service, met=self._met)
        self._met = True
        return transport.reply_of(response)


async def _order(picture: Picture, options: KeyedOptions) -> Order:
    """Return the order of a picture, which is read or encoded in a thread meanwhile."""
    sent = await asyncio.to_thread(prepared, picture)
    return conversations.order(sent, parameters_of(options))
