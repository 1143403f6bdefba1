"""Answers that are given again to whoever sends the same picture: what is kept, asked and told.

Kept are labels, never a picture, nor what its client called it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

ENTRY_BYTES: Final = 800
"""What Redis needs for an entry beside its texts: four keys and members of 64 letters, a hash with
its fields. Measured with `MEMORY USAGE`, see `tests/test_tasks/test_kept_answers.py`."""

HIT, MISS, UNWANTED, EARLIER = "HIT", "MISS", "UNWANTED", "EARLIER"


@dataclass(frozen=True)
class Kept:
    """The parts of a finished document that do not depend on who asks, as JSON.

    Attributes:
        key: What the answer depends on: the picture's bytes, the version, the options.
        model: The members that say which version answered, separated by commas.
        found: The member `predictions`.
        further: Members that not every answer has, each after a comma, or nothing.
    """

    key: str
    model: str
    found: str
    further: str = ""

    @property
    def members(self) -> str:
        """All parts, as one JSON object."""
        return f"{{{self.model}, {self.found}{self.further}}}"

    @property
    def size_bytes(self) -> int:
        """What it takes in the store, about."""
        return ENTRY_BYTES + len(self.members.encode())


@dataclass(frozen=True)
class Ask:
    """A question for a kept answer, with all that makes it the end of a new job.

    Attributes:
        model: The name of the model; while somebody collects its pictures nothing is given again.
        parts: What stands before `model`, between `model` and `found`, and before `further` in the
            document of that job.
        celery_result: The key of Celery's result, and what stands before and after the document in
            it; empty where there is none.
        counts: What is counted if there is an answer, and `missed` if there is none.
        digest: Of the request, where its client calls it by a key.
    """

    model: str
    parts: tuple[str, str, str]
    celery_result: tuple[str, str, str] = ("", "", "")
    counts: Mapping[str, int] = field(default_factory=dict)
    missed: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Told:
    """What became of a question.

    Attributes:
        outcome: `HIT`: the job is over. `MISS`: there is no answer yet. `UNWANTED`: none may be
            given, nor kept. `EARLIER`: the request came before.
        document: Of the job that is over.
        age_seconds: How long ago the answer was made.
        task_id: Of the earlier request.
    """

    outcome: str
    document: str = ""
    age_seconds: float = 0.0
    task_id: str = ""
