"""Tar archives, also compressed. Nothing is unpacked to a path that an archive names.

Files are read where they lie in the archive; a compressed one is unpacked into a nameless file.
"""

import bz2
import gzip
import lzma
import os
import tarfile
import tempfile
import weakref
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from training.errors import DataError, SettingsError
from training.pictures import names
from training.pictures.listing import (
    LeftOut,
    Listing,
    bounded,
    refuse_bomb,
    refuse_size,
)

_PIECE_BYTES = 2**20
_OPENERS: dict[bytes, Callable[[Path], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
}
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)


def is_tar(place: Path) -> bool:
    """Tell whether a file is a tar archive, or compressed as tar archives are."""
    return _opener(place) is not None or tarfile.is_tarfile(place)


class TarFiles:
    """What lies in a tar archive: its regular files. Links and devices are left out."""

    def __init__(self, archive: Path) -> None:
        """Open it, and find where each file begins.

        Raises:
            DataError: it is damaged, or unpacked it would be absurdly large.
            SettingsError: there is no room to unpack it.
        """
        self._file = _plain(archive)
        weakref.finalize(self, self._file.close)
        self._left_out = LeftOut()
        self._ranges: dict[str, tuple[int, int]] = {}
        try:
            members = dict(_members(self._file, archive))
        except _DAMAGED as exc:
            raise DataError(f"{archive} cannot be read as a tar archive: {exc}") from exc
        inside = self._left_out.only_inside(members)
        for path in self._left_out.without_litter(inside):
            self._place(path, members[path])

    def _place(self, path: str, member: tarfile.TarInfo) -> None:
        if member.isdir():
            self._ranges[f"{path}/"] = (0, 0)
        elif member.isreg() and not member.issparse():
            self._ranges[path] = (member.offset_data, member.size)
        else:
            self._left_out.add(path, "it is a link, a device or has holes")

    def listing(self) -> Listing:
        """Return every regular file and every folder."""
        return Listing(tuple(sorted(self._ranges)), self._left_out.notes)

    def read(self, path: str) -> bytes:
        """Return the bytes of a file."""
        start, size = self._ranges[path]
        refuse_size(size)
        # Seeking and reading are two calls, and threads would come between them.
        return os.pread(self._file.fileno(), size, start)


def _members(file: IO[bytes], archive: Path) -> Iterator[tuple[str, tarfile.TarInfo]]:
    """Yield what a tar archive holds, by its path.

    Raises:
        DataError: that is too much.
        tarfile.TarError: it is damaged.
    """
    with tarfile.open(fileobj=file, mode="r:") as opened:
        members = iter(opened.next, None)
        for member in bounded(members, archive):
            yield names.shown(member.name.removeprefix("./")), member
        # A damaged header in the middle is taken for the end.
        if any(os.pread(file.fileno(), tarfile.BLOCKSIZE, opened.offset)):
            raise tarfile.ReadError(f"it is damaged at byte {opened.offset}")


def _opener(place: Path) -> Callable[[Path], Any] | None:
    with place.open("rb") as file:
        start = file.read(8)
    return next((opener for magic, opener in _OPENERS.items() if start.startswith(magic)), None)


def _plain(archive: Path) -> IO[bytes]:
    """Return the archive as a file that is not compressed, for the caller to close."""
    opener = _opener(archive)
    if opener is None:
        return archive.open("rb")
    with opener(archive) as packed:
        try:
            return _unpacked(archive, packed)
        except _DAMAGED as exc:
            raise DataError(f"{archive} cannot be unpacked: {exc}") from exc
        except OSError as exc:
            raise SettingsError(
                f"{archive} cannot be unpacked in {tempfile.gettempdir()}: {exc.strerror or exc}; "
                "make room there, or name another folder with TMPDIR"
            ) from exc


def _unpacked(archive: Path, packed: IO[bytes]) -> IO[bytes]:
    plain = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the source
    try:
        while piece := packed.read(_PIECE_BYTES):
            refuse_bomb(archive, plain.tell() + len(piece))
            plain.write(piece)
        plain.seek(0)
    except BaseException:
        plain.close()
        raise
    return plain
