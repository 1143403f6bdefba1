"""Rows of numbers by picture content, in files that a kill cannot damage.

Features and the findings of the data check are kept this way, so a second run computes neither.
Every file is written aside and renamed, so it is there with all its rows or not at all.
"""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from model_store import arrays

logger = logging.getLogger(__name__)

DIGEST_BYTES = 32


class RowCache:
    """Rows of one kind in one folder. Threads and processes may add at the same time."""

    def __init__(self, directory: Path, *, width: int, dtype: type[np.generic]) -> None:
        """Use the rows [width] that are in `directory`; it is made when the first row is added."""
        self._directory = directory
        self._width = width
        self._record = np.dtype([("key", np.uint8, DIGEST_BYTES), ("row", dtype, (width,))])
        self._places: dict[str, tuple[Path, int]] = {}
        for path in sorted(directory.glob("*.npy")):
            self._index(path)

    def missing(self, keys: Sequence[str]) -> list[str]:
        """Return those SHA-256 digests (hexadecimal) that have no row yet, in order, once each."""
        return [key for key in dict.fromkeys(keys) if key not in self._places]

    def add(self, keys: Sequence[str], rows: NDArray[np.generic]) -> None:
        """Keep rows [N, width] under N digests."""
        records = np.empty(len(keys), self._record)
        records["key"] = [list(bytes.fromhex(key)) for key in keys]
        records["row"] = rows
        path = self._write(records)
        self._places.update((key, (path, i)) for i, key in enumerate(keys))

    def rows(self, keys: Sequence[str]) -> NDArray[np.generic]:
        """Return the rows [N, width] of digests that are all here; a file is read once.

        Raises:
            KeyError: a digest has no row.
        """
        found = np.empty((len(keys), self._width), self._record["row"].base)
        wanted: dict[Path, list[tuple[int, int]]] = {}
        for i, key in enumerate(keys):
            path, place = self._places[key]
            wanted.setdefault(path, []).append((i, place))
        for path, pairs in wanted.items():
            to, of = np.array(pairs).T
            found[to] = arrays.load(path)["row"][of]
        return found

    def _write(self, records: NDArray[np.void]) -> Path:
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / f"{uuid4().hex}.npy"
        partial = path.with_suffix(".partial")
        with partial.open("wb") as stream:
            np.save(stream, records)
            stream.flush()
            # Without it a power cut may keep the rename and lose the bytes.
            os.fsync(stream.fileno())
        partial.rename(path)
        return path

    def _index(self, path: Path) -> None:
        try:
            keys = arrays.load(path, mmap_mode="r")
            if keys.dtype != self._record:
                raise ValueError(f"its rows are {keys.dtype}")
        except (OSError, ValueError, EOFError) as exc:
            logger.warning("cache file left out", extra={"file": str(path), "reason": str(exc)})
            return
        for i, key in enumerate(keys["key"]):
            self._places[key.tobytes().hex()] = (path, i)
