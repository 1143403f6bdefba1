"""The models that can be asked for, as the store has them now.

Look-ups are remembered for a second: a new version is offered at once for a person, and a
busy API does not list the store for every picture.
"""

from dataclasses import asdict
from functools import cache
from threading import Lock
from time import monotonic
from typing import Any

from model_store import ModelReference, ModelStore
from model_store.settings import ModelSettings

REMEMBER_SECONDS = 1.0

_known: dict[str, float] = {}
_lock = Lock()


@cache
def store() -> ModelStore:
    """Return the model store of this process."""
    return ModelStore.of(ModelSettings())


def check(reference: str) -> str:
    """Return `reference` when the store has what it names.

    Raises:
        BadModelReferenceError, UnknownModelError, UnknownVersionError: names the known ones.
    """
    with _lock:
        if monotonic() < _known.get(reference, 0.0):
            return reference
    store().resolve(reference)
    with _lock:
        _known[reference] = monotonic() + REMEMBER_SECONDS
    return reference


def models() -> list[dict[str, Any]]:
    """Return every model with its versions and aliases, the default one marked."""
    default = ModelReference.parse(ModelSettings().default_model).name
    return [_described(name, is_default=name == default) for name in store().names()]


def _described(name: str, *, is_default: bool) -> dict[str, Any]:
    versions = store().versions(name)
    card = store().card(name, versions[-1])
    rollout = store().rollout(name)
    return {
        "name": name,
        "default": is_default,
        "versions": list(versions),
        "aliases": store().aliases(name),
        "rollout": rollout and asdict(rollout),
        "last_rollout": store().last_rollout_outcome(name),
        "labels": len(card.labels),
        "licence": card.licence,
        "runtimes": sorted({v.runtime for v in card.variants if v.serves}),
    }
