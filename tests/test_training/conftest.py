"""Pictures drawn in code, sources of every kind, a tiny hub module and one finished run."""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.drawn_reports import Write, drawn
from tests.report_page import Page
from training.judging.evaluation import TestSet, evaluate
from training.pictures import data, inspection, sources
from training.pictures.data import DataSet
from training.reporting.record import Run

ROOT = Path(__file__).parents[2]
TINY_SIZE = 32
# Not the port of the settings' default: what a run prints has to be what is set.
API_PORT = "8123"
SERVICE = f"http://127.0.0.1:{API_PORT}"
COLOURS = {"красный": (200, 40, 40), "玫瑰": (40, 200, 40), "blue sky": (40, 40, 200)}

Draw = Callable[..., Image.Image]


def draw(seed: int, colour: tuple[int, int, int] = (128, 128, 128), side: int = 48) -> Image.Image:
    """Return a picture of blotches, different for each seed, with a prevailing colour."""
    generator = np.random.default_rng(seed)
    blotches = generator.integers(-60, 60, (6, 8, 3))
    noise = np.clip(np.array(colour) + blotches, 0, 255).astype(np.uint8)
    return Image.fromarray(noise).resize((side + 16, side), Image.Resampling.BICUBIC)


def encode(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    """Return an image as the bytes of a file."""
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def fill(folder: Path, label: str, n: int, *, first: int = 0) -> list[Path]:
    """Write `n` different pictures of a label below `folder`; return their paths."""
    (folder / label).mkdir(parents=True, exist_ok=True)
    # A seed for each label, so that no two labels have the same blotches.
    start = first + sum(label.encode()) * 1000
    paths = [folder / label / f"{first + i:03}.png" for i in range(n)]
    for i, path in enumerate(paths):
        path.write_bytes(encode(draw(start + i, COLOURS.get(label, (128, 128, 128)))))
    return paths


def check(folder: Path) -> DataSet:
    """Return what the data check finds at a folder, an archive or a manifest."""
    cache = inspection.findings_cache(folder.parent / "fingerprints")
    return data.check(sources.open_source(folder), cache, advance=lambda done, total: None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three labels of twelve pictures each."""
    for label in COLOURS:
        fill(tmp_path / "pictures", label, 12)
    return tmp_path / "pictures"


@pytest.fixture(scope="session")
def hub_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A TF Hub module in a folder: the means of nine parts of a 32 x 32 picture, 27 numbers."""
    pytest.importorskip("tensorflow")
    import tensorflow as tf

    class Module(tf.Module):
        """A feature vector as the hub has them: callable, with a variable."""

        def __init__(self) -> None:
            super().__init__()
            self.scale = tf.Variable(3.0)

        @tf.function(input_signature=[tf.TensorSpec((None, TINY_SIZE, TINY_SIZE, 3))])
        def __call__(self, images: tf.Tensor) -> tf.Tensor:
            parts = tf.nn.avg_pool2d(images, 11, 11, "SAME")
            return tf.reshape(parts * self.scale, (-1, 27))

    directory = tmp_path_factory.mktemp("hub") / "means"
    module = Module()
    tf.saved_model.save(module, str(directory), signatures=module.__call__.get_concrete_function())
    return directory


def constants(graph: Path) -> list[bytes]:
    """Return the weights in a SavedModel, without the names that tracing counts up."""
    from tensorflow.core.protobuf import saved_model_pb2

    document = saved_model_pb2.SavedModel.FromString(graph.read_bytes())
    functions = document.meta_graphs[0].graph_def.library.function
    return _constants(node for function in functions for node in function.node_def)


def frozen_constants(graph: Path) -> list[bytes]:
    """Return the weights in a frozen graph, in the same way."""
    from tensorflow.core.framework import graph_pb2

    return _constants(graph_pb2.GraphDef.FromString(graph.read_bytes()).node)


def _constants(nodes: Iterable[Any]) -> list[bytes]:
    return sorted(
        node.attr["value"].tensor.SerializeToString() for node in nodes if node.op == "Const"
    )


def run_program(
    *arguments: str, piped: Path = Path(os.devnull), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run `python -m …` in the repository's root with a file piped in; return how it ended."""
    with piped.open("rb") as stream:
        return subprocess.run(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdin=stream,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


class DrawnRun:
    """A command line over drawn pictures, and where everything is that it leaves."""

    def __init__(self, root: Path, hub_folder: Path) -> None:
        """Draw the pictures."""
        self.root = root
        self.pictures = root / "pictures"
        for label in COLOURS:
            fill(self.pictures, label, 24)
        self.store_url = str(root / "store")
        self.flags = [
            *("--image_dir", str(self.pictures), "--name", "drawn"),
            *("--tfhub_module", str(hub_folder), "--bottleneck_dir", str(root / "cache")),
            *("--runs_dir", str(root / "runs")),
        ]
        self.files = [
            *("--output_labels", str(root / "labels.txt")),
            *("--output_graph", str(root / "graph.pb"), "--final_tensor_name", "my_answer"),
            *("--saved_model_dir", str(root / "saved_model")),
        ]

    def train_here(self, *flags: str) -> int:
        """Run the same training in this process, where TensorFlow is loaded; return its code."""
        from training import command

        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PETIOLE_MODELS_STORE_URL", self.store_url)
            return command.main([*self.flags, *flags])

    def train(self, *flags: str) -> subprocess.CompletedProcess[str]:
        """Run the same training again with more flags."""
        arguments = ("petiole", "train", *self.flags, *flags)
        places = {"PETIOLE_MODELS_STORE_URL": self.store_url, "PETIOLE_API_PORT": API_PORT}
        return run_program(*arguments, **places)


class FinishedRun(DrawnRun):
    """A run that was not disturbed."""

    def __init__(self, root: Path, hub_folder: Path) -> None:
        """Draw the pictures and run."""
        super().__init__(root, hub_folder)
        self.ended = self.train("--summaries_dir", str(root / "summaries"), *self.files)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory, hub_folder: Path) -> FinishedRun:
    """A run that published `drawn@1` and wrote every file that can be asked for."""
    return FinishedRun(tmp_path_factory.mktemp("run"), hub_folder)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a report into an empty directory and opens it."""
    from training.reporting import report

    def opened(run: Run, test: TestSet, pictures: Callable[[str], bytes] = drawn) -> Page:
        return Page(report.write(tmp_path / "made", run, evaluate(test), pictures=pictures))

    return opened
