"""ONNX and OpenVINO files become versions of their own, which OpenVINO runs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model_store import ModelCard, ModelStore, exporting, importers
from model_store.errors import ImportOptionError, ModelFormatError
from model_store.importers import ImportOptions, openvino_reasons
from tests import tiny_onnx
from tests.conftest import picture

ZERO, FULL = (0.0, 0.0, 0.0), (255.0, 255.0, 255.0)
# The softmax of (6, 0, 0), by hand; see test_importers.
BEST, OTHER = 0.995067, 0.002467
EXPECTED = np.full((3, 3), OTHER) + np.eye(3) * (BEST - OTHER)


def _imported(source: Path, place: Path, **options: Any) -> ModelCard:
    (place / "given.txt").write_text("red\ngreen\nblue\n")
    options = {"labels": str(place / "given.txt"), "mean": ZERO, "scale": FULL} | options
    given = ImportOptions("colours", **options)
    return importers.draft(str(source), given, place / "out", report=lambda _: None)


def _answers(place: Path, card: ModelCard) -> np.ndarray:
    from model_store import runtimes, variants

    images = np.zeros((3, 8, 8, 3), np.uint8)
    for i in range(3):
        images[i, ..., i] = 255
    artifact = variants.own_artifact(place / "out", card)
    return runtimes.find("openvino").load(artifact, card, threads=1).predict(images)


@pytest.mark.parametrize("last", ["Softmax", "Identity"])
@pytest.mark.parametrize("shape", [("N", 3, 8, 8), (1, 3, 8, 8), ("N", 8, 8, 3)])
def test_an_onnx_file_is_imported(last: str, shape: tuple[int | str, ...], tmp_path: Path) -> None:
    """Channels first or last, probabilities or logits; a fixed batch becomes any."""
    card = _imported(tiny_onnx.write(tmp_path / "m.onnx", last=last, shape=shape), tmp_path)

    assert _answers(tmp_path, card) == pytest.approx(EXPECTED, abs=1e-5)
    assert card.reference == "openvino"
    assert card.origin.source == "ONNX file, run by OpenVINO"


@pytest.mark.parametrize("last", ["Sigmoid", "Identity"])
def test_one_number_becomes_two_labels(last: str, tmp_path: Path) -> None:
    """A third of all pixels is 1: sigmoid(6 / 3) = 0.880797 is the second label's."""
    (tmp_path / "two.txt").write_text("dark\nbright\n")
    source = tiny_onnx.write(tmp_path / "m.onnx", last=last, one_number=True)
    card = _imported(source, tmp_path, labels=str(tmp_path / "two.txt"))

    assert _answers(tmp_path, card) == pytest.approx(
        np.tile([0.119203, 0.880797], (3, 1)), abs=1e-5
    )
    assert card.labels == ("dark", "bright")


def test_weights_in_a_file_beside_an_onnx_file_are_read(tmp_path: Path) -> None:
    """PyTorch writes them so, and must where a network is larger than 2 GiB."""
    source = tiny_onnx.write(tmp_path / "m.onnx", weights_at="m.onnx.data")
    (tmp_path / "m.onnx.data").write_bytes(tiny_onnx.WEIGHTS)

    assert _answers(tmp_path, _imported(source, tmp_path)) == pytest.approx(EXPECTED, abs=1e-5)


def test_weights_behind_a_link_that_leads_out_are_not_read(tmp_path: Path) -> None:
    """As the cache of a hub keeps them; a stranger's link may lead anywhere."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "blob").write_bytes(tiny_onnx.WEIGHTS)
    (folder / "m.onnx.data").symlink_to(tmp_path / "blob")

    with pytest.raises(ModelFormatError, match=r"cp -L where it is a link"):
        _imported(tiny_onnx.write(folder / "m.onnx", weights_at="m.onnx.data"), tmp_path)


# The sigmoid of 6 times the luma of red, green and blue, by hand: 0.299, 0.587 and 0.114
# (ITU-R BT.601, as Pillow's mode L has it).
GREYS = [0.857417, 0.971307, 0.664631]


@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize("shape", [("N", 1, 8, 8), ("N", 8, 8, 1)])
def test_a_network_of_one_grey_channel_gets_the_luma(
    shape: tuple[int | str, ...], order: str, tmp_path: Path
) -> None:
    """The pictures stay RGB until they reach it."""
    (tmp_path / "two.txt").write_text("dark\nbright\n")
    source = tiny_onnx.write(tmp_path / "m.onnx", last="Sigmoid", shape=shape, one_number=True)
    labels = str(tmp_path / "two.txt")
    card = _imported(source, tmp_path, labels=labels, channel_order=order)

    answers = _answers(tmp_path, card)[:, 1]
    assert answers == pytest.approx(GREYS if order == "RGB" else GREYS[::-1], abs=1e-5)


def test_a_grey_network_of_uint8_gets_whole_numbers(tmp_path: Path) -> None:
    """Rounded: red is 76.245 and 76; cut off it would be the same, green 149.685 would not."""
    source = tiny_onnx.write(
        tmp_path / "m.onnx", last="Sigmoid", shape=("N", 1, 8, 8), one_number=True, takes_uint8=True
    )
    (tmp_path / "two.txt").write_text("dark\nbright\n")
    given = {"labels": str(tmp_path / "two.txt"), "mean": None, "scale": None}
    card = _imported(source, tmp_path, **given)

    # sigmoid(6 * (76, 150, 29) / 255)
    expected = [0.856711, 0.971513, 0.664264]
    assert _answers(tmp_path, card)[:, 1] == pytest.approx(expected, abs=1e-5)


def test_a_network_that_does_not_take_such_pictures_is_refused(tmp_path: Path) -> None:
    """A window of 16 pixels, which pictures of 8 do not fill; and a size that is another one."""
    import openvino
    from openvino import opset13

    pictures = opset13.parameter([-1, 3, -1, -1], np.float32, name="pictures")
    pooled = opset13.avg_pool(pictures, [1, 1], [0, 0], [0, 0], [16, 16], True)
    means = opset13.reduce_mean(pooled, np.array([2, 3]), False)
    openvino.save_model(openvino.Model([means], [pictures]), tmp_path / "ir.xml")

    with pytest.raises(
        ModelFormatError, match=r"and does not take pictures \[N, 3, 8, 8\]; if its"
    ):
        _imported(tmp_path / "ir.xml", tmp_path, input_size=8)
    with pytest.raises(ImportOptionError, match="--input-size 16 does not fit, leave it out"):
        _imported(tiny_onnx.write(tmp_path / "m.onnx"), tmp_path, input_size=16)


def test_openvino_ir_is_imported(tmp_path: Path) -> None:
    """Its two files lie side by side."""
    import openvino

    onnx = tiny_onnx.write(tmp_path / "m.onnx")
    openvino.save_model(openvino.Core().read_model(onnx), tmp_path / "ir.xml")
    card = _imported(tmp_path / "ir.xml", tmp_path)

    assert _answers(tmp_path, card) == pytest.approx(EXPECTED, abs=1e-3)  # saved in float16
    assert card.origin.source.startswith("OpenVINO IR")


@pytest.mark.parametrize(
    ("changes", "error", "sentence"),
    [
        (
            {"last": "Swirl", "domain": "my.own"},
            ModelFormatError,
            "operations that OpenVINO does not",
        ),
        ({"inputs": ("image", "age")}, ModelFormatError, "the network has 2 inputs, 'image'"),
        ({"outputs": ("kind", "size")}, ImportOptionError, "2 outputs, 'kind' [?,3], 'size' [?,3]"),
        ({"shape": ("N", 4, 8, 8)}, ModelFormatError, "expected one batch of pictures, [N, 3,"),
        ({"shape": ("N", 3, 8, 6)}, ModelFormatError, "torch.nn.Upsample((8, 6), mode="),
        ({"last": "Sigmoid"}, ModelFormatError, "a sigmoid judges each label by itself"),
        ({"weights_at": "w.bin"}, ModelFormatError, "lie in 'w.bin', which is missing or shorter"),
        ({"weights_at": "../w.bin"}, ModelFormatError, "'../w.bin', which leads out of its folder"),
        ({"weights_at": "/etc/passwd"}, ModelFormatError, "/etc/passwd', which leads out"),
        ({"shape": ("N", 3, "H", "W")}, ImportOptionError, "in pixels with --input-size"),
    ],
)
def test_an_onnx_file_that_cannot_be_served_says_why(
    changes: dict[str, Any], error: type[Exception], sentence: str, tmp_path: Path
) -> None:
    """What was found, and what mends it."""
    with pytest.raises(error) as caught:
        _imported(tiny_onnx.write(tmp_path / "m.onnx", **changes), tmp_path)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("m.onnx", "OpenVINO cannot read"),
        ("ir.xml", "has no ir.bin beside it"),
        ("ir.bin", "publish the .xml file beside it"),
    ],
)
def test_a_damaged_file_is_refused(name: str, sentence: str, tmp_path: Path) -> None:
    """In a sentence, not with OpenVINO's list of source files."""
    (tmp_path / name).write_bytes(b"no network")

    with pytest.raises(ModelFormatError) as caught:
        _imported(tmp_path / name, tmp_path)
    assert sentence in str(caught.value)
    assert "Exception from" not in str(caught.value)


def test_the_line_that_says_why_is_shown() -> None:
    """As OpenVINO 2026.4 writes it; lines about its own sources tell nothing."""
    noise = (
        "Exception from src/inference/src/cpp/core.cpp:84:\n"
        "Check 'false' failed at src/frontends/common/src/frontend.cpp:47:\n"
        "Loading input model\n"
    )

    assert openvino_reasons.reason(f"{noise}Stream is not valid\n\n") == "Stream is not valid"
    assert openvino_reasons.reason(noise) == "it is damaged"


def test_one_output_of_several_and_missing_options(tmp_path: Path) -> None:
    """The name that the refusal lists is taken; how pixels are made has no usual value."""
    source = tiny_onnx.write(tmp_path / "m.onnx", outputs=("kind", "size"))
    card = _imported(source, tmp_path, output_layer="size")

    assert _answers(tmp_path, card) == pytest.approx(EXPECTED, abs=1e-5)
    with pytest.raises(ImportOptionError, match="say with --mean and --std"):
        _imported(source, tmp_path, output_layer="size", mean=None)


def test_an_onnx_file_is_published_and_served_without_a_saved_model(tmp_path: Path) -> None:
    """Its own runtime is the reference, and the card says so; there is nothing to export."""
    from model_store import pipeline, serving

    store = ModelStore.open(str(tmp_path / "store"), cache_directory=tmp_path / "cache")
    draft = _imported(tiny_onnx.write(tmp_path / "m.onnx"), tmp_path)
    card = pipeline.publish(store, tmp_path / "out", draft, report=lambda _: None)
    served = serving.load(store, "colours")
    served.warm_up()

    assert served.classify(picture("red"), k=1)[0].label == "red"
    assert (store.card("colours", 1).reference, served.runtime) == ("openvino", "openvino")
    assert card.variants[0].path == "openvino/float32/model.xml"
    with pytest.raises(ModelFormatError, match="only SavedModels are exported"):
        exporting.export(store, card, tmp_path / "exported")
