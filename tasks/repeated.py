"""What is logged of a broker that is away: a line a minute, however often it is tried."""

import logging
import re
from time import monotonic

from amqp.exceptions import RecoverableConnectionError
from billiard.exceptions import RestartFreqExceeded

REPEAT_SECONDS = 60.0
LOST_CONNECTION = (OSError, RecoverableConnectionError, RestartFreqExceeded)
NUMBERS = re.compile(r"\d+")


class Unrepeated(logging.Filter):
    """Lets the same line through once a minute: a broker that refuses is met each second.

    Lines are the same but for their numbers, which count tries, or are ports of several Sentinels.
    """

    def __init__(self) -> None:
        """Begin with nothing said."""
        super().__init__()
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether this was not said within the last minute; put it in one line."""
        said, now = " ".join(record.getMessage().split()), monotonic()
        record.msg, record.args = said, None
        self._said = {k: at for k, at in self._said.items() if now - at < REPEAT_SECONDS}
        return self._said.setdefault(NUMBERS.sub("", said), now) == now


class WithoutTraceback(logging.Filter):
    """Lets a lost connection be one line: where in a library it was noticed says nothing.

    Nor is more said where it is lost again and again.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every line through."""
        if record.exc_info and isinstance(record.exc_info[1], LOST_CONNECTION):
            record.exc_info = record.exc_text = None
        return True
