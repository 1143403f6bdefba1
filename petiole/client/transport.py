"""From a call to httpx2's request, and from its response or exception to what came of the call.

httpx2 because one library then makes both kinds of connection, with the same timeouts and errors,
and a cancelled task ends its request at once; measured in `docs/client.md`.
"""

import os
import ssl
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx2

from petiole.client.pictures import Address, Upload
from petiole.client.steps import Call, Lost, Reply

CONNECT_SECONDS = 5.0
JSON_ONLY = {"Accept": "application/json, application/problem+json"}
SEND_SECONDS = 30.0
"""Longest standstill while a picture is sent."""


@dataclass(frozen=True)
class Service:
    """Where a service is, what it knows the caller by, and how long its absence is borne."""

    url: str
    key: str | None = field(repr=False)
    retry_seconds: float

    @property
    def shown_key(self) -> str:
        """The key that was given, or else that of `PETIOLE_KEY`; empty where there is none."""
        return self.key if self.key is not None else os.environ.get("PETIOLE_KEY", "")

    def __post_init__(self) -> None:
        """Check the address.

        Raises:
            ValueError: it is none of a web server.
        """
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"url is {self.url!r}; it must be like http://127.0.0.1:8000")

    def settings(self) -> dict[str, Any]:
        """Return how httpx2's clients are made."""
        return {
            "base_url": self.url,
            "headers": JSON_ONLY | self._credentials(),
            "limits": httpx2.Limits(max_connections=None, max_keepalive_connections=None),
            # Reading the certificates of all authorities takes 30 ms, and HTTP alone needs none.
            "verify": self.url.startswith("https:") or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            # A proxy that the environment names would look for a service on a machine of its own.
            "trust_env": not _is_loopback(urlsplit(self.url).hostname or ""),
        }

    def _credentials(self) -> dict[str, str]:
        key = self.shown_key.strip()
        return {"Authorization": f"Bearer {key}"} if key else {}


def request_of(call: Call) -> dict[str, Any]:
    """Return a call as the arguments of httpx2's `request`."""
    parameters = dict(call.parameters)
    if call.wait_seconds:
        parameters["wait"] = f"{call.wait_seconds:.3f}"
    return {
        "method": call.method,
        "url": call.path,
        "params": parameters,
        "headers": call.headers,
        "timeout": httpx2.Timeout(
            connect=CONNECT_SECONDS,
            write=SEND_SECONDS,
            read=call.wait_seconds + call.answer_seconds,
            pool=None,
        ),
        **_body_of(call.picture),
    }


def reply_of(response: httpx2.Response) -> Reply:
    """Return what a response says."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status_code, headers, response.content)


def lost(exc: httpx2.TransportError, service: Service, *, met: bool) -> Lost:
    """Return what is known when there is no response."""
    parts = urlsplit(service.url)
    place = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    what = str(exc) or type(exc).__name__
    if isinstance(exc, httpx2.LocalProtocolError):
        return Lost(f"the request to {place} cannot be sent: {what}", is_final=True)
    is_unmet = isinstance(exc, httpx2.ConnectError | httpx2.ConnectTimeout) and not met
    return Lost(f"{place} does not answer: {what}", is_final=is_unmet)


def _body_of(picture: Upload | Address | None) -> dict[str, Any]:
    if isinstance(picture, Address):
        return {"json": {"image_url": picture.url}}
    if isinstance(picture, Upload):
        # A name that is no UTF-8 on disk would be none in the form either.
        name = picture.filename.encode("utf-8", "replace").decode("utf-8")
        return {"files": {"image": (name, picture.image, "application/octet-stream")}}
    return {}


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
