"""Measures heat maps: on how many pictures they are better than random orders, and for whom.

    python -m benchmarks.explain [MODEL] --images FOLDER [--pictures 50]

For each method: a version of the store on photographs, and the same network with its weights in a
random order, whose maps must not pass.
"""

import argparse
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model_store import ModelStore, serving
from model_store.errors import ImageError
from model_store.explaining import deletion, occlusion, random_weights
from model_store.explaining.deletion import Deletion
from model_store.explaining.explanation import Explainer
from model_store.explaining.maps import CLASS_ACTIVATION, OCCLUSION, HeatMap
from model_store.serving import ServedModel
from model_store.settings import ModelSettings

SEED = 2018
COLUMNS = "network | map | pictures | deletion | random | gain | better than random | explains"
HEAD = f"| {COLUMNS} | CPU s |"


@dataclass(frozen=True)
class Row:
    """The maps of one network by one method: their figures, and the CPU seconds of one."""

    network: str
    method: str
    figures: Sequence[Deletion]
    cpu_seconds: float

    def __str__(self) -> str:
        """Return the row of the table."""
        better = _share([found.figure < found.random for found in self.figures])
        explains = _share([found.explains for found in self.figures])
        area = np.mean([(f.figure, f.random, f.gain) for f in self.figures], axis=0)
        numbers = " | ".join(f"{number:.3f}" for number in area)
        return (
            f"| {self.network} | {self.method} | {len(self.figures)} | {numbers} | {better} |"
            f" {explains} | {self.cpu_seconds:.2f} |"
        )


def main() -> None:
    """Measure, and print a table."""
    options = _options()
    store = ModelStore.of(ModelSettings())
    model = serving.load(store, options.model, threads=1)
    pictures = list(_pixels(model, _some(options.images, options.pictures)))
    print(HEAD + "\n|" + "---|" * (HEAD.count("|") - 1))  # noqa: T201 - the product
    with TemporaryDirectory() as directory:
        unlearned = random_weights.shuffled(model, Path(directory))
        for name, network in ((model.card.ref, model), ("its weights shuffled", unlearned)):
            for row in _rows(name, network, pictures):
                print(row, flush=True)  # noqa: T201


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.explain", description=__doc__)
    parser.add_argument("model", nargs="?", default=ModelSettings().default_model)
    parser.add_argument("--images", type=Path, required=True, help="a folder of photographs")
    parser.add_argument("--pictures", type=int, default=50, help="how many of them (50)")
    return parser.parse_args()


def _some(folder: Path, wanted: int) -> list[Path]:
    """Return some files of a folder and those in it, the same ones each time."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return random.Random(SEED).sample(files, min(wanted, len(files)))  # noqa: S311 - no secret


def _pixels(model: ServedModel, files: Sequence[Path]) -> Iterator[NDArray[np.uint8]]:
    for file in files:
        try:
            yield model.prepare(file.read_bytes())
        except ImageError as exc:
            print(f"{file.name}: {exc}")  # noqa: T201


def _rows(name: str, model: ServedModel, pictures: Sequence[NDArray[np.uint8]]) -> Iterator[Row]:
    for method, way in _ways(model).items():
        began = process_time()
        figures = [way(pixels) for pixels in pictures]
        yield Row(name, method, figures, (process_time() - began) / len(pictures))


def _ways(model: ServedModel) -> dict[str, Callable[[NDArray[np.uint8]], Deletion]]:
    """Return how the best label of a picture is explained and judged, by the method's name."""
    explainer = Explainer.of(model)

    def judged(heat_map: Callable[[NDArray[np.uint8], int], HeatMap]) -> Any:
        def way(pixels: NDArray[np.uint8]) -> Deletion:
            label = int(model.predict(pixels[None])[0].argmax())
            return deletion.measure(model.predict, pixels, label, heat_map(pixels, label))

        return way

    activation = {CLASS_ACTIVATION: judged(explainer.maps.heat_map)} if explainer.maps else {}
    return activation | {
        OCCLUSION: judged(partial(occlusion.heat_map, model.predict)),
        "as served": lambda pixels: explainer.explain(pixels).deletion,
    }


def _share(those: Sequence[bool]) -> str:
    return f"{sum(those) / len(those):.0%}"


if __name__ == "__main__":
    main()
