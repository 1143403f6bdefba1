"""The models that can be asked for, as the store has them now.

Look-ups are remembered for a second: a new version is offered at once for a person, and a
busy API does not list the store for every picture. A store that does not answer is left alone for
a while, so that it does not hold the threads that clients are answered by.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from time import monotonic

from api.options import ClassifyOptions
from model_store import ModelReference, ModelStore, ModelStoreError
from model_store.errors import StoreUnavailableError
from model_store.objects import Limits
from model_store.rollouts import Rollout
from model_store.settings import ModelSettings
from tasks.explaining.records import ASKED, KEPT
from tasks.once import once
from tasks.submission import Asked

REMEMBER_SECONDS = 1.0
LATELY_SECONDS = 5.0

# A client waits meanwhile, and one of the API's threads with it; what is asked for is small. A
# server that takes the call and says nothing costs one silence and no second try.
LIMITS = Limits(
    connect_seconds=2, silence_seconds=3, request_seconds=10, retries=1, retry_seconds=2
)
# A store that was away is asked again after so many times what finding that out has cost: it then
# holds one thread for a sixth of the time.
PAUSE_PER_WAIT = 5.0
# No look takes so long; its end decides when the next one is.
LOOK_SECONDS = 60.0

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
        self._store = store.within(LIMITS)
        self._absence = _Absence()
        self._known: dict[str, tuple[str, float]] = {}
        self._lately: tuple[OfferedModel, ...] = ()
        self._lately_until = 0.0
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
            with self._absence.noted():
                name, number = self._store.resolve(reference)
        except StoreUnavailableError:
            if not version:
                raise
            self._remember(reference, version, seconds=0.0)
            return version
        except ModelStoreError:
            with self._lock:
                self._known.pop(reference, None)
            raise
        self._remember(reference, f"{name}@{number}", seconds=REMEMBER_SECONDS)
        return f"{name}@{number}"

    def _remembered(self, reference: str) -> tuple[str, bool]:
        """Return what a reference meant last, and whether that need not be looked up now.

        One request alone looks it up again; the others go on with what is known.
        """
        with self._lock:
            version, until = self._known.get(reference, ("", 0.0))
            is_fresh = monotonic() < until
            if version and not is_fresh:
                self._known[reference] = version, monotonic() + LOOK_SECONDS
            return version, is_fresh

    def _remember(self, reference: str, version: str, *, seconds: float) -> None:
        with self._lock:
            self._known[reference] = version, monotonic() + seconds

    def models(self) -> OfferedModels:
        """Return every model with its versions and aliases, the default one marked.

        Raises:
            StoreUnavailableError: the store cannot be reached.
        """
        default = ModelReference.parse(ModelSettings().default_model).name
        with self._absence.noted():
            names = self._store.names()
            return OfferedModels(tuple(self._offered(n, is_default=n == default) for n in names))

    def lately(self) -> tuple[OfferedModel, ...]:
        """Return every model as it was a few seconds ago at most, for those who ask all the time.

        Raises:
            StoreUnavailableError: the store cannot be reached.
        """
        with self._lock:
            if monotonic() < self._lately_until:
                return self._lately
        models = self.models().models
        with self._lock:
            self._lately, self._lately_until = models, monotonic() + LATELY_SECONDS
        return models

    def model(self, name: str) -> OfferedModel:
        """Return one model with its versions and aliases.

        Raises:
            UnknownModelError: there is none of this name; names the known ones.
            StoreUnavailableError: the store cannot be reached.
        """
        default = ModelReference.parse(ModelSettings().default_model).name
        with self._absence.noted():
            self._store.resolve(name)
            return self._offered(name, is_default=name == default)

    def labels(self, name: str, version: int) -> tuple[str, ...]:
        """Return the labels of a version, in class order.

        Raises:
            UnknownModelError, UnknownVersionError: it is not there any more.
            StoreUnavailableError: the store cannot be reached.
        """
        with self._absence.noted():
            return self._store.card(name, version).labels

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


class _Absence:
    """What is known of a store that was away, so that of many who need it one finds out again."""

    def __init__(self) -> None:
        self._reason, self._until = "", 0.0
        self._lock = Lock()

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Note whether the store answered what is asked inside; raise at once while it is away.

        Raises:
            StoreUnavailableError: it did not answer, now or a while ago.
        """
        self._refuse_for_now()
        started = monotonic()
        try:
            yield
        except StoreUnavailableError as exc:
            logger.warning("model store not asked for now", extra={"reason": str(exc)})
            self._note(str(exc), pause_seconds=PAUSE_PER_WAIT * (monotonic() - started))
            raise
        except ModelStoreError:
            self._note("")
            raise
        self._note("")

    def _refuse_for_now(self) -> None:
        with self._lock:
            if self._reason and monotonic() < self._until:
                raise StoreUnavailableError(self._reason)
            self._until = monotonic() + LOOK_SECONDS

    def _note(self, reason: str, *, pause_seconds: float = 0.0) -> None:
        with self._lock:
            self._reason, self._until = reason, monotonic() + pause_seconds


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
        webhook_url=chosen.webhook_url or "",
        explain=ASKED if chosen.explain else KEPT if chosen.keep else "",
    )
