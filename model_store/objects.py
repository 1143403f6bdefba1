"""One way to a directory, a bucket or memory, for whoever keeps bytes under paths.

Paths are relative to the place and use `/`. obstore does the work; its endless patience ends here,
and none of its errors leaves this file.
"""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from errno import ENOTDIR
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Self

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, MemoryStore, from_url

from model_store import bucket_keys
from model_store.errors import StoreUnavailableError

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

# Parts of 5 MiB that are sent at once: all of them together have `silence_seconds` to get through.
PARTS_AT_ONCE = 4
MEMORY = "memory"
# What obstore says of a key that it cannot hand on; one refuses the whole listing.
_NO_PATH = "invalid path"
_AFTER_A_SCHEME = re.compile(r"(?<=://)[^\s\"'<>]+")
ENDPOINT_VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")


@dataclass(frozen=True)
class Limits:
    """How long a caller waits for a bucket; a directory and memory have no such limits.

    obstore's own keep a caller waiting for three minutes.

    Attributes:
        connect_seconds: Until the server has taken the call.
        silence_seconds: Until it answers after that, and between any two of its answers.
        request_seconds: Of one request with the whole of its transfer.
        retries: Further tries after a failure that may heal.
        retry_seconds: Since the first try; later than that no other one begins.
    """

    connect_seconds: float
    silence_seconds: float
    request_seconds: float
    retries: int
    retry_seconds: float


# Ends a call after about five seconds, or ten when the server takes it and says nothing. A transfer
# may take minutes: the weights of a large network need longer than obstore's 30 seconds.
PATIENT = Limits(
    connect_seconds=2, silence_seconds=10, request_seconds=600, retries=2, retry_seconds=5
)


class Objects:
    """Objects by path. Several processes may use one place; threads may share an instance.

    A directory is made by the first write; until then it reads as an empty one. Every method may
    raise `StoreUnavailableError`, which begins with `called`.

    Attributes:
        place: Where they are, for people: a full path, a URL without secrets, or `memory`.
        directory: That path on this machine; None for a bucket and for memory.
    """

    def __init__(
        self,
        store: "ObjectStore | None",
        *,
        called: str,
        place: str,
        directory: Path | None = None,
        limits: Limits = PATIENT,
    ) -> None:
        """Use an obstore store, or `directory` once it is there; see `open` for URLs."""
        self.place, self.directory = without_secrets(place), directory
        self._url = place
        self._store, self._called, self._limits = store, called, limits

    @classmethod
    def open(cls, url: str, *, called: str, limits: Limits = PATIENT) -> Self:
        """Return the objects in a directory, at `s3://bucket/path` or in `memory:`.

        Nothing is made and nobody is asked yet. Credentials of a bucket come from its usual
        variables (`AWS_ACCESS_KEY_ID`, …), never from the URL.

        Args:
            url: The place.
            called: What messages call it, as in `the model store`.
            limits: How long a bucket is waited for.
        """
        with _translated(called, url):
            if url.startswith("memory:"):
                return cls(MemoryStore(), called=called, place=MEMORY)
            if "://" in url:
                return cls(_bucket(url, limits), called=called, place=url, limits=limits)
            directory = Path(url).absolute()
            if directory.exists() and not directory.is_dir():
                raise NotADirectoryError(ENOTDIR, "it is no directory")
            return cls(None, called=called, place=str(directory), directory=directory)

    def within(self, limits: Limits) -> Self:
        """Return the same place for callers with other limits."""
        if self.place == MEMORY or self.directory is not None:
            return self
        return type(self).open(self._url, called=self._called, limits=limits)

    def read(self, path: str) -> bytes:
        """Return the bytes of one object.

        Raises:
            FileNotFoundError: there is none.
        """
        with self._translated(path):
            return bytes(obstore.get(self._to_read(), path).bytes())

    def read_up_to(self, path: str, most_bytes: int) -> bytes:
        """Return the first bytes of one object; more than `most_bytes` are not fetched for long.

        Raises:
            FileNotFoundError: there is none.
        """
        content = bytearray()
        with self._translated(path):
            for piece in obstore.get(self._to_read(), path):
                content += piece
                if len(content) >= most_bytes:
                    break
        return bytes(content[:most_bytes])

    def read_range(self, path: str, start: int, length: int) -> bytes:
        """Return bytes of one object from a position on; they must all be there.

        Raises:
            FileNotFoundError: there is none.
        """
        with self._translated(path):
            if self.directory is not None:
                return _piece(self.directory / path, start, length)
            return bytes(obstore.get_range(self._to_read(), path, start=start, length=length))

    def size_bytes(self, path: str) -> int:
        """Return the size of one object.

        Raises:
            FileNotFoundError: there is none.
        """
        with self._translated(path):
            return int(obstore.head(self._to_read(), path)["size"])

    def create(self, path: str, content: bytes) -> bool:
        """Write an object that must not exist yet; tell whether it was written."""
        with self._translated(path):
            try:
                # Only a single request can be conditional, so nothing is sent in parts.
                obstore.put(self._to_write(), path, content, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
        return True

    def write(self, path: str, content: bytes | Path) -> None:
        """Write bytes, or those of a file, to an object, replacing what is there."""
        with self._translated(path):
            obstore.put(self._to_write(), path, content, max_concurrency=PARTS_AT_ONCE)

    def download(self, path: str, destination: Path) -> None:
        """Write an object's bytes to a file, in pieces, making its directory.

        Raises:
            FileNotFoundError: there is no such object.
        """
        destination.parent.mkdir(parents=True, exist_ok=True)
        with self._translated(path), destination.open("wb") as stream:
            for piece in obstore.get(self._to_read(), path):
                stream.write(piece)

    def delete(self, path: str) -> None:
        """Delete one object; a missing one is fine."""
        with self._translated(path):
            try:
                obstore.delete(self._to_read(), path)
            except FileNotFoundError:
                return

    def delete_all(self, paths: Sequence[str]) -> None:
        """Delete objects, many with one request; missing ones are fine."""
        with self._translated("/"):
            if self.directory is None:
                obstore.delete(self._to_read(), list(paths))
                return
            for path in paths:
                (self.directory / path).unlink(missing_ok=True)

    def take(self, path: str, file: Path) -> None:
        """Make an object of a file, which is moved where it lies beside the others."""
        with self._translated(path):
            if self.directory is not None and file.parent == self.directory:
                file.replace(self.directory / path)
            else:
                obstore.put(self._to_write(), path, file, max_concurrency=PARTS_AT_ONCE)

    def make_private(self, folder: str) -> None:
        """Make a folder that only this user may look into, where this is a directory.

        It goes when its last object is deleted.
        """
        if self.directory is not None:
            with self._translated(folder):
                (self.directory / folder).mkdir(mode=0o700, parents=True, exist_ok=True)

    def exists(self, path: str) -> bool:
        """Tell whether there is such an object."""
        with self._translated(path):
            try:
                obstore.head(self._to_read(), path)
            except FileNotFoundError:
                return False
        return True

    def folders(self, prefix: str | None = None) -> list[str]:
        """Return the names of the folders directly under a prefix."""
        with self._translated(prefix or "/"):
            listed = obstore.list_with_delimiter(self._to_read(), prefix)["common_prefixes"]
        return [PurePosixPath(path).name for path in listed]

    def entries(self, prefix: str) -> list[str]:
        """Return the names of the objects directly under a prefix."""
        with self._translated(prefix):
            listed = obstore.list_with_delimiter(self._to_read(), prefix)["objects"]
        return [PurePosixPath(entry["path"]).name for entry in listed]

    def tree(self, prefix: str | None = None, *, before: datetime | None = None) -> list[str]:
        """Return the full paths of all objects under a prefix, however deep.

        With `before`, a moment in UTC, only of those that were last written earlier.
        """
        with self._translated(prefix or "/"):
            pages = obstore.list(self._to_read(), prefix)
            return [
                entry["path"]
                for page in pages
                for entry in page
                if before is None or entry["last_modified"] < before
            ]

    def walk(self) -> Iterator[str]:
        """Give the full paths of all objects, however many; no more than a page is kept."""
        with self._translated("/"):
            for page in obstore.list(self._to_read()):
                yield from (entry["path"] for entry in page)

    def tree_and_odd_keys(self) -> tuple[list[str], list[str]]:
        """Return the full paths of all objects, and the keys of those that cannot be asked for.

        A bucket may have keys that are no paths, such as `a//b`; a directory has none.
        """
        try:
            return self.tree(), []
        except StoreUnavailableError as exc:
            if self.directory is not None or _NO_PATH not in str(exc).lower():
                raise
        seconds = self._limits.silence_seconds
        with self._translated("/"):
            keys = list(bucket_keys.below(self._url, endpoint=_endpoint(), timeout_seconds=seconds))
        paths = [key.removesuffix("/") for key in keys if bucket_keys.is_path(key)]
        return paths, [key for key in keys if not bucket_keys.is_path(key)]

    def _to_read(self) -> "ObjectStore":
        # A look must not make the directory: a mistyped one would be there ever after.
        if self._store is None and self.directory is not None and not self.directory.is_dir():
            return MemoryStore()
        return self._to_write()

    def _to_write(self) -> "ObjectStore":
        if self._store is None:
            self._store = LocalStore(self.directory, mkdir=True, automatic_cleanup=True)
        return self._store

    @contextmanager
    def _translated(self, path: str) -> Iterator[None]:
        with _translated(self._called, path):
            yield


def _piece(file: Path, start: int, length: int) -> bytes:
    """Return bytes of a file; obstore would give it to a thread of its own."""
    with file.open("rb", buffering=0) as opened:
        return os.pread(opened.fileno(), length, start)


def _bucket(url: str, limits: Limits) -> "ObjectStore":
    client: ClientConfig = {
        "connect_timeout": timedelta(seconds=limits.connect_seconds),
        "read_timeout": timedelta(seconds=limits.silence_seconds),
        "timeout": timedelta(seconds=limits.request_seconds),
    }
    # An address that says http is meant so; else AWS_ALLOW_HTTP would have to say it again.
    if _endpoint().startswith("http://"):
        client["allow_http"] = True
    retry: RetryConfig = {
        "max_retries": limits.retries,
        "retry_timeout": timedelta(seconds=limits.retry_seconds),
    }
    return from_url(url, client_options=client, retry_config=retry)


def _endpoint() -> str:
    return next(filter(None, map(os.environ.get, ENDPOINT_VARIABLES)), "")


def without_secrets(text: str) -> str:
    """Return a text whose URLs have no login and no query: signatures and tokens are in these."""
    return _AFTER_A_SCHEME.sub(lambda found: _without_login_and_query(found[0]), text)


def _without_login_and_query(address: str) -> str:
    place, *query = re.split("[?#]", address, maxsplit=1)
    if any("@" in each for each in query):
        return "…"  # A password may have ended what looks like the place.
    _, at, host_and_path = place.rpartition("@")
    return f"{'…@' if at else ''}{host_and_path}{'?…' if query else ''}"


@contextmanager
def _translated(called: str, what: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise
    except (BaseError, OSError, ValueError) as exc:
        reason = without_secrets(str(exc).partition("\n")[0])
        what = without_secrets(what)
        # Not `from exc`: a traceback would show the whole address again, with what is secret in it.
        raise StoreUnavailableError(f"{called} cannot be used at {what}: {reason}") from None
