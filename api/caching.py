"""What a client says and hears of answers that were known: `Cache-Control`, `X-Cache`, `Age`."""

from flask import Response, request

from tasks import answer_cache
from tasks.views import Answer

AGE, X_CACHE = "Age", "X-Cache"
HIT, MISS = "hit", "miss"


def wants_anew() -> bool:
    """Tell whether the current request takes no answer that was made for another one.

    It says so with `no-cache`, `no-store`, or the `max-age=0` of a browser that loads anew
    (RFC 9111, section 5.2.1).
    """
    if "Cache-Control" not in request.headers:
        return False
    said = request.cache_control
    return bool(said.no_cache or said.no_store or said.max_age == 0)


def say(response: Response, answer: Answer) -> Response:
    """Tell whether the answer for a new picture was known, and for how many seconds."""
    if answer.age_seconds is not None:
        response.headers[X_CACHE] = HIT
        response.headers[AGE] = str(int(answer.age_seconds))
    elif answer_cache.is_on():
        response.headers[X_CACHE] = MISS
    return response
