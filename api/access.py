"""Who may ask for what: every request passes here, and what is not in the table is refused.

A key comes as `Authorization: Bearer`, or a browser has logged in with one (api/sessions.py). Where
no keys are required, all that is decided here is that nobody owns anything.
"""

from dataclasses import dataclass
from typing import Final

from flask import Response, g, request, url_for
from werkzeug.http import parse_cookie

from api import browsers, limits, sessions
from api.asgi import Scope
from api.errors import (
    CrossSiteError,
    NoKeyError,
    ScopeMissingError,
    TooManyRequestsError,
    UnknownKeyError,
)
from api.settings import settings
from tasks import stores
from tasks.errors import ServiceUnavailableError, UnknownBulkError, UnknownJobError
from tasks.job_stores import TRAINING
from tasks.keys import ownership
from tasks.keys.door import Door
from tasks.keys.ownership import Identity
from tasks.keys.records import ADMIN, BULK, CLASSIFY, MODELS, SCOPES, TRAIN, ApiKey
from tasks.once import once

BEARER = "bearer "
OPERATORS = frozenset({"admin", "jobs"})
"""The blueprints that show everybody's tasks."""

OPEN: Final = frozenset(
    {
        "assets.static",
        "health.livez",
        "health.readyz",
        "login.form",
        "login.log_in",
        "login.log_out",
        "open_inference.live",
        "open_inference.ready",
        "pages.favicon",
        "pages.problem_table",
    }
)
"""What anybody may ask for. `/readyz` tells those without a key only whether it is ready."""

ANY = frozenset(SCOPES)
NEEDED: Final = {
    "admin": frozenset({ADMIN}),
    "bulk": frozenset({BULK}),
    "classify": frozenset({CLASSIFY}),
    "compatible": frozenset({CLASSIFY}),
    "events": frozenset({CLASSIFY, TRAIN}),
    "explanations": frozenset({CLASSIFY}),
    "jobs": frozenset({ADMIN}),
    "metrics": frozenset({MODELS, ADMIN}),
    "models": ANY,
    "open_inference": frozenset({CLASSIFY}),
    "openapi": ANY,
    "pages": ANY,
    "results": frozenset({CLASSIFY, TRAIN, ADMIN}),
    "swagger_ui": ANY,
    "tensorflow_serving": frozenset({CLASSIFY}),
    "versions": ANY,
}
"""For each blueprint the scopes of which a key must have one."""
NOBODY = frozenset[str]()


def check() -> Response | None:
    """Let the current request through, or end it; a browser without a key is led to the login.

    Raises:
        NoKeyError, UnknownKeyError: there is no key that is one.
        ScopeMissingError: it may not do this.
        UnknownJobError, UnknownBulkError: it asks for a task that is another's, or nobody's.
        ServiceUnavailableError: nobody can be looked up; then nobody is let in.
    """
    if _is_open():
        return None
    if not settings().are_keys_required:
        limits.count_address()
        return None
    try:
        key = _presented()
    except NoKeyError:
        if request.method == "GET" and browsers.is_browser():
            return browsers.lead_to(url_for("login.form"))
        raise
    _check_scope(key)
    if request.blueprint not in OPERATORS:
        _check_ownership(key)
    g.api_key = key
    limits.count(key)
    return None


def may_send(scope: Scope) -> bool:
    """Tell whether who sends a request may send many pictures, before their bytes are taken in.

    While nobody can be looked up nobody may; the application then says why.
    """
    if not settings().are_keys_required:
        return True
    said = {name: value.decode("latin-1") for name, value in scope["headers"]}
    shown, cookies = said.get(b"authorization", ""), parse_cookie(said.get(b"cookie", ""))
    try:
        if shown.lower().startswith(BEARER):
            key = door().admit(shown[len(BEARER) :].strip())
        else:
            key = sessions.key_of(cookies.get(sessions.COOKIE, ""), door())
    except ServiceUnavailableError:
        return False
    return key is not None and BULK in key.scopes


def owner() -> str:
    """Return who owns what the current request makes; nobody where keys are not required."""
    return g.api_key.owner if has_key() else ""


def named() -> str:
    """Return who sends the current request, for the audit trail: the key, or the address."""
    if has_key():
        return f"key {g.api_key.key_id} ({g.api_key.name})"
    return f"address {request.remote_addr}"


def identity() -> Identity:
    """Return who asks for the task that the current request makes, and the id that it will have."""
    return Identity(owner(), g.get("task_id", ""))


def has_key() -> bool:
    """Tell whether the current request came with a key that was asked for."""
    return g.get("api_key") is not None


@dataclass(frozen=True)
class Standing:
    """Whether who began an answer that goes on for long may still have the rest of it.

    Attributes:
        key_id: Of the key that was shown; empty where none was asked for.
    """

    key_id: str

    def is_lost(self) -> bool:
        """Tell whether the key was revoked, or its time is over; not while nobody can look it up.

        Costs a look into the store as often as a key is looked up for requests.
        """
        try:
            return bool(self.key_id) and door().find(self.key_id) is None
        except ServiceUnavailableError:
            return False


def standing() -> Standing:
    """Return the standing of who sends the current request."""
    return Standing(g.api_key.key_id if has_key() else "")


def is_operator() -> bool:
    """Tell whether the current request came with an operator's key."""
    return has_key() and ADMIN in g.api_key.scopes


def is_logged_in() -> bool:
    """Tell whether the current request is that of a browser that has logged in."""
    return has_key() and not _has_header()


def shows_details() -> bool:
    """Tell whether a route that is open to all may tell the current request more than others.

    Raises:
        ServiceUnavailableError: it has a key, and nobody can look that up.
    """
    if not settings().are_keys_required:
        return True
    try:
        return ADMIN in _presented().scopes
    except (NoKeyError, UnknownKeyError, CrossSiteError, TooManyRequestsError):
        return False


def admits(token: str) -> ApiKey:
    """Return the key of a token.

    Raises:
        UnknownKeyError: there is none.
        TooManyRequestsError: too many wrong ones came from this address, and this one is new.
        ServiceUnavailableError: nobody can look it up.
    """
    if not door().remembers(token):
        limits.refuse_guessers()
    key = door().admit(token)
    if key is None:
        limits.count_guess()
        raise UnknownKeyError("this key was never made here, was revoked, or its time is over")
    return key


@once
def door() -> Door:
    """Return the door of this process."""
    return Door(stores.keys(), memory_seconds=settings().key_memory_seconds)


def _is_open() -> bool:
    """Tell whether anybody may ask: also for what is not there, and what browsers ask before."""
    return request.endpoint is None or request.endpoint in OPEN or request.method == "OPTIONS"


def _has_header() -> bool:
    return request.headers.get("Authorization", "").lower().startswith(BEARER)


def _presented() -> ApiKey:
    if _has_header():
        return admits(request.headers["Authorization"][len(BEARER) :].strip())
    key = sessions.key_of_request(door())
    if key is None:
        raise NoKeyError("send a key as Authorization: Bearer …; its operator makes one")
    return key


def _check_scope(key: ApiKey) -> None:
    needed = NEEDED.get(request.blueprint or "", NOBODY)
    if not needed & set(key.scopes):
        asked = " or ".join(scope for scope in SCOPES if scope in needed) or "one that nobody has"
        raise ScopeMissingError(
            f"the key {key.key_id} has {', '.join(key.scopes)}; this needs the scope {asked}"
        )


def _check_ownership(key: ApiKey) -> None:
    """Refuse ids that are not those of the key's tasks, with the words for unknown ones."""
    named = request.view_args or {}
    if (bulk_id := named.get("bulk_id")) and not ownership.belongs(bulk_id, key.owner):
        raise UnknownBulkError(f"there is no bulk {bulk_id!r}")
    tasks = [named["task_id"]] if "task_id" in named else request.args.getlist("task")
    for task_id in tasks:
        if not (ownership.belongs(task_id, key.owner) or _is_training(task_id, key)):
            raise UnknownJobError(f"there is no task {task_id!r}")


def _is_training(task_id: str, key: ApiKey) -> bool:
    """Tell whether a task is a training that a key may see: the command line makes those."""
    if not {TRAIN, ADMIN} & set(key.scopes):
        return False
    job = stores.prompt_job_store().get(task_id)
    return job is not None and job.kind == TRAINING
