"""The few verbs the store needs from a directory, a bucket or memory; obstore does the work.

Paths are relative to the store and use `/`. Every verb raises `StoreUnavailableError` when the
place cannot be reached, so that no foreign error leaves this file.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeAlias

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, MemoryStore, from_url

from model_store.errors import StoreUnavailableError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

# A string, because obstore has this type for type checkers only.
Objects: TypeAlias = "ObjectStore"

# obstore's own limits keep a caller waiting for three minutes when a bucket cannot be reached.
# These end it after about five seconds, or ten when the server takes the call and says nothing.
RETRIES: "RetryConfig" = {"max_retries": 2, "retry_timeout": timedelta(seconds=5)}
CLIENT: "ClientConfig" = {
    "connect_timeout": timedelta(seconds=2),
    "read_timeout": timedelta(seconds=10),
    # Of a whole transfer; the weights of a large network take longer than obstore's 30 seconds.
    "timeout": timedelta(minutes=10),
}
# Parts of 5 MiB that are sent at once: all of them together have `read_timeout` to get through.
PARTS_AT_ONCE = 4


def open_url(url: str) -> tuple[Objects, Path | None]:
    """Return the objects at a URL, and their directory when they lie on this machine."""
    with _translated(url):
        if url.startswith("memory:"):
            return MemoryStore(), None
        if "://" in url:
            return from_url(url, client_options=_client(), retry_config=RETRIES), None
        directory = Path(url).absolute()
        return LocalStore(prefix=directory, mkdir=True, automatic_cleanup=True), directory


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
        obstore.put(objects, path, source, max_concurrency=PARTS_AT_ONCE)


def download(objects: Objects, path: str, destination: Path) -> None:
    """Write an object's bytes to a file, in pieces, making its directory.

    Raises:
        FileNotFoundError: there is no such object.
    """
    destination.parent.mkdir(parents=True, exist_ok=True)
    with _translated(path), destination.open("wb") as stream:
        for piece in obstore.get(objects, path):
            stream.write(piece)


def delete(objects: Objects, path: str) -> None:
    """Delete one object; a missing one is fine."""
    with _translated(path):
        try:
            obstore.delete(objects, path)
        except FileNotFoundError:
            return


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


def tree(objects: Objects, prefix: str) -> list[str]:
    """Return the full paths of all objects under a prefix, however deep."""
    with _translated(prefix):
        return [entry["path"] for page in obstore.list(objects, prefix) for entry in page]


def _client() -> "ClientConfig":
    # An address that says http is meant so; else AWS_ALLOW_HTTP would have to say it again.
    address = os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT", "")
    return {**CLIENT, "allow_http": True} if address.startswith("http://") else CLIENT


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError, ValueError) as exc:
        reason = str(exc).partition("\n")[0]
        raise StoreUnavailableError(f"the model store cannot be used at {what}: {reason}") from exc
