"""How fast the feature pass is against a bare loop: `python -m benchmarks.training FOLDER`.

The bare loop reads, decodes and predicts with the same artifact on as many threads, and keeps
nothing. Both run one after the other on the same pictures, and the ratio is what is reported.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from model_store import preprocessing
from model_store.settings import available_cores
from training import backbones, data, extractors, features, inspection, sources
from training.backbones import Backbone, Request
from training.data import DataSet
from training.extractors import Extractor
from training.sources import Source


def main(folder: Path) -> None:
    """Measure three times each and print pictures a second, and the ratio of the best."""
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        source = sources.open_source(folder)
        found = data.check(source, inspection.findings_cache(root / "f"), advance=_silent)
        backbone = backbones.find(Request("efficientnet-lite0"))
        extractor = extractors.prepare(backbone, root / "b", report=print)
        bare, whole = [], []
        for i in range(3):
            bare.append(_rate(lambda: _bare_loop(source, found, extractor), found))
            cache = root / f"features{i}"
            whole.append(_rate(lambda: _pass(source, found, backbone, extractor, cache), found))  # noqa: B023 - called at once
    print(f"{len(found.pictures)} pictures, {available_cores()} cores, {extractor.runtime}")  # noqa: T201
    print("bare loop    ", ", ".join(f"{rate:.1f}" for rate in bare), "pictures/s")  # noqa: T201
    print("feature pass ", ", ".join(f"{rate:.1f}" for rate in whole), "pictures/s")  # noqa: T201
    print(f"ratio         {max(whole) / max(bare):.3f}")  # noqa: T201


def _silent(done: int, total: int) -> None:
    """Show nothing."""


def _rate(work: Callable[[], None], found: DataSet) -> float:
    started = time.perf_counter()
    work()
    return len(found.pictures) / (time.perf_counter() - started)


def _bare_loop(source: Source, found: DataSet, extractor: Extractor) -> None:
    own = threading.local()

    def predict(path: str) -> None:
        if not hasattr(own, "network"):
            own.network = extractor.load(threads=1)
        pixels = preprocessing.prepare(source.read(path), extractor.card.preprocessing)
        own.network.predict(pixels[None])

    with ThreadPoolExecutor(available_cores()) as pool:
        list(pool.map(predict, [picture.path for picture in found.pictures]))


def _pass(
    source: Source, found: DataSet, backbone: Backbone, extractor: Extractor, place: Path
) -> None:
    known = features.cache(backbone, place)
    features.compute(source, found.pictures, extractor, known, advance=_silent)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
