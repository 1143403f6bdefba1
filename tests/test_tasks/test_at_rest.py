"""What lies in the image store under a key: nothing to read, to change, to move or to cut off."""

import os
from base64 import b64encode
from io import BytesIO
from pathlib import Path

import pytest
from pydantic import ValidationError

from tasks import settings, stores
from tasks.at_rest import keyring
from tasks.at_rest.keyring import HEAD_BYTES, MAGIC, SEGMENT_BYTES, STORED_BYTES, Keyring
from tasks.at_rest.spool import Spool
from tasks.at_rest.streams import EncryptedStream
from tasks.errors import DamagedUploadError, ImageKeyError
from tasks.image_store import ImageStore

OLD, NEW = b"o" * 32, b"n" * 32
SIZES = (0, 1, SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 3 * SEGMENT_BYTES + 5)
MARKER = b"a picture of somebody"
SETTING = "PETIOLE_TASKS_IMAGE_STORE_KEY"


def store_in(directory: Path, *keys: bytes) -> ImageStore:
    """Return a store as a process with these keys has it."""
    return ImageStore.open(str(directory), Keyring(keys))


@pytest.mark.parametrize("size", SIZES)
def test_what_was_encrypted_comes_back(tmp_path: Path, size: int) -> None:
    """Whole and in pieces, at the borders of segments too; the disk has none of it."""
    images, plain = store_in(tmp_path, NEW), (MARKER * (size // len(MARKER) + 1))[:size]
    images.put("a", plain)
    read = images.reader_of("a")
    places = [(0, size), (SEGMENT_BYTES - 3, 7), (size - 4, 100), (size, 1), (1, SEGMENT_BYTES)]

    assert (images.get("a"), images.size_bytes("a")) == (plain, size)
    assert [read(at, n) for at, n in places if at >= 0] == [
        plain[at : at + n] for at, n in places if at >= 0
    ]
    assert MARKER not in (tmp_path / "a").read_bytes()


@pytest.mark.parametrize("size", SIZES)
def test_a_body_is_encrypted_as_it_is_written(size: int) -> None:
    """Piece by piece it becomes the same as at once."""
    plain, file = os.urandom(size), BytesIO()
    stream = EncryptedStream(file, Keyring((NEW,)))
    for start in range(0, size, 1000):
        stream.write(plain[start : start + 1000])
    stream.seek(0)
    halves = stream.read(size // 2), stream.read()

    assert b"".join(halves) == plain
    assert Keyring((NEW,)).decrypt(file.getvalue(), "") == plain


STORED = Keyring((NEW,)).encrypt(bytes(2 * SEGMENT_BYTES + 9), "a")
FIRST, SECOND = (HEAD_BYTES + n * STORED_BYTES for n in range(2))


@pytest.mark.parametrize(
    "changed",
    [
        STORED[:20] + bytes([STORED[20] ^ 1]) + STORED[21:],
        STORED[: HEAD_BYTES - 1] + b"?" + STORED[HEAD_BYTES:],
        STORED[:500] + bytes([STORED[500] ^ 1]) + STORED[501:],
        STORED[:-1] + bytes([STORED[-1] ^ 1]),
        STORED[: SECOND + STORED_BYTES],
        STORED[:SECOND],
        STORED[: HEAD_BYTES + 3],
        STORED[:30],
        STORED[:FIRST]
        + STORED[SECOND : SECOND + STORED_BYTES]
        + STORED[FIRST:SECOND]
        + STORED[SECOND + STORED_BYTES :],
        STORED + STORED[-25:],
    ],
    ids=["salt", "name", "byte", "tag", "cut", "cut twice", "tiny", "head", "swapped", "longer"],
)
def test_what_was_changed_is_not_read(tmp_path: Path, changed: bytes) -> None:
    """Neither whole nor in the piece that is wanted; nobody is given other bytes."""
    images = store_in(tmp_path, NEW)
    images.probe()
    (tmp_path / "a").write_bytes(changed)

    with pytest.raises(DamagedUploadError, match="send it again"):
        images.get("a")
    with pytest.raises(DamagedUploadError):
        images.reader_of("a")(0, 3 * SEGMENT_BYTES)


def test_a_picture_is_not_read_under_another_name(tmp_path: Path) -> None:
    """Who can write to the store cannot give a client another one's picture."""
    images = store_in(tmp_path, NEW)
    images.put("anas", MARKER)
    (tmp_path / "bobs").write_bytes((tmp_path / "anas").read_bytes())

    with pytest.raises(DamagedUploadError):
        images.get("bobs")
    with pytest.raises(DamagedUploadError):
        images.reader_of("bobs")


def test_keys_follow_each_other(tmp_path: Path) -> None:
    """The first one encrypts, all decrypt, and what lay there before is read as well."""
    store_in(tmp_path).put("plain", b"1")
    store_in(tmp_path, OLD).put("old", b"2")
    store_in(tmp_path, OLD, NEW).probe()
    both = store_in(tmp_path, NEW, OLD)
    both.put("new", b"3")

    assert [both.get(each) for each in ("plain", "old", "new")] == [b"1", b"2", b"3"]
    assert store_in(tmp_path, NEW).get("new") == b"3"
    with pytest.raises(
        ImageKeyError, match=f"{SETTING} of this process has {Keyring((OLD,)).first}"
    ):
        store_in(tmp_path, OLD).get("old")


@pytest.mark.parametrize("keys", [(), (OLD,)])
def test_a_process_with_another_key_neither_reads_nor_writes(
    tmp_path: Path, keys: tuple[bytes, ...]
) -> None:
    """Nothing plain comes to lie beside what is encrypted, and nothing is taken for damaged."""
    store_in(tmp_path, NEW).put("a", MARKER)
    other = store_in(tmp_path, *keys)
    for act in (lambda: other.get("a"), lambda: other.put("b", MARKER), other.probe):
        with pytest.raises(ImageKeyError, match=SETTING):
            act()

    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "key-check"]


def test_who_began_before_the_first_key_does_not_take_it_for_a_picture(tmp_path: Path) -> None:
    """A worker without the key puts such a job off; it does not fail it as no picture."""
    early = store_in(tmp_path)
    early.put("plain", MARKER)
    store_in(tmp_path, NEW).put("a", MARKER)

    with pytest.raises(ImageKeyError, match="is not set"):
        early.get("a")
    with pytest.raises(ImageKeyError):
        early.reader_of("a")


def test_the_sweep_leaves_what_says_which_key_it_is(tmp_path: Path) -> None:
    """However old it is."""
    images = store_in(tmp_path, NEW)
    images.put("a", b"x")

    assert images.sweep(older_than_seconds=-60, is_wanted=lambda _: False) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["key-check"]


@pytest.mark.parametrize("said", ["short", b64encode(b"s" * 31).decode(), "%%%%"])
def test_what_is_no_key_is_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """With what it should be."""
    monkeypatch.setenv(SETTING, said)

    with pytest.raises(ValidationError, match="base64 of 32 random bytes") as refused:
        settings.settings()
    assert said not in str(refused.value)


def test_a_large_file_never_lies_on_disk_as_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither while it is written nor when the store has it."""
    monkeypatch.setenv(SETTING, b64encode(NEW).decode())
    monkeypatch.setenv("PETIOLE_TASKS_IMAGE_STORE_URL", str(tmp_path))
    with Spool() as spool:
        spool.write(MARKER * 10_000)
        spool.seek(0)
        seen = spool.path.read_bytes()
        stores.image_store().take("bulk-a", spool.path)
    lies = (tmp_path / "bulk-a").read_bytes()

    assert stores.image_store().reader_of("bulk-a")(21, 21) == MARKER
    assert (MARKER in seen, MARKER in lies, lies[:8]) == (False, False, MAGIC)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["bulk-a", "key-check"]


def test_a_key_is_shown_by_its_id_alone() -> None:
    """In whatever somebody prints."""
    key = keyring.Key(NEW)

    assert "nnnn" not in repr(key) + repr(vars(Keyring((NEW,)))) + str(key)
