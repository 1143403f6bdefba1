"""What lies in a queue and is no message: refused before kombu and Celery trip over it.

Whoever reaches Redis may put anything there. Celery ends its worker over what it did not expect,
and the next worker over the next copy.
"""

import base64
import logging
from collections.abc import Mapping
from typing import Any

from tasks import statistics, stores
from tasks.errors import ServiceUnavailableError

UNREADABLE = "unreadable"
"""No JSON, or none of the shape that kombu gives its messages."""
CONTENT = "content"
"""Pickle, YAML or anything else but JSON, or what is compressed; it was not looked into."""
MALFORMED, UNKNOWN_TASK = "malformed", "unknown task"

Seconds = int | float | None
HEADERS: Mapping[str, Any] = {
    **dict.fromkeys(("task", "id", "root_id", "parent_id", "group", "shadow"), str | None),
    **dict.fromkeys(("eta", "expires", "argsrepr", "kwargsrepr", "origin", "lang"), str | None),
    **dict.fromkeys(("retries", "replaced_task_nesting"), int | None),
    **{"timelimit": list | None, "stamped_headers": list | None, "stamps": dict | None},
}
"""What those that Celery uses as they are may be."""

SURPRISES = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What Python raises over a value of another kind than was expected."""

logger = logging.getLogger(__name__)


def what_is_wrong(message: Any) -> str:
    """Return why this is no message of kombu's virtual transports, or nothing if it is one."""
    if not isinstance(message, dict):
        return "it is no JSON object"
    properties = message.get("properties")
    if not isinstance(properties, dict) or not isinstance(properties.get("delivery_tag"), str):
        return "it has no delivery tag"
    place = properties.get("delivery_info")
    if not isinstance(place, dict) or not all(
        isinstance(place.get(name), str) for name in ("exchange", "routing_key")
    ):
        return "it does not say where it was sent to"
    if not isinstance(message.get("headers") or {}, dict):
        return "its headers are no JSON object"
    return _what_is_wrong_inside(message.get("body"), properties.get("body_encoding"))


def _what_is_wrong_inside(body: Any, encoding: Any) -> str:
    if not isinstance(body, str):
        return "its body is no text"
    if encoding not in {None, "base64"}:
        return "its body is encoded in an unknown way"
    try:
        base64.b64decode(body if encoding else "")
    except ValueError:
        return "its body is no base64"
    return ""


def what_is_unfit(message: Any) -> str:
    """Return what Celery would not bear in a message of the second version of its protocol."""
    headers = message.headers
    for name, kinds in HEADERS.items():
        if not isinstance(headers.get(name), kinds):
            return f"its header {name} is {headers[name]!r}"
    limits = headers.get("timelimit") or [None, None]
    if len(limits) != len(("hard", "soft")) or not all(isinstance(s, Seconds) for s in limits):
        # Celery would find that out with a place of its pool in its hands, and never give it back.
        return f"its header timelimit is {limits!r}"
    if "task" not in headers:
        return ""  # Of the first version, or of none: its reader expects anything.
    if not headers.get("id"):
        return "it has no id"
    body = message.payload
    if not isinstance(body, list) or [type(part) for part in body] != [list, dict, dict]:
        return "its body is not [arguments, named arguments, what follows]"
    return ""


def refuse(why: str) -> None:
    """Throw something away that is no message, and count it."""
    logger.error("no message; thrown away", extra={"reason": why})
    try:
        count(UNREADABLE)
    except ServiceUnavailableError as exc:
        # What is counted matters less than that the next message is taken.
        logger.warning("it is not counted", extra={"reason": str(exc)})


def count(reason: str) -> None:
    """Count a message that was refused, for `/metrics`.

    Raises:
        ServiceUnavailableError: the job store cannot be reached.
    """
    stores.prompt_job_store().count(statistics.of_refused(reason))
