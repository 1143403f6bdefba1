"""Models: what one is on disk, its versions and aliases, and how a worker runs it.

Importing this package loads neither NumPy nor a runtime, so the API process may use it; what needs
pixels is reached by module (`from model_store import preprocessing, serving`).
"""

from model_store.card import ModelCard, Origin, PreprocessingSpec, Variant
from model_store.errors import ModelStoreError
from model_store.references import ModelReference
from model_store.store import ModelStore

__all__ = [
    "ModelCard",
    "ModelReference",
    "ModelStore",
    "ModelStoreError",
    "Origin",
    "PreprocessingSpec",
    "Variant",
]
