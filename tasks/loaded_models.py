"""The models in the memory of this worker process, and how a new version takes over.

A reference is answered by one version until another one is loaded beside it, warm and
checked; then the reference moves, between two pictures. A version that cannot be loaded
never takes over, and the reason is kept for `/readyz`.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass
from threading import Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING

from model_store import ModelReference, ModelStore, ModelStoreError, promotions, turns
from model_store.errors import StoreUnavailableError, UnknownModelError, UnknownVersionError
from model_store.references import PRODUCTION
from model_store.settings import ModelSettings
from tasks.once import once
from tasks.refused_versions import RefusedVersions, Version, text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from model_store.fitness import Judgement
    from model_store.serving import ServedModel

REFRESH_SECONDS = 1.0
PROCESS_POOLS = ("prefork", "solo")

logger = logging.getLogger(__name__)


class LoadedModels:
    """Loads versions on demand, swaps them without a gap, drops the least recently used.

    `get` and `refresh` may run in two threads.
    """

    def __init__(self, settings: ModelSettings, *, children: int) -> None:
        """Open the store; nothing is loaded yet."""
        self._settings = settings
        self._threads = settings.threads_of_child(children)
        self._store = ModelStore.of(settings)
        self._answering: dict[str, Version] = {}
        self._models: OrderedDict[Version, tuple[ServedModel, int]] = OrderedDict()
        self._refused = RefusedVersions()
        self._lock = Lock()
        self._refreshed_at = monotonic()
        self._is_watched = False

    def get(self, reference: str) -> ServedModel:
        """Return the warm model that answers for `reference`; loads it at its first use.

        One that was dropped for want of memory is loaded again as the version that it was: another
        one takes over in `refresh` alone, where it is tried first.

        Raises:
            ModelStoreError: there is none, or its files or runtime are not fit to serve.
        """
        if not self._is_watched and monotonic() - self._refreshed_at > REFRESH_SECONDS:
            self.refresh()
        version = self._answering.get(reference)
        model = self._used(version) if version else None
        return model or self._first(reference, version)

    def _first(self, reference: str, dropped: Version | None) -> ServedModel:
        """Load the first version that can answer for a reference which none in memory answers."""
        errors: list[Exception] = []
        for version in self._candidates(reference, dropped):
            tried = self._tried(version)
            if not isinstance(tried, Exception):
                self._answering[reference] = version
                return tried
            errors.append(tried)
            if isinstance(tried, StoreUnavailableError):
                break  # It says nothing of the version, and the task is tried again.
        raise errors[0]

    def _candidates(self, reference: str, dropped: Version | None) -> Iterator[Version]:
        """Yield the version that answered before, else what the reference means now.

        A child that begins after a promotion that cannot be loaded has none that answered before;
        it goes on with the version that was promoted over, as the others do. After a rollback there
        is none: what was rolled back is not to answer again.
        """
        if dropped is not None and self._is_there(dropped):
            yield dropped
            return
        wanted = self._store.resolve(reference)
        yield wanted
        if ModelReference.parse(reference).selector == PRODUCTION:
            name, version = wanted
            former = promotions.promoted_over(self._store.history(name), version)
            if former is not None and self._is_there((name, former)):
                yield name, former

    def _is_there(self, version: Version) -> bool:
        try:
            self._store.resolve(ModelReference(version[0], str(version[1])))
        except (UnknownModelError, UnknownVersionError):
            return False
        return True

    def _tried(self, version: Version) -> ServedModel | Exception:
        """Return a version from memory or load it; or why that cannot be, which is kept."""
        if (model := self._used(version)) is not None:
            return model
        if (error := self._refused.why_not(version)) is not None:
            return error
        # The children of this host load one after the other, and the rest go on answering.
        with turns.alone(self._settings.cache_directory):
            return self._used(version) or self._loaded_or_refused(version)

    def _loaded_or_refused(self, version: Version) -> ServedModel | Exception:
        try:
            model = self._load(*version)
        except StoreUnavailableError as exc:
            logger.warning(
                "version not loaded", extra={"model": text_of(version), "reason": str(exc)}
            )
            return exc
        except Exception as exc:
            # Whatever it is, another version may be able to answer.
            foreseen = isinstance(exc, ModelStoreError)
            fields = {"model": text_of(version), "reason": str(exc)}
            logger.error("version refused", exc_info=not foreseen, extra=fields)
            self._refused.add(version, exc)
            return exc
        self._refused.lift(version)
        return model

    def refresh(self) -> bool:
        """Look where every reference leads now and let new versions take over.

        Returns whether anything changed, for better or worse.
        """
        self._refreshed_at = monotonic()
        return any([self._follow(reference) for reference in list(self._answering)])

    def watch(self, refresh: Callable[[], None]) -> None:
        """Call `refresh` every second in a thread; it goes on whatever one call raises."""

        def refresh_forever() -> None:
            while True:
                Event().wait(REFRESH_SECONDS)
                try:
                    refresh()
                except Exception:
                    # Without this thread no version would ever take over in this process again.
                    logger.exception("look at the store failed")

        self._is_watched = True
        Thread(target=refresh_forever, name="model-watch", daemon=True).start()

    @property
    def loaded(self) -> list[str]:
        """The versions in memory with their runtimes, as in `imagenet@1 on openvino`."""
        with self._lock:
            models = [model for model, _ in self._models.values()]
        return sorted(f"{model.card.ref} on {model.runtime}" for model in models)

    @property
    def judgements(self) -> tuple[Judgement, ...]:
        """How variants of the versions in memory, all but float32 ones, do on this kind of CPU."""
        with self._lock:
            models = [model for model, _ in self._models.values()]
        found = {each for model in models for each in model.judgements}
        return tuple(sorted(found, key=lambda each: each.called))

    @property
    def refused(self) -> dict[str, str]:
        """Why versions that should answer do not, by `name@version`."""
        return self._refused.reasons

    def _follow(self, reference: str) -> bool:
        answering = self._answering[reference]
        target = self._target(reference, answering)
        if target == answering or self._refused.why_not(target):
            return False
        if self._hold(target):
            self._answering[reference] = target
            logger.info("version took over", extra={"model": text_of(target)})
        return True

    def hold(self, name: str, version: int) -> bool:
        """Load a version beside the others, unless it is there; tells whether anything changed."""
        if self.held(name, version) or self._refused.why_not((name, version)):
            return False
        self._hold((name, version))
        return True

    def answer_for(self, name: str) -> bool:
        """Load what `name` means before anybody asks for it; tells whether anything changed."""
        if name in self.names_in_production():
            return False
        try:
            version = self._store.resolve(name)
        except ModelStoreError as exc:
            logger.warning("model not resolved", extra={"model": name, "reason": str(exc)})
            return False
        if self._refused.why_not(version):
            return False
        if self._hold(version):
            self._answering[name] = version
        return True

    def held(self, name: str, version: int) -> ServedModel | None:
        """Return a version that is in memory, or None."""
        return self._used((name, version))

    def names_in_production(self) -> list[str]:
        """Return the models that answer under their bare name or as `name@production`."""
        references = map(ModelReference.parse, list(self._answering))
        return sorted({r.name for r in references if r.selector == PRODUCTION})

    @property
    def store(self) -> ModelStore:
        """The store that the models come from."""
        return self._store

    def _hold(self, version: Version) -> bool:
        """Make sure a version is in memory; False when it is refused, with the reason kept."""
        return not isinstance(self._tried(version), Exception)

    def _target(self, reference: str, answering: Version) -> Version:
        if ModelReference.parse(reference).version is not None:
            return answering
        try:
            return self._store.resolve(reference)
        except ModelStoreError as exc:
            # A store that cannot be reached or a removed alias is no reason to stop answering.
            logger.warning("model not resolved", extra={"model": reference, "reason": str(exc)})
            return answering

    def _used(self, version: Version) -> ServedModel | None:
        with self._lock:
            if version not in self._models:
                return None
            self._models.move_to_end(version)
            return self._models[version][0]

    def _load(self, name: str, version: int) -> ServedModel:
        # NumPy comes with it; the download worker and Flower load this module, but no model.
        from model_store import serving  # noqa: PLC0415

        reference = ModelReference(name, str(version))
        model = serving.load(
            self._store, reference, runtime=self._settings.runtime, threads=self._threads
        )
        model.warm_up()
        self._keep((name, version), model)
        return model

    def _keep(self, version: Version, model: ServedModel) -> None:
        size_bytes = _size_bytes(model.directory / model.variant.path)
        with self._lock:
            self._models[version] = (model, size_bytes)
            self._drop_least_used()

    def _drop_least_used(self) -> None:
        """Drop models until the rest fit; the newest and the default one always stay."""
        limit_bytes = self._settings.max_loaded_bytes
        default = self._answering.get(self._settings.default_model)
        for version in list(self._models)[:-1]:
            if sum(size for _, size in self._models.values()) <= limit_bytes:
                return
            if version != default:
                del self._models[version]
                logger.info("model dropped", extra={"model": text_of(version)})


def _size_bytes(artifact: Path) -> int:
    """Return the bytes of an artifact and of the files beside it."""
    directory = artifact if artifact.is_dir() else artifact.parent
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


@dataclass
class Sharing:
    """How many processes predict at once on this machine's cores; noted before they are forked."""

    children: int = 1


@once
def _sharing() -> Sharing:
    return Sharing()


def share_cores_among(pool: str, *, children: int) -> None:
    """Note how many processes will predict at once; called before they are forked."""
    _sharing().children = children if pool.rpartition(".")[2] in PROCESS_POOLS else 1


@once
def of_this_process() -> LoadedModels:
    """Return the models of this process."""
    return LoadedModels(ModelSettings(), children=_sharing().children)


def get(reference: str) -> ServedModel:
    """Return the warm model that answers for `reference`; see `LoadedModels.get`."""
    return of_this_process().get(reference)
