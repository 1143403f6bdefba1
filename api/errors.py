"""Errors at the HTTP edge: every one becomes `application/problem+json` (RFC 9457).

The tree::

    ApiError
    ├── MalformedRequestError   400  the body cannot be read as what it says it is
    ├── NoImageError            400  neither a picture nor a URL was sent
    ├── NoKeyError              401  a key is needed, and none was sent
    ├── UnknownKeyError         401  the key is none, or no longer
    ├── ScopeMissingError       403  the key may not do this
    ├── UnknownHostError        403  an operator's request under a name that is not ours
    ├── CrossSiteError          403  an operator's request that another site's page sent
    ├── UploadTooLargeError     413  more bytes than PETIOLE_TASKS_MAX_UPLOAD_BYTES
    ├── BulkTooLargeError       413  more bytes than PETIOLE_TASKS_BULK_MAX_BYTES
    ├── UnsupportedMediaError   415  a body of a kind that is not taken
    ├── InvalidOptionError      422  an option's value is out of its range
    ├── TooManyRequestsError    429  this key, or address, asks for more than it may
    ├── RevokedMeanwhileError   409  somebody revoked the task that this request waited for
    ├── TooManyWaitersError     503  no room to wait; the job was not accepted
    ├── TooManyStreamsError     503  no room for another stream of events
    └── WaitOverError           504  a compatible route's wait is over; carries the task id
"""

import logging
from http import HTTPStatus
from typing import Any

from apiflask import APIFlask
from flask import Response, g, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from api import bodies, browsers, links
from api.advice import ADVICE
from model_store import ModelStoreError
from tasks import correlation, documents, problems
from tasks.documents import ProblemDocument
from tasks.errors import QueueFullError, TasksError

RETRY_AFTER_SECONDS = 2
RETRY_LATER = frozenset({429, 503})
OTHER_PROTOCOLS = ("/v1/models", "/v2")
PROBLEM_TYPE = "application/problem+json"
CHALLENGE = 'Bearer realm="petiole"'
"""What a client is told that has to show a key (RFC 6750, 3)."""

logger = logging.getLogger(__name__)


class ApiError(Exception):
    """Root of the errors of the HTTP room; keyword arguments become members of the problem."""

    status = 500
    slug = "internal-error"
    title = "The service failed"

    def __init__(self, detail: str, **members: Any) -> None:
        """Say what, which value, the limit, and what to do."""
        super().__init__(detail)
        self.members = members


class MalformedRequestError(ApiError):
    """The body cannot be read as what it says it is."""

    status, slug, title = 400, "malformed-request", "The request cannot be read"


class NoImageError(ApiError):
    """Neither a picture nor a URL was sent."""

    status, slug, title = 400, "no-image", "No picture was sent"


class NoKeyError(ApiError):
    """A key is needed, and none was sent."""

    status, slug, title = 401, "no-key", "A key is needed"


class UnknownKeyError(ApiError):
    """The key was never made, was revoked, or its time is over."""

    status, slug, title = 401, "unknown-key", "This key does not open the door"


class ScopeMissingError(ApiError):
    """The key may do other things than this."""

    status, slug, title = 403, "scope-missing", "This key may not do this"


class UnknownHostError(ApiError):
    """An operator's request came under a name that anybody may have."""

    status, slug, title = 403, "unknown-host", "This name of the service is not known"


class CrossSiteError(ApiError):
    """A page of another site sent an operator's request."""

    status, slug, title = 403, "cross-site-request", "Another site may not do this"


class UploadTooLargeError(ApiError):
    """The upload exceeds PETIOLE_TASKS_MAX_UPLOAD_BYTES."""

    status, slug, title = 413, "upload-too-large", "The picture has too many bytes"


class BulkTooLargeError(ApiError):
    """The body of many pictures exceeds PETIOLE_TASKS_BULK_MAX_BYTES."""

    status, slug, title = 413, "bulk-too-large", "The pictures have too many bytes together"


class UnsupportedMediaError(ApiError):
    """A body of a kind that is not taken."""

    status, slug, title = 415, "unsupported-media-type", "This kind of body is not taken"


class InvalidOptionError(ApiError):
    """An option's value is out of its range."""

    status, slug, title = 422, "invalid-option", "An option has an impossible value"


class TooManyRequestsError(ApiError):
    """A key, or an address, asks for more than it may; says when it may again."""

    status, slug, title = 429, "too-many-requests", "More was asked for than one may"

    def __init__(self, detail: str, *, retry_after_seconds: int) -> None:
        """Say which limit it is over, and the seconds until it may ask again."""
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class RevokedMeanwhileError(ApiError):
    """The task that a compatible route waited for was revoked."""

    status, slug, title = 409, "task-revoked", "The task was revoked"


class TooManyWaitersError(ApiError):
    """All places for waiting clients are taken."""

    status, slug, title = 503, "too-many-waiters", "Too many clients are waiting"


class TooManyStreamsError(ApiError):
    """All places for streams of events are taken."""

    status, slug, title = 503, "too-many-streams", "Too many clients have a stream of events"


class WaitOverError(ApiError):
    """The wait of a compatible route is over before the job is."""

    status, slug, title = 504, "wait-over", "The answer is not ready yet"


API_ERRORS = (
    MalformedRequestError,
    NoImageError,
    NoKeyError,
    UnknownKeyError,
    ScopeMissingError,
    UnknownHostError,
    CrossSiteError,
    UploadTooLargeError,
    BulkTooLargeError,
    UnsupportedMediaError,
    InvalidOptionError,
    TooManyRequestsError,
    RevokedMeanwhileError,
    TooManyWaitersError,
    TooManyStreamsError,
    WaitOverError,
)


def problem_response(document: ProblemDocument, **members: Any) -> Response:
    """Return a problem document, with further members, as a response with its own status.

    A browser gets a page that says the same, and what to do. Clients of other protocols find the
    sentence where theirs have it.
    """
    g.problem = document
    if request.path.startswith(OTHER_PROTOCOLS):
        members["error"] = document.detail
    response = browsers.either(
        page=lambda: _page(document, members),
        data=lambda: bodies.of_members(
            documents.as_dict(links.in_problem(document, links.prefix())) | members,
            status=document.status,
            mimetype=PROBLEM_TYPE,
        ),
    )
    if document.status in RETRY_LATER:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def reason() -> str:
    """Return the last word of the problem's type that the current request is answered with."""
    if "problem" not in g:
        return ""
    document: ProblemDocument = g.problem
    return document.type.removeprefix(problems.TYPE_PREFIX)


def _page(document: ProblemDocument, members: dict[str, Any]) -> Response:
    slug = document.type.removeprefix(problems.TYPE_PREFIX)
    return browsers.page(
        "problem.html",
        status=document.status,
        problem=document,
        slug=slug if slug in ADVICE else "",
        advice=ADVICE.get(slug, ""),
        checks=members.get("checks", {}),
    )


def _of_api_error(exc: ApiError) -> Response:
    problem = problems.Problem(exc.slug, exc.title, exc.status)
    document = problem.document(str(exc), instance=request.path)
    response = problem_response(document, **exc.members)
    if exc.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = CHALLENGE
    if isinstance(exc, TooManyRequestsError):
        response.headers["Retry-After"] = str(exc.retry_after_seconds)
    return response


def _of_known_error(exc: TasksError | ModelStoreError) -> Response:
    if problems.of(exc) is problems.INTERNAL:
        return _of_unforeseen(exc)
    problem = problems.of(exc)
    if problem is problems.UNAVAILABLE:
        logger.warning("request refused", extra={"path": request.path, "reason": str(exc)})
    response = problem_response(problem.document(problems.detail_of(exc), instance=request.path))
    if isinstance(exc, QueueFullError):
        response.headers["Retry-After"] = str(exc.retry_after_seconds)
    return response


def _of_http_error(exc: HTTPException) -> Response:
    detail = exc.description or exc.name
    response = problem_response(
        ProblemDocument("about:blank", exc.name, exc.code or 500, detail, request.path)
    )
    for name, value in exc.get_headers():
        # Such as `Allow` of a 405; the content type would be HTML's.
        if name.lower() != "content-type":
            response.headers[name] = value
    return response


def _of_too_large(_: RequestEntityTooLarge) -> Response:
    return _of_api_error(UploadTooLargeError("the request body is larger than any picture taken"))


def _of_unforeseen(exc: Exception) -> Response:
    request_id = correlation.current().request_id
    logger.exception("request failed", exc_info=exc, extra={"path": request.path})
    document = problems.INTERNAL.document(
        f"an unforeseen error; the service's log has it as request {request_id}",
        instance=request.path,
    )
    return problem_response(document)


def register(app: APIFlask) -> None:
    """Answer every error of `app` with a problem document."""
    app.register_error_handler(ApiError, _of_api_error)
    app.register_error_handler(TasksError, _of_known_error)
    app.register_error_handler(ModelStoreError, _of_known_error)
    app.register_error_handler(RequestEntityTooLarge, _of_too_large)
    app.register_error_handler(HTTPException, _of_http_error)
    app.register_error_handler(Exception, _of_unforeseen)
