"""The workers' app with a remote command that does to a worker what faults of its libraries did."""

import time
from typing import Any

from celery.worker.control import control_command

from tasks import app, broker, consumption

__all__ = ["app"]

consumption.HUNG_SECONDS = 5


@control_command(args=[("for_good", bool)])  # type: ignore[untyped-decorator]
def lose_credit(state: Any, for_good: bool = False) -> dict[str, str]:
    """Take the credit of this connection, or of every later one too."""
    place = broker.QoS if for_good else state.consumer.task_consumer.channel.qos
    place.can_consume = lambda *_: False
    return {"ok": "lost"}


@control_command()  # type: ignore[untyped-decorator]
def hold_up(state: Any) -> dict[str, str]:
    """Keep the loop from turning, a moment after the answer."""
    state.consumer.hub.call_later(1, time.sleep, 600)
    return {"ok": "held up"}
