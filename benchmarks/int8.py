"""`python -m benchmarks.int8 --images FOLDER`: int8 on this CPU, and on one without VNNI.

A version's float32 artifacts are quantized with drawn pictures, OpenVINO's in three ways. Each is
asked your photographs in a process of its own: once as this CPU is, and once where OpenVINO may use
nothing beyond AVX2, so that sums of bytes saturate as on a CPU without VNNI. LiteRT's kernels
cannot be limited; they are measured as they are.
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmarks import report
from model_store import ModelCard, ModelStore, choosing, drawings, fingerprints, golden, runtimes
from model_store.picture_sets import DRAWN_TO_CALIBRATE
from model_store.preprocessing import prepare
from model_store.settings import ModelSettings
from petiole.markdown import table

MARK = "int8"
ROUNDS = 3
PIXELS = "pixels.npy"
FIXES = {"ENABLE": "all layers", "FIRST_LAYER": "first layer", "DISABLE": "none"}
HERE, LIMITED = "this CPU", "AVX2 alone"
LIMITS: dict[str, dict[str, str]] = {HERE: {}, LIMITED: {"ONEDNN_MAX_CPU_ISA": "AVX2"}}
HEAD = ("OpenVINO int8, fix for", "CPU", "same label", "top-1", "drawn: same", "drift", "ms")


@dataclass(frozen=True)
class Answers:
    """What an artifact answered on a kind of CPU, and how it did."""

    best: NDArray[np.intp]
    sameness: fingerprints.Sameness
    milliseconds: float


def main() -> None:
    """Quantize, ask, and print the table; or write it into a document."""
    options = _options()
    if options.answer:
        _answer(options.answer, options.model)
        return
    paths = sorted(path for path in options.images.rglob("*") if path.is_file())
    with TemporaryDirectory() as place:
        card = _prepare(Path(place), options.model, paths)
        found = {limit: _asked(Path(place), options.model, limit) for limit in LIMITS}
    text = markdown(card, found, _truth(paths, options.classes))
    sys.stdout.write(f"{text}\n")
    if options.document:
        report.write(options.document, text, mark=MARK)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.int8")
    parser.add_argument("--images", type=Path, help="folder of photographs, in any depth")
    parser.add_argument("--classes", type=Path, help="TSV of class index and the start of names")
    parser.add_argument("--model", default="imagenet", help="a version with OpenVINO and LiteRT")
    parser.add_argument("--document", type=Path, help="document to write the table into")
    parser.add_argument("--answer", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not (options.images or options.answer):
        parser.error("--images is missing: a folder of photographs")
    return options


def _version(model: str) -> tuple[ModelCard, Path]:
    store = ModelStore.of(ModelSettings())
    card = store.card(*store.resolve(model))
    return card, store.fetch(card.name, card.version)


def _artifacts(card: ModelCard, directory: Path, place: Path) -> Iterator[tuple[str, str, Path]]:
    """Yield name, runtime and path of all that is asked."""
    for variant in card.variants:
        if variant.precision == "float32" and variant.runtime in ("openvino", "litert"):
            yield variant.choice, variant.runtime, directory / variant.path
    for fix in FIXES:
        yield fix, "openvino", place / fix / "model.xml"
    yield "litert:int8", "litert", place / "litert" / "model.tflite"


def _prepare(place: Path, model: str, paths: list[Path]) -> ModelCard:
    """Write pixels, int8 artifacts, and what each answers here to drawn pictures."""
    import nncf  # noqa: PLC0415 - the processes that answer do without
    import openvino  # noqa: PLC0415

    from model_store.runtimes import openvino as ours  # noqa: PLC0415

    card, directory = _version(model)
    pixels = [prepare(path.read_bytes(), card.preprocessing) for path in paths]
    np.save(place / PIXELS, np.stack(pixels))
    textures = drawings.textures(DRAWN_TO_CALIBRATE, input_size=card.preprocessing.input_size)
    float32 = {name: path for name, _, path in _artifacts(card, directory, place)}
    for fix in FIXES:
        network = openvino.Core().read_model(float32["openvino:float32"])
        made = ours.quantized(nncf, network, textures, overflow_fix=fix)
        openvino.save_model(made, place / fix / "model.xml", compress_to_fp16=False)
    runtimes.find("litert").quantize(float32["litert:float32"], place / "litert", textures)  # type: ignore[attr-defined]
    for name, runtime, path in _artifacts(card, directory, place):
        (place / name).mkdir(exist_ok=True)
        loaded = runtimes.find(runtime).load(path, card, threads=1)
        fingerprints.write(place / name, card, loaded.predict)
    return card


def _asked(place: Path, model: str, limit: str) -> dict[str, Answers]:
    """Return what a process with a limit on its instructions answers, by artifact."""
    command = [sys.executable, "-m", "benchmarks.int8", "--model", model, "--answer", str(place)]
    subprocess.run(command, env={**os.environ, **LIMITS[limit]}, check=True)  # noqa: S603
    found = {}
    for path in place.glob("*.npz"):
        with np.load(path) as said:
            sameness = fingerprints.Sameness(*said["sameness"].tolist())
            found[path.stem] = Answers(said["best"], sameness, float(said["ms"]))
    return found


def _answer(place: Path, model: str) -> None:
    card, directory = _version(model)
    pixels = np.load(place / PIXELS)
    loaded = {
        name: runtimes.find(runtime).load(path, card, threads=1).predict
        for name, runtime, path in _artifacts(card, directory, place)
    }
    times: dict[str, list[float]] = {name: [] for name in loaded}
    for _ in range(ROUNDS):  # In turns: what else runs here is the same for all.
        for name, predict in loaded.items():
            times[name] += choosing.milliseconds(predict, pixels[:1])
    for name, predict in loaded.items():
        sameness = fingerprints.compare(place / name / "fingerprint.json", card, predict)
        np.savez(
            place / f"{name}.npz",
            best=golden.one_by_one(predict, pixels).argmax(axis=1),
            sameness=[sameness.n, sameness.same_top1, sameness.drift],
            ms=statistics.median(times[name]),
        )


def _truth(paths: list[Path], classes: Path | None) -> NDArray[np.intp]:
    """Return the class of each picture whose name begins as a line of the TSV says, else -1."""
    if classes is None:
        return np.full(len(paths), -1)
    rows = [line.split("\t") for line in classes.read_text("utf-8").splitlines()[1:]]
    index_of = {row[1]: int(row[0]) for row in rows}
    return np.array([index_of.get(path.name.partition("_")[0], -1) for path in paths])


def markdown(card: ModelCard, found: dict[str, dict[str, Answers]], truth: NDArray[np.intp]) -> str:
    """Return the table of what each artifact answered, by kind of CPU, and by name.

    Args:
        card: The version that the artifacts are of.
        found: What they answered.
        truth: The class of each photograph [N], or -1.
    """
    known = int((truth >= 0).sum())
    what = f"{card.ref}, {len(truth)} photographs, top-1 of the {known} whose class is known."
    rows = [
        _row(name, limit, answers, truth)
        for name in found[HERE]
        for limit, answers in found.items()
        if limit == HERE or not name.startswith("litert")
    ]
    return f"{report.heading(what)}\n\n{table(HEAD, sorted(rows, key=_order))}"


def _order(row: Sequence[str]) -> tuple[bool, list[str], bool]:
    return row[0] not in FIXES.values(), [row[0]], row[1] != HERE


def _row(
    name: str, limit: str, answers: dict[str, Answers], truth: NDArray[np.intp]
) -> tuple[str, ...]:
    said, known = answers[name], truth >= 0
    float32 = answers["litert:float32" if name.startswith("litert") else "openvino:float32"]
    top1 = (said.best == truth)[known].mean() if known.any() else np.nan
    return (
        FIXES.get(name, name.replace(":", " ")),
        limit,
        f"{(said.best == float32.best).mean():.3f}",
        "" if np.isnan(top1) else f"{top1:.3f}",
        f"{said.sameness.same_top1:.3f}",
        f"{said.sameness.drift:.3f}",
        f"{said.milliseconds:.1f}",
    )


if __name__ == "__main__":
    main()
