"""Imports what needs TensorFlow or Keras, only when it is needed.

Both read a variable when they are imported and never again, so the variables are set here.
"""

import os
from importlib import import_module
from types import ModuleType


def load(module: str) -> ModuleType:
    """Return a module that imports TensorFlow; the first call takes seconds."""
    # Warnings and errors only; else every program begins with notes about GPUs that it lacks.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    return import_module(module)
