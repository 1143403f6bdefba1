"""The models in the memory of this worker process, warm before the first job.

A reference is resolved anew at most once a second, so a promoted version is noticed
without a restart.
"""

from __future__ import annotations

from functools import cache
from io import BytesIO
from time import monotonic
from typing import TYPE_CHECKING

from model_store import ModelReference, ModelStore
from model_store.settings import ModelSettings

if TYPE_CHECKING:
    from model_store.serving import ServedModel

RESOLVE_INTERVAL_SECONDS = 1.0
PROCESS_POOLS = ("prefork", "solo")


class LoadedModels:
    """Loads a version when it is first asked for and keeps it."""

    def __init__(self, settings: ModelSettings, *, children: int) -> None:
        """Open the store; nothing is loaded yet."""
        self._settings = settings
        self._threads = settings.threads_of_child(children)
        self._store = ModelStore.open(settings.store_url, cache_directory=settings.cache_directory)
        self._resolved: dict[str, tuple[tuple[str, int], float]] = {}
        self._models: dict[tuple[str, int], ServedModel] = {}

    def get(self, reference: str) -> ServedModel:
        """Return the warm model that `reference` means now.

        Raises:
            ModelStoreError: there is none, or its files or runtime are not fit to serve.
        """
        version = self._resolve(reference)
        if version not in self._models:
            self._models[version] = self._load(*version)
        return self._models[version]

    def _resolve(self, reference: str) -> tuple[str, int]:
        version, until = self._resolved.get(reference, (("", 0), 0.0))
        if monotonic() < until:
            return version
        version = self._store.resolve(reference)
        self._resolved[reference] = version, monotonic() + RESOLVE_INTERVAL_SECONDS
        return version

    def _load(self, name: str, version: int) -> ServedModel:
        # NumPy comes with it; the download worker and Flower load this module, but no model.
        from model_store import serving  # noqa: PLC0415

        model = serving.load(
            self._store,
            ModelReference(name, str(version)),
            runtime=self._settings.runtime,
            threads=self._threads,
        )
        model.warm_up()
        return model


_children = 1


def share_cores_among(pool: str, *, children: int) -> None:
    """Note how many processes will predict at once; called before they are forked."""
    global _children  # noqa: PLW0603 - the only way from the parent's signal into its children
    _children = children if pool.rpartition(".")[2] in PROCESS_POOLS else 1


@cache
def _models() -> LoadedModels:
    return LoadedModels(ModelSettings(), children=_children)


def get(reference: str) -> ServedModel:
    """Return the warm model that `reference` means now; see `LoadedModels.get`."""
    return _models().get(reference)


def warm_default() -> ServedModel:
    """Load the model that classifies when the client names none, and run one picture through."""
    from PIL import Image  # noqa: PLC0415 - see `_load`

    model = get(ModelSettings().default_model)
    size = model.card.preprocessing.input_size
    upload = BytesIO()
    Image.new("RGB", (size, size)).save(upload, "JPEG")
    model.classify(upload.getvalue(), k=1)
    return model
