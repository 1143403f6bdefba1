"""Files and folders that are there whole or not at all, at whatever moment a run is killed.

Everything is made beside its place and moved there when it is whole; several runs may do so at the
same time. What a kill leaves behind is never taken for a result, and a later run clears it away.
"""

import glob
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from model_store import turns

# Nothing takes as long to make, so what is older is what a killed run left.
STALE_AFTER_SECONDS = 24 * 3600.0

_PARTIAL = ".partial"


def write(path: Path, content: bytes) -> None:
    """Write a file, making its folder; what was there is replaced at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file():
        # Something like /dev/stdout, which no file can take the place of.
        path.write_bytes(content)
        return
    _clear(path.parent, f"{glob.escape(path.name)}.*{_PARTIAL}")
    # A name of its own: another run may write the same file at this moment.
    partial = path.with_name(f"{path.name}.{uuid4().hex[:8]}{_PARTIAL}")
    try:
        partial.write_bytes(content)
        _flush(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8, as `write` does.

    File names that are not UTF-8 hold lone surrogates; they are written as JSON escapes them.
    """
    write(path, text.encode("utf-8", "backslashreplace"))


@contextmanager
def folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Yield an empty folder in `parent` and delete it afterwards, and those that kills left."""
    parent.mkdir(parents=True, exist_ok=True)
    _clear(parent, f"{prefix}*")
    with tempfile.TemporaryDirectory(dir=parent, prefix=prefix) as made:
        yield Path(made)


def move(made: Path, place: Path) -> None:
    """Move a folder to its place.

    Raises:
        OSError: something is there; another run was first, and someone may be reading it.
    """
    for file in filter(Path.is_file, made.rglob("*")):
        _flush(file)
    made.rename(place)


def set_aside(place: Path, folder: Path) -> None:
    """Move what is of no use out of its place, if it is there, into a folder that is deleted."""
    # Another run may do it at the same time.
    with suppress(FileNotFoundError):
        place.rename(folder / f"{place.name}.old")


def fill(directory: Path, make: Callable[[Path], None], *, last: str) -> None:
    """Make the content of a folder that may exist, as a mount point does, and stays itself.

    Runs that fill one folder at the same time take turns; what the last one made stays.

    Args:
        directory: Where the content goes; made when missing.
        make: Writes it into a folder that is not there yet.
        last: Name of the file that is moved last, so that a folder that has it is whole.
    """
    with turns.alone(directory):
        partial = directory / _PARTIAL
        shutil.rmtree(partial, ignore_errors=True)
        make(partial)
        for made in sorted(partial.iterdir(), key=lambda path: path.name == last):
            shutil.rmtree(directory / made.name, ignore_errors=True)
            made.replace(directory / made.name)
        partial.rmdir()


def is_unfinished(directory: Path) -> bool:
    """Tell whether a run was killed while it filled the folder."""
    return (directory / _PARTIAL).exists()


def _clear(parent: Path, pattern: str) -> None:
    """Delete what killed runs left under names that match."""
    for left in parent.glob(pattern):
        # Another run may clear it away at the same time.
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE_AFTER_SECONDS:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


def _flush(file: Path) -> None:
    """Wait until a file is on the disk; a power cut may keep the move and lose the bytes."""
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
