"""Multipart forms: where the pictures lie in a body that is never in memory."""

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Final

from tasks.bulk.items import Slice
from tasks.bulk.sources.found import MOST_NAME_BYTES, PIECE_BYTES, Found, Window
from tasks.errors import BadBulkError, PictureTooLargeError

FIELD: Final = "image"
_MOST_HEADER_BYTES = 65_536
_BLANK = b"\r\n\r\n"


@dataclass(frozen=True)
class Part:
    """One file of a form: its name, and where its bytes lie in the window."""

    filename: str
    start: int
    length: int


def parts(window: Window, boundary: str) -> Iterator[Part]:
    """Give the files of a form in the field `image`.

    Raises:
        BadBulkError: it is no form, is cut off, or has another field.
    """
    mark = b"\r\n--" + boundary.encode("latin-1", "replace")
    # Something may stand before the first boundary (RFC 2046, 5.1.1); mostly nothing does.
    is_first = window.read(0, len(mark) - 2) == mark[2:]
    position = len(mark) - 2 if is_first else _find(window, mark, 0) + len(mark)
    while window.exactly(position, 2) != b"--":
        head, begin = _head(window, position)
        end = _find(window, mark, begin - 2)
        yield Part(_filename(head), begin, end - begin)
        position = end + len(mark)


def found(part: Part, window: Window, *, most_bytes: int) -> Found:
    """Return the picture that a part is, which `window` shows."""
    if part.length > most_bytes:
        detail = f"the picture is {part.length} bytes; the limit is {most_bytes} bytes"
        return Found(part.filename, error=PictureTooLargeError(detail))
    return Found(part.filename, slice=Slice(window.start, part.length))


def _head(window: Window, position: int) -> tuple[bytes, int]:
    """Return the header lines of a part, and where its content begins."""
    text = window.read(position, _MOST_HEADER_BYTES)
    end = text.find(_BLANK)
    if end < 0:
        raise BadBulkError(f"a part of the form has no header of less than {_MOST_HEADER_BYTES}")
    return text[:end], position + end + len(_BLANK)


def _find(window: Window, mark: bytes, position: int) -> int:
    """Return where a mark stands next."""
    while piece := window.read(position, PIECE_BYTES):
        found = piece.find(mark)
        if found >= 0:
            return position + found
        if len(piece) < PIECE_BYTES:
            break
        position += PIECE_BYTES - len(mark)
    raise BadBulkError("the form breaks off, or has another boundary than its Content-Type says")


def _filename(head: bytes) -> str:
    """Return the name of the file that a part is.

    Raises:
        BadBulkError: it is none, or in another field.
    """
    try:
        text = head.decode()
    except UnicodeDecodeError:
        text = head.decode("cp1252", "replace")
    message = Message()
    for line in text.split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-disposition":
            message["Content-Disposition"] = value.strip()
    field = message.get_param("name", header="Content-Disposition")
    if field != FIELD:
        raise BadBulkError(
            f"the form has the field {str(field)[:80]!r}; pictures are sent as {FIELD!r}, and"
            " options in the address: /bulk?top_k=3"
        )
    return (message.get_filename() or FIELD)[:MOST_NAME_BYTES]
