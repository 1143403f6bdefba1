"""What the API may ask of the workers: a mailbox of its own, which takes no command but these.

Celery's own mailbox takes every command, also those that end a worker. With a user of Redis for
each part (see `redis_users`) it is Flower's alone.
"""

from typing import Any, Final

from celery import bootsteps
from celery.worker import pidbox
from celery.worker.consumer.control import Control
from celery.worker.control import Panel
from kombu.pidbox import Mailbox
from kombu.utils.functional import lazy

from tasks import publisher

SOFT_LIMIT: Final = "SIGUSR1"
"""Celery's soft time limit: an exception in the task, which ends what it started."""


def revoke(
    state: Any, task_id: Any, terminate: bool = False, signal: str = "", **_: Any
) -> dict[str, str]:
    """Let tasks be skipped, or left where they are; no other signal is sent to a child."""
    if terminate and signal != SOFT_LIMIT:
        return {"error": f"only {SOFT_LIMIT} is sent for the API"}
    answer: dict[str, str] = Panel.data["revoke"](state, task_id, terminate, signal or None)
    return answer


def _commands() -> dict[str, Any]:
    return {"revoke": revoke, **{name: Panel.data[name] for name in ("ping", "active_queues")}}


class Pidbox(pidbox.Pidbox):
    """Celery's, at the other mailbox."""

    def __init__(self, consumer: Any) -> None:
        """Listen to nobody yet."""
        super().__init__(consumer)
        app = consumer.app
        mailbox = Mailbox(
            publisher.MAILBOX,
            type="fanout",
            accept=app.conf.accept_content,
            serializer=app.conf.task_serializer,
            producer_pool=lazy(lambda: app.amqp.producer_pool),
            queue_ttl=app.conf.control_queue_ttl,
            queue_expires=app.conf.control_queue_expires,
            queue_exclusive=app.conf.control_queue_exclusive,
            queue_durable=app.conf.control_queue_durable,
        )
        self.node = mailbox.Node(self.node.hostname, handlers=_commands(), state=self.node.state)


class Requests(bootsteps.StartStopStep):
    """Begins to listen once Celery does, in the same loop."""

    requires = (Control,)

    def __init__(self, consumer: Any, **options: Any) -> None:
        """Prepare the mailbox."""
        self.box = Pidbox(consumer)
        super().__init__(consumer, **options)

    def include_if(self, consumer: Any) -> bool:
        """Tell whether the broker can tell all workers something."""
        return bool(consumer.conninfo.supports_exchange_type("fanout"))

    def start(self, consumer: Any) -> None:
        """Listen."""
        self.box.start(consumer)

    def stop(self, consumer: Any) -> None:
        """Listen no longer; another connection may come."""
        self.box.stop(consumer)

    def shutdown(self, consumer: Any) -> None:
        """Listen no longer."""
        self.box.shutdown(consumer)
