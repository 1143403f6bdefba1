"""Files of labels as programs and people write them: text, JSON and CSV, in several encodings.

- Text: one label a line. Numbers before all of them (`0 tulip`, `0: tulip`), as Teachable Machine
  writes them, are taken off and give the order.
- JSON: a list; labels by their number (`{"0": "tulip"}`, also Hugging Face's `id2label` and Keras'
  `imagenet_class_index.json`); or numbers by their label, as Keras' `class_indices`.
- CSV: labels alone, or beside their numbers, with commas, semicolons or tabs.

UTF-8 and UTF-16 are read, with and without a byte-order mark; blank lines do not count.
"""

import codecs
import csv
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from model_store.errors import ModelFormatError

# A label and where it stands, for messages.
Placed = tuple[str, str]

_NUMBERED = re.compile(r"(\d{1,6})(?:\s*[:;,.)]\s*|\s+)(\S.*)")
_HEADINGS = {"label", "labels", "class", "classes", "class_name", "name", "category"}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read(path: Path) -> list[Placed]:
    """Return the labels of a file in class order, each with its place, as in `line 3`.

    Raises:
        ModelFormatError: it cannot be read; the message says what was found and how to mend it.
    """
    text = _text(path)
    if path.suffix.lower() == ".json":
        return _of_json(path, text)
    if path.suffix.lower() == ".csv":
        return _of_csv(path, text)
    return _of_lines(text)


def _text(path: Path) -> str:
    try:
        raw = path.read_bytes()
        return raw.decode(_encoding(raw)).removeprefix("\ufeff")
    except OSError as exc:
        raise ModelFormatError(f"labels {path} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise ModelFormatError(
            f"labels {path} are neither UTF-8 nor UTF-16 text: byte {exc.start} is "
            f"{raw[exc.start]:#04x}; from Windows' usual encoding: "
            f"iconv -f WINDOWS-1252 -t UTF-8 {path} > labels.txt"
        ) from exc


def _encoding(raw: bytes) -> str:
    if raw.startswith(_UTF16):
        return "utf-16"
    # Of UTF-16 without a mark every second byte is 0 where the letters are Latin.
    if raw[1:2] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if raw[:1] == b"\0" else "utf-8"


def _of_lines(text: str) -> list[Placed]:
    lines = [(f"line {i}", line.strip()) for i, line in enumerate(text.splitlines(), start=1)]
    return _without_numbers([(where, line) for where, line in lines if line])


def _without_numbers(placed: list[Placed]) -> list[Placed]:
    found = [_NUMBERED.fullmatch(label) for _, label in placed]
    numbers = [int(match[1]) for match in found if match]
    # Else the numbers belong to the labels, as in `10 euros`, `20 euros`.
    if len(numbers) < len(found) or not _counts(numbers):
        return placed
    where = [place for place, _ in placed]
    labels = [match[2].strip() for match in found if match]
    return _sorted(numbers, zip(where, labels, strict=True))


def _of_json(path: Path, text: str) -> list[Placed]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ModelFormatError(f"labels {path} are no JSON: {exc}") from exc
    if isinstance(found, dict):
        found = _by_number(path, found.get("id2label", found))
    if not isinstance(found, list) or not all(isinstance(label, str) for label in found):
        raise ModelFormatError(
            f'labels {path}: expected a list ["tulip", …], labels by number {{"0": "tulip"}}, or '
            'numbers by label {"tulip": 0}'
        )
    return [(f"label {i}", label.strip()) for i, label in enumerate(found) if label.strip()]


def _by_number(path: Path, found: Any) -> Any:
    """Return a list of what a dictionary has; what is no such dictionary comes back as it is."""
    if not isinstance(found, dict):
        return found
    if all(isinstance(number, int) for number in found.values()):
        found = {str(number): label for label, number in found.items()}
    if not all(key.isdecimal() for key in found):
        return found
    numbers = [int(key) for key in found]
    if not _counts(numbers):
        raise ModelFormatError(
            f"labels {path}: the numbers are {_shown(numbers)}; expected each from 0 to "
            f"{len(numbers) - 1} once"
        )
    # Keras' `imagenet_class_index.json` has the WordNet id before the name.
    labels = [label[-1] if isinstance(label, list) and label else label for label in found.values()]
    return [label for _, label in sorted(zip(numbers, labels, strict=True))]


def _of_csv(path: Path, text: str) -> list[Placed]:
    first = text.lstrip().partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    rows = [
        (f"line {i}", [cell.strip() for cell in row])
        for i, row in enumerate(csv.reader(text.splitlines(), delimiter=delimiter), start=1)
        if any(cell.strip() for cell in row)
    ]
    return _of_rows(path, rows)


def _of_rows(path: Path, rows: list[tuple[str, list[str]]]) -> list[Placed]:
    if {cell.lower() for _, row in rows[:1] for cell in row} & _HEADINGS:
        rows = rows[1:]
    widths = {len(row) for _, row in rows}
    if widths == {1}:
        return _without_numbers([(where, row[0]) for where, row in rows])
    for numbers, labels in ((0, 1), (1, 0)):
        if widths == {2} and all(row[numbers].isdecimal() for _, row in rows):
            return _sorted(
                [int(row[numbers]) for _, row in rows],
                [(where, row[labels]) for where, row in rows],
            )
    raise ModelFormatError(
        f"labels {path}: lines have {_shown(sorted(widths))} columns; expected labels alone, or a "
        "column of numbers beside them"
    )


def _counts(numbers: list[int]) -> bool:
    """Tell whether these are all the numbers from 0, or from 1, each once."""
    first = min(numbers, default=0)
    return first in (0, 1) and sorted(numbers) == list(range(first, first + len(numbers)))


def _sorted(numbers: list[int], placed: Iterable[Placed]) -> list[Placed]:
    return [item for _, item in sorted(zip(numbers, placed, strict=True), key=lambda pair: pair[0])]


def _shown(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:8])) + (", …" if len(numbers) > 8 else "")  # noqa: PLR2004
