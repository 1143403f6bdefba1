"""Events for Flower in batches, with Celery's real event loop and timer."""

from collections import deque
from time import monotonic

import pytest
from kombu.asynchronous import Hub
from redis.exceptions import ReadOnlyError

from tasks import broker
from tasks.consumer import FLUSH_SECONDS, MOST_UNSENT_EVENTS, EventBatchingConsumer
from tasks.consumption import Rights


class Dispatcher:
    """Stands for Celery's: remembers when it was asked to send what it has."""

    def __init__(self) -> None:
        """Nothing was sent yet."""
        self.flushed_at: list[float] = []
        self._outbound_buffer: deque[int] = deque()

    def flush(self) -> None:
        """Note the time."""
        self.flushed_at.append(monotonic())


@pytest.fixture
def consumer() -> EventBatchingConsumer:
    """A consumer with an event loop and a dispatcher, without a broker."""
    made = EventBatchingConsumer.__new__(EventBatchingConsumer)
    made.hub, made.event_dispatcher, made._flush_is_due = Hub(), Dispatcher(), False
    return made


def run(consumer: EventBatchingConsumer, *, until: float) -> None:
    """Turn the event loop until a moment."""
    while monotonic() < until:
        consumer.hub.fire_timers(max_timers=10)


def test_many_events_are_one_flush(consumer: EventBatchingConsumer) -> None:
    """Those of a quarter second leave together, and the next one begins a new quarter."""
    begun = monotonic()
    for _ in range(100):
        consumer.on_send_event_buffered()
    run(consumer, until=begun + 2 * FLUSH_SECONDS)
    first = list(consumer.event_dispatcher.flushed_at)
    consumer.on_send_event_buffered()
    run(consumer, until=monotonic() + 2 * FLUSH_SECONDS)

    assert len(first) == 1
    assert first[0] - begun >= FLUSH_SECONDS
    assert len(consumer.event_dispatcher.flushed_at) == 2


def test_events_that_nobody_takes_do_not_pile_up(consumer: EventBatchingConsumer) -> None:
    """Each would be tried again in every flush, for as long as the broker forbids them."""
    consumer.event_dispatcher._outbound_buffer.extend(range(1000))
    consumer._flush_events()

    newest = list(range(1000 - MOST_UNSENT_EVENTS, 1000))
    assert newest == list(consumer.event_dispatcher._outbound_buffer)


def test_a_worker_whose_acknowledgement_is_refused_is_not_ready(
    consumer: EventBatchingConsumer,
) -> None:
    """It takes nothing until that is written, though its rights were in order a moment ago."""

    def refuse() -> None:
        raise ReadOnlyError

    consumer._wanted, consumer._rights = frozenset(), Rights()
    before = consumer._why_not_consuming()
    broker.backlog().write("tag", refuse)

    assert (before, consumer._why_not_consuming()) == (None, "the broker refuses writes")
