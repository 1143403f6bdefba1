"""Lists of addresses, as JSON or CSV: a line is read at a time, a JSON text within a limit."""

import csv
import json
from collections.abc import Iterator
from typing import Any, Final

from tasks.bulk.sources.found import MOST_NAME_BYTES, PIECE_BYTES, Found, Window, bounded
from tasks.errors import BadBulkError, DownloadRefusedError, JobError
from tasks.settings import settings
from tasks.urls import check_host, check_url, filename_of, listed

MOST_JSON_BYTES: Final = 33_554_432
MOST_LINE_BYTES: Final = 65_536
URL, NAME = "image_url", "name"


def of_json(window: Window) -> Iterator[Found]:
    """Give the addresses in a JSON array, or in the array `image_urls` of an object.

    An element is an address, or an object with `image_url` and, if wished, `name`.

    Raises:
        BadBulkError: it is another JSON, or too long.
    """
    if window.size > MOST_JSON_BYTES:
        raise BadBulkError(
            f"the JSON list has {window.size} bytes; the limit is {MOST_JSON_BYTES} bytes. A CSV"
            " list has none"
        )
    try:
        told = json.loads(window.exactly(0, window.size))
    except (ValueError, RecursionError) as exc:
        raise BadBulkError(f"the JSON list cannot be read: {exc}") from exc
    addresses = told.get("image_urls") if isinstance(told, dict) else told
    if not isinstance(addresses, list):
        raise BadBulkError('the JSON is neither an array of addresses nor {"image_urls": […]}')
    return map(_of_element, addresses)


def of_csv(window: Window) -> Iterator[Found]:
    """Give the addresses of a CSV: of its column `image_url`, or the first where it has no header.

    Raises:
        BadBulkError: it is no such text.
    """
    rows = csv.reader(bounded(_lines(window)))
    columns = {URL: 0}
    try:
        for number, row in enumerate(rows):
            names = [each.strip().lower() for each in row]
            if number == 0 and URL in names:
                columns = {name: names.index(name) for name in (URL, NAME) if name in names}
            elif any(names):
                cells = {n: row[at].strip() for n, at in columns.items() if at < len(row)}
                yield _found(cells.get(URL, ""), cells.get(NAME, ""))
    except csv.Error as exc:
        raise BadBulkError(f"the CSV list cannot be read at line {rows.line_num}: {exc}") from exc


def _lines(window: Window) -> Iterator[str]:
    """Give lines of bounded length, without the mark that some programs begin a text with."""
    position, kept = 0, b""
    while piece := window.read(position, PIECE_BYTES):
        position += len(piece)
        *lines, kept = (kept + piece).splitlines(keepends=True) or [b""]
        if len(kept) > MOST_LINE_BYTES:
            raise BadBulkError(f"a line of the list has more than {MOST_LINE_BYTES} bytes")
        for line in lines:
            yield _text(line)
    if kept:
        yield _text(kept)


def _text(line: bytes) -> str:
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise BadBulkError("the list is not in UTF-8") from exc


def _of_element(element: Any) -> Found:
    if isinstance(element, str):
        return _found(element, "")
    if isinstance(element, dict) and isinstance(element.get(URL), str):
        return _found(element[URL], str(element.get(NAME) or ""))
    error = DownloadRefusedError(f"an element of the list has no {URL!r}")
    return Found(json.dumps(element)[:80], error=error)


def _found(url: str, name: str) -> Found:
    url = url.strip()
    if error := _why_not(url):
        return Found((name or url)[:MOST_NAME_BYTES], error=error)
    return Found((name or filename_of(url))[:MOST_NAME_BYTES], url=url)


def _why_not(url: str) -> JobError | None:
    """Return why an address may not be asked, as far as its text tells."""
    allowed, denied = settings().download_allow_hosts, settings().download_deny_hosts
    try:
        check_url(url)
        check_host(url, allowed=listed(allowed), denied=listed(denied))
    except DownloadRefusedError as exc:
        return exc
    return None
