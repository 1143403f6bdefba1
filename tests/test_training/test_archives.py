"""Archives as people have them, and hostile ones."""

import io
import os
import tarfile
import tracemalloc
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.test_training.conftest import check, draw, encode
from training.errors import DataError, SettingsError
from training.pictures import listing, sources

PICTURE = encode(draw(1))


def _zip(archive: Path, names: list[str]) -> Path:
    """Write pictures under names as they stand there, whatever the standard says."""
    with zipfile.ZipFile(archive, "w") as target:
        for i, name in enumerate(names):
            info = zipfile.ZipInfo("x")
            info.filename = name
            target.writestr(info, encode(draw(i)))
    return archive


def _zip_of_a_mac(archive: Path, names: list[str]) -> Path:
    """Write pictures under names in UTF-8, without saying so."""
    letters = {name: chr(ord("A") + i) * len(name.encode()) for i, name in enumerate(names)}
    content = _zip(archive, list(letters.values())).read_bytes()
    for name, placeholder in letters.items():
        content = content.replace(placeholder.encode(), name.encode())
    archive.write_bytes(content)
    return archive


def _tar(folder: Path, archive: Path, mode: str) -> Path:
    with tarfile.open(archive, f"w:{mode}") as target:
        target.add(folder, "./flowers")
    return archive


def _member(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_a_zip_of_windows_has_folders(tmp_path: Path) -> None:
    r"""Some programs write `rose\1.png`; such an archive was empty."""
    archive = _zip(tmp_path / "p.zip", ["rose\\1.png", "rose\\deep\\2.png", "tulip\\3.png"])
    source = sources.open_source(archive)

    assert source.labels() == ("rose", "tulip")
    assert [e.path for e in source.entries()] == ["rose/1.png", "rose/deep/2.png", "tulip/3.png"]
    assert source.read("tulip/3.png") == encode(draw(2))


@pytest.mark.parametrize("mode", ["", "gz", "bz2", "xz"])
def test_a_tar_archive_is_the_folder_that_it_was_made_of(
    folder: Path, tmp_path: Path, mode: str
) -> None:
    """Compressed or not; contents, labels and split groups are equal."""
    archive = _tar(folder, tmp_path / f"pictures.tar.{mode}", mode)

    assert replace(check(folder), warnings=()) == replace(check(archive), warnings=())


def test_links_and_devices_of_a_tar_are_left_out(tmp_path: Path) -> None:
    """So are paths that lead out of it; nothing is written or read anywhere else."""
    with tarfile.open(tmp_path / "p.tar", "w") as target:
        for name in ("rose/1.png", "/etc/2.png", "../3.png", "rose/../../4.png"):
            info = tarfile.TarInfo(name)
            info.size = len(PICTURE)
            target.addfile(info, io.BytesIO(PICTURE))
        target.addfile(_member("rose/shadow.png", tarfile.SYMTYPE, "/etc/shadow"))
        target.addfile(_member("rose/hard.png", tarfile.LNKTYPE, "rose/1.png"))
        target.addfile(_member("rose/null.png", tarfile.CHRTYPE))
    source = sources.open_source(tmp_path / "p.tar")

    assert [entry.path for entry in source.entries()] == ["rose/1.png"]
    assert source.notes() == (
        "Left out, as it is a link, a device or has holes: "
        "rose/hard.png, rose/null.png, rose/shadow.png",
        "Left out, as its path leads out of the archive: ../3.png, /etc/2.png, rose/../../4.png",
    )


def test_paths_of_a_zip_stay_inside(tmp_path: Path) -> None:
    """What leads out of it is told."""
    archive = _zip(tmp_path / "p.zip", ["rose/1.png", "../2.png", "/3.png"])
    source = sources.open_source(archive)

    assert [entry.path for entry in source.entries()] == ["rose/1.png"]
    assert "leads out of the archive: ../2.png, /3.png" in source.notes()[0]


@pytest.mark.parametrize("name", ["bomb.zip", "bomb.tar.gz", "bomb.tar.xz"])
def test_a_bomb_is_refused_before_it_goes_off(tmp_path: Path, name: str) -> None:
    """It neither fills the disk nor the memory."""
    zeros = 70 * 2**20
    if name.endswith("zip"):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("rose/1.png", bytes(zeros))
    else:
        with tarfile.open(tmp_path / name, f"w:{name[-2:]}") as target:
            info = tarfile.TarInfo("rose/1.png")
            info.size = zeros
            target.addfile(info, io.BytesIO(bytes(zeros)))
    tracemalloc.start()

    with pytest.raises(DataError, match="more than 100 times larger unpacked"):
        sources.open_source(tmp_path / name)
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


@pytest.mark.parametrize("mode", ["", "gz", "bz2", "xz"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_tar_that_is_cut_off_is_refused(
    folder: Path, tmp_path: Path, mode: str, share: float
) -> None:
    """A part of the pictures would be taken for all of them."""
    archive = _tar(folder, tmp_path / "p.tar", mode)
    os.truncate(archive, int(archive.stat().st_size * share))

    with pytest.raises(DataError, match=r"p\.tar cannot be "):
        sources.open_source(archive)


def test_a_tar_that_is_damaged_in_the_middle_is_refused(folder: Path, tmp_path: Path) -> None:
    """Python takes a damaged header for the end of the archive."""
    archive = _tar(folder, tmp_path / "p.tar", "")
    with tarfile.open(archive) as opened:
        header = opened.getmembers()[9].offset
    content = bytearray(archive.read_bytes())
    content[header : header + 200] = b"x" * 200
    archive.write_bytes(content)

    with pytest.raises(DataError, match=f"damaged at byte {header}"):
        sources.open_source(archive)


def test_what_has_too_many_files_is_refused(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever they are."""
    monkeypatch.setattr(listing, "MOST_FILES", 20)
    places = [folder, _tar(folder, tmp_path / "p.tar", "gz")]
    places.append(_zip(tmp_path / "p.zip", [f"rose/{i}.png" for i in range(21)]))

    for place in places:
        with pytest.raises(DataError, match="more than 20 files and folders"):
            sources.open_source(place)


def test_what_is_too_large_for_a_picture_is_set_aside(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A film among the pictures is not read into memory."""
    monkeypatch.setattr(listing, "MOST_FILE_BYTES", 2**20)
    (folder / "玫瑰" / "film.mp4").write_bytes(os.urandom(2**20 + 1))

    for place in (folder, _tar(folder, tmp_path / "p.tar", "")):
        (aside,) = check(place).set_aside
        assert aside.reason == "it cannot be read: it is larger than 1 MiB, so no picture"


@pytest.mark.parametrize(
    ("name", "start", "kind"),
    [
        ("p.7z", b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        ("p.rar", b"Rar!\x1a\x07\x01\x00", "a RAR archive"),
        ("p.tar.zst", b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    ],
)
def test_other_archives_are_named(tmp_path: Path, name: str, start: bytes, kind: str) -> None:
    """And what to do with them."""
    (tmp_path / name).write_bytes(start + bytes(600))

    with pytest.raises(SettingsError, match=f"{kind}, which cannot be read; unpack it"):
        sources.open_source(tmp_path / name)


def test_a_zip_of_a_mac_has_its_letters(tmp_path: Path) -> None:
    """Its names are UTF-8 and do not say so."""
    archive = _zip_of_a_mac(tmp_path / "p.zip", ["красный/1.png", "玫瑰/2.png"])
    source = sources.open_source(archive)

    assert source.labels() == ("красный", "玫瑰")
    assert source.notes() == ()
