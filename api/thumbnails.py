"""Small copies of a version's reference pictures; a page shows several of one version at once."""

from collections import OrderedDict
from threading import Lock

from api import catalog
from model_store.card import ModelCard
from model_store.doubts import examples
from model_store.doubts.examples import THUMBNAILS
from model_store.errors import UnknownVersionError
from tasks.once import once

MOST_ARCHIVES = 2
"""Those of a version have 1 to 2 MB in the memory of each process."""
MOST_ARCHIVE_BYTES = 16 * 2**20
"""What is larger is read for each picture, and not kept."""


def of(card: ModelCard, number: int) -> bytes:
    """Return the small copy of one reference as a JPEG.

    Raises:
        UnknownVersionError: the version has none of this number.
        CorruptVersionError: the store's bytes are wrong.
        StoreUnavailableError: the store cannot be reached.
    """
    if THUMBNAILS not in card.files:
        raise UnknownVersionError(
            f"{card.ref} keeps no pictures; versions do that were trained with --keep_thumbnails or"
            " calibrated with --keep-thumbnails"
        )
    jpeg = examples.thumbnail(_archives().of(card), number)
    if jpeg is None:
        raise UnknownVersionError(f"{card.ref} has no picture of reference {number}")
    return jpeg


class Archives:
    """The archives that were asked for last."""

    def __init__(self) -> None:
        """Know none yet."""
        self._last: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()

    def of(self, card: ModelCard) -> bytes:
        """Return that of a version, read at its first use."""
        digest = card.files[THUMBNAILS]
        with self._lock:
            if digest in self._last:
                self._last.move_to_end(digest)
                return self._last[digest]
        content = catalog.of_this_process().read(lambda store: store.file(card, THUMBNAILS))
        if len(content) <= MOST_ARCHIVE_BYTES:
            self._keep(digest, content)
        return content

    def _keep(self, digest: str, content: bytes) -> None:
        with self._lock:
            self._last[digest] = content
            while len(self._last) > MOST_ARCHIVES:
                self._last.popitem(last=False)


@once
def _archives() -> Archives:
    return Archives()
