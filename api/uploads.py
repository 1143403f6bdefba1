"""Reading the picture of a request: multipart field, raw body, or JSON.

Stops at the byte limit and reads the picture's header only; decoding is the worker's.
"""

import base64
import binascii
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import request
from werkzeug.datastructures import FileStorage, MultiDict

from api import options
from api.errors import (
    InvalidOptionError,
    MalformedRequestError,
    NoImageError,
    UnsupportedMediaError,
    UploadTooLargeError,
)
from model_store.headers import read_header
from tasks.settings import settings
from tasks.urls import base_name, check_host, check_url, is_data, listed

FIELD = "image"
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

    Raises:
        ApiError: there is none, or it cannot be taken; says why.
        ImageError: the bytes are not a picture, or it is too large.
    """
    with _whole_body():
        return _read(request.mimetype)


def read_form() -> Upload:
    """Return the picture of a form that carries nothing else.

    Raises:
        ApiError, ImageError: as for `read`.
    """
    with _whole_body():
        upload = _from_form()
        options.refuse_unknown(request.form, known=())
        return upload


@contextmanager
def _whole_body() -> Iterator[None]:
    """Tell a body that cannot be read to its end from an error of ours."""
    try:
        yield
    except (OSError, RecursionError) as exc:
        message = f"the body broke off or cannot be parsed ({type(exc).__name__})"
        raise MalformedRequestError(message) from exc


def _read(kind: str) -> tuple[Upload | ImageUrl, dict[str, Any]]:
    if kind == "multipart/form-data":
        return _from_form(), options.single(request.form)
    if kind == "application/json":
        return _from_json(_json())
    if kind.startswith("image/") or kind == "application/octet-stream":
        return checked(request.get_data(cache=False), filename="image"), {}
    if not kind and not request.content_length:
        raise NoImageError(f"send a picture in the multipart field {FIELD!r}")
    message = f"the body is {kind or 'of no type'}; send multipart/form-data, image/* or JSON"
    raise UnsupportedMediaError(message)


def _from_form() -> Upload:
    """Return the picture in the multipart field `image`, the only file of the form.

    Raises:
        NoImageError: the field is missing or empty.
        InvalidOptionError: there are more files, or a text of the same name.
    """
    field: FileStorage | None = request.files.get(FIELD)
    if field is None:
        found = ", ".join(map(repr, {**request.files, **request.form})) or "nothing"
        message = f"the multipart field {FIELD!r} is missing, there is {found}"
        raise NoImageError(f"{message}; send a file: -F {FIELD}=@picture.jpg")
    options.refuse_unknown(request.files, known=(FIELD,))
    if (n := len(request.files.getlist(FIELD))) > 1:
        raise _ambiguous(f"{n} files have this name; send one picture with each request")
    if FIELD in request.form:
        raise _ambiguous("stands as a file and as text; send the file alone")
    return checked(field.stream.read(), filename=base_name(field.filename or "") or "image")


def _ambiguous(detail: str) -> InvalidOptionError:
    errors = [{"option": FIELD, "detail": detail}]
    return InvalidOptionError(f"{FIELD}: {detail}", errors=errors)


def _json() -> Any:
    """Return what the JSON body says.

    Raises:
        MalformedRequestError: it is no JSON.
        InvalidOptionError: a member stands there more than once; JSON would take the last.
    """
    try:
        return json.loads(
            request.get_data(cache=False),
            object_pairs_hook=lambda members: options.single(MultiDict(members)),
        )
    except ValueError as exc:
        raise MalformedRequestError("the body is not a JSON object") from exc


def _from_json(body: Any) -> tuple[Upload | ImageUrl, dict[str, Any]]:
    if not isinstance(body, dict):
        raise MalformedRequestError("the body is not a JSON object")
    others = {name: value for name, value in body.items() if name not in {"image_url", FIELD}}
    if isinstance(body.get("image_url"), str) and FIELD not in body:
        return checked_url(body["image_url"]), others
    if isinstance(body.get(FIELD), str) and "image_url" not in body:
        return checked(_decoded(body[FIELD]), filename="image"), others
    raise NoImageError("the JSON object needs one string: image_url, or image (base64)")


def _decoded(text: str) -> bytes:
    """Return the bytes of base64 text or of a `data:` URL."""
    if is_data(text):
        header, comma, text = text.partition(",")
        if not comma or not header.endswith(";base64"):
            raise MalformedRequestError("the data: URL has no ;base64, part")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise MalformedRequestError(f"the image is not base64: {exc}") from exc


def checked_url(image_url: str) -> Upload | ImageUrl:
    """Return the address of a picture that may be asked for, as far as its text tells.

    One that begins with `data:` is the picture itself.

    Raises:
        DownloadRefusedError: it may not.
        ApiError, ImageError: the picture cannot be taken.
    """
    image_url = image_url.strip()
    if is_data(image_url):
        return checked(_decoded(image_url), filename="image")
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
