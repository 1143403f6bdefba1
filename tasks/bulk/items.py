"""The index of a bulk: a line of JSON for each picture that says where its bytes are."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from tasks.documents import ProblemDocument, as_dict

STORED, DEFLATED = 0, 8
"""How a slice of the body holds a picture; the numbers are those of zip."""


@dataclass(frozen=True)
class Slice:
    """Bytes of the body: a picture as it is, or packed into `length` bytes.

    Attributes:
        header_bytes: The least of a zip member's own header, which lies before its bytes.
        crc: The checksum of the picture, where the archive has one.
    """

    start: int
    length: int
    method: int = STORED
    header_bytes: int = 0
    crc: int | None = None


@dataclass(frozen=True)
class Item:
    """One picture: where it is, or why it cannot be taken.

    Attributes:
        number: Its place in the input, from 0.
        name: What its client called it.
        slice: Where it lies in the body.
        url: The address that it is downloaded from.
        key: Its path below the bulk's place in a bucket.
        problem: Why nobody need look at it.
    """

    number: int
    name: str
    slice: Slice | None = None
    url: str = ""
    key: str = ""
    problem: ProblemDocument | None = None

    @property
    def size_bytes(self) -> int:
        """How many bytes of the body it takes."""
        return self.slice.length if self.slice else 0


def line_of(item: Item) -> bytes:
    """Return an item as a line of the index."""
    told: dict[str, object] = {"i": item.number, "n": item.name}
    if item.slice:
        s = item.slice
        told["at"] = [s.start, s.length, s.method, s.header_bytes, s.crc]
    if item.url:
        told["url"] = item.url
    if item.key:
        told["key"] = item.key
    if item.problem:
        told["problem"] = as_dict(item.problem)
    return json.dumps(told, separators=(",", ":")).encode() + b"\n"


def items_of(lines: bytes) -> Iterator[Item]:
    """Give the items of some whole lines of an index."""
    for line in lines.splitlines():
        told = json.loads(line)
        yield Item(
            told["i"],
            told["n"],
            slice=Slice(*told["at"]) if "at" in told else None,
            url=told.get("url", ""),
            key=told.get("key", ""),
            problem=ProblemDocument(**told["problem"]) if "problem" in told else None,
        )
