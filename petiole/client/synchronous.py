"""The client for programs that wait for each answer."""

from collections.abc import Generator, Iterable
from contextlib import suppress
from time import sleep
from types import TracebackType
from typing import Self, TypeVar, Unpack

import httpx2

from petiole.client import conversations, transport
from petiole.client.answers import AcceptedTask, ClassifiedTask, ExplainedTask, TrainedTask
from petiole.client.asynchronous import AsyncClient
from petiole.client.background import in_background
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
from petiole.client.steps import Call, Conversation, InterruptedConversationError, Lost, Reply
from petiole.client.transport import Service

T = TypeVar("T")
P = TypeVar("P", bound=Picture)


class Client:
    """A service at `url`; threads may share it.

    `key` is sent as `Authorization: Bearer`; left out, it is that of `PETIOLE_KEY`. A service that
    does not answer is tried again for `retry_seconds`, but not one that has never answered: then
    the address may be wrong.
    """

    def __init__(
        self, url: str, key: str | None = None, *, retry_seconds: float = RETRY_SECONDS
    ) -> None:
        """Connect with the first call.

        Raises:
            ValueError: `url` is none of a web server.
        """
        self._service = Service(url, key, retry_seconds)
        self._http = httpx2.Client(**self._service.settings())
        self._met = False

    def classify(
        self, picture: Picture, *, wait: float = WAIT_SECONDS, **options: Unpack[KeyedOptions]
    ) -> ClassifiedTask:
        """Return the labels of a picture; waits for them for `wait` seconds.

        Raises:
            PetioleError: there are none; see `petiole.client.errors`.
        """
        asked = conversations.order(prepared(picture), parameters_of(options))
        return self._hold(conversations.classification(asked, self._patience(wait)))

    def submit(
        self, picture: Picture, *, wait: float = WAIT_SECONDS, **options: Unpack[KeyedOptions]
    ) -> AcceptedTask:
        """Return the task of a picture as soon as it is accepted.

        Raises:
            PetioleError: it was not accepted within `wait` seconds.
        """
        asked = conversations.order(prepared(picture), parameters_of(options))
        return self._hold(conversations.submission(asked, self._patience(wait)))

    def result(self, task_id: str, *, wait: float = WAIT_SECONDS) -> ClassifiedTask | TrainedTask:
        """Return what became of a task; waits for its end for `wait` seconds, and 0 asks once.

        Raises:
            PetioleError: it failed or was revoked, it is not over in time, or there is none.
        """
        return self._hold(conversations.result(task_id, self._patience(wait)))

    def explain(
        self, task_id: str, *, label: str = "", wait: float = WAIT_SECONDS
    ) -> ExplainedTask:
        """Explain the best label of a picture that was sent with `explain` or `keep`, or another.

        Raises:
            PetioleError: it is not kept, has no such label, or is not explained in `wait` seconds.
        """
        return self._hold(conversations.explanation(task_id, label, self._patience(wait)))

    def heat_map(self, explained: ExplainedTask, *, label: str = "") -> bytes:
        """Return the map of an explanation over its picture, as a PNG.

        Raises:
            PetioleError: it is no longer kept.
        """
        return self._hold(conversations.heat_map(explained, label, self._patience(0.0)))

    def cancel(self, task_id: str) -> bool:
        """Cancel a task; returns False, and changes nothing, when it is over already.

        Raises:
            PetioleError: there is no such task, or it is long over.
        """
        return self._hold(conversations.cancellation(task_id, self._patience(0.0)))

    def forget(self, task_id: str) -> None:
        """Have a task forgotten with its picture and its result; one that runs ends.

        Raises:
            PetioleError: there is no such task.
        """
        self._hold(conversations.forgetting(task_id, self._patience(0.0)))

    def map(
        self,
        pictures: Iterable[P],
        *,
        concurrency: int = CONCURRENCY,
        wait: float = MANY_WAIT_SECONDS,
        progress: bool | None = None,
        **options: Unpack[Options],
    ) -> Generator[Outcome[P], None, None]:
        """Yield what became of each picture, in their order; `concurrency` are under way at once.

        A picture that fails is an outcome with an `error`, and the others go on. `progress` is a
        line on stderr; left out, where that is a terminal. What is under way when the iteration
        ends early is withdrawn. The pictures are iterated over in another thread.
        """
        return in_background(
            self._twin,
            lambda twin: twin.map(
                pictures, concurrency=concurrency, wait=wait, progress=progress, **options
            ),
        )

    def stream(
        self,
        pictures: Iterable[P],
        *,
        concurrency: int = CONCURRENCY,
        wait: float = MANY_WAIT_SECONDS,
        progress: bool | None = None,
        **options: Unpack[Options],
    ) -> Generator[Outcome[P], None, None]:
        """Yield what `map` does, but each as soon as it is ready."""
        return in_background(
            self._twin,
            lambda twin: twin.stream(
                pictures, concurrency=concurrency, wait=wait, progress=progress, **options
            ),
        )

    def close(self) -> None:
        """End its connections."""
        self._http.close()

    def __enter__(self) -> Self:
        """Give the client."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End its connections."""
        self.close()

    def _twin(self) -> AsyncClient:
        service = self._service
        return AsyncClient(service.url, service.key, retry_seconds=service.retry_seconds)

    def _patience(self, wait_seconds: float) -> Patience:
        return Patience(wait_seconds, retry_seconds=self._service.retry_seconds)

    def _hold(self, conversation: Conversation[T]) -> T:
        try:
            call = next(conversation)
            while True:
                call = conversation.send(self._heard_of(call))
        except StopIteration as end:
            result: T = end.value
            return result
        except KeyboardInterrupt:
            self._let_go(conversation)
            raise

    def _let_go(self, conversation: Conversation[T]) -> None:
        """Let a conversation take back what it began."""
        with suppress(InterruptedConversationError, StopIteration):
            call = conversation.throw(InterruptedConversationError())
            while True:
                call = conversation.send(self._heard_of(call))

    def _heard_of(self, call: Call) -> Reply | Lost:
        sleep(call.pause_seconds)
        try:
            response = self._http.request(**transport.request_of(call))
        except httpx2.TransportError as exc:
            return transport.lost(exc, self._service, met=self._met)
        self._met = True
        return transport.reply_of(response)
