"""The options of a classification: from the query string, the form or the JSON body.

A value is checked the same way wherever it stood; the query string wins.
"""

import re
from functools import cache
from typing import Any, TypeVar

from flask import request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.errors import InvalidOptionError
from api.settings import settings
from model_store.settings import ModelSettings

Options = TypeVar("Options", bound=BaseModel)


@cache
def default_model() -> str:
    """Return the model that classifies when the client names none; read once."""
    return ModelSettings().default_model


class ClassifyOptions(BaseModel):
    """What a client may choose for one picture."""

    model_config = ConfigDict(frozen=True)

    model: str = Field(
        default_factory=default_model,
        description="`name`, `name@version` or `name@alias`; the default model when left out.",
    )
    top_k: int = Field(default=5, ge=1, le=1000, description="How many labels to return.")
    wait: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds to hold the answer back for the result; longer waits are cut to the"
        " service's limit of 30.",
    )


class WaitOptions(BaseModel):
    """What a client may choose when it asks for a result."""

    model_config = ConfigDict(frozen=True)

    wait: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="Seconds to hold the answer back for the result; at most 30 are waited.",
    )


def classify_options(body_options: dict[str, Any]) -> ClassifyOptions:
    """Return the options of the current request.

    Raises:
        InvalidOptionError: a value is impossible; `errors` lists each with its name.
    """
    return _checked(ClassifyOptions, body_options | _preferred() | request.args.to_dict())


def wait_seconds() -> float:
    """Return how long the current request is willing to wait for a result."""
    return bounded(_checked(WaitOptions, _preferred() | request.args.to_dict()).wait)


def bounded(seconds: float) -> float:
    """Return the wait cut to the service's limit."""
    return min(seconds, settings().max_wait_seconds)


def _preferred() -> dict[str, str]:
    """Return the wait of a `Prefer: wait=N` header (RFC 7240, §4.3), if there is one."""
    match = re.search(r"(?:^|[,;\s])wait\s*=\s*\"?(\d+)", request.headers.get("Prefer", ""))
    return {"wait": match[1]} if match else {}


def _checked(kind: type[Options], values: dict[str, Any]) -> Options:
    known = {name: value for name, value in values.items() if name in kind.model_fields}
    try:
        return kind(**known)
    except ValidationError as exc:
        errors = [{"option": e["loc"][0], "detail": e["msg"]} for e in exc.errors()]
        listed = "; ".join(f"{error['option']}: {error['detail']}" for error in errors)
        raise InvalidOptionError(listed, errors=errors) from exc
