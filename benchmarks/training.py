"""How long training takes, and what its feature pass costs: `make train-bench IMAGES=FOLDER`.

The bare loop reads, decodes and predicts with the same artifact on as many threads, and keeps
nothing; both are measured in turn on the same pictures. Then whole runs: a cold one, which knows
nothing, and a warm one, which knows the features and publishes under another name.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks import report
from model_store import preprocessing
from model_store.settings import available_cores
from training.learning import backbones, extractors, features
from training.learning.backbone import Backbone, Request
from training.learning.extractors import Extractor
from training.pictures import data, inspection, sources
from training.pictures.data import DataSet
from training.pictures.sources import Source

DOCUMENT = Path(__file__).parent.parent / "docs" / "training-reference.md"
MARK = "train-bench"
FEATURES = "Computing features"


@dataclass(frozen=True)
class Run:
    """One whole run: the process from start to end, and its feature pass, in seconds."""

    seconds: float
    features_seconds: float

    @property
    def else_seconds(self) -> float:
        """Everything but the feature pass."""
        return self.seconds - self.features_seconds


@dataclass(frozen=True)
class Rounds:
    """Pictures a second of both loops, and whole runs, round by round."""

    pictures: int
    runtime: str
    bare: list[float]
    whole: list[float]
    cold: list[Run]
    warm: list[Run]


def main() -> None:
    """Measure, print the table, and write it into the document where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path, help="folder with a folder of pictures for each label")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--write", action="store_true", help="put the table into docs/training-reference.md"
    )
    said = parser.parse_args()
    text = _markdown(_measure(said.images, said.rounds))
    print(text)  # noqa: T201
    if said.write:
        report.write(DOCUMENT, text, mark=MARK)


def _measure(folder: Path, rounds: int) -> Rounds:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        source = sources.open_source(folder)
        found = data.check(source, inspection.findings_cache(root / "f"), advance=_silent)
        backbone = backbones.find(Request("efficientnet-lite0"))
        extractor = extractors.prepare(backbone, root / "b", report=print)
        measured = Rounds(len(found.pictures), extractor.runtime, [], [], [], [])
        for i in range(rounds):
            _measure_pass(measured, source, found, backbone, extractor, root / f"features{i}")
            measured.cold.append(_run(folder, root / str(i), "cold"))
            measured.warm.append(_run(folder, root / str(i), "warm"))
        return measured


def _measure_pass(
    measured: Rounds,
    source: Source,
    found: DataSet,
    backbone: Backbone,
    extractor: Extractor,
    place: Path,
) -> None:
    known = features.cache(backbone, place)

    def feature_pass() -> None:
        features.compute(source, found.pictures, extractor, known, advance=_silent)

    measured.bare.append(_rate(lambda: _bare_loop(source, found, extractor), found))
    measured.whole.append(_rate(feature_pass, found))


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


def _run(folder: Path, root: Path, name: str) -> Run:
    """Run the command as a user does, with everything it keeps below `root`."""
    places = {"MODELS_STORE_URL": root / "models", "TRAINING_DIRECTORY": root / "training"}
    environment = {f"PETIOLE_{key}": str(value) for key, value in places.items()}
    command = [sys.executable, "-m", "petiole", "train", "--image_dir", str(folder), "--name", name]
    started = time.perf_counter()
    subprocess.run(  # noqa: S603 - our own program
        command, env={**os.environ, **environment}, check=True, capture_output=True
    )
    seconds = time.perf_counter() - started
    (written,) = (root / "training" / "runs").glob(f"{name}-*/report.json")
    phases = json.loads(written.read_text("utf-8"))["run"]["phases_seconds"]
    return Run(seconds, phases[FEATURES])


def _markdown(found: Rounds) -> str:
    ratio = statistics.median(
        whole / bare for whole, bare in zip(found.whole, found.bare, strict=True)
    )
    rows = [
        ("feature pass against the bare loop", f"{ratio:.2f}"),
        ("cold run, the feature pass", _seconds(run.features_seconds for run in found.cold)),
        ("cold run, everything else", _seconds(run.else_seconds for run in found.cold)),
        ("warm run, in all", _seconds(run.seconds for run in found.warm)),
    ]
    lines = [f"| {name} | {value} |" for name, value in rows]
    heading = report.heading(
        f"{found.pictures} pictures, {found.runtime}; medians of {len(found.bare)} rounds."
    )
    return "\n".join([heading, "", "| | |", "|---|---|", *lines])


def _seconds(values: Iterable[float]) -> str:
    return f"{statistics.median(values):.1f} s"


if __name__ == "__main__":
    main()
