"""What a caller may choose for a picture; the service's defaults hold for what is left out."""

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

WAIT_SECONDS = 60.0
MANY_WAIT_SECONDS = 600.0
"""For each of many pictures, from when it is sent: a busy service is no reason to lose one."""

RETRY_SECONDS = 30.0
CONCURRENCY = 8


class Options(TypedDict, total=False):
    """How pictures are classified.

    `model` is `name`, `name@version` or `name@alias`, `top_k` the number of labels; a picture that
    is not taken within `deadline` seconds is dropped; `low` pictures let all others overtake.
    Labels below `min_probability` are left out; `unknown="ignore"` leaves out novelty and the
    verdict `unknown`; `neighbours` (10 at most) names training pictures that look like it.
    With `explain` the best label is explained, with `keep` the picture is kept for that.
    """

    model: str | None
    top_k: int | None
    deadline: float | None
    priority: Literal["normal", "low"] | None
    min_probability: float | None
    unknown: Literal["report", "ignore"] | None
    neighbours: int | None
    explain: bool | None
    keep: bool | None


class KeyedOptions(Options, total=False):
    """The same for one picture, and what its caller calls the request.

    A request that is sent again with the same `idempotency_key`, also by another program, is the
    task of the first one. Without one, a new key is made for each call.
    """

    idempotency_key: str | None


def parameters_of(options: Mapping[str, Any]) -> dict[str, str]:
    """Return options as the query string has them."""
    return {name: str(value) for name, value in options.items() if value is not None}
