"""The workers' app with a remote command that does to a worker what faults of its libraries did."""

from typing import Any

from celery.worker.control import control_command

from tasks import app, broker

__all__ = ["app"]


@control_command(args=[("for_good", bool)])  # type: ignore[untyped-decorator]
def lose_credit(state: Any, for_good: bool = False) -> dict[str, str]:
    """Take the credit of this connection, or of every later one too."""
    place = broker.QoS if for_good else state.consumer.task_consumer.channel.qos
    place.can_consume = lambda *_: False
    return {"ok": "lost"}
