"""The file of a backup: a tar archive of plain files, whose last member says what is in it.

`models/<path>` and `uploads/<key>` are objects byte for byte, `records.json` was in Redis.
`manifest.json` comes last, with the size and the SHA-256 of each: one without it is cut off.
"""

import io
import json
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Self

from petiole.backup.errors import BackupError, BadBackupError

FORMAT = 1
"""Grows when an older release would misread what a newer one writes."""
MANIFEST, RECORDS = "manifest.json", "records.json"
MODELS, UPLOADS = "models/", "uploads/"
PIECE_BYTES = 1 << 20
MOST_MANIFEST_BYTES = 256 << 20


@dataclass(frozen=True)
class Member:
    """One file of an archive: its size and its SHA-256 in hexadecimal."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What an archive holds, who wrote it and when (UTC, ISO 8601)."""

    created_at: str
    counts: dict[str, int]
    members: dict[str, Member]
    release: str = field(default_factory=lambda: metadata.version("petiole"))

    @property
    def text(self) -> str:
        """It as JSON."""
        members = {name: vars(member) for name, member in self.members.items()}
        return json.dumps({"format": FORMAT, **vars(self), "members": members}, indent=1)

    @classmethod
    def of(cls, text: bytes) -> Self:
        """Return the manifest that `text` is.

        Raises:
            BadBackupError: it is none, or of a later format.
        """
        try:
            told: dict[str, Any] = json.loads(text)
            number = int(told.pop("format"))
            if number <= FORMAT:
                members = {name: Member(**each) for name, each in told.pop("members").items()}
                return cls(**told, members=members)
        except (ValueError, LookupError, TypeError, AttributeError) as exc:
            raise BadBackupError("it is damaged: its manifest cannot be read") from exc
        raise BadBackupError(
            f"it has format {number}, made by release {told.get('release')}; this release reads "
            f"formats up to {FORMAT}: restore it with that release"
        )


class Writer:
    """Adds members to an archive that is being written."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        """Write to `tar`."""
        self._tar = tar
        self.members: dict[str, Member] = {}

    def add(self, name: str, file: Path) -> None:
        """Add a file."""
        with file.open("rb") as stream:
            self._add(name, stream, file.stat().st_size)

    def add_text(self, name: str, text: str) -> None:
        """Add what is in memory."""
        content = text.encode()
        self._add(name, io.BytesIO(content), len(content))

    def _add(self, name: str, stream: BinaryIO, size_bytes: int) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = size_bytes, 0o600
        hashed = _Hashed(stream)
        self._tar.addfile(info, hashed)
        self.members[name] = Member(size_bytes, hashed.digest.hexdigest())


class _Hashed:
    """A stream that notes the digest of what is read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self.digest = stream, sha256()

    def read(self, size: int = -1) -> bytes:
        """Read as a file does."""
        content = self._stream.read(size)
        self.digest.update(content)
        return content


@contextmanager
def written(path: Path) -> Iterator[Writer]:
    """Write an archive under a temporary name, and give it its own once the block is through.

    Only its owner may read it: it has the digests of keys, and pictures.

    Raises:
        BackupError: there is such a file already, or none can be written there.
    """
    if path.exists():
        raise BackupError(f"{path} is there already; name a file that is not")
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                    yield Writer(tar)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as exc:
        raise BackupError(f"{path} cannot be written: {exc.strerror or exc}") from exc


class Reader:
    """An archive that was looked through: every byte is as its manifest says."""

    def __init__(self, tar: tarfile.TarFile, manifest: Manifest) -> None:
        """Read from `tar`."""
        self._tar, self.manifest = tar, manifest

    def names(self, prefix: str) -> list[str]:
        """Return the names of the members below a prefix."""
        return [name for name in self.manifest.members if name.startswith(prefix)]

    def text(self, name: str) -> str:
        """Return a member as text."""
        content: bytes = _stream(self._tar, self._tar.getmember(name)).read()
        return content.decode()

    def extract(self, name: str, file: Path) -> None:
        """Write a member's bytes to a file."""
        stream = _stream(self._tar, self._tar.getmember(name))
        with file.open("wb") as target:
            while piece := stream.read(PIECE_BYTES):
                target.write(piece)


@contextmanager
def verified(path: Path, progress: Callable[[str], None]) -> Iterator[Reader]:
    """Open an archive once all of it was read and compared with its manifest.

    Raises:
        BadBackupError: it is damaged, cut off, none of ours, or of a later format.
        BackupError: it cannot be read.
    """
    with ExitStack() as stack:
        try:
            tar = stack.enter_context(tarfile.open(path, mode="r:"))
            manifest = _manifest(tar)
            _compare(tar, manifest, progress)
        except BadBackupError as exc:
            raise BadBackupError(f"{path} is not restored: {exc}") from exc
        except tarfile.TarError as exc:
            raise BadBackupError(f"{path} is not restored: it is damaged, or no backup") from exc
        except OSError as exc:
            raise BackupError(f"{path} cannot be read: {exc.strerror or exc}") from exc
        yield Reader(tar, manifest)


def _manifest(tar: tarfile.TarFile) -> Manifest:
    infos = tar.getmembers()
    if not infos or infos[-1].name != MANIFEST:
        raise BadBackupError("it is cut off, or no backup: it does not end with a manifest")
    for info in infos:
        _check_name(info)
    if len({info.name for info in infos}) != len(infos):
        raise BadBackupError("two of its files have one name")
    if infos[-1].size > MOST_MANIFEST_BYTES:
        raise BadBackupError("its manifest is too large")
    return Manifest.of(_stream(tar, infos[-1]).read())


def _check_name(info: tarfile.TarInfo) -> None:
    path = PurePosixPath(info.name)
    is_plain = str(path) == info.name and not path.is_absolute() and ".." not in path.parts
    is_ours = info.name in {MANIFEST, RECORDS} or info.name.startswith((MODELS, UPLOADS))
    is_file = info.isreg() and not info.issparse()
    if not (is_file and is_plain and is_ours) or "\\" in info.name or "\0" in info.name:
        raise BadBackupError(f"{info.name!r} is nothing that a backup holds")


def _compare(tar: tarfile.TarFile, manifest: Manifest, progress: Callable[[str], None]) -> None:
    infos = {info.name: info for info in tar.getmembers()[:-1]}
    if differing := infos.keys() ^ manifest.members.keys():
        raise BadBackupError(f"it is damaged: {min(differing)} is not where its manifest says")
    if RECORDS not in infos:
        raise BadBackupError(f"it is damaged: it has no {RECORDS}")
    for name, member in manifest.members.items():
        progress(f"Checking {name}")
        digest = file_digest(_stream(tar, infos[name]), "sha256").hexdigest()
        if (infos[name].size, digest) != (member.size_bytes, member.sha256):
            raise BadBackupError(f"it is damaged: {name} has other bytes than were backed up")


def _stream(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Any:
    stream = tar.extractfile(info)
    if stream is None:
        raise BadBackupError(f"{info.name!r} is nothing that a backup holds")
    return stream
