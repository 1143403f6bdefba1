"""What a conversation with the service is made of: calls, and what came of them.

A conversation is a generator that yields calls, is sent what came of each, and returns its result.
It knows no connection, and no clock but the one that it is given; a transport makes its calls.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from petiole.client.pictures import Address, Upload

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """A request, sent after a pause.

    The service may hold its answer back for `wait_seconds`, and has `answer_seconds` more for it.
    """

    method: str
    path: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    picture: Upload | Address | None = None
    pause_seconds: float = 0.0
    wait_seconds: float = 0.0
    answer_seconds: float = 10.0


@dataclass(frozen=True)
class Reply:
    """An answer: its status, its headers by their names in small letters, its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Lost:
    """There is no answer; nobody knows whether the service got the request.

    `is_final` says that another try would end alike: the address has never led to a service, or
    the request cannot be sent.
    """

    reason: str
    is_final: bool = False


class InterruptedConversationError(Exception):
    """Thrown into a conversation whose caller has gone: it takes back what it began, and ends."""


Conversation = Generator[Call, Reply | Lost, T]
