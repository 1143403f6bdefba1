"""kombu's Redis transport, for every app of ours: what the server refuses is written later.

kombu tries an acknowledgement once. Refused by a full, read-only or restarting server it takes the
worker's credit with it, and the worker idles for ever while it looks well (celery#5716).
"""

import logging
from collections.abc import Callable
from functools import partial
from json import JSONDecodeError
from typing import Any, Final

from kombu.transport import redis as kombu_redis
from kombu.transport import virtual
from redis.exceptions import RedisError

from tasks import forged, sentinels
from tasks.once import once

# kombu has no annotations, and the stubs of its Redis transport lack most of it.
_QoS: Any = kombu_redis.QoS
_Channel: Any = kombu_redis.Channel
_SentinelChannel: Any = kombu_redis.SentinelChannel
_Transport: Any = kombu_redis.Transport

RETRY_SECONDS = 1.0
REFUSALS: Final = (RedisError, OSError)
"""Whatever the server answers but success: full, read-only, loading, no right, no reply."""

Write = Callable[[], object]
logger = logging.getLogger(__name__)


class Backlog:
    """What the server has refused to write about messages, one write for each.

    There are never more than a worker holds messages: while something is kept it takes no other.
    """

    def __init__(self) -> None:
        """Begin with nothing kept."""
        self._writes: dict[str, Write] = {}
        self.is_held = False
        """Set while a server is known to refuse what the end of a task needs."""

    def __len__(self) -> int:
        """Return how many messages wait for their write."""
        return len(self._writes)

    def write(self, tag: str, write: Write) -> None:
        """Carry it out now, or keep it in the place of an earlier one about the same message."""
        try:
            write()
        except REFUSALS as exc:
            if not self._writes:
                logger.warning("broker refuses writes; tried again", extra={"reason": repr(exc)})
            self._writes[tag] = write
        else:
            self._writes.pop(tag, None)

    def catch_up(self) -> None:
        """Try what is kept, the oldest first, until one is refused again."""
        if not self._writes:
            return
        for tag, write in list(self._writes.items()):
            try:
                write()
            except REFUSALS:
                return
            del self._writes[tag]
        logger.info("broker takes writes again")


@once
def backlog() -> Backlog:
    """Return this process's backlog, which outlives its connections."""
    return Backlog()


class QoS(_QoS):  # type: ignore[misc]
    """Gives credit back whatever the server says, and has the last word with it later."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Begin with every delivered message on record."""
        super().__init__(*args, **options)
        self._unrecorded: set[str] = set()

    def can_consume(self) -> bool:
        """Return whether there is credit, and the server takes what is said of earlier messages."""
        kept = backlog()
        return not kept and not kept.is_held and bool(super().can_consume())

    def append(self, message: Any, delivery_tag: str) -> None:
        """Record a delivered message as unacknowledged; refused, it is delivered all the same.

        Redis has taken it off its queue already, so it is nowhere else.
        """
        self._unrecorded.add(delivery_tag)
        backlog().write(delivery_tag, partial(self._record, message, delivery_tag))
        virtual.QoS.append(self, message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge, now or later."""
        backlog().write(delivery_tag, partial(self._forget, delivery_tag))
        virtual.QoS.ack(self, delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Put the message back at the end of its queue, or drop it; now or later."""
        write = partial(self._forget, delivery_tag)
        if requeue:
            write = partial(self._put_back, delivery_tag, self._delivered[delivery_tag], True)
        backlog().write(delivery_tag, write)
        virtual.QoS.ack(self, delivery_tag)

    def restore_unacked(self, client: Any = None) -> None:
        """Put back every delivered message, also when the server refuses the first one."""
        del client
        for tag, message in list(self._delivered.items()):
            backlog().write(tag, partial(self._put_back, tag, message, False))
        self._delivered.clear()

    def restore_visible(self, *args: Any, **options: Any) -> None:
        """Put back what dead workers have left, where this process may."""
        if self.channel.keeps_house:
            super().restore_visible(*args, **options)

    def _record(self, message: Any, tag: str) -> None:
        super().append(message, tag)
        self._unrecorded.discard(tag)

    def _forget(self, tag: str) -> None:
        """Take the message out of the unacknowledged ones, also on a full server.

        That refuses every command inside of MULTI, and none of these two alone. The index comes
        second: what is in it alone is removed by the next sweep.
        """
        with self.channel.conn_or_acquire() as client:
            pipe = client.pipeline(transaction=False)
            pipe.hdel(self.unacked_key, tag).zrem(self.unacked_index_key, tag).execute()
        self._unrecorded.discard(tag)

    def _put_back(self, tag: str, message: Any, last: bool) -> None:
        if tag not in self._unrecorded:
            self.restore_by_tag(tag, leftmost=last)
            return
        place = message.delivery_info
        with self.pipe_or_acquire() as pipe:
            self.channel._do_restore_message(
                message._raw, place["exchange"], place["routing_key"], pipe, last
            )
            pipe.execute()
        self._unrecorded.discard(tag)


class Channel(_Channel):  # type: ignore[misc]
    """Treats an error reply like a lost connection where kombu would throw a message away."""

    QoS = QoS
    connection_errors: tuple[type[Exception], ...]
    keeps_house = True
    """Whether it looks after messages and queues of others; Flower and the API have no right to."""

    from_transport_options = (*_Channel.from_transport_options, "keeps_house")

    def __init__(self, *args: Any, **options: Any) -> None:
        """Connect; from then on kombu's timers survive every reply, and try again."""
        self._own_client: Any = None
        super().__init__(*args, **options)
        self.connection_errors = (*self.connection_errors, RedisError)

    def _create_client(self, asynchronous: bool = False) -> Any:
        """Return the client of this channel's connections; kombu makes one for each command.

        To make one takes as long as half a command: a twentieth of a busy worker's main process.
        """
        if asynchronous:
            return super()._create_client(asynchronous)
        is_closed = getattr(self.connection, "client", None) is None
        if is_closed and self._own_client is not None:
            # What was worked on outlives the connection that it came over, and is acknowledged.
            return self._own_client
        if self._own_client is None or self._own_client.connection_pool is not self.pool:
            self._own_client = super()._create_client()
        return self._own_client

    def sweep_bindings(self, *args: Any, **options: Any) -> int:
        """Forget who listens no longer, where this process may."""
        return int(super().sweep_bindings(*args, **options)) if self.keeps_house else 0

    def _brpop_read(self, **options: Any) -> Any:
        """Read what a queue gave; what is no JSON is thrown away and counted."""
        try:
            return super()._brpop_read(**options)
        except (JSONDecodeError, UnicodeDecodeError, RecursionError) as exc:
            forged.refuse(f"it is no JSON: {exc}")
            return True


class SentinelChannel(Channel, _SentinelChannel):  # type: ignore[misc]
    """The same, with whichever server the Sentinels call the master."""

    from_transport_options = (
        *_SentinelChannel.from_transport_options,
        *Channel.from_transport_options,
    )


class Transport(_Transport):  # type: ignore[misc]
    """kombu's, with a timer for what was refused, and an eye on what is no message."""

    Channel = Channel

    def _deliver(self, message: Any, queue: str) -> None:
        """Hand a message to whoever consumes its queue; what is none is thrown away and counted."""
        if why := forged.what_is_wrong(message):
            forged.refuse(why)
        else:
            super()._deliver(message, queue)

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Register with the event loop of a worker's main process."""
        super().register_with_event_loop(connection, loop)
        loop.call_repeatedly(RETRY_SECONDS, backlog().catch_up)


class SentinelTransport(Transport):
    """The same behind Sentinels."""

    default_port = sentinels.PORT
    Channel = SentinelChannel
