"""Answers that a client need not fetch twice: an ETag of the bytes, and 304 for the same again."""

from hashlib import sha256

from flask import Response, request

ETAG, IF_NONE_MATCH = "ETag", "If-None-Match"
ETAG_CHARACTERS = 32


def of(response: Response) -> Response:
    """Return the response with a strong ETag, or 304 when the client has just these bytes.

    Also of a task that is not over: who polls is then told in a few bytes that nothing changed.
    """
    digest = sha256(response.get_data()).hexdigest()
    response.set_etag(digest[:ETAG_CHARACTERS])
    response.headers["Cache-Control"] = "private, no-cache"  # kept, but asked about each time
    known = request.if_none_match
    if known.star_tag or known.contains_weak(digest[:ETAG_CHARACTERS]):
        response.status_code = 304
        response.set_data(b"")
    return response
