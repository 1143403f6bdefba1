"""Reading the body of `POST /bulk`: what it is, and nothing of what is in it.

Archives are opened by a worker of the lowest priority, never here: a stranger's archive costs the
requests of others nothing.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flask import request

from api import spool, uploads
from api.errors import (
    BulkTooLargeError,
    MalformedRequestError,
    NoImageError,
    UnsupportedMediaError,
)
from tasks.at_rest.spool import Spool
from tasks.bulk.records import BUCKET, CSV, FORM, JSON, TAR, ZIP
from tasks.bulk.sources import buckets, tars, zips
from tasks.settings import settings

PIECE_BYTES = 1_048_576
MOST_PREFIX_BYTES = 65_536
OF_FIELD = re.compile(rb"""content-disposition:[^\r\n]*\bname="?image\b""", re.IGNORECASE)
PREFIX = "prefix"
CSV_KINDS = frozenset({"text/csv", "application/csv", "text/plain"})
ROUTE = "/bulk"


@dataclass(frozen=True)
class BulkBody:
    """What a body is: its kind, and the file that it is in; none for a place in a bucket."""

    kind: str
    size_bytes: int
    path: Path | None = None
    boundary: str = ""
    place: str = ""


@contextmanager
def read() -> Iterator[BulkBody]:
    """Give the body of the current request; its file is deleted at the end, unless it was taken.

    Raises:
        ApiError: there is none, or it is of no kind that is taken.
        BadBulkError: it names a place that is not allowed.
    """
    with _spooled() as body:
        if not body.size_bytes:
            raise NoImageError("the body has 0 bytes; send a form, an archive or a list")
        yield _body(body, body.size_bytes)


@contextmanager
def _spooled() -> Iterator[Spool]:
    """Give the body as a file, which the server has written already or which is written now."""
    limit = settings().bulk_max_bytes
    if (request.content_length or 0) > limit:
        raise BulkTooLargeError(
            f"the body is {request.content_length} bytes; the limit is {limit} bytes: send it in"
            " several, or as a list of addresses"
        )
    given = request.environ["wsgi.input"]
    if isinstance(given, Spool):
        given.seek(0)
        yield given
        return
    request.max_content_length = limit
    with spool.opened() as written:
        while piece := request.stream.read(PIECE_BYTES):
            written.write(piece)
        written.seek(0)
        yield written


def _body(spool: Spool, size_bytes: int) -> BulkBody:
    if request.mimetype == uploads.MULTIPART:
        boundary = request.mimetype_params.get("boundary", "")
        if not boundary:
            raise MalformedRequestError("the Content-Type is multipart/form-data without boundary")
        _check_small_form(spool, size_bytes)
        return BulkBody(FORM, size_bytes, spool.path, boundary=boundary)
    kind = _kind(spool.head())
    if kind == JSON and (place := _prefix(spool, size_bytes)) is not None:
        return BulkBody(BUCKET, 0, place=buckets.checked(place))
    return BulkBody(kind, size_bytes, spool.path)


def _check_small_form(spool: Spool, size_bytes: int) -> None:
    """Refuse a form that shows at once that it has no picture; of a large one a worker says so."""
    if size_bytes > MOST_PREFIX_BYTES:
        return
    spool.seek(0)
    if not OF_FIELD.search(spool.read()):
        raise NoImageError(f"the form has no file in the field {uploads.FIELD!r}")


def _kind(head: bytes) -> str:
    """Return what a body is by its first bytes, whatever its client calls it."""
    if head.startswith(zips.SIGNATURES):
        return ZIP
    if tars.is_packed(head) or tars.is_plain(head):
        return TAR
    if head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in {b"[", b"{"}:
        return JSON
    if request.mimetype in CSV_KINDS:
        return CSV
    said = request.mimetype or "of no type"
    raise UnsupportedMediaError(
        f"the body is {said} and none of: multipart/form-data, zip, tar, JSON, text/csv. A single"
        " picture is sent to /classify"
    )


def _prefix(spool: Spool, size_bytes: int) -> str | None:
    """Return the place in a bucket that a JSON object names, or None when it is another JSON."""
    if size_bytes > MOST_PREFIX_BYTES:
        return None
    spool.seek(0)
    try:
        told = json.loads(spool.read())
    except (ValueError, RecursionError) as exc:
        raise MalformedRequestError("the body is no JSON") from exc
    place = told.get(PREFIX) if isinstance(told, dict) else None
    return place if isinstance(place, str) else None
