"""Forms as clients send them: multipart and URL-encoded, read within bounds.

Werkzeug's own reading drops the whole form at the first letter of a file name that is not UTF-8,
and tells everything that is too much as if it were the picture.
"""

from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import IO
from urllib.parse import parse_qsl

from flask import request
from werkzeug.datastructures import Headers, MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from api.errors import InvalidOptionError, MalformedRequestError

MOST_PARTS = 100
# Of one text that is no picture: an address is the longest.
MOST_TEXT_BYTES = 16_384
_MOST_HEADER_BYTES = 262_144
_PIECE_BYTES = 65_536

_TOO_MANY = f"the form has more than {MOST_PARTS} fields; send the picture and its options alone"


@dataclass(frozen=True)
class SentFile:
    """A file of a form, whole, under the name that its client gave it."""

    filename: str
    content: bytes


@dataclass(frozen=True)
class Form:
    """What a form holds, by the names of its fields; each may stand there more than once."""

    files: "MultiDict[str, SentFile]" = field(default_factory=MultiDict)
    texts: "MultiDict[str, str]" = field(default_factory=MultiDict)


def read_multipart(*, long_text: str) -> Form:
    """Return the multipart form of the current request.

    Args:
        long_text: The field whose text may be long, which is a picture in base64.

    Raises:
        MalformedRequestError: it cannot be read, or has more than `MOST_PARTS` fields.
        InvalidOptionError: a text has more than `MOST_TEXT_BYTES`.
    """
    boundary = request.mimetype_params.get("boundary", "")
    if not boundary:
        raise MalformedRequestError(
            "the Content-Type is multipart/form-data without its boundary, so nobody can tell the "
            "parts; do not set this header yourself, the client library does it with the boundary"
        )
    reader = _Reader(long_text)
    try:
        reader.read(request.stream, boundary.encode("latin-1"))
    except (ValueError, AttributeError) as exc:
        raise MalformedRequestError(f"the form breaks off or cannot be read: {exc}") from exc
    return reader.form


def read_urlencoded(body: bytes, *, long_text: str) -> Form:
    """Return a body of type `application/x-www-form-urlencoded` as a form of texts.

    Raises:
        MalformedRequestError: it has more than `MOST_PARTS` fields.
        InvalidOptionError: a text has more than `MOST_TEXT_BYTES`.
    """
    try:
        pairs = parse_qsl(
            body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MOST_PARTS
        )
    except ValueError as exc:
        raise MalformedRequestError(_TOO_MANY) from exc
    for name, text in pairs:
        _refuse_long(name, len(text.encode()), long_text)
    return Form(texts=MultiDict(pairs))


class _Decoder(MultipartDecoder):
    """Werkzeug's, with headers that need not be UTF-8."""

    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        try:
            bytes(data).decode()
        except UnicodeDecodeError:
            data = bytes(data).decode("cp1252", "replace").encode()
        return super()._parse_headers(data)


class _Reader:
    """Takes the parts of a multipart form one by one."""

    def __init__(self, long_text: str) -> None:
        self.form = Form()
        self._long_text = long_text
        self._part: Field | File | None = None
        self._content = bytearray()
        self._parts = 0

    def read(self, body: IO[bytes], boundary: bytes) -> None:
        decoder = _Decoder(boundary, max_form_memory_size=_MOST_HEADER_BYTES)
        while piece := body.read(_PIECE_BYTES):
            self._give(decoder, piece)
            self._take(decoder)
        decoder.receive_data(None)
        self._take(decoder)

    def _give(self, decoder: MultipartDecoder, piece: bytes) -> None:
        try:
            decoder.receive_data(piece)
        except RequestEntityTooLarge as exc:
            raise MalformedRequestError(
                f"the form does not begin with its boundary, or part {self._parts + 1} has a "
                f"header of more than {_MOST_HEADER_BYTES} bytes"
            ) from exc

    def _take(self, decoder: MultipartDecoder) -> None:
        while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
            if isinstance(event, Field | File):
                self._begin(event)
            elif isinstance(event, Data) and self._part is not None:
                self._add(self._part, event)

    def _begin(self, part: Field | File) -> None:
        self._parts += 1
        if self._parts > MOST_PARTS:
            raise MalformedRequestError(_TOO_MANY)
        if not part.name:
            raise MalformedRequestError(
                f"part {self._parts} of the form has no name; the picture's is {self._long_text!r}"
            )
        self._part, self._content = part, bytearray()

    def _add(self, part: Field | File, data: Data) -> None:
        self._content += data.data
        if isinstance(part, Field):
            _refuse_long(part.name, len(self._content), self._long_text)
        if data.more_data:
            return
        if isinstance(part, File):
            name = _as_written(part.filename)
            self.form.files.add(part.name, SentFile(name, bytes(self._content)))
        else:
            self.form.texts.add(part.name, self._content.decode("utf-8", "replace"))


def _as_written(filename: str) -> str:
    """Return a file name as its client knows it; .NET encodes it as mail does (RFC 2047)."""
    if not (filename.startswith("=?") and filename.endswith("?=")):
        return filename
    try:
        return str(make_header(decode_header(filename)))
    except (HeaderParseError, LookupError, UnicodeError):
        return filename  # it only looked so


def _refuse_long(name: str, n_bytes: int, long_text: str) -> None:
    if name != long_text and n_bytes > MOST_TEXT_BYTES:
        name = name[:80]
        detail = f"the text has more than {MOST_TEXT_BYTES} bytes; a picture is sent as {long_text}"
        errors = [{"option": name, "detail": detail}]
        raise InvalidOptionError(f"{name}: {detail}", errors=errors)
