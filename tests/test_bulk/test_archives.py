"""Zip and tar archives, also hostile ones: read record by record, and each picture alone."""

import io
import struct
import tarfile
import zipfile
from collections.abc import Callable

import pytest

from tasks.bulk.items import Item, Slice, items_of, line_of
from tasks.bulk.sources import found as found_module
from tasks.bulk.sources import tars, zips
from tasks.bulk.sources.found import Found, Window, buffered
from tasks.errors import (
    BadBulkError,
    DamagedMemberError,
    EncryptedMemberError,
    PictureTooLargeError,
    UnsafeNameError,
    UnsupportedMemberError,
)
from tests.test_bulk.conftest import zipped

LIMIT = 1000
PICTURE = b"picture " * 20


def reader(content: bytes) -> Callable[[int, int], bytes]:
    """Return what reads from bytes as from an object."""
    return lambda start, length: content[start : start + length]


def window(content: bytes) -> Window:
    """Return the whole of some bytes."""
    return Window(buffered(reader(content)), 0, len(content))


def in_zip(content: bytes) -> dict[str, Found]:
    """Return what is found in a zip archive, by name."""
    return {each.name: each for each in zips.members(window(content), most_bytes=LIMIT)}


def in_tar(content: bytes) -> dict[str, Found]:
    """Return what is found in a tar archive, by name."""
    return {each.name: each for each in tars.members(window(content), most_bytes=LIMIT)}


def unpacked(content: bytes, found: Found) -> bytes:
    """Return the bytes of a member."""
    assert found.slice
    return zips.unpacked(reader(content), found.slice, most_bytes=LIMIT)


def tarred(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """Return a tar archive with these members."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=form) as opened:
        for info, content in members:
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))
    return archive.getvalue()


def named(name: str, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    """Return the header of a member."""
    info = tarfile.TarInfo(name)
    info.type = kind
    return info


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("before", [b"", b"a program that unpacks it"])
def test_members_of_a_zip_are_what_was_packed(method: int, before: bytes) -> None:
    """Stored or deflated, also after what makes an archive run by itself."""
    content = before + zipped({"a/b.jpg": PICTURE, "ü.jpg": b"x"}, method=method)
    found = in_zip(content)

    assert {name: unpacked(content, each) for name, each in found.items()} == {
        "a/b.jpg": PICTURE,
        "ü.jpg": b"x",
    }


def test_a_zip_may_be_larger_than_its_old_fields() -> None:
    """Sizes and places in the extra field, and the directory that says so (zip64)."""
    archive = io.BytesIO()
    with (
        zipfile.ZipFile(archive, "w") as opened,
        opened.open("a.jpg", "w", force_zip64=True) as member,
    ):
        member.write(PICTURE)
    content = archive.getvalue()
    at, size = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    directory = bytearray(content[at:size])
    n = len(PICTURE)
    directory[20:28] = struct.pack("<2L", 0xFFFFFFFF, 0xFFFFFFFF)
    directory[42:46] = struct.pack("<L", 0xFFFFFFFF)
    directory[30:32] = struct.pack("<H", 28)
    directory += struct.pack("<2H3Q", 1, 24, n, n, 0)
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, len(directory), at)
    place = struct.pack("<4sLQL", b"PK\x06\x07", 0, at + len(directory), 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 2**32 - 1, 2**32 - 1, 0)
    large = content[:at] + bytes(directory) + end64 + place + end

    assert zipfile.ZipFile(io.BytesIO(large)).read("a.jpg") == PICTURE
    assert unpacked(large, in_zip(large)["a.jpg"]) == PICTURE


def test_what_systems_leave_is_passed_over() -> None:
    """Folders, and files that nobody means."""
    members = {
        "__MACOSX/._a.jpg": b"",
        "Thumbs.db": b"",
        ".DS_Store": b"",
        "a.jpg": b"x",
        "b/": b"",
    }

    assert list(in_zip(zipped(members))) == ["a.jpg"]


@pytest.mark.parametrize(
    "name", ["../a.jpg", "a/../../b.jpg", "/etc/a.jpg", "C:\\a.jpg", "..\\a.jpg"]
)
def test_paths_that_climb_are_refused(name: str) -> None:
    """Each picture alone, in both kinds of archive."""
    zip_found, tar_found = in_zip(zipped({name: b"x"})), in_tar(tarred((named(name), b"x")))

    assert isinstance(zip_found[name].error, UnsafeNameError)
    assert isinstance(tar_found[name].error, UnsafeNameError)


def test_an_encrypted_member_is_refused() -> None:
    """By the flag in the directory; its neighbour is taken."""
    content = bytearray(zipped({"a.jpg": PICTURE, "b.jpg": PICTURE}))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    found = in_zip(bytes(content))

    assert isinstance(found["a.jpg"].error, EncryptedMemberError)
    assert unpacked(bytes(content), found["b.jpg"]) == PICTURE


def test_a_member_is_unpacked_no_further_than_the_limit() -> None:
    """Whether its directory says how large it is, or lies."""
    bomb = zipped({"a.jpg": bytes(1_000_000)})
    lying = bytearray(bomb)
    at = lying.index(b"PK\x01\x02") + 24
    lying[at : at + 4] = struct.pack("<L", 10)

    assert isinstance(in_zip(bomb)["a.jpg"].error, PictureTooLargeError)
    with pytest.raises(PictureTooLargeError):
        unpacked(bytes(lying), in_zip(bytes(lying))["a.jpg"])


def test_other_ways_to_pack_are_refused() -> None:
    """What we cannot unpack within bounds."""
    found = in_zip(zipped({"a.jpg": PICTURE}, method=zipfile.ZIP_LZMA))

    assert isinstance(found["a.jpg"].error, UnsupportedMemberError)


def test_a_damaged_member_is_noticed() -> None:
    """By its checksum, by its header, or because it cannot be unpacked."""
    stored = bytearray(zipped({"a.jpg": PICTURE}, method=zipfile.ZIP_STORED))
    stored[40] ^= 1
    elsewhere = Slice(7, 10, 0, 35, 0)

    with pytest.raises(DamagedMemberError):
        unpacked(bytes(stored), in_zip(bytes(stored))["a.jpg"])
    with pytest.raises(DamagedMemberError):
        zips.unpacked(reader(bytes(stored)), elsewhere, most_bytes=LIMIT)


@pytest.mark.parametrize("cut", [10, 30, 100])
def test_a_zip_that_is_cut_off_is_refused_as_a_whole(cut: int) -> None:
    """Its directory is at its end."""
    content = zipped({"a.jpg": PICTURE, "b.jpg": PICTURE})

    with pytest.raises(BadBulkError):
        in_zip(content[:-cut])


@pytest.mark.parametrize("raw", [b"ros\xe9.jpg", "rosé.jpg".encode()])
def test_names_in_any_encoding_are_shown(raw: bytes) -> None:
    """UTF-8 where it is that, else as old archives have it; never an error."""
    plain = zipped({"rosxx.jpg": PICTURE})
    content = plain.replace(b"rosxx.jpg", raw.ljust(9, b"_")[:9])

    (name,) = in_zip(content)
    assert name.startswith("ros")


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_members_of_a_tar_are_where_it_says(form: int) -> None:
    """In each dialect, with long names where it has them."""
    long = "a/" * 40 + "x" * 90 + ".jpg" if form != tarfile.USTAR_FORMAT else "a/" * 40 + "x.jpg"
    content = tarred((named(long), PICTURE), (named("b.jpg"), b"x"), form=form)
    found = in_tar(content)
    places = {n: each.slice for n, each in found.items() if each.slice}

    assert {n: content[p.start : p.start + p.length] for n, p in places.items()} == {
        long: PICTURE,
        "b.jpg": b"x",
    }


def test_links_and_large_files_in_a_tar_are_refused() -> None:
    """Each alone; a link leads to whatever the machine has."""
    link = named("link.jpg", tarfile.SYMTYPE)
    link.linkname = "/etc/passwd"
    content = tarred((link, b""), (named("large.jpg"), bytes(LIMIT + 1)), (named("a.jpg"), b"x"))
    found = in_tar(content)

    assert isinstance(found["link.jpg"].error, UnsupportedMemberError)
    assert isinstance(found["large.jpg"].error, PictureTooLargeError)
    assert found["a.jpg"].slice


def test_a_tar_that_is_cut_off_or_damaged_is_refused() -> None:
    """Nobody can tell where the next member is."""
    content = tarred((named("a.jpg"), PICTURE * 10), (named("b.jpg"), b"x"))
    damaged = content[:2500].ljust(len(content), b"x")

    with pytest.raises(BadBulkError):
        in_tar(content[:1000])
    with pytest.raises(BadBulkError):
        in_tar(damaged)


def test_a_header_of_any_size_is_not_read_into_memory() -> None:
    """An extended header that says that it has gigabytes."""
    header = bytearray(tarred((named("a.jpg", tarfile.XHDTYPE), b""))[:512])
    header[124:136] = b"\x80" + (2**33).to_bytes(11, "big")
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + 8 * 32 + sum(header[156:]))

    with pytest.raises(BadBulkError, match="none needs so many"):
        in_tar(bytes(header))


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_a_packed_tar_is_unpacked_within_its_limit(mode: str) -> None:
    """To a file, never to memory."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode=mode) as opened:
        info = named("a.jpg")
        info.size = 100_000
        opened.addfile(info, io.BytesIO(bytes(100_000)))
    archive.seek(0)
    plain = io.BytesIO()

    assert tars.unpack(archive, plain, most_bytes=200_000) == len(plain.getvalue())
    archive.seek(0)
    with pytest.raises(BadBulkError, match="the limit"):
        tars.unpack(archive, io.BytesIO(), most_bytes=50_000)
    with pytest.raises(BadBulkError, match="cannot be unpacked"):
        tars.unpack(io.BytesIO(archive.getvalue()[:50]), io.BytesIO(), most_bytes=200_000)


def test_an_item_comes_back_as_it_was_written() -> None:
    """Lines of the index keep all that is known of a picture."""
    items = [
        Item(0, "a\nb.jpg", slice=Slice(1, 2, 8, 40, 3)),
        Item(1, "ü", url="https://example.org/ü"),
        Item(2, "c", key="a/b.jpg"),
    ]

    assert list(items_of(b"".join(map(line_of, items)))) == items


def test_members_that_are_passed_over_are_counted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory of folders alone would else be read for hours."""
    monkeypatch.setattr(found_module, "MOST_RECORDS", 3)
    folders = {f"{i}/": b"" for i in range(4)}

    with pytest.raises(BadBulkError, match="more than 3"):
        in_zip(zipped(folders))
    with pytest.raises(BadBulkError, match="more than 3"):
        in_tar(tarred(*[(named(name, tarfile.DIRTYPE), b"") for name in folders]))
