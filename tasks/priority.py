"""When the kernel gives a process a core: bulk work last, and what serves pictures in turn.

Linux runs SCHED_IDLE when nothing else wants the core, and takes it away at once when something
does (sched(7)); a process of nice 19 is let finish its slice first. SCHED_BATCH is as good as any
other, but takes no core away from what is running when it wakes up.
"""

import logging
import os
from pathlib import Path

NICEST = 19
AUTOGROUP = Path("/proc/self/autogroup")

logger = logging.getLogger(__name__)


def lower_session() -> None:
    """Let the kernel's group of this session weigh little.

    Where the kernel makes a group of each session (`sched_autogroup_enabled`), priorities count
    inside of one only; what stands beside us is in other sessions.
    """
    if os.getsid(0) != os.getpid():
        return  # The session is that of others as well, such as a terminal's.
    try:
        AUTOGROUP.write_text(str(NICEST))
    except OSError as exc:
        logger.debug("session not lowered", extra={"reason": str(exc)})


def wait_for_a_core(process_id: int = 0) -> None:
    """Let a process, by default this one, take a core when one is free, not out of others' midst.

    A picture wakes the API and Redis several times. Where every core predicts, each time what lay
    in its caches gives way and comes back; where a core is free nothing changes.
    """
    try:
        os.sched_setscheduler(process_id, os.SCHED_BATCH, os.sched_param(0))
    except (AttributeError, OSError) as exc:
        # Another system than Linux, or one whose sandbox forbids the call.
        logger.info("scheduled as before", extra={"reason": str(exc)})


def lower() -> str:
    """Take the lowest priority for this thread and those that it starts; returns its name."""
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except (AttributeError, OSError) as exc:
        # Another system than Linux, or one whose sandbox forbids the call.
        logger.info("priority is nice alone", extra={"reason": str(exc)})
        return f"nice {os.nice(NICEST)}"
    return "idle"
