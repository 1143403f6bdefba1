"""Whose a task is, told by its id alone.

The last twelve digits of an id are a keyed hash of the others; its key is the owner's, which lies
with the API keys and which no client knows. So nothing has to be looked up to refuse who asks for
another's task, and the refusal takes as long as that of an id that nobody was given: it is one.
A random id passes for somebody's by chance once in 2^48 tries.

Source: HMAC, RFC 2104; cut off as in its section 5.
"""

import hmac
from dataclasses import dataclass
from uuid import uuid4

SEALED = 24
"""Characters of an id before its seal, hyphens included."""
SEAL = 12


def new_id(owner: str) -> str:
    """Return the id of a new task of `owner`, which looks like any UUID; without one it is one."""
    text = str(uuid4())
    return text[:SEALED] + _seal(text[:SEALED], owner) if owner else text


@dataclass(frozen=True)
class Identity:
    """Who asks for a new task, and the id that it will have; nobody owns one without an owner."""

    owner: str = ""
    task_id: str = ""

    @property
    def new_task_id(self) -> str:
        """The id of the task; a new one where none was chosen."""
        return self.task_id or new_id(self.owner)


NOBODY = Identity()


def belongs(task_id: str, owner: str) -> bool:
    """Tell whether a task was made by `owner`; a task that nobody made belongs to nobody."""
    seal = _seal(task_id[:SEALED], owner)
    return bool(owner) and hmac.compare_digest(task_id[SEALED:].encode(), seal.encode())


def _seal(text: str, owner: str) -> str:
    return hmac.digest(owner.encode(), text.encode(), "sha256").hex()[:SEAL]
