"""`GET /events`: what becomes of many tasks, as server-sent events in one answer.

Under gunicorn the event loop sends it (`api/streams.py`) and no thread is held; any other server
gives it a thread, which iterates over it.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from secrets import randbelow
from threading import Event, Lock
from time import monotonic
from weakref import WeakSet

from apiflask import APIBlueprint
from flask import Response, request
from prometheus_client import Counter, Gauge

from api import access, links, options
from api.access import Standing
from api.errors import InvalidOptionError, TooManyStreamsError
from api.settings import settings
from api.story import Story, Told
from tasks import stores, views
from tasks.errors import ServiceUnavailableError
from tasks.once import once

MOST_TASKS = 150
"""Their ids fit into a request line of 8,190 bytes, the most that gunicorn reads."""
HAND_OVER = "petiole.hand_over"
"""Where a server that streams by itself leaves a function that takes the stream."""
LAST_EVENT_ID, EVENT_STREAM = "Last-Event-ID", "text/event-stream"
LOOK_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
HEARTBEAT = b":\n\n"
RETRY_FROM_MS, RETRY_SPREAD_MS = 500, 1000

# With labels: a metric without any opens its file when it is made, which here is before the fork.
OPEN = Gauge("petiole_open_streams", "Open streams.", ["route"], multiprocess_mode="livesum")
SENT = Counter("petiole_streamed_events", "Events sent in streams.", ["route"])
ROUTE = "/events"

logger = logging.getLogger(__name__)

blueprint = APIBlueprint("events", __name__, tag="Pictures")


@blueprint.get(ROUTE)
@blueprint.doc(operation_id="events", responses={})
def events() -> Response:
    """Tell what becomes of some tasks, as server-sent events, until all are over.

    An event `state` has what `GET /result/<task_id>` says with 202: at once, with each change of
    state that lasts a second, and every other second while a waiting task moves up. An event `end`
    has the finished document; an event `problem` says that a task was never handed out, or that its
    result is no longer kept. Who was cut off sends the last event's id as `Last-Event-ID` and is
    told what came since; 204 says that nothing will come any more.
    """
    last_event_id = request.headers.get(LAST_EVENT_ID, "")
    story = Story(_task_ids(), last_event_id, prefix=links.prefix())
    if story.is_over:
        return Response(status=204)
    stream = EventStream(story, access.standing())
    hand_over: Callable[[EventStream], None] | None = request.environ.get(HAND_OVER)
    if hand_over:
        hand_over(stream)
    return Response(
        iter(()) if hand_over else stream.pieces(),
        mimetype=EVENT_STREAM,
        # A proxy such as nginx would keep events back until they fill a buffer.
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _task_ids() -> list[str]:
    """Return the tasks that the current request names, each once.

    Raises:
        InvalidOptionError: there are none, or too many.
    """
    options.refuse_unknown(request.args, known=("task",))
    named = list(filter(None, request.args.getlist("task")))
    if not 1 <= len(named) <= MOST_TASKS:
        detail = f"names {len(named)} tasks; name 1 to {MOST_TASKS}: /events?task=…&task=…"
        raise InvalidOptionError(f"task: {detail}", errors=[{"option": "task", "detail": detail}])
    return list(dict.fromkeys(named))


class Places:
    """The streams that this process holds open; one that nobody has any more takes no place."""

    def __init__(self, most: int) -> None:
        """Begin with none of at most `most`."""
        self._most = most
        self._streams: WeakSet[EventStream] = WeakSet()
        self._lock = Lock()

    def take(self, stream: "EventStream") -> None:
        """Let a stream have a place until it is closed, or dropped before it began.

        Raises:
            TooManyStreamsError: none is free.
        """
        with self._lock:
            if len(self._streams) >= self._most:
                detail = f"{self._most} streams are open already; poll, or try again later"
                raise TooManyStreamsError(detail)
            self._streams.add(stream)
        OPEN.labels(ROUTE).set(len(self._streams))

    def leave(self, stream: "EventStream") -> None:
        """Take the place back."""
        self._streams.discard(stream)
        OPEN.labels(ROUTE).set(len(self._streams))


@once
def _places() -> Places:
    return Places(settings().max_streams)


class EventStream:
    """One client's events, and its place among the streams of this process."""

    def __init__(self, story: Story, standing: Standing) -> None:
        """Take a place; the stream lasts no longer than the standing of who asked for it.

        Raises:
            TooManyStreamsError: none is free.
        """
        self.story, self.standing = story, standing
        self._places = _places()
        self._places.take(self)

    def close(self) -> None:
        """Leave the place."""
        self._places.leave(self)

    def opening(self) -> bytes:
        """Return what comes first: after how long to reconnect, not the same for all."""
        return f"retry: {RETRY_FROM_MS + randbelow(RETRY_SPREAD_MS)}\n\n".encode()

    def tell(self, told: Mapping[str, Told]) -> bytes:
        """Return the events that tell what is new."""
        news = [
            event for task_id, said in told.items() if (event := self.story.tell(task_id, said))
        ]
        SENT.labels(ROUTE).inc(len(news))
        return b"".join(news)

    def pieces(self) -> Iterator[bytes]:
        """Give the stream piece by piece, waiting in this thread."""
        inquiry, woken, silent_since = Inquiry(), Event(), monotonic()
        try:
            yield self.opening()
            with stores.prompt_job_store().following(self.story.open_ids, lambda *_: woken.set()):
                while not (self.story.is_over or self.standing.is_lost()):
                    news = self.tell(inquiry.look(self.story.open_ids))
                    if not news and monotonic() - silent_since >= HEARTBEAT_SECONDS:
                        news = HEARTBEAT
                    if news:
                        silent_since = monotonic()
                        yield news
                    if not self.story.is_over:
                        woken.wait(LOOK_SECONDS)
                        woken.clear()
        finally:
            self.close()


class Inquiry:
    """Asks the job store for streams; one that is away is said once."""

    def __init__(self) -> None:
        """Begin without having looked."""
        self._is_away = False

    def look(self, task_ids: Sequence[str]) -> dict[str, Told]:
        """Return what is known of some tasks: nothing new while the job store is away."""
        try:
            told = dict(views.look(task_ids))
        except ServiceUnavailableError as exc:
            if not self._is_away:
                logger.warning("streamed tasks not looked up", extra={"reason": str(exc)})
            self._is_away = True
            return {}
        self._is_away = False
        return told
