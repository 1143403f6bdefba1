"""The options of a classification: from the query string, the form or the JSON body.

A value is checked the same way wherever it stood; the query string wins. What nobody knows is
refused: an option that is silently ignored is a wrong answer.
"""

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from flask import Response, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.json_schema import SkipJsonSchema
from werkzeug.datastructures import MultiDict

from api.errors import InvalidOptionError
from api.settings import settings
from tasks import lanes, publisher
from tasks.errors import DownloadRefusedError
from tasks.explaining import life as explanations
from tasks.options import PictureOptions
from tasks.settings import settings as tasks_settings
from tasks.signatures import WHAT_IT_IS
from tasks.urls import check_url

IDEMPOTENCY_KEY, KEY = "Idempotency-Key", re.compile("[ -~]{1,255}")

Options = TypeVar("Options", bound=BaseModel)


class ClassifyOptions(PictureOptions):
    """What a client may choose for one picture.

    Descriptions are filled in with the settings when the specification is made.
    """

    wait: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds to hold the answer back for the result; longer waits are cut to the"
        " service's limit of {max_wait_seconds:g}.",
    )
    deadline: float | SkipJsonSchema[None] = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Seconds from now after which nobody waits for the labels: a picture that has"
        " not been taken by then is dropped, and REVOKED.",
    )
    priority: lanes.Priority = Field(
        default=lanes.NORMAL,
        description="`low` is taken only when nothing else waits.",
    )
    explain: bool = Field(
        default=False,
        description="Also make a heat map of why the best label was given; the finished document"
        " has its address as `explanation_url`. The picture is kept for a while, see `keep`.",
    )
    keep: bool = Field(
        default=False,
        description="Keep the picture for {keep_pictures_seconds} seconds instead of deleting it"
        " with its answer, so that `POST /result/<task_id>/explanation` can explain any label.",
    )
    webhook_url: str | SkipJsonSchema[None] = Field(
        default=None,
        description="A public http or https address that gets a POST with the finished document,"
        " signed by the Standard Webhooks convention.",
    )


class WaitOptions(BaseModel):
    """What a client may choose when it asks for a result."""

    model_config = ConfigDict(frozen=True)

    wait: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds to hold the answer back for the result; at most"
        " {max_wait_seconds:g} are waited.",
    )


def classify_options(body_options: Mapping[str, Any]) -> ClassifyOptions:
    """Return the options of the current request.

    Raises:
        InvalidOptionError: a value is impossible or nobody knows an option; `errors` lists each.
    """
    chosen = _checked(ClassifyOptions, dict(body_options) | _preferred() | single(request.args))
    if chosen.priority != lanes.NORMAL and not publisher.has_priorities():
        _refuse({"priority": "the broker of this service knows no priorities"})
    if (chosen.explain or chosen.keep) and not explanations.are_on():
        _refuse({"explain" if chosen.explain else "keep": "this service keeps no pictures"})
    if chosen.webhook_url is not None:
        _check_webhook(chosen.webhook_url)
    return chosen


def _check_webhook(url: str) -> None:
    if not tasks_settings().webhook_keys:
        cure = f"set PETIOLE_TASKS_WEBHOOK_SECRET to {WHAT_IT_IS} for the API and the workers"
        _refuse({"webhook_url": f"this service cannot sign webhooks; {cure}"})
    try:
        check_url(url)
    except DownloadRefusedError as exc:
        _refuse({"webhook_url": str(exc)})


def idempotency_key() -> str:
    """Return what the client calls the current request, or nothing.

    Raises:
        InvalidOptionError: it is no such name.
    """
    key: str | None = request.headers.get(IDEMPOTENCY_KEY)
    if key is not None and not KEY.fullmatch(key):
        _refuse({IDEMPOTENCY_KEY: "must be 1 to 255 printable ASCII characters"})
    return key or ""


def refuse_key() -> None:
    """Refuse a request that its client has a name for, where such names mean nothing.

    Raises:
        InvalidOptionError: it has one.
    """
    if IDEMPOTENCY_KEY in request.headers:
        _refuse(
            {IDEMPOTENCY_KEY: "is for single pictures; a bulk that is sent twice is done twice"}
        )


def wait_seconds() -> float:
    """Return how long the current request is willing to wait for a result."""
    return bounded(_checked(WaitOptions, _preferred() | single(request.args)).wait)


def in_query(kind: type[Options]) -> Options:
    """Return the options of the current request, all of which stand in its address.

    Raises:
        InvalidOptionError: a value is impossible or nobody knows an option; `errors` lists each.
    """
    return _checked(kind, single(request.args))


def bounded(seconds: float) -> float:
    """Return the wait cut to the service's limit."""
    return min(seconds, settings().max_wait_seconds)


def say_applied(response: Response, seconds: float) -> None:
    """Tell the client which wait of its `Prefer` header was honoured, if one was (RFC 7240, §3)."""
    if seconds and _preferred() and "wait" not in request.args:
        response.headers["Preference-Applied"] = f"wait={seconds:g}"


def single(values: MultiDict[str, Any]) -> dict[str, Any]:
    """Return options of which each may stand once.

    Raises:
        InvalidOptionError: one stands there more often.
    """
    repeated = [name for name, said in values.lists() if len(said) > 1]
    _refuse({name: f"stands {len(values.getlist(name))} times; say it once" for name in repeated})
    return values.to_dict()


def refuse_unknown(given: Collection[str], *, known: Collection[str]) -> None:
    """Refuse options that are not among the known ones, with what may have been meant.

    Not asked by `/livez`, `/readyz` and `/metrics`: probes and scrapers add parameters of their own
    (against caches, for example), and nothing there could be meant by one.

    Raises:
        InvalidOptionError: `errors` lists each.
    """
    _refuse({name: _unknown(name, known) for name in given if name not in known})


def _unknown(name: str, known: Collection[str]) -> str:
    if close := get_close_matches(name, known, n=1):
        return f"there is no such option; did you mean {close[0]}?"
    return f"there is no such option here; there are: {', '.join(known) or 'none'}"


def _refuse(reasons: Mapping[str, str]) -> None:
    if reasons:
        listed = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        errors = [{"option": name, "detail": reason} for name, reason in reasons.items()]
        raise InvalidOptionError(listed, errors=errors)


def _preferred() -> dict[str, str]:
    """Return the wait of a `Prefer: wait=N` header (RFC 7240, §4.3), if there is one."""
    match = re.search(r"(?:^|[,;\s])wait\s*=\s*\"?(\d+)", request.headers.get("Prefer", ""))
    return {"wait": match[1]} if match else {}


def _checked(kind: type[Options], values: Mapping[str, Any]) -> Options:
    refuse_unknown(values, known=kind.model_fields)
    try:
        return kind(**values)
    except ValidationError as exc:
        _refuse({str(error["loc"][0]): error["msg"] for error in exc.errors()})
        raise
