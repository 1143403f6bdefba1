"""The workers' app with a remote command that does to a worker what faults of its libraries did."""

import os
import signal
import time
from typing import Any

from celery.worker.control import control_command

from tasks import app, broker, consumption
from tasks import classify as single
from tasks.bulk import packs
from tasks.explaining import work

__all__ = ["app"]

consumption.HUNG_SECONDS = 5
DEADLY = b"this picture takes its process with it"
FAULTY = b"this picture finds a fault of ours"
SLOW, SLOW_SECONDS = b"this picture takes its time", 0.05
LONG, LONG_SECONDS = b"this picture takes long", 2.0

decoded = packs.prepared


def crash_or_decode(model: Any, upload: bytes) -> Any:
    """End this process, as a fault in a decoder does, fail or wait: at a picture that says so."""
    if DEADLY in upload:
        os.kill(os.getpid(), signal.SIGKILL)
    if FAULTY in upload:
        raise ZeroDivisionError("a fault of ours")
    if SLOW in upload:
        time.sleep(SLOW_SECONDS)
    if LONG in upload:
        time.sleep(LONG_SECONDS)
    return decoded(model, upload)


packs.prepared = work.prepared = single.prepared = crash_or_decode


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
