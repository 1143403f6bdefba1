"""Celery's consumer, with events in batches, an eye on itself, and strays that are not lost.

Celery flushes its buffered events in every turn of its loop, about one PUBLISH for each: that
took a third of the worker's main process (measured with py-spy at 60 pictures/s).
"""

import logging
import os
import warnings
from collections.abc import Callable
from threading import Timer, current_thread, main_thread
from typing import Any

from celery.exceptions import CPendingDeprecationWarning
from celery.worker import state
from celery.worker.consumer import Consumer as _Consumer
from kombu.exceptions import ContentDisallowed, DecodeError

from tasks import (
    broker,
    delayed,
    forged,
    permission,
    rabbitmq,
    redis_checks,
    repeated,
    requests_of_web,
    stopping,
    strays,
    worker_start,
)
from tasks.consumption import (
    LOOK_SECONDS,
    LoopGuard,
    Notice,
    Rights,
    StillError,
    Stillness,
    waiting,
)

# celery-types knows neither the loop nor the flush of the real class.
Consumer: Any = _Consumer

FLUSH_SECONDS = 0.25
FIRST_LOOK_SECONDS = 0.3
"""By then a server that forbids what the loop needs has ended the connection."""
MOST_UNSENT_EVENTS = 50
FAREWELL_SECONDS = 20.0
CHATTY_LOGGERS = [f"celery.worker.consumer.{name}" for name in ("consumer", "connection", "tasks")]

logger = logging.getLogger(__name__)


class EventBatchingConsumer(Consumer):  # type: ignore[misc]
    """Flushes events four times a second; the dispatcher flushes earlier when 24 wait."""

    class Blueprint(Consumer.Blueprint):  # type: ignore[misc] # as above
        """Celery's steps, and the mailbox of the API."""

        default_steps = (
            *(step for step in Consumer.Blueprint.default_steps if step != delayed.STEP),
            delayed.DelayedDelivery,
            requests_of_web.Requests,
        )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Begin without a flush under way, still since now."""
        super().__init__(*args, **kwargs)
        self._flush_is_due = False
        self._wanted = frozenset(self.app.amqp.queues.consume_from)
        self._notice, self._rights = Notice(), Rights()
        self._guard = LoopGuard()
        self._stillness = Stillness(reconnect=self._reconnect, replace=self._replace)
        self.on_task_message.add(lambda _: self._stillness.moved())
        _say_less()

    def on_send_event_buffered(self) -> None:
        """Plan one flush for all events of the next quarter second."""
        if self.hub and not self._flush_is_due:
            self._flush_is_due = True
            self.hub.call_later(FLUSH_SECONDS, self._flush_batch)

    def _flush_batch(self) -> None:
        self._flush_is_due = False
        self._flush_events()

    def _flush_events(self) -> None:
        """Send what waits; events that could not be sent are kept up to a limit.

        Celery tries each of them again in every flush, without end while events are forbidden.
        """
        if self.event_dispatcher:
            unsent = self.event_dispatcher._outbound_buffer
            while len(unsent) > MOST_UNSENT_EVENTS:
                unsent.popleft()
        super()._flush_events()

    def register_with_event_loop(self, hub: Any) -> None:
        """Look at what this worker does, from the loop that does it."""
        super().register_with_event_loop(hub)
        self._stillness.looks = 0
        self._refusal()
        self._turned()
        hub.call_later(FIRST_LOOK_SECONDS, self._look)
        hub.call_repeatedly(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        if stopping.is_under_way() or current_thread() is not main_thread():
            return  # It takes nothing, as it should; Celery turns the loop in a thread meanwhile.
        self._turned()
        reason = self._why_not_consuming()
        permission.give(given=reason is None)
        could_take = reason is None and self._is_idle_beside_work()
        still = self._stillness.look(could_take=could_take)
        self._notice.put(self._wanted, reason or still)
        self._stillness.mend()

    def _turned(self) -> None:
        if worker_start.pool_of(self.controller) != "solo":
            self._guard.turned()

    def on_ready(self) -> None:
        """Say what Redis cannot promise; without an event loop, tell from Celery's timer."""
        super().on_ready()
        redis_checks.warnings()
        if self.hub is None and self.restart_count == 0:
            self.timer.call_repeatedly(LOOK_SECONDS, self._tell)

    def _tell(self) -> None:
        """Put the note for `/readyz`: takes messages, or why not."""
        self._notice.put(self._wanted, self._why_not_consuming())

    def _why_not_consuming(self) -> str | None:
        if refusal := self._refusal():
            return refusal
        if broker.backlog():
            return "the broker refuses writes"
        cancelled = [q for q in self._wanted if not self.task_consumer.consuming_from(q)]
        if cancelled:
            queue = cancelled[0]
            cure = f"celery control -d {self.hostname} add_consumer {queue}"
            return f"somebody cancelled the queue {queue}; take it up again with {cure}"
        return None

    def _refusal(self) -> str:
        """Look what the servers refuse; what could not be finished is not begun."""
        refusal = self._rights.refusal(self._wanted)
        broker.backlog().is_held = bool(refusal)
        return refusal

    def _is_idle_beside_work(self) -> bool:
        if state.reserved_requests or self.connection.transport.driver_type != "redis":
            return False  # Other brokers keep the credit themselves.
        return waiting(self.task_consumer.channel, self._wanted) > 0

    def _reconnect(self) -> None:
        logger.error("messages wait and none is taken; connecting anew")
        raise StillError("messages wait and none is taken")

    def _replace(self) -> None:
        """End with a status that makes a supervisor start another worker."""
        logger.error("messages wait and none is taken; ending, to be replaced")
        state.should_stop = os.EX_TEMPFAIL  # type: ignore[assignment] # an exit status, or None
        farewell = Timer(FAREWELL_SECONDS, os._exit, (os.EX_TEMPFAIL,))
        farewell.daemon = True
        farewell.start()

    def on_close(self) -> None:
        """Clear Celery's queues; from here on the loop does not turn."""
        self._guard.leave()
        super().on_close()

    def on_connection_error_after_connected(self, exc: BaseException) -> None:
        """Clean up after Celery's manner, and say what a server refuses."""
        super().on_connection_error_after_connected(exc)
        self._say_refusal(exc)

    def on_connection_error_before_connected(self, exc: BaseException) -> None:
        """Log it as Celery does, and say what a server refuses."""
        super().on_connection_error_before_connected(exc)
        self._say_refusal(exc)

    def _say_refusal(self, exc: BaseException) -> None:
        if cure := rabbitmq.cure(exc):
            self._notice.put(self._wanted, cure)
        elif isinstance(exc, broker.REFUSALS) and not isinstance(exc, StillError):
            self._notice.put(self._wanted, f"the broker is not usable: {redis_checks.cure(exc)}")

    def create_task_handler(self, *args: Any, **options: Any) -> Callable[[Any], None]:
        """Return Celery's handler of messages; it ends those that Celery would end over."""
        handle = super().create_task_handler(*args, **options)

        def handle_or_end(message: Any) -> None:
            try:
                if unfit := forged.what_is_unfit(message):
                    strays.malformed(message, self, unfit)
                else:
                    handle(message)
            except (ContentDisallowed, DecodeError, *forged.SURPRISES) as exc:
                strays.malformed(message, self, exc)

        return handle_or_end

    def on_unknown_task(self, body: Any, message: Any, exc: BaseException) -> None:
        """Send a message on to the app that knows its task, or end its job."""
        del body, exc
        strays.of_unknown_task(message, self)

    def on_unknown_message(self, body: Any, message: Any) -> None:
        """End the job of a message that is no task's."""
        del body
        strays.malformed(message, self, "it is no message of Celery")

    def on_invalid_task(self, body: Any, message: Any, exc: Exception) -> None:
        """End the job of a message that its task cannot read."""
        del body
        strays.malformed(message, self, exc)

    def on_decode_error(self, message: Any, exc: Exception) -> None:
        """End the job of a message that nobody can read."""
        strays.malformed(message, self, exc)

    def add_task_queue(self, queue: str, *args: Any, **options: Any) -> None:
        """Take up a queue that this worker was started for, as `control add_consumer` asks."""
        if queue not in self._wanted:
            fields = {"queue": queue, "queues": sorted(self._wanted)}
            logger.error("queue not taken up; start a worker for it", extra=fields)
            return
        super().add_task_queue(queue, *args, **options)

    def stop(self) -> None:
        """Send what is left before the connection closes."""
        self._notice.clear()
        self._flush_events()
        super().stop()


def _say_less() -> None:
    # What it warns of is a setting that ours has; each lost connection says it again.
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
    for name in CHATTY_LOGGERS:
        logging.getLogger(name).addFilter(repeated.Unrepeated())
        logging.getLogger(name).addFilter(repeated.WithoutTraceback())
    logging.getLogger("celery.worker.request").addFilter(repeated.WithoutTraceback())
