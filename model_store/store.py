"""The model store: names, immutable versions and aliases, in a directory, a bucket or memory.

Layout: `<name>/<version>/` holds `saved_model.pb` and `variables/` as TensorFlow Serving reads
them, variants beside them, and `card.json`, whose presence is what makes the version visible.
"""

import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from model_store import aliases, promotions, publishing, rollouts, verification
from model_store.aliases import AliasChange
from model_store.card import ModelCard
from model_store.errors import (
    BadModelReferenceError,
    CorruptVersionError,
    ModelStoreError,
    UnknownModelError,
    UnknownVersionError,
    VersionInUseError,
)
from model_store.objects import Limits, Objects
from model_store.publishing import CARD, CARD_DIGEST
from model_store.references import PREVIOUS, PRODUCTION, ModelReference, is_name
from model_store.rollouts import Rollout

if TYPE_CHECKING:
    from model_store.settings import ModelSettings

CALLED = "the model store"

logger = logging.getLogger(__name__)


class ModelStore:
    """Published models. Several processes may use one store; threads may share an instance.

    Every method may raise `StoreUnavailableError` when the directory or bucket cannot be reached.
    """

    def __init__(self, objects: Objects, *, cache_directory: Path) -> None:
        """Use `objects`; see `open` for URLs."""
        self._objects = objects
        self._cache_directory = cache_directory
        self._verified: dict[str, Path] = {}

    @classmethod
    def open(cls, url: str, *, cache_directory: Path = Path("var/model-cache")) -> Self:
        """Return the store at a directory path, `s3://bucket/path` or `memory:`.

        A missing directory is an empty store, and is made by the first write. Credentials of a
        bucket come from its usual variables (`AWS_ACCESS_KEY_ID`, …), never from the URL.
        """
        return cls(Objects.open(url, called=CALLED), cache_directory=cache_directory)

    @classmethod
    def of(cls, settings: "ModelSettings") -> Self:
        """Return the store that the settings name."""
        return cls.open(settings.store_url, cache_directory=settings.cache_directory)

    def within(self, limits: Limits) -> Self:
        """Return the same store for callers with other limits; memory and directories have none."""
        return type(self)(self._objects.within(limits), cache_directory=self._cache_directory)

    @property
    def place(self) -> str:
        """Where the store is, for people: the full path of its directory, or its URL."""
        return self._objects.place

    @property
    def cache_directory(self) -> Path:
        """Where this machine keeps copies of versions and what it measured on them."""
        return self._cache_directory

    def names(self) -> tuple[str, ...]:
        """Return the names that have at least one visible version, sorted."""
        folders = self._objects.folders()
        return tuple(sorted(name for name in folders if is_name(name) and self.versions(name)))

    def versions(self, name: str) -> tuple[int, ...]:
        """Return the visible versions of a model, ascending; none for an unknown name."""
        return publishing.visible_versions(self._objects, name)

    def aliases(self, name: str) -> dict[str, int]:
        """Return what each alias of a model means now.

        Until `production` is set it means the first visible version, so that the first publisher
        needs no second write that a kill could leave out.
        """
        known = aliases.names(self._objects, name)
        found = {alias: self._alias(name, alias) for alias in {*known, PRODUCTION}}
        return {alias: version for alias, version in sorted(found.items()) if version}

    def history(self, name: str, alias: str = PRODUCTION) -> tuple[AliasChange, ...]:
        """Return every move of an alias, oldest first; none when it was never moved."""
        return aliases.history(self._objects, name, alias)

    def resolve(self, reference: ModelReference | str) -> tuple[str, int]:
        """Return the name and the version number that a reference means now.

        Raises:
            BadModelReferenceError: the text is no reference.
            UnknownModelError: no model of that name; the message lists the known ones.
            UnknownVersionError: no such version or alias; the message lists the known ones.
        """
        if isinstance(reference, str):
            reference = ModelReference.parse(reference)
        version = reference.version or self._alias(reference.name, reference.selector)
        if version is None or not self._visible(reference.name, version):
            raise self._unknown(reference)
        return reference.name, version

    def card(self, name: str, version: int) -> ModelCard:
        """Return the card of a version.

        Raises:
            UnknownModelError, UnknownVersionError: it is not there, or not yet visible.
            CorruptVersionError: `card.json` has other bytes than were published.
            ModelFormatError: the card breaks its schema.
        """
        folder = f"{name}/{version}"
        try:
            text = self._objects.read(f"{folder}/{CARD}")
            checksum = self._objects.read(f"{folder}/{CARD_DIGEST}")
        except FileNotFoundError as exc:
            raise self._unknown(ModelReference(name, str(version))) from exc
        if checksum != publishing.checksum(text):
            raise CorruptVersionError(
                f"{name}@{version}: file {CARD} has other bytes than were published; publish again"
            )
        return ModelCard.from_json(text)

    def publish(self, directory: Path, card: ModelCard) -> ModelCard:
        """Publish the files of `directory` as the next version and return its finished card.

        Version, time and file digests of `card` are filled in here. Two publishers at once get two
        versions; what a killed publisher leaves behind is never visible.

        Raises:
            ModelFormatError: the card breaks its schema, or the artifact of a variant is missing.
        """
        created_at = datetime.now(UTC).isoformat(timespec="seconds")
        files = verification.digests(directory)
        draft = replace(card, version=1, created_at=created_at, files=files)
        publishing.check_artifacts(draft, files)
        ModelCard.from_json(draft.to_json())
        published = replace(draft, version=publishing.claim(self._objects, card.name))
        publishing.upload(self._objects, directory, published)
        return published

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Make `name@alias` mean `version`, at once and for everyone, keeping the history.

        Raises:
            BadModelReferenceError: the alias is no name, or a number.
            UnknownModelError, UnknownVersionError: the version is not visible.
        """
        if not is_name(alias) or alias.isdecimal():
            raise BadModelReferenceError(f"alias is {alias!r}; expected a word such as production")
        if not self._visible(name, version):
            raise self._unknown(ModelReference(name, str(version)))
        if alias == PRODUCTION:
            promotions.begun(self._objects, name)
        aliases.append(self._objects, name, alias, version=version)
        logger.info("alias moved", extra={"model": name, "alias": alias, "version": version})

    def promote(self, name: str, version: int) -> int:
        """Make `version` production and the former production `previous`; return the former.

        Promoting what is production already changes nothing, so `previous` stays of use.

        Raises:
            UnknownModelError, UnknownVersionError: the version is not visible.
        """
        self.resolve(ModelReference(name, str(version)))
        return promotions.promote(self._objects, name, version)

    def rollback(self, name: str) -> int:
        """Make `previous` production again and return it; what was production becomes `previous`.

        Raises:
            UnknownModelError: no model of that name; the message lists the known ones.
            UnknownVersionError: nothing was ever promoted over another version.
        """
        _, version = self.resolve(ModelReference(name, PREVIOUS))
        self.promote(name, version)
        return version

    def remove(self, name: str, version: int) -> None:
        """Delete a version; it is invisible at once and its number is never given out again.

        Raises:
            UnknownModelError, UnknownVersionError: the version is not visible.
            VersionInUseError: an alias points to it; the message says which.
        """
        self.resolve(ModelReference(name, str(version)))
        holders = [alias for alias, held in self.aliases(name).items() if held == version]
        if holders:
            raise VersionInUseError(
                f"{name}@{version} is {' and '.join(holders)}; point that to another version first"
            )
        publishing.withdraw(self._objects, name, version)

    def rollout(self, name: str) -> Rollout | None:
        """Return the trial that runs on a model now, or None."""
        return rollouts.current(self._objects, name)

    def names_on_trial(self) -> tuple[str, ...]:
        """Return the models on which a trial runs now, sorted; costs a listing for each model."""
        folders = self._objects.folders()
        return tuple(sorted(name for name in folders if is_name(name) and self.rollout(name)))

    def begin_rollout(self, name: str, rollout: Rollout) -> Rollout:
        """Start a trial, in place of one that may be running; returns it with its number.

        Raises:
            UnknownModelError, UnknownVersionError: the version is not visible.
        """
        self.resolve(ModelReference(name, str(rollout.version)))
        promotions.complete(self._objects, name)
        return rollouts.begin(self._objects, name, rollout)

    def end_rollout(self, name: str, number: int, *, outcome: str) -> bool:
        """End the trial with this number; tells whether this call did it."""
        return self.conclude_rollout(name, number, outcome=outcome, promote=False)

    def conclude_rollout(self, name: str, number: int, *, outcome: str, promote: bool) -> bool:
        """End the trial with this number by its verdict; tells whether this call did it.

        Of many that conclude a trial the first verdict holds. With `promote` the trial runs on
        until its version is production: a kill in between leaves that to the next call for this
        trial, whatever its own verdict.

        Args:
            name: The model.
            number: Of the trial.
            outcome: What `last_rollout_outcome` says from then on.
            promote: Whether the version becomes production, as `promote` does it. If production
                was moved by hand since the verdict, it stays so and the outcome says it.
        """
        return promotions.conclude(self._objects, name, number, outcome=outcome, promote=promote)

    def last_rollout_outcome(self, name: str) -> str:
        """Return how the last trial of a model ended; empty when none did, or one runs."""
        return rollouts.last_outcome(self._objects, name)

    def fetch(self, name: str, version: int) -> Path:
        """Return a local directory with the version's files, every byte of them verified.

        A directory store is verified in place, once per process; other stores are copied to the
        cache directory first.

        Raises:
            UnknownModelError, UnknownVersionError: it is not there, or not yet visible.
            CorruptVersionError: a file is missing or its SHA-256 is wrong; the message names it.
        """
        card = self.card(name, version)
        if card.ref not in self._verified:
            self._verified[card.ref] = self.verify(card)
        return self._verified[card.ref]

    def file(self, card: ModelCard, path: str) -> bytes:
        """Return one file of a version; a `CorruptVersionError` says that its bytes are wrong."""
        return verification.read(self._objects, card, path)

    def verify(self, card: ModelCard) -> Path:
        """Check every byte of a version, whatever was checked before; return its local directory.

        Raises:
            CorruptVersionError: a file is missing or its SHA-256 is wrong; the message names it.
        """
        if self._objects.directory is None:
            return verification.cached_copy(self._objects, card, self._cache_directory)
        directory = self._objects.directory / card.name / str(card.version)
        verification.check(directory, card.files, ref=card.ref)
        return directory

    def _visible(self, name: str, version: int) -> bool:
        return publishing.is_visible(self._objects, name, version)

    def _alias(self, name: str, alias: str) -> int | None:
        if alias == PRODUCTION:
            return promotions.production(self._objects, name)
        return aliases.current(self._objects, name, alias)

    def _unknown(self, reference: ModelReference) -> ModelStoreError:
        versions = self.versions(reference.name)
        if not versions:
            known = ", ".join(self.names())
            # An empty store is most often one that was looked for in the wrong folder.
            there = f"this store has: {known}" if known else f"there are none in {self.place} yet"
            return UnknownModelError(f"no model {reference.name!r}; {there}")
        choices = [*map(str, versions), *self.aliases(reference.name)]
        return UnknownVersionError(
            f"{reference.name} has no {reference.selector!r}; it has: {', '.join(choices)}"
        )
