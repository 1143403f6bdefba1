"""Archives and lists that a command line names: the pictures in them, read one by one."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

from training.errors import DataError, SettingsError
from training.pictures.archives import ZipFiles
from training.pictures.listing import Files
from training.pictures.tars import TarFiles

ZIPS = (".zip",)
TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
LISTS = (".txt",)
COMMENT = "#"


class ArchiveError(Exception):
    """An archive or a list cannot be read; says why, to follow its name."""


@dataclass(frozen=True)
class Member:
    """A picture in an archive, which is read when it is sent."""

    files: Files
    path: str

    @property
    def name(self) -> str:
        """The last part of its path."""
        return PurePosixPath(self.path).name

    def read_bytes(self) -> bytes:
        """Return its bytes.

        Raises:
            OSError: it cannot be unpacked, is encrypted, or is too large to be a picture.
        """
        return self.files.read(self.path)


def is_archive(path: Path) -> bool:
    """Say whether a file is an archive by its name."""
    return path.name.lower().endswith((*ZIPS, *TARS))


def is_list(path: Path) -> bool:
    """Say whether a file is a list of pictures by its name."""
    return path.name.lower().endswith(LISTS)


def members(archive: Path, suffixes: frozenset[str]) -> list[Member]:
    """Return the pictures in an archive, by their paths; what is no picture by name is left out.

    Raises:
        ArchiveError: it is damaged, or would be absurdly large.
    """
    found = archive.stat()
    files = _opened(archive.resolve(), found.st_mtime_ns, found.st_size)
    pictures = (path for path in files.listing().paths if _suffix(path) in suffixes)
    return [Member(files, path) for path in pictures]


def lines(place: Path) -> Iterator[str]:
    """Give the addresses and paths of a list; paths begin where the list lies.

    Raises:
        ArchiveError: it is no text.
    """
    try:
        text = place.read_text("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise ArchiveError("is no list of pictures: it is not UTF-8") from exc
    for line in text.splitlines():
        if line.strip() and not line.startswith(COMMENT):
            yield line.strip()


@cache
def _opened(archive: Path, _changed: int, _size_bytes: int) -> Files:
    """Return an archive, which is opened once as long as it stays the same."""
    try:
        is_zip = archive.name.lower().endswith(ZIPS)
        return ZipFiles(archive) if is_zip else TarFiles(archive)
    except (DataError, SettingsError) as exc:
        raise ArchiveError(str(exc).removeprefix(f"{archive} ")) from exc


def _suffix(path: str) -> str:
    return "" if path.endswith("/") else PurePosixPath(path).suffix.lower()
