"""What the server itself refuses, before the application sees it, as problem documents."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Self

from api import cors
from tasks import correlation
from tasks.correlation import REQUEST_ID_HEADER

PROBLEM_TYPE = "application/problem+json"
UNREADABLE = "the request could not be read"
FULL = "all connections are taken; try again shortly"


@dataclass(frozen=True)
class Answer:
    """One whole answer of the service."""

    status: int
    headers: list[tuple[str, str]]
    content: bytes


@dataclass(frozen=True)
class Asker:
    """What a refusal has to know of a request: the page's origin, and the id that it has."""

    origin: str
    request_id: str

    @classmethod
    def of(cls, headers: Iterable[tuple[bytes, bytes]]) -> Self:
        """Return what the headers of a request say, their names in small letters."""
        said = {name: value.decode("latin-1") for name, value in headers}
        request_id = said.get(REQUEST_ID_HEADER.lower().encode(), "")
        return cls(said.get(b"origin", ""), correlation.request_id_of(request_id))


def of(status: int, detail: str, asker: Asker) -> Answer:
    """Return a refusal that closes the connection, readable by a page of an allowed origin."""
    title = HTTPStatus(status).phrase
    problem = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    content = f"{json.dumps(problem)}\n".encode()
    headers = [
        ("Content-Type", PROBLEM_TYPE),
        ("Content-Length", str(len(content))),
        ("Connection", "close"),
        (REQUEST_ID_HEADER, asker.request_id),
    ]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append(("Retry-After", "2"))
    if cors.depends_on_origin():
        headers.append(("Vary", "Origin"))
    headers += cors.headers_for(asker.origin).items()
    return Answer(status, headers, content)


def too_slow(seconds: float, asker: Asker) -> Answer:
    """Return the refusal of a request that was not whole in time."""
    return of(408, f"the request was not whole after {seconds:g} s", asker)


def as_bytes(answer: Answer) -> bytes:
    """Return an answer as it is sent."""
    lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.content
