"""Reading the picture of a request: a form's field, raw body, or JSON.

Stops at the byte limit and reads the picture's header only; decoding is the worker's.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import request
from werkzeug.datastructures import MultiDict

from api import encoded, forms, options
from api.errors import (
    InvalidOptionError,
    MalformedRequestError,
    NoImageError,
    UnsupportedMediaError,
    UploadTooLargeError,
)
from api.forms import Form
from model_store.errors import NotAnImageError
from model_store.pictures.headers import read_header
from tasks.settings import settings
from tasks.urls import base_name, check_host, check_url, is_data, listed

FIELD, URL = "image", "image_url"
MULTIPART, URL_ENCODED = "multipart/form-data", "application/x-www-form-urlencoded"
JSON_KINDS = frozenset({"application/json", "text/json", "application/x-json"})
OCTETS = frozenset(
    {"", "application/octet-stream", "binary/octet-stream", "application/x-octet-stream"}
)
BASE64_GROWTH = 4 / 3
ENVELOPE_BYTES = 65_536


@dataclass(frozen=True)
class Upload:
    """The bytes of one picture, checked against the limits by its header."""

    image: bytes
    filename: str


@dataclass(frozen=True)
class ImageUrl:
    """The address of a picture that a worker will download."""

    url: str


def max_body_bytes() -> int:
    """Return the largest body that can hold an allowed picture, base64 in JSON included."""
    return int(settings().max_upload_bytes * BASE64_GROWTH) + ENVELOPE_BYTES


def read() -> tuple[Upload | ImageUrl, dict[str, Any]]:
    """Return the picture of the current request, and the options its body carried.

    What the body says it is decides how it is read; a picture is taken whatever it says.

    Raises:
        ApiError: there is none, or it cannot be taken; says why.
        ImageError: the bytes are not a picture, or it is too large.
    """
    with whole_body():
        kind = request.mimetype
        if kind == MULTIPART:
            return _of_form(forms.read_multipart(long_text=FIELD))
        body = request.get_data(cache=False)
        if kind == URL_ENCODED:
            return _of_url_encoded(body)
        if kind in JSON_KINDS or kind.endswith("+json"):
            return _from_members(json_object(body), "the JSON object")
        return _raw(body, kind), {}


def read_form() -> Upload:
    """Return the picture of a form that carries nothing else.

    Raises:
        ApiError, ImageError: as for `read`.
    """
    with whole_body():
        if request.mimetype != MULTIPART:
            raise NoImageError(f"send a picture in the multipart field {FIELD!r}")
        form = forms.read_multipart(long_text=FIELD)
        upload = _file_of(form)
        options.refuse_unknown(form.texts, known=())
        return upload


@contextmanager
def whole_body() -> Iterator[None]:
    """Tell a body that cannot be read to its end from an error of ours."""
    try:
        yield
    except (OSError, RecursionError) as exc:
        message = f"the body broke off or cannot be parsed ({type(exc).__name__})"
        raise MalformedRequestError(message) from exc


def _raw(body: bytes, kind: str) -> Upload:
    """Return the picture that a body is, with nothing around it."""
    if not (kind or body):
        raise NoImageError(f"send a picture in the multipart field {FIELD!r}")
    try:
        return checked(body, filename="image")
    except NotAnImageError as exc:
        if kind.startswith("image/") or kind in OCTETS:
            raise
        message = f"the body is {kind or 'of no type'} and no picture"
        raise UnsupportedMediaError(
            f"{message}; send multipart/form-data, image/* or JSON"
        ) from exc


def _of_url_encoded(body: bytes) -> tuple[Upload | ImageUrl, dict[str, Any]]:
    """Return what is in a body of the type that curl and wget give to everything.

    It may be the fields of a form, or a picture or JSON whose type nobody said.
    """
    if body.lstrip()[:1] == b"{":
        return _from_members(json_object(body), "the JSON object")
    # What is URL-encoded is ASCII, and no picture is.
    if not body.isascii():
        return _raw(body, ""), {}
    form = forms.read_urlencoded(body, long_text=FIELD)
    # A plus sign that is not written as %2B is read as a space, which base64 does not have.
    texts = {name: text.replace(" ", "+") for name, text in form.texts.items() if name == FIELD}
    return _from_members(options.single(form.texts) | texts, "the form")


def _of_form(form: Form) -> tuple[Upload | ImageUrl, dict[str, Any]]:
    if form.files or not {FIELD, URL} & form.texts.keys():
        return _file_of(form), options.single(form.texts)
    return _from_members(options.single(form.texts), "the form")


def _file_of(form: Form) -> Upload:
    """Return the picture in the multipart field `image`, the only file of the form.

    Raises:
        NoImageError: the field is missing or empty.
        InvalidOptionError: there are more files, or a text of the same name.
    """
    files = form.files.getlist(FIELD)
    if not files:
        found = ", ".join(map(repr, {**form.files, **form.texts})) or "nothing"
        message = f"the multipart field {FIELD!r} is missing, there is {found}"
        raise NoImageError(f"{message}; send a file: -F {FIELD}=@picture.jpg")
    options.refuse_unknown(form.files, known=(FIELD,))
    if len(files) > 1:
        n = len(files)
        raise _ambiguous(f"{n} files have this name; send one picture with each request")
    if FIELD in form.texts:
        raise _ambiguous("stands as a file and as text; send the file alone")
    return checked(files[0].content, filename=base_name(files[0].filename) or "image")


def _ambiguous(detail: str) -> InvalidOptionError:
    errors = [{"option": FIELD, "detail": detail}]
    return InvalidOptionError(f"{FIELD}: {detail}", errors=errors)


def json_object(body: bytes) -> dict[str, Any]:
    """Return the members of a JSON body.

    Raises:
        MalformedRequestError: it is no JSON object.
        InvalidOptionError: a member stands there more than once; JSON would take the last.
    """
    try:
        found = json.loads(
            body, object_pairs_hook=lambda members: options.single(MultiDict(members))
        )
    except ValueError as exc:
        raise MalformedRequestError("the body is not a JSON object") from exc
    if not isinstance(found, dict):
        raise MalformedRequestError("the body is not a JSON object")
    return found


def _from_members(
    members: Mapping[str, Any], what: str
) -> tuple[Upload | ImageUrl, dict[str, Any]]:
    """Return the picture that a text among the members is, or the address of one."""
    others = {name: value for name, value in members.items() if name not in {URL, FIELD}}
    if isinstance(members.get(URL), str) and FIELD not in members:
        return checked_url(members[URL]), others
    if isinstance(members.get(FIELD), str) and URL not in members:
        return checked(encoded.decoded(members[FIELD]), filename="image"), others
    raise NoImageError(f"{what} needs one string: {URL}, or {FIELD} (base64)")


def checked_url(image_url: str) -> Upload | ImageUrl:
    """Return the address of a picture that may be asked for, as far as its text tells.

    One that begins with `data:` is the picture itself.

    Raises:
        DownloadRefusedError: it may not.
        ApiError, ImageError: the picture cannot be taken.
    """
    image_url = image_url.strip()
    if is_data(image_url):
        return checked(encoded.decoded(image_url), filename=FIELD)
    check_url(image_url)
    allowed, denied = settings().download_allow_hosts, settings().download_deny_hosts
    check_host(image_url, allowed=listed(allowed), denied=listed(denied))
    return ImageUrl(image_url)


def checked(image: bytes, *, filename: str) -> Upload:
    """Return the picture if its size and header allow to classify it.

    Raises:
        NoImageError: there are no bytes.
        UploadTooLargeError: more bytes than the limit.
        ImageError: not a picture, or too many pixels.
    """
    limit = settings().max_upload_bytes
    if not image:
        raise NoImageError("the picture has 0 bytes")
    if len(image) > limit:
        raise UploadTooLargeError(f"the picture is {len(image)} bytes; the limit is {limit} bytes")
    read_header(image, settings().max_pixels)
    return Upload(image, filename)
