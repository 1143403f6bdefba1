"""What has to be done before TensorFlow or Keras are imported, and to keep them quiet.

Whoever needs a module that imports them calls `prepare`, then imports it inside the function.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TextIO


def prepare() -> None:
    """Set the variables that both read once, when they are imported, which takes seconds."""
    # Warnings and errors only; else every program begins with notes about GPUs that it lacks.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["KERAS_BACKEND"] = "tensorflow"


def load(module: str) -> ModuleType:
    """Return a module that imports either, where its name is known only when it is needed."""
    prepare()
    return import_module(module)


@contextmanager
def quiet_libraries() -> Iterator[TextIO]:
    """Yield the real stderr while everything else that is written there is dropped.

    TensorFlow writes a dozen lines about absent GPUs before any setting of it is read. Whoever
    sets TF_CPP_MIN_LOG_LEVEL sees them.
    """
    with os.fdopen(os.dup(2), "w") as stderr, Path(os.devnull).open("w") as nowhere:
        if "TF_CPP_MIN_LOG_LEVEL" not in os.environ:
            os.dup2(nowhere.fileno(), 2)
        try:
            yield stderr
        finally:
            os.dup2(stderr.fileno(), 2)
