"""The models that can be asked for, as the store has them now.

Look-ups are remembered for a second: a new version is offered at once for a person, and a
busy API does not list the store for every picture. A store that does not answer is left alone for
a while, so that it does not hold the threads that clients are answered by.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock
from time import monotonic
from typing import TypeVar

from api import caching
from api.options import ClassifyOptions
from model_store import ModelReference, ModelStore, ModelStoreError
from model_store.errors import StoreUnavailableError
from model_store.objects import Limits
from model_store.predictions import IGNORE
from model_store.references import PRODUCTION
from model_store.rollouts import Rollout
from model_store.settings import ModelSettings
from tasks import answer_cache
from tasks.answer_cache import ALWAYS_ANEW
from tasks.explaining.records import ASKED, KEPT
from tasks.once import once
from tasks.submission import Asked

REMEMBER_SECONDS = 1.0
LATELY_SECONDS = SURE_SECONDS = 5.0
_Found = TypeVar("_Found")

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


@dataclass(frozen=True)
class Meaning:
    """What a reference stands for: the version, as in `imagenet@1`, and how sure that is.

    `anew_percent` are the pictures that have to be predicted though their answer is known: those
    that a trial looks at, and all of them while the store is away, which may have moved on.
    """

    version: str
    anew_percent: float = 0.0


@dataclass(frozen=True)
class _Known:
    """A meaning, when it was looked up, and until when that need not be done again."""

    meaning: Meaning
    looked_at: float
    until: float


class Catalog:
    """What a store offers; references that it knew a moment ago are not looked up again."""

    def __init__(self, store: ModelStore) -> None:
        """Remember nothing yet."""
        self._store = store.within(LIMITS)
        self._absence = _Absence()
        self._known: dict[str, _Known] = {}
        self._lately: tuple[OfferedModel, ...] = ()
        self._lately_until = 0.0
        self._lock = Lock()

    def version_of(self, reference: str) -> str:
        """Return what a reference means now, as in `imagenet@1`; raises like `meaning_of`."""
        return self.meaning_of(reference).version

    def meaning_of(self, reference: str) -> Meaning:
        """Return what a reference means now.

        Raises:
            BadModelReferenceError, UnknownModelError, UnknownVersionError: names the known ones.
            StoreUnavailableError: the store cannot be reached.
        """
        known, is_fresh = self._remembered(reference)
        if known and is_fresh:
            return _as_sure_as_it_is(known)
        try:
            with self._absence.noted():
                meaning = self._looked_up(reference)
        except StoreUnavailableError:
            if not known:
                raise
            self._remember(reference, replace(known, until=monotonic()))
            return replace(known.meaning, anew_percent=ALWAYS_ANEW)
        except ModelStoreError:
            with self._lock:
                self._known.pop(reference, None)
            raise
        now = monotonic()
        self._remember(reference, _Known(meaning, now, now + REMEMBER_SECONDS))
        return meaning

    def _looked_up(self, reference: str) -> Meaning:
        name, number = self._store.resolve(reference)
        version = f"{name}@{number}"
        # A trial is of what is in production; whoever names a version or another alias has no part.
        if not answer_cache.is_on() or ModelReference.parse(reference).selector != PRODUCTION:
            return Meaning(version)
        rollout = self._store.rollout(name)
        return Meaning(version, rollout.percent if rollout else 0.0)

    def _remembered(self, reference: str) -> tuple[_Known | None, bool]:
        """Return what a reference meant last, and whether that need not be looked up now.

        One request alone looks it up again; the others go on with what is known.
        """
        with self._lock:
            known = self._known.get(reference)
            is_fresh = known is not None and monotonic() < known.until
            if known and not is_fresh:
                self._known[reference] = replace(known, until=monotonic() + LOOK_SECONDS)
            return known, is_fresh

    def _remember(self, reference: str, known: _Known) -> None:
        with self._lock:
            self._known[reference] = known

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

    def read(self, look: Callable[[ModelStore], _Found]) -> _Found:
        """Return what a look at the store finds.

        Raises:
            StoreUnavailableError: the store cannot be reached, or was away a moment ago.
        """
        with self._absence.noted():
            return look(self._store)

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


def _as_sure_as_it_is(known: _Known) -> Meaning:
    """Return a meaning; one that another request has been looking up for long is not sure."""
    if monotonic() - known.looked_at > SURE_SECONDS:
        return replace(known.meaning, anew_percent=ALWAYS_ANEW)
    return known.meaning


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
    """Return what the client of the current request wants, once the store has the model.

    Raises:
        BadModelReferenceError, UnknownModelError, UnknownVersionError: names the known ones.
    """
    meaning = of_this_process().meaning_of(chosen.model)
    return Asked(
        model=chosen.model,
        top_k=chosen.top_k,
        version=meaning.version,
        deadline_seconds=chosen.deadline or 0.0,
        priority=chosen.priority,
        webhook_url=chosen.webhook_url or "",
        anew_percent=ALWAYS_ANEW if caching.wants_anew() else meaning.anew_percent,
        min_probability=chosen.min_probability,
        unknown=IGNORE if chosen.unknown == IGNORE else "",
        neighbours=chosen.neighbours,
        explain=ASKED if chosen.explain else KEPT if chosen.keep else "",
    )
