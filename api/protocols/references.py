"""Models as the addresses of other protocols name them: by name, and by version or alias."""

from dataclasses import replace

from api import catalog
from api.options import ClassifyOptions
from model_store import ModelCard, ModelStore
from tasks.submission import Asked


def reference(name: str, version: str) -> str:
    """Return the reference that an address stands for; without a version it is production."""
    return f"{name}@{version}" if version else name


def known(named: str) -> tuple[ModelCard, tuple[int, ...]]:
    """Return the card of a version, and all versions of its model.

    Raises:
        BadModelReferenceError, UnknownModelError, UnknownVersionError: names the known ones.
        StoreUnavailableError: the store cannot be reached.
    """

    def look(store: ModelStore) -> tuple[ModelCard, tuple[int, ...]]:
        card = store.card(*store.resolve(named))
        return card, store.versions(card.name)

    return catalog.of_this_process().read(look)


def asked(named: str, *, top_k: int) -> Asked:
    """Return what is wanted of each picture; raises like `known`."""
    return replace(catalog.asked(ClassifyOptions(model=named)), top_k=top_k)
