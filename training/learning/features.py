"""Features of many pictures: computed once over all cores, kept by content, resumed after a kill.

Memory holds the features and one picture for each core, however many pictures there are.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_store import preprocessing
from model_store.card import PreprocessingSpec
from model_store.errors import ImageError
from model_store.pictures import decoding
from model_store.runtimes import LoadedArtifact
from model_store.settings import available_cores
from training.errors import DataError
from training.journal import Advance
from training.learning.backbone import Backbone
from training.learning.extractors import Extractor
from training.pictures import augmentation, sources
from training.pictures.augmentation import Augmentation
from training.pictures.data import Picture
from training.pictures.row_cache import RowCache
from training.pictures.sources import Reader

# A kill loses at most this many pictures on each core.
PICTURES_PER_FILE = 32

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class View:
    """Which view of each picture is meant: one that is changed, or, without it, the picture."""

    augmentation: Augmentation
    number: int


def cache(backbone: Backbone, directory: Path, view: View | None = None) -> RowCache:
    """Return the features that are known, of one backbone and one view.

    Args:
        backbone: Its identity and preprocessing are part of the place.
        directory: Holds the features of all backbones.
        view: Which view of the pictures.
    """
    facts = [decoding.VERSION, backbone.identity, asdict(backbone.spec), view and asdict(view)]
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]
    return RowCache(directory / key, width=backbone.width, dtype=np.float32)


def compute(
    source: Reader,
    pictures: Sequence[Picture],
    extractor: Extractor,
    known: RowCache,
    *,
    view: View | None = None,
    advance: Advance,
) -> NDArray[np.float32]:
    """Return the features [N, width] of pictures, computing and keeping those not yet known.

    Raises:
        DataError: a picture changed or vanished since the check.
    """
    paths = {picture.digest: picture.path for picture in pictures}
    missing = known.missing(list(paths))
    worker = _Worker(source, extractor, known, view)
    done = len(paths) - len(missing)
    advance(done, len(paths))
    with ThreadPoolExecutor(available_cores()) as pool:
        parts = [pool.submit(worker, [(d, paths[d]) for d in part]) for part in _parts(missing)]
        try:
            for part in as_completed(parts):
                done += part.result()
                advance(done, len(paths))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return known.rows([picture.digest for picture in pictures]).astype(np.float32, copy=False)


def _parts(digests: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(digests), PICTURES_PER_FILE):
        yield digests[start : start + PICTURES_PER_FILE]


class _Worker:
    """Computes one file's worth of features; every thread has the network once."""

    def __init__(
        self, source: Reader, extractor: Extractor, known: RowCache, view: View | None
    ) -> None:
        self._source = source
        self._extractor = extractor
        self._known = known
        self._pixels = pixels_of(extractor.card.preprocessing, view)
        self._thread = threading.local()

    def __call__(self, part: Sequence[tuple[str, str]]) -> int:
        """Compute and keep the features of (digest, path) pairs; return how many there are."""
        network = self._network()
        # One at a time: the answer to a picture must not depend on its neighbours' number, and
        # larger batches are not faster on CPUs.
        rows = [network.predict(self._read(digest, path)[None])[0] for digest, path in part]
        self._known.add([digest for digest, _ in part], np.stack(rows))
        return len(part)

    def _network(self) -> LoadedArtifact:
        if not hasattr(self._thread, "network"):
            self._thread.network = self._extractor.load(threads=1)
        network: LoadedArtifact = self._thread.network
        return network

    def _read(self, digest: str, path: str) -> Pixels:
        try:
            return self._pixels(sources.read_unchanged(self._source, path, digest))
        except ImageError as exc:
            raise DataError(f"{path} could be read before and cannot now: {exc}") from exc


def pixels_of(spec: PreprocessingSpec, view: View | None) -> Callable[[bytes], Pixels]:
    """Return what makes the pixels of one view from an upload."""
    if view is None:
        return lambda upload: preprocessing.prepare(upload, spec)
    return lambda upload: augmentation.view(upload, spec, view.augmentation, view.number)
