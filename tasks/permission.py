"""Whether the children of this worker may take pictures along, as its main process says.

It is one byte of memory that the children share with it: a child looks at it before each picture,
and a worker that is to end cannot wait for a message to be read.
"""

from mmap import mmap

_REFUSED = mmap(-1, 1)
"""Made when the module is loaded, before any child is forked."""


def give(*, given: bool) -> None:
    """Say whether children take along, from now on."""
    _REFUSED[0] = not given


def is_given() -> bool:
    """Tell whether a child may take the next picture itself."""
    return not _REFUSED[0]
