"""Zip archives. Entries are read one by one, and nothing is unpacked to any path."""

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from training.errors import DataError
from training.pictures import names
from training.pictures.listing import LeftOut, Listing, bounded, refuse_bomb, refuse_size

_UTF8_FLAG = 0x800
_DAMAGED = (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error)


class ZipFiles:
    """What lies in a zip archive, which stays open."""

    def __init__(self, archive: Path) -> None:
        """Open it.

        Raises:
            DataError: it is damaged, or unpacked it would be absurdly large.
        """
        try:
            self._archive = zipfile.ZipFile(archive)
        except _DAMAGED as exc:
            raise DataError(f"{archive} cannot be read as a zip archive: {exc}") from exc
        self._place = archive
        infos = self._archive.infolist()
        refuse_bomb(archive, sum(info.file_size for info in infos))
        self._entries = {_path(info): info for info in infos}

    def listing(self) -> Listing:
        """Return every file and every folder that the archive says it has."""
        left_out = LeftOut()
        inside = left_out.only_inside(self._entries)
        found = sorted(bounded(left_out.without_litter(inside), self._place))
        return Listing(tuple(found), (*left_out.notes, *self._guessed()))

    def read(self, path: str) -> bytes:
        """Return the bytes of a file."""
        info = self._entries[path]
        refuse_size(info.file_size)
        try:
            return self._archive.read(info)
        except (*_DAMAGED, lzma.LZMAError) as exc:
            raise OSError(f"the archive's entry cannot be unpacked: {exc}") from exc

    def _guessed(self) -> Iterator[str]:
        unsure = [path for path, info in self._entries.items() if _is_guessed(path, info)]
        if unsure:
            yield (
                f"{self._place} does not say how its names are written, so those of {len(unsure)} "
                f"files may be wrong, as {unsure[0]}; pack it anew with names in UTF-8"
            )


def _path(info: zipfile.ZipInfo) -> str:
    """Return an entry's path with `/`; some programs on Windows write backslashes."""
    return names.shown(_name(info).replace("\\", "/"))


def _name(info: zipfile.ZipInfo) -> str:
    """Return an entry's name; macOS writes UTF-8 without saying so."""
    if info.flag_bits & _UTF8_FLAG:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _is_guessed(path: str, info: zipfile.ZipInfo) -> bool:
    said = info.flag_bits & _UTF8_FLAG
    return not (said or path.isascii()) and path == info.filename.replace("\\", "/")
