"""Every answer has the id of its request: the client's own, or a new one.

It is in every line that is logged for the request, and goes along with the jobs that it makes.
"""

from flask import Flask, Response, request

from tasks import correlation
from tasks.correlation import REQUEST_ID_HEADER, TRACEPARENT_HEADER, Correlation


def correlate(app: Flask) -> None:
    """Name every request of `app`, before anything else looks at it."""
    app.before_request(_begin)
    app.after_request(_say)
    app.teardown_request(_end)


def _begin() -> None:
    said = request.headers
    correlation.begin(
        Correlation(
            correlation.request_id_of(said.get(REQUEST_ID_HEADER, "")),
            correlation.traceparent_of(said.get(TRACEPARENT_HEADER, "")),
        )
    )


def _say(response: Response) -> Response:
    response.headers[REQUEST_ID_HEADER] = correlation.current().request_id
    return response


def _end(_: BaseException | None) -> None:
    correlation.begin(correlation.NOTHING)
