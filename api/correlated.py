"""Every answer has the id of its request: the client's own, or a new one.

It is in every line that is logged for the request, and goes along with the jobs that it makes.
"""

from time import time
from typing import Final

from flask import Flask, Response, g, request

from api.metrics import METHODS
from api.wsgi import BEGAN_AT
from tasks import correlation
from tasks.correlation import REQUEST_ID_HEADER, TRACEPARENT_HEADER, Correlation
from tasks.tracing import recording

NOT_RECORDED: Final = frozenset({"assets", "health", "metrics"})
"""Blueprints of what is asked for all the time, and by machines."""
FAILED: Final = 500


def correlate(app: Flask) -> None:
    """Name every request of `app`, before anything else looks at it."""
    app.before_request(_begin)
    app.after_request(_say)
    app.teardown_request(_end)


def _begin() -> None:
    said = request.headers
    request_id = correlation.request_id_of(said.get(REQUEST_ID_HEADER, ""))
    trace = correlation.traceparent_of(said.get(TRACEPARENT_HEADER, ""))
    if request.blueprint not in NOT_RECORDED:
        g.span = recording.open_span(trace, began_at=request.environ.get(BEGAN_AT, time()))
        trace = g.span.trace if g.span else trace
    correlation.begin(Correlation(request_id, trace))


def _say(response: Response) -> Response:
    response.headers[REQUEST_ID_HEADER] = correlation.current().request_id
    if g.get("span"):
        _end_span(response.status_code)
    return response


def _end_span(status: int) -> None:
    """End the request's span by the names that OpenTelemetry has for HTTP."""
    route = request.url_rule.rule if request.url_rule else ""
    method = request.method if request.method in METHODS else "_OTHER"
    attributes = {
        "http.request.method": method,
        "http.response.status_code": status,
        "petiole.request_id": correlation.current().request_id,
        **({"http.route": route} if route else {}),
    }
    error = str(status) if status >= FAILED else ""
    g.pop("span").end(f"{method} {route}".rstrip(), attributes, error=error)


def _end(_: BaseException | None) -> None:
    correlation.begin(correlation.NOTHING)
