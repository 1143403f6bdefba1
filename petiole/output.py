"""What a started service tells the person or the log in front of it, moment by moment.

`supervisor.Console` writes every line of every part, `screen.Screen` only what a person needs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

OURS = "petiole"
"""The name under which `petiole up` itself speaks, beside its parts."""


@dataclass(frozen=True)
class Welcome:
    """What is said of a service that is ready: its addresses by name, and a command to try."""

    seconds: float
    example: str
    addresses: tuple[tuple[str, str], ...]
    warnings: tuple[str, ...] = ()


class Output(Protocol):
    """Where it is said what becomes of the parts."""

    def write(self, name: str, line: str) -> None:
        """Take one line of the part `name`, or one of our own, of `petiole`."""
        ...

    def waiting(self, names: Sequence[str], reason: str) -> None:
        """Say which parts the start waits for, and why the first is not ready."""
        ...

    def ready(self, name: str, detail: str) -> None:
        """Say that a part is ready, and in a few words with what."""
        ...

    def ended(self, name: str, sentence: str, last_lines: Sequence[str]) -> None:
        """Say that a part ended by itself, after these lines of its log."""
        ...

    def failed(self, name: str, last_lines: Sequence[str]) -> None:
        """Say that the start fails because of this part."""
        ...

    def welcome(self, welcome: Welcome) -> None:
        """Say that the service is ready, and where it is."""
        ...

    def stopping(self) -> None:
        """Say that every part is asked to end."""
        ...

    def stopped(self) -> None:
        """Say that every part has ended."""
        ...
