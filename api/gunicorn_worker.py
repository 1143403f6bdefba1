"""gunicorn's thread worker whose own refusals are problem documents, too.

A request that gunicorn cannot read (a bad request line, headers over the limit, …) never
reaches the application; gunicorn answers it with a page of HTML.
"""

import json
from typing import Any

from gunicorn.workers.gthread import ThreadWorker


class ProblemWorker(ThreadWorker):  # type: ignore[misc] # gunicorn has no annotations
    """Lets gunicorn choose the status of a refusal, and writes it as problem+json."""

    def handle_error(self, req: Any, client: Any, addr: Any, exc: Exception) -> None:
        """Answer a request that could not be read or handled."""
        super().handle_error(req, ProblemSocket(client), addr, exc)


class ProblemSocket:
    """A client's socket that turns one HTML answer of gunicorn into a problem document."""

    def __init__(self, client: Any) -> None:
        """Wrap the socket; everything but the answer itself goes through unchanged."""
        self._client = client

    def __getattr__(self, name: str) -> Any:
        """Return what the socket has."""
        return getattr(self._client, name)

    def sendall(self, answer: bytes) -> None:
        """Send the same status and reason with another body."""
        status_line = answer.partition(b"\r\n")[0].decode("latin-1")
        _, status, title = status_line.split(" ", 2)
        problem = {
            "type": "about:blank",
            "title": title,
            "status": int(status),
            "detail": "the request could not be read; the service's log says more",
        }
        body = f"{json.dumps(problem)}\n".encode()
        head = (
            f"{status_line}\r\nConnection: close\r\n"
            f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._client.sendall(head.encode("latin-1") + body)
