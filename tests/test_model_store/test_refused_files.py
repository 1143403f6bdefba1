"""Files and graphs that are damaged, unfinished or of another kind, each refused in a sentence."""

import socket
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest

from model_store import importers
from model_store.errors import ImportOptionError, ModelFormatError, ModelStoreError
from model_store.importers import ImportOptions, file_kinds, label_files, probing

ZERO, FULL = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)
PICKLE, CHECKPOINT = "it is a Python pickle", "it is a part of a checkpoint"
LITERT, WEIGHTS = "a LiteRT file cannot be converted back", "safetensors hold weights"

Refusal = Callable[..., str]


@pytest.fixture
def refusal(tmp_path: Path, sources: ModuleType) -> Refusal:
    """A function that imports a source and returns the sentence it is refused with."""
    labels = str(sources.labels_file(tmp_path / "given.txt"))
    usual = ImportOptions("colours", labels, mean=ZERO, scale=FULL)

    def refuse(source: object, error: type[ModelStoreError], **changes: Any) -> str:
        given = replace(usual, **changes)
        with pytest.raises(error) as caught:
            importers.draft(str(source), given, tmp_path / "out", report=lambda _: None)
        return str(caught.value)

    return refuse


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        *((f"model{ending}", PICKLE) for ending in (".pt", ".pth", ".pkl", ".pickle", ".joblib")),
        *((name, CHECKPOINT) for name in ("m.ckpt", "m.index", "m.data-00000-of-00001")),
        ("checkpoint", CHECKPOINT),
        ("model.tflite", LITERT),
        ("model.safetensors", WEIGHTS),
        ("model.bin", "the weights of an OpenVINO network; publish the .xml"),
    ],
)
def test_a_file_is_known_by_its_name(name: str, sentence: str, tmp_path: Path) -> None:
    """Where its bytes say nothing; each is told what to publish instead."""
    (tmp_path / name).write_bytes(b"anything")

    with pytest.raises(ModelFormatError) as caught:
        importers.importer_of(str(tmp_path / name))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("head", "sentence"),
    [
        *((bytes((0x80, protocol)), PICKLE) for protocol in range(2, 6)),
        (b"\x1c\0\0\0TFL3", LITERT),
        (b'\x10\x01\0\0\0\0\0\0{"__metadata__"', WEIGHTS),
    ],
)
def test_a_file_is_known_by_its_bytes(head: bytes, sentence: str, tmp_path: Path) -> None:
    """Whatever its name says: TensorFlow would be asked to read a `.pb`."""
    (tmp_path / "graph.pb").write_bytes(head + bytes(100))

    with pytest.raises(ModelFormatError) as caught:
        importers.importer_of(str(tmp_path / "graph.pb"))
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("member", "importer"), [("config.json", "keras_file"), ("metadata.json", "keras_file")]
)
def test_a_zip_of_keras_is_known_by_its_members(member: str, importer: str, tmp_path: Path) -> None:
    """Browsers rename it to `.zip`."""
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        archive.writestr(member, "{}")

    assert importers.importer_of(str(tmp_path / "model.zip")) == importer


def test_a_zip_of_pytorch_is_a_pickle(tmp_path: Path) -> None:
    """Under any name, also that of a Keras file."""
    with zipfile.ZipFile(tmp_path / "model.keras", "w") as archive:
        archive.writestr("model/data.pkl", b"\x80\x02.")

    with pytest.raises(ModelFormatError, match=PICKLE):
        importers.importer_of(str(tmp_path / "model.keras"))


@pytest.mark.parametrize(
    ("name", "importer"),
    [
        *((f"m{ending}", "keras_file") for ending in (".keras", ".h5", ".hdf5", ".KERAS")),
        ("m.pb", "frozen_graph"),
        ("m.onnx", "openvino_file"),
        ("m.xml", "openvino_file"),
    ],
)
def test_an_importer_is_known_by_the_name(name: str, importer: str, tmp_path: Path) -> None:
    """It then says what is wrong with the bytes."""
    (tmp_path / name).write_bytes(b"anything")

    assert importers.importer_of(str(tmp_path / name)) == importer


def test_hdf5_is_known_by_its_bytes(tmp_path: Path) -> None:
    """Under the name of a pickle, too."""
    (tmp_path / "m.pt").write_bytes(file_kinds.HDF5)

    assert importers.importer_of(str(tmp_path / "m.pt")) == "keras_file"


def test_what_cannot_be_opened_is_no_traceback(tmp_path: Path, monkeypatch: Any) -> None:
    """A socket that lies there as a file, and labels that are a folder."""
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("model.pb")
        with pytest.raises(ModelFormatError, match=r"model\.pb cannot be read: No such device"):
            importers.importer_of("model.pb")
    with pytest.raises(ModelFormatError, match="cannot be read: Is a directory"):
        label_files.read(tmp_path)


def _damaged_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = "2.15.0"
        file["weights"] = np.zeros(1000)
    path.write_bytes(path.read_bytes()[:1500])


def _zipped(config: str | bytes, metadata: str = "{}") -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("metadata.json", metadata)
            archive.writestr("config.json", config)

    return write


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (_damaged_hdf5, "is damaged HDF5"),
        (_zipped("{"), "the network's description is no JSON"),
        (_zipped("[" * 100_000), "the network's description is no JSON"),
        (_zipped("{}", metadata="no"), "the network's description is no JSON"),
        (_zipped(bytes(64 * 2**20 + 1)), "config.json is larger than 67108864 bytes"),
        (
            _zipped('{"class_name": "__lambda__"}'),
            "a Python function (a Lambda layer)",
        ),
        (
            _zipped('{"layers": [[{"x": {"class_name": "Own", "module": "mine.layers"}}]]}'),
            "'Own' of 'mine.layers'",
        ),
    ],
)
def test_a_keras_file_that_is_damaged_or_brings_code(
    write: Callable[[Path], None], sentence: str, refusal: Refusal, tmp_path: Path
) -> None:
    """Before Keras is asked to read it."""
    write(tmp_path / "model.keras")

    assert sentence in refusal(tmp_path / "model.keras", ModelFormatError)


def _graph(kind: str) -> bytes:
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        pictures = tf.compat.v1.placeholder(tf.float32, (None, None, None, 3), name="Placeholder")
        if kind == "variable":
            tf.compat.v1.get_variable("weights", initializer=tf.eye(3), use_resource=False)
        pooled = tf.nn.avg_pool2d(pictures, 16, 1, "VALID")
        tf.reduce_mean(pooled, axis=[1, 2], name="final_result")
    definition = graph.as_graph_def()
    if kind == "custom":
        definition.node.add(op="Swirl", name="swirl")
    raw: bytes = definition.SerializeToString()
    return b"" if kind == "empty" else raw


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("empty", "is no frozen TensorFlow graph: it has no operations"),
        ("variable", "is not frozen: the weights of 'weights' and 0 more lie in a checkpoint"),
        ("custom", "needs the custom operation 'Swirl', which TensorFlow does not have"),
        ("too small", "the graph cannot be used: "),
    ],
)
def test_a_graph_that_cannot_be_used(
    kind: str, sentence: str, refusal: Refusal, tmp_path: Path
) -> None:
    """Its last fault is a window of 16 pixels, which pictures of 8 do not fill."""
    (tmp_path / "graph.pb").write_bytes(_graph(kind))

    assert sentence in refusal(tmp_path / "graph.pb", ModelFormatError, input_size=8)


def test_a_hub_module_that_is_no_classifier(
    refusal: Refusal, sources: ModuleType, tmp_path: Path
) -> None:
    """Damaged, without anything to call, of any size, and of another size than was said."""
    import tensorflow as tf

    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "saved_model.pb").write_bytes(b"no graph")
    tf.saved_model.save(tf.Module(), str(tmp_path / "nothing"), signatures={})
    anything = sources.hub_module(tmp_path / "anything")
    fixed = tf.Module()
    sixteen = tf.TensorSpec((None, 16, 16, 3), tf.float32)
    fixed.__call__ = tf.function(sources.logits, input_signature=[sixteen])
    tf.saved_model.save(fixed, str(tmp_path / "fixed"), signatures={})

    damaged = refusal(f"hub:{tmp_path}/damaged", ModelFormatError)
    assert "is no module that can be loaded" in damaged
    nothing = refusal(f"hub:{tmp_path}/nothing", ModelFormatError)
    assert "has no signature and cannot be called" in nothing
    assert "give --input-size" in refusal(f"hub:{anything}", ImportOptionError)
    other = refusal(f"hub:{tmp_path}/fixed", ModelFormatError, input_size=8)
    assert "does not take pictures (None, 8, 8, 3) of float32" in other


def _saved(directory: Path, *names: str, inputs: int = 1, counting: bool = False) -> Path:
    import tensorflow as tf

    from tests.tiny_sources import Batch, logits

    module = tf.Module()
    module.draws = tf.Variable(0)

    def serve(*images: tf.Tensor) -> dict[str, tf.Tensor]:
        draws = 0
        if counting:
            seed = tf.stack([module.draws.assign_add(1), 0])
            draws = tf.random.stateless_uniform((3,), seed)
        return {"prediction": logits(images[0]) + draws}

    given = [tf.TensorSpec(Batch.shape, Batch.dtype, name=f"image{i}") for i in range(inputs)]
    signature = tf.function(serve, input_signature=given)
    tf.saved_model.save(module, str(directory), signatures=dict.fromkeys(names, signature))
    return directory


@pytest.mark.parametrize(
    ("names", "options", "sentence"),
    [
        (("first", "second"), {}, "has the signatures 'first', 'second'; expected 'serving_d"),
        (("serving_default",), {"inputs": 2}, "takes 'image0' (float32 (None, 8, 8, 3)), 'image1'"),
        (("serving_default",), {"counting": True}, "answers depend on random numbers (Stateless"),
    ],
)
def test_a_saved_model_that_cannot_be_served(
    names: tuple[str, ...],
    options: dict[str, Any],
    sentence: str,
    refusal: Refusal,
    sources: ModuleType,
    tmp_path: Path,
) -> None:
    """Several ways in, several inputs, and draws that are counted, so that none is like another."""
    assert sentence in refusal(_saved(tmp_path / "s", *names, **options), ModelFormatError)


def test_a_saved_model_that_cannot_be_loaded(refusal: Refusal, tmp_path: Path) -> None:
    """TensorFlow's reason follows."""
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "saved_model.pb").write_bytes(b"no graph")

    assert "TensorFlow cannot load the SavedModel" in refusal(tmp_path / "s", ModelFormatError)


def test_an_input_that_is_not_there_is_named(
    refusal: Refusal, sources: ModuleType, tmp_path: Path
) -> None:
    """With the one that is."""
    said = refusal(_saved(tmp_path / "s", "serving_default"), ModelFormatError, input_layer="x")

    assert "takes 'image0'" in said
    assert "(--input-layer is 'x')" in said


@pytest.mark.parametrize("shape", [(6, 2, 2), (6,), (5, 3), (6, 0)])
def test_answers_that_are_no_rows_are_refused(shape: tuple[int, ...]) -> None:
    """One row for each picture, with a number for each label."""
    with pytest.raises(ModelFormatError, match=r"with shape .*; expected \[\d, classes\]"):
        probing.answers(
            lambda images: np.zeros((len(images), *shape[1:]), np.float32)[: shape[0]], 8
        )
