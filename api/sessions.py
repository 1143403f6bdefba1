"""A browser that has logged in with a key: a signed cookie, which no page of another site uses.

The cookie names the key and says until when; it is signed with the key's digest, so that it ends
with its key, and nothing more has to be kept.
"""

import hmac
import re
from time import time

from flask import Response, request

from api.errors import CrossSiteError
from api.settings import settings
from tasks.keys.door import Door
from tasks.keys.records import ApiKey

COOKIE = "petiole_session"
VALUE = re.compile(r"([0-9a-f]{12})\.(\d{1,12})\.([0-9a-f]{64})")
OWN_SITES = frozenset({"same-origin", "none"})
CHANGING_GETS = frozenset({"compatible.classify_url"})
"""What makes a task although it is a GET."""


def begin(response: Response, key: ApiKey) -> None:
    """Let the browser of the current request stay logged in with a key."""
    seconds = settings().session_seconds
    if key.expires_at:
        seconds = min(seconds, int(key.expires_at - time()))
    until = int(time()) + seconds
    value = f"{key.key_id}.{until}.{_signature(key, until)}"
    response.set_cookie(
        COOKIE,
        value,
        max_age=seconds,
        httponly=True,
        samesite="Strict",
        secure=request.is_secure,
        path=_path(),
    )


def end(response: Response) -> None:
    """Let the browser of the current request forget that it has logged in."""
    response.delete_cookie(COOKIE, path=_path())


def key_of_request(door: Door) -> ApiKey | None:
    """Return the key that the browser of the current request has logged in with.

    Raises:
        CrossSiteError: a page of another site would change something.
        ServiceUnavailableError: nobody can look it up.
    """
    key = key_of(request.cookies.get(COOKIE, ""), door)
    if key is not None:
        refuse_others()
    return key


def key_of(value: str, door: Door) -> ApiKey | None:
    """Return the key of a cookie's value; whose page sends it is not looked at.

    Raises:
        ServiceUnavailableError: nobody can look it up.
    """
    match = VALUE.fullmatch(value)
    if match is None or int(match[2]) <= time():
        return None
    key = door.find(match[1])
    if key is None or not hmac.compare_digest(match[3], _signature(key, int(match[2]))):
        return None
    return key


def refuse_others() -> None:
    """Refuse what a browser does for a page of another site, or of one that it does not name.

    Also for reading: `SameSite` lets a page of another port of the same host through.

    Raises:
        CrossSiteError: it is not this service's own page.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    is_reading = request.method in {"GET", "HEAD"} and request.endpoint not in CHANGING_GETS
    is_own = site in OWN_SITES if site else is_reading if origin is None else _is_ours(origin)
    if not is_own:
        raise CrossSiteError(f"a page of another site ({origin or site or 'unnamed'}) may not")


def _is_ours(origin: str) -> bool:
    return origin == request.host_url.rstrip("/")


def _signature(key: ApiKey, until: int) -> str:
    said = f"session {key.key_id} {until}"
    return hmac.digest(key.digest.encode(), said.encode(), "sha256").hex()


def _path() -> str:
    return f"{request.script_root}/"
