"""The models that can be asked for, as the store has them now.

Look-ups are remembered for a second: a new version is offered at once for a person, and a
busy API does not list the store for every picture.
"""

import logging
from dataclasses import dataclass
from threading import Lock
from time import monotonic

from api.options import ClassifyOptions
from model_store import ModelReference, ModelStore, ModelStoreError
from model_store.errors import StoreUnavailableError
from model_store.rollouts import Rollout
from model_store.settings import ModelSettings
from tasks.jobs import Asked
from tasks.once import once

REMEMBER_SECONDS = 1.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class OfferedModel:
    """One model with its versions and aliases, and the runtimes that may serve its newest one.

    `rollout` is the trial that runs now, `last_rollout` how the last one ended.
    """

    name: str
    default: bool
    versions: tuple[int, ...]
    aliases: dict[str, int]
    rollout: Rollout | None
    last_rollout: str
    labels: int
    licence: str
    runtimes: tuple[str, ...]


@dataclass(frozen=True)
class OfferedModels:
    """Every model."""

    models: tuple[OfferedModel, ...]


class Catalog:
    """What a store offers; references that it knew a moment ago are not looked up again."""

    def __init__(self, store: ModelStore) -> None:
        """Remember nothing yet."""
        self._store = store
        self._known: dict[str, tuple[str, float]] = {}
        self._lock = Lock()

    def version_of(self, reference: str) -> str:
        """Return what a reference means now, as in `imagenet@1`.

        Raises:
            BadModelReferenceError, UnknownModelError, UnknownVersionError: names the known ones.
            StoreUnavailableError: the store cannot be reached.
        """
        version, is_fresh = self._remembered(reference)
        if is_fresh:
            return version
        try:
            name, number = self._store.resolve(reference)
        except StoreUnavailableError as exc:
            if not version:
                raise
            logger.warning("model not looked up", extra={"model": reference, "reason": str(exc)})
            return version
        except ModelStoreError:
            with self._lock:
                self._known.pop(reference, None)
            raise
        version = f"{name}@{number}"
        with self._lock:
            self._known[reference] = version, monotonic() + REMEMBER_SECONDS
        return version

    def _remembered(self, reference: str) -> tuple[str, bool]:
        """Return what a reference meant last, and whether that need not be looked up now.

        One request alone looks it up again; the others go on with what is known, so that a store
        that does not answer holds few of them.
        """
        with self._lock:
            version, until = self._known.get(reference, ("", 0.0))
            is_fresh = monotonic() < until
            if version and not is_fresh:
                self._known[reference] = version, monotonic() + REMEMBER_SECONDS
            return version, is_fresh

    def models(self) -> OfferedModels:
        """Return every model with its versions and aliases, the default one marked."""
        default = ModelReference.parse(ModelSettings().default_model).name
        names = self._store.names()
        return OfferedModels(tuple(self._offered(n, is_default=n == default) for n in names))

    def _offered(self, name: str, *, is_default: bool) -> OfferedModel:
        versions = self._store.versions(name)
        card = self._store.card(name, versions[-1])
        return OfferedModel(
            name=name,
            default=is_default,
            versions=versions,
            aliases=self._store.aliases(name),
            rollout=self._store.rollout(name),
            last_rollout=self._store.last_rollout_outcome(name),
            labels=len(card.labels),
            licence=card.licence,
            runtimes=tuple(sorted({v.runtime for v in card.variants if v.serves})),
        )


@once
def of_this_process() -> Catalog:
    """Return the catalog of this process's store."""
    return Catalog(ModelStore.of(ModelSettings()))


def asked(chosen: ClassifyOptions) -> Asked:
    """Return what a client wants, once the store is known to have the model.

    Raises:
        BadModelReferenceError, UnknownModelError, UnknownVersionError: names the known ones.
    """
    return Asked(
        model=chosen.model,
        top_k=chosen.top_k,
        version=of_this_process().version_of(chosen.model),
        deadline_seconds=chosen.deadline or 0.0,
        priority=chosen.priority,
    )
