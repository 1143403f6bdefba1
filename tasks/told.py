"""What a child tells its main process of the pictures that it did in one task.

It goes as the text that Celery makes of a task's result for its events: the only thing that comes
with the end of a task whose result is not kept.
"""

import json
from dataclasses import astuple, dataclass
from typing import Any, Self

MARK, IGNORED = "petiole:", "ignored"
MOST_CHARACTERS = 200_000


@dataclass(frozen=True)
class Told:
    """One picture that was taken along.

    Attributes:
        task_id: Its job.
        began_at: When its work began, in seconds since the epoch; `seconds` is how long it took.
        result: What Flower shows of its result, or nothing where it failed with `error`; `IGNORED`
            where its job ended otherwise.
    """

    task_id: str
    began_at: float
    seconds: float
    result: str = ""
    error: str = ""

    def events(self) -> tuple[dict[str, Any], ...]:
        """Return the events of a Celery task that did this picture, with their `type`."""
        task = {"uuid": self.task_id, "name": "classify", "args": repr((self.task_id,))}
        began = {"type": "task-received", **task, "kwargs": "{}", "timestamp": self.began_at}
        ended = {"uuid": self.task_id, "timestamp": self.began_at + self.seconds}
        if self.result == IGNORED:
            return (began,)
        if self.error:
            return began, {"type": "task-failed", **ended, "exception": self.error}
        succeeded = {"type": "task-succeeded", **ended, "started": self.began_at}
        return began, {**succeeded, "result": self.result, "runtime": self.seconds}


@dataclass(frozen=True)
class ToldOfMany:
    """The result of a task's own picture, the seconds it took, and those that were taken along."""

    result: str
    seconds: float
    along: tuple[Told, ...] = ()

    def __repr__(self) -> str:
        """Return it as the text that `read` takes."""
        members = [self.result, self.seconds, [astuple(each) for each in self.along]]
        return MARK + json.dumps(members)

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Return what a text stands for, or None where it is another task's result."""
        if not text.startswith(MARK):
            return None
        result, seconds, along = json.loads(text.removeprefix(MARK))
        return cls(result, seconds, tuple(Told(*each) for each in along))
