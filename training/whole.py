"""Files and folders that are there whole or not at all, at whatever moment a run is killed.

Everything is made beside its place and moved there when it is whole; what a kill leaves behind is
never taken for a result, and the next run clears it away.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Nothing takes as long to make, so an older folder is what a killed run left.
STALE_AFTER_SECONDS = 24 * 3600.0

_PARTIAL = ".partial"


def write(path: Path, content: bytes) -> None:
    """Write a file, making its folder; what was there is replaced at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and not path.is_file():
        # Something like /dev/stdout, which no file can take the place of.
        path.write_bytes(content)
        return
    partial = path.with_name(path.name + _PARTIAL)
    partial.write_bytes(content)
    _flush(partial)
    partial.replace(path)


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8, as `write` does.

    File names that are not UTF-8 hold lone surrogates; they are written as JSON escapes them.
    """
    write(path, text.encode("utf-8", "backslashreplace"))


@contextmanager
def folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Yield an empty folder in `parent` and delete it afterwards, and those that kills left."""
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f"{prefix}*"):
        # Another run may clear it away at the same time.
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE_AFTER_SECONDS:
                shutil.rmtree(left)
    with tempfile.TemporaryDirectory(dir=parent, prefix=prefix) as made:
        yield Path(made)


def move(made: Path, place: Path) -> None:
    """Move a folder to its place, where something that is of no use may be."""
    for file in filter(Path.is_file, made.rglob("*")):
        _flush(file)
    shutil.rmtree(place, ignore_errors=True)
    made.rename(place)


def fill(directory: Path, make: Callable[[Path], None], *, last: str) -> None:
    """Make the content of a folder that may exist, as a mount point does, and stays itself.

    Args:
        directory: Where the content goes; made when missing.
        make: Writes it into a folder that is not there yet.
        last: Name of the file that is moved last, so that a folder that has it is whole.
    """
    partial = directory / _PARTIAL
    shutil.rmtree(partial, ignore_errors=True)
    directory.mkdir(parents=True, exist_ok=True)
    make(partial)
    for made in sorted(partial.iterdir(), key=lambda path: path.name == last):
        shutil.rmtree(directory / made.name, ignore_errors=True)
        made.replace(directory / made.name)
    partial.rmdir()


def is_unfinished(directory: Path) -> bool:
    """Tell whether a run was killed while it filled the folder."""
    return (directory / _PARTIAL).exists()


def _flush(file: Path) -> None:
    """Wait until a file is on the disk; a power cut may keep the move and lose the bytes."""
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
