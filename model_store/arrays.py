"""Reading NumPy files in a process of several threads."""

from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

# NumPy parses a file's header with `ast`, and CPython before 3.11.8 fails now and then when two
# threads do so at once: "AST constructor recursion depth mismatch" (python/cpython#106905).
_parsing = Lock()


def load(path: Path, *, mmap_mode: Any = None) -> Any:
    """Return the array of an `.npy` file, or the open archive of an `.npz` file; no pickles."""
    with _parsing:
        return np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
