"""The boxes of a HEIC that the API reads, in every form that the standard gives them."""

import struct

import pytest

from model_store.errors import NotAnImageError, TruncatedImageError
from model_store.pictures import heif
from model_store.pictures.headers import read_header
from model_store.pictures.heif import Size

MAIN, OTHER = 7, 3


def _box(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + name + body


def _full(name: bytes, version: int, flags: int, body: bytes) -> bytes:
    return _box(name, struct.pack(">I", version << 24 | flags) + body)


def _file(*, version: int, wide: int, cropped: bool = False) -> bytes:
    """Return the boxes of a file with two items, of which the second is the main one."""
    item, index = (">I" if version else ">H"), (">H" if wide else ">B")
    essential = 0x8000 if wide else 0x80
    properties = [
        _full(b"ispe", 0, 0, struct.pack(">II", 10, 20)),
        _full(b"ispe", 0, 0, struct.pack(">II", 300, 200)),
        _box(b"clap", struct.pack(">8I", 299, 1, 199, 1, 0, 1, 0, 1)),
    ]
    of = {OTHER: [1], MAIN: [0, 2 | essential, *([3] if cropped else [])]}
    entries = b"".join(
        struct.pack(item, owner) + bytes((len(own),)) + b"".join(struct.pack(index, i) for i in own)
        for owner, own in of.items()
    )
    association = _full(b"ipma", version, wide, struct.pack(">I", len(of)) + entries)
    meta = _full(b"pitm", version, 0, struct.pack(item, MAIN))
    meta += _box(b"iprp", _box(b"ipco", b"".join(properties)) + association)
    return _box(b"ftyp", b"heic" + bytes(4) + b"heic") + _full(b"meta", 0, 0, meta)


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("wide", [0, 1])
def test_the_size_is_that_of_the_main_item(version: int, wide: int) -> None:
    """Numbers have two bytes or four, places one or two."""
    whole = heif.size_of(_file(version=version, wide=wide))
    cropped = heif.size_of(_file(version=version, wide=wide, cropped=True))

    assert whole == Size((300, 200), (300, 200))
    assert cropped == Size((300, 200), (299, 199))


def test_every_cut_is_damage() -> None:
    """Nothing is read beyond the end."""
    upload = _file(version=1, wide=1, cropped=True)
    for kept in range(12, len(upload)):
        with pytest.raises(TruncatedImageError):
            read_header(upload[:kept])


def test_a_property_that_is_not_there_is_damage() -> None:
    """Places are counted from one, and end with the list."""
    upload = _file(version=0, wide=0).replace(bytes((0, 2 | 0x80)), bytes((0, 9 | 0x80)))

    with pytest.raises(TruncatedImageError):
        read_header(upload)


def test_a_brand_alone_makes_no_picture() -> None:
    """It stands behind the name of the box that tells it."""
    with pytest.raises(NotAnImageError):
        read_header(b"\0\0\0\x18xxxx" + _file(version=0, wide=0)[8:])


def test_a_box_may_tell_its_size_in_eight_bytes() -> None:
    """Where four do not suffice, and where a program likes them."""
    upload = _file(version=0, wide=0)
    start = upload.index(b"meta") - 4
    body = upload[start + 8 :]
    long = struct.pack(">I4sQ", 1, b"meta", len(body) + 16)

    assert read_header(upload[:start] + long + body) == read_header(upload)
