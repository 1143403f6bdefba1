"""What one client has been told of its tasks, as server-sent events, and what is to be told next.

The id of each event says how far the client has been told of every task. A browser sends the last
one back when its stream broke off, and any process goes on from there: nothing else is kept.
"""

import json
import re
from collections.abc import Sequence
from hashlib import sha256
from time import monotonic

from api import answers, links
from tasks import documents, problems
from tasks.errors import ExpiredJobError, UnknownJobError
from tasks.job_stores import PENDING, RETRY, STARTED
from tasks.views import Answer

Told = Answer | UnknownJobError | ExpiredJobError

KINDS = STATE, END, PROBLEM = "state", "end", "problem"
NOTHING, OVER = "-", "x"
LETTERS = {PENDING: "p", STARTED: "s", RETRY: "r"}
ID = re.compile(f"([0-9a-f]{{8}})\\.([{NOTHING}{OVER}{''.join(LETTERS.values())}]*)")
PLACE_SECONDS = 2.0
"""Between two events of a task that only moved up in its queue."""


class Story:
    """The tasks of one client in their order, and how far it was told of each."""

    def __init__(
        self, task_ids: Sequence[str], last_event_id: str = "", *, prefix: str = ""
    ) -> None:
        """Go on after the event with an id of this same story, or begin.

        Addresses begin with `prefix`: what is told is told when the request is long answered.
        """
        self._prefix = prefix
        self._name = sha256(" ".join(task_ids).encode()).hexdigest()[:8]
        self._told = dict(zip(task_ids, self._letters(last_event_id, len(task_ids)), strict=True))
        self._seen: dict[str, object] = {}
        self._told_at: dict[str, float] = {}

    def _letters(self, last_event_id: str, n: int) -> str:
        match = ID.fullmatch(last_event_id)
        if match and match[1] == self._name and len(match[2]) == n:
            return match[2]
        return NOTHING * n

    @property
    def is_over(self) -> bool:
        """Tell whether the client was told of every end."""
        return not self.open_ids

    @property
    def open_ids(self) -> list[str]:
        """The tasks whose end the client was not told of."""
        return [task_id for task_id in self._told if self.awaits(task_id)]

    def awaits(self, task_id: str) -> bool:
        """Tell whether the client was not told of the end of one of its tasks."""
        return self._told[task_id] != OVER

    def tell(self, task_id: str, said: Told) -> bytes:
        """Return the event that tells what is known of a task, or nothing if it was told."""
        if not self.awaits(task_id):
            return b""
        if isinstance(said, Answer) and said.document is None:
            return self._open(task_id, said)
        self._told[task_id] = OVER
        if isinstance(said, Answer):
            return self._event(END, links.in_finished(said.document or "", self._prefix))
        problem = problems.of(said).document(str(said), instance=documents.result_url(task_id))
        problem = links.in_problem(problem, self._prefix)
        return self._event(PROBLEM, json.dumps({**documents.as_dict(problem), "task_id": task_id}))

    def _open(self, task_id: str, said: Answer) -> bytes:
        letter, before = LETTERS[said.state], self._told[task_id]
        task = answers.task_of(said, self._prefix)
        now, seen = monotonic(), (task.state, task.ahead, task.progress)
        if letter == before and not self._is_news(task_id, seen, now):
            return b""
        self._told[task_id], self._seen[task_id], self._told_at[task_id] = letter, seen, now
        return self._event(STATE, documents.to_json(task))

    def _is_news(self, task_id: str, seen: object, now: float) -> bool:
        """Tell whether a task in the same state has moved; what was told before is not repeated."""
        if task_id not in self._seen:
            self._seen[task_id], self._told_at[task_id] = seen, now
        is_due = now - self._told_at[task_id] >= PLACE_SECONDS
        return is_due and self._seen[task_id] != seen

    def _event(self, kind: str, data: str) -> bytes:
        lines = [f"id: {self._name}.{''.join(self._told.values())}", f"event: {kind}"]
        lines += [f"data: {line}" for line in data.splitlines()]
        return "\n".join([*lines, "", ""]).encode()
