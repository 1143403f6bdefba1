"""Decoded pixels of pictures that were really asked, kept for a while to make int8 of a model.

Somebody asks for them (`petiole models quantize --from-traffic`); each child looks for that every
few seconds, and meanwhile writes the pixels of a share of its pictures to the image store, as bytes
[H, W, 3] under their digest. Whoever asked deletes them; of one that was killed the sweep does.
"""

from __future__ import annotations

import logging
import math
from hashlib import sha256
from time import monotonic
from typing import TYPE_CHECKING, Any

from tasks import jobs, loaded_models, stores
from tasks.errors import ServiceUnavailableError
from tasks.job_stores.collections import ADDED, CLOSED
from tasks.once import once
from tasks.prepared import prepared
from tasks.repeated import Unrepeated
from tasks.shares import share_of

if TYPE_CHECKING:
    from tasks.job_stores.collections import Collection
    from tasks.loaded_models import LoadedModels

FOLDER = "collected"
LOOK_SECONDS = 5.0

logger = logging.getLogger(__name__)
logger.addFilter(Unrepeated())


class Collector:
    """What this process was asked to write; `refresh` looks for it."""

    def __init__(self, models: LoadedModels) -> None:
        """Be asked for nothing yet."""
        self._models = models
        self._asked: dict[str, Collection] = {}
        self._full: set[str] = set()
        self._looked_at = -math.inf

    def refresh(self) -> None:
        """Look what is asked for, every `LOOK_SECONDS`: one command for all models."""
        if monotonic() - self._looked_at < LOOK_SECONDS or stores.are_in_memory():
            return
        self._looked_at = monotonic()
        try:
            self._asked = stores.collections().open(self._models.names_in_production())
        except ServiceUnavailableError as exc:
            # Whoever asked waits, and this process does not know whether it still does.
            self._asked = {}
            logger.warning("collections not looked for", extra={"reason": str(exc)})
        self._full &= {each.id for each in self._asked.values()}

    def asks_for(self, model: str) -> bool:
        """Tell whether pictures of a model are asked for."""
        return model in self._asked

    def wanted(self, members: dict[str, Any]) -> Collection | None:
        """Return who asks for the pixels of a job with this document, or None for most."""
        asked = self._asked.get(members["model"]) if self._asked else None
        if asked is None or asked.id in self._full or asked.version != members["model_version"]:
            return None
        return asked if share_of(members["task_id"]) < asked.percent else None

    def keep(self, collection: Collection, upload: bytes) -> None:
        """Write the pixels of an upload, unless they are there or enough is.

        Written first and noted then: what is noted can be read, and what came too late is deleted.
        """
        model = self._models.held(collection.model, collection.version)
        if model is None:
            return
        pixels = prepared(model, upload).pixels.tobytes()
        digest = sha256(pixels).hexdigest()
        stores.image_store().make_private(f"{FOLDER}/{collection.id}")
        stores.image_store().put(key_of(collection.id, digest), pixels)
        became = stores.collections().add(collection, digest)
        if became == CLOSED:
            self._full.add(collection.id)
            stores.image_store().delete(key_of(collection.id, digest))
        elif became == ADDED:
            logger.debug("pixels collected", extra={"model": collection.model})


@once
def of_this_process() -> Collector:
    """Return the collector of this process."""
    return Collector(loaded_models.of_this_process())


def offer(members: dict[str, Any], upload: bytes) -> None:
    """Keep the pixels of a classified upload if somebody asks for them.

    Runs after the client has its answer, so whatever goes wrong costs a picture of the collection.
    """
    collection = of_this_process().wanted(members)
    if collection is None:
        return
    try:
        of_this_process().keep(collection, upload)
    except Exception:
        # The job is over; whatever goes wrong now must not make its task a failure.
        logger.exception("pixels not collected", extra={"model": collection.model})


def key_of(collection_id: str, digest: str) -> str:
    """Return where in the image store pixels lie."""
    return f"{FOLDER}/{collection_id}/{digest}"


def is_wanted(key: str) -> bool:
    """Tell whether what lies in the image store may still be asked for: an upload, or pixels."""
    folder, _, rest = key.partition("/")
    if folder != FOLDER or not rest:
        return jobs.is_wanted(key)
    return stores.collections().is_known(rest.partition("/")[0])
