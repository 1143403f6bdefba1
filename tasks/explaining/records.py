"""What is noted for explanations: pictures that are kept for a while, what was asked of each."""

from collections.abc import Sequence
from typing import Final, Protocol
from uuid import UUID, uuid5

FOLDER: Final = "explained"
"""Where in the image store maps lie, by picture."""
ASKED, KEPT = "asked", "kept"
"""What a client wants besides the labels: an explanation now, or the chance to ask for one."""

_NAMES = UUID("5e1f0f4c-6a0b-4a3e-9f0d-6c2d6f1b7a35")


def id_of(task_id: str, label: str = "") -> str:
    """Return the id of the explanation of a picture's label, or of its best one.

    It follows from what is asked, so that whoever asks twice is given one explanation.
    """
    return str(uuid5(_NAMES, f"{task_id}/{label}"))


def key_of(task_id: str, explanation_id: str, kind: str) -> str:
    """Return where the image store has a map, as a `png` or an `npy`."""
    return f"{FOLDER}/{task_id}/{explanation_id}.{kind}"


def is_mine(key: str) -> bool:
    """Tell whether an object of the image store is a map."""
    return key.startswith(f"{FOLDER}/")


class Keeping(Protocol):
    """Notes which pictures are kept for explanations, until when, and which were asked for.

    Every method raises `ServiceUnavailableError` when the store cannot be reached.
    """

    def keep(self, task_id: str, *, seconds: float, most: int) -> bool:
        """Note that a picture is kept from now on; False when `most` are kept already."""

    def has(self, task_id: str) -> bool:
        """Tell whether a picture is kept and its time is not over."""

    def over(self, *, limit: int) -> list[str]:
        """Return pictures whose time is over and that nobody has dropped, the oldest first."""

    def drop(self, task_id: str) -> None:
        """Forget that a picture was kept."""

    def note(self, task_id: str, explanation_id: str, *, seconds: int) -> None:
        """Note for some time that an explanation of a picture was asked for."""

    def asked(self, task_id: str) -> Sequence[str]:
        """Return the ids of the explanations of a picture that were asked for."""
