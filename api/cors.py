"""Which pages of other origins may read the answers: none, unless the operator names them.

Such a page shows a key in `Authorization`, if it has one; the cookie of a login is for this
service's own pages, and no browser is asked to send it from another's. An operator's routes are
read by its own pages alone, whoever is named.
"""

from flask import Flask, Response, request

from api.settings import settings

METHODS = "GET, POST, DELETE"
REQUEST_HEADERS = (
    "Accept, Authorization, Cache-Control, Content-Type, Idempotency-Key, If-None-Match,"
    " Last-Event-ID, Prefer, traceparent, X-Request-ID"
)
EXPOSED_HEADERS = (
    "Age, Content-Location, ETag, Inference-Header-Content-Length, Location, Preference-Applied,"
    " RateLimit, RateLimit-Policy, Retry-After, X-Cache, X-Request-ID, X-Task-Ids"
)
"""What a script of another origin may read besides the few headers that it always may."""

PREFLIGHT_SECONDS = "600"
EVERY = "*"
FOR_OWN_PAGES = frozenset({"admin", "jobs", "login"})


def open_to_origins(app: Flask) -> None:
    """Let pages of the origins in PETIOLE_API_CORS_ORIGINS read what `app` answers."""
    if settings().origins:
        app.after_request(_open)


def headers_for(origin: str) -> dict[str, str]:
    """Return what lets a page of `origin` read an answer; empty where it may not, or is none."""
    origins = settings().origins
    if not origin or not (EVERY in origins or origin in origins):
        return {}
    return {
        "Access-Control-Allow-Origin": EVERY if EVERY in origins else origin,
        "Access-Control-Expose-Headers": EXPOSED_HEADERS,
    }


def depends_on_origin() -> bool:
    """Tell whether answers differ by who asks, which caches have to know."""
    return bool(settings().origins) and EVERY not in settings().origins


def _open(response: Response) -> Response:
    if request.blueprint in FOR_OWN_PAGES:
        return response
    if depends_on_origin():
        # Also without an Origin: what a cache kept would else be another page's answer.
        response.vary.add("Origin")
    if opening := headers_for(request.headers.get("Origin", "")):
        response.headers.update(opening)
        if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
            _answer_preflight(response)
    return response


def _answer_preflight(response: Response) -> None:
    """Say what the browser asks before it sends anything but a plain request."""
    response.headers["Access-Control-Allow-Methods"] = METHODS
    response.headers["Access-Control-Allow-Headers"] = REQUEST_HEADERS
    response.headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
