"""The places that a backup is made of, and into which one is restored."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from model_store import ModelStore
from model_store.objects import Objects
from model_store.settings import ModelSettings
from petiole.backup.errors import BackupError
from tasks import stores
from tasks.audit import MOST_KEPT, Trail
from tasks.bulk.copies import BulkCopies
from tasks.job_stores.copies import JobCopies
from tasks.keys.records import KeyStore
from tasks.settings import settings


@dataclass(frozen=True)
class Places:
    """Model store, image store and what lies in Redis."""

    models: Objects
    model_store: ModelStore
    uploads: Objects
    jobs: JobCopies
    bulks: BulkCopies
    keys: KeyStore
    trail: Trail

    @classmethod
    def named(cls) -> Self:
        """Return the places that the settings name.

        Raises:
            BackupError: one of them is the memory of a single process.
        """
        url = settings().image_store_url
        if stores.are_in_memory() or url.startswith("memory:"):
            raise BackupError("jobs or pictures are in the memory of one process, for tests alone")
        return cls(
            Objects.open(ModelSettings().store_url, called="the model store"),
            ModelStore.of(ModelSettings()),
            Objects.open(url, called="the image store"),
            JobCopies(settings()),
            BulkCopies(settings()),
            stores.keys(),
            stores.audit(),
        )

    def filled(self) -> str:
        """Return what is there already, or nothing."""
        looks: dict[str, Callable[[], Any]] = {
            "models": lambda: next(self.models.walk(), None),
            "jobs": self.jobs.knows_any,
            "bulks": self.bulks.open_ids,
            "keys": self.keys.all,
            "an audit trail": lambda: self.trail.latest(1),
        }
        return ", ".join(what for what, look in looks.items() if look())

    def deeds(self) -> list[str]:
        """Return every line of the trail, the oldest first."""
        return [deed.line for deed in self.trail.latest(MOST_KEPT)]
