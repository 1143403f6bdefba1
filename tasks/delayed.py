"""Messages that are due later, over RabbitMQ: held by the broker, not by a worker's credit."""

from typing import Any

from celery.worker.consumer.delayed_delivery import DelayedDelivery as _DelayedDelivery

STEP = "celery.worker.consumer.delayed_delivery:DelayedDelivery"

_Step: Any = _DelayedDelivery


class DelayedDelivery(_Step):  # type: ignore[misc]
    """Celery's step, once every queue of ours is there: it gives up at the first that is not.

    A worker declares only those that it consumes; others may never have had a worker.
    """

    def start(self, c: Any) -> None:
        """Declare all queues with their exchanges, then let Celery bind them."""
        with c.app.connection_for_write() as connection:
            for queue in c.app.amqp.queues.values():
                queue(connection.default_channel).declare()
        super().start(c)
