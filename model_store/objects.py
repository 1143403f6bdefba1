"""The few verbs the store needs from a directory, a bucket or memory; obstore does the work.

Paths are relative to the store and use `/`. Every verb raises `StoreUnavailableError` when the
place cannot be reached, so that no foreign error leaves this file.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeAlias

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, MemoryStore, from_url

from model_store.errors import StoreUnavailableError

if TYPE_CHECKING:
    from obstore.store import ObjectStore

# A string, because obstore has this type for type checkers only.
Objects: TypeAlias = "ObjectStore"


def open_url(url: str) -> tuple[Objects, Path | None]:
    """Return the objects at a URL, and their directory when they lie on this machine."""
    with _translated(url):
        if url.startswith("memory:"):
            return MemoryStore(), None
        if "://" in url:
            return from_url(url), None
        directory = Path(url).absolute()
        return LocalStore(prefix=directory, mkdir=True), directory


def read(objects: Objects, path: str) -> bytes:
    """Return the bytes of one object.

    Raises:
        FileNotFoundError: there is none.
    """
    with _translated(path):
        return bytes(obstore.get(objects, path).bytes())


def create(objects: Objects, path: str, content: bytes | Path) -> bool:
    """Write an object that must not exist yet; tell whether it was written."""
    with _translated(path):
        try:
            # Only a single request can be conditional, so nothing is sent in parts.
            obstore.put(objects, path, content, mode="create", use_multipart=False)
        except AlreadyExistsError:
            return False
    return True


def upload(objects: Objects, path: str, source: Path) -> None:
    """Write a file's bytes to an object that nobody else writes."""
    with _translated(path):
        obstore.put(objects, path, source)


def download(objects: Objects, path: str, destination: Path) -> None:
    """Write an object's bytes to a file, in pieces, making its directory.

    Raises:
        FileNotFoundError: there is no such object.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    with _translated(path), destination.open("wb") as stream:
        for piece in obstore.get(objects, path):
            stream.write(piece)


def exists(objects: Objects, path: str) -> bool:
    """Tell whether there is such an object."""
    with _translated(path):
        try:
            obstore.head(objects, path)
        except FileNotFoundError:
            return False
    return True


def folders(objects: Objects, prefix: str | None = None) -> list[str]:
    """Return the names of the folders directly under a prefix."""
    with _translated(prefix or "/"):
        paths = obstore.list_with_delimiter(objects, prefix)["common_prefixes"]
    return [PurePosixPath(path).name for path in paths]


def entries(objects: Objects, prefix: str) -> list[str]:
    """Return the names of the objects directly under a prefix."""
    with _translated(prefix):
        listed = obstore.list_with_delimiter(objects, prefix)["objects"]
    return [PurePosixPath(entry["path"]).name for entry in listed]


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError, ValueError) as exc:
        reason = str(exc).partition("\n")[0]
        raise StoreUnavailableError(f"the model store cannot be used at {what}: {reason}") from exc
