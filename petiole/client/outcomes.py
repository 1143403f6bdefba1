"""What became of each of many pictures."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from petiole.client.answers import ClassifiedTask
from petiole.client.errors import PetioleError

P = TypeVar("P")


@dataclass(frozen=True)
class Outcome(Generic[P]):
    """One picture as it was given, its place among the others, and its labels or its error."""

    index: int
    picture: P
    task: ClassifiedTask | None = None
    error: PetioleError | None = None

    def classified(self) -> ClassifiedTask:
        """Return the labels.

        Raises:
            PetioleError: there are none; it is `error`.
        """
        if self.task is None:
            raise self.error or PetioleError("there is no answer")
        return self.task
