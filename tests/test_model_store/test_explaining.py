"""Heat maps of a network whose reasons are known: drawn here, with one colour for each label."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from model_store import ModelCard, Origin, PreprocessingSpec, Variant, runtimes
from model_store.errors import UnknownLabelError
from model_store.explaining import deletion, occlusion, overlay, random_weights
from model_store.explaining.activation import ActivationMaps
from model_store.explaining.explanation import Explainer
from model_store.explaining.maps import CLASS_ACTIVATION, OCCLUSION, HeatMap
from model_store.serving import ServedModel

SIDE, CELLS = 56, 7
LABELS = ("red", "green", "blue")
PATH = "openvino/float32/model.xml"


def network(directory: Path, *, channels_first: bool = False, pools: bool = True) -> ServedModel:
    """Return a network that says which colour stands out: convolution, mean, dense, softmax.

    Without the pooling the dense layer sees each place, and no class activation is possible.
    """
    import openvino
    from openvino import opset13 as ops

    images = ops.parameter([-1, SIDE, SIDE, 3], np.uint8, name="images")
    planes = ops.transpose(ops.convert(images, "f32"), np.array([0, 3, 1, 2]))
    # Each filter is the mean of one channel over a cell, less the mean of the two others.
    share = np.full((3, 3), -0.5, np.float32) + 1.5 * np.eye(3, dtype=np.float32)
    cell = SIDE // CELLS
    filters = np.repeat(share, cell * cell).reshape(3, 3, cell, cell) / (cell * cell * 255)
    found = ops.convolution(planes, filters.astype(np.float32), [cell] * 2, [0, 0], [0, 0], [1, 1])
    found = ops.relu(found)
    axes = [2, 3]
    if not channels_first:
        found, axes = ops.transpose(found, np.array([0, 2, 3, 1])), [1, 2]
    if pools:
        rows, n = ops.reduce_mean(found, np.array(axes), keep_dims=False), 3
    else:
        rows, n = ops.reshape(found, np.array([0, -1]), special_zero=True), 3 * CELLS**2
    weights = np.tile(40 * np.eye(3, dtype=np.float32), (n // 3, 1)) / (n // 3)
    logits = ops.matmul(rows, weights.T.copy(), False, True)
    model = openvino.Model([ops.softmax(logits, axis=1)], [images], "spots")
    (directory / PATH).parent.mkdir(parents=True)
    openvino.save_model(model, directory / PATH, compress_to_fp16=False)
    variant = Variant("openvino", "float32", PATH, 1.0, 0.0, 0.1, serves=True, reason="the only")
    card = ModelCard(
        name="spots",
        labels=LABELS,
        preprocessing=PreprocessingSpec(input_size=SIDE, crop_fraction=1.0),
        variants=(variant,),
        licence="Apache-2.0",
        origin=Origin(kind="file", source="drawn in a test"),
    )
    artifact = runtimes.find("openvino").load(directory / PATH, card, threads=1)
    return ServedModel(card, variant, artifact, directory)


@pytest.fixture
def model(tmp_path: Path) -> Iterator[ServedModel]:
    """The network with its pooling."""
    return network(tmp_path)


def spots() -> NDArray[np.uint8]:
    """Return grey pixels with a red square above on the left and a smaller blue one below."""
    pixels = np.full((SIDE, SIDE, 3), 90, np.uint8)
    pixels[8:24, 8:24] = (250, 20, 20)
    pixels[40:48, 40:48] = (20, 20, 250)
    return pixels


@pytest.mark.parametrize("channels_first", [True, False])
def test_class_activation_finds_what_speaks_for_a_label(
    tmp_path: Path, channels_first: bool
) -> None:
    """By hand: the red square's cells are the largest for red, the blue one's for blue."""
    model = network(tmp_path, channels_first=channels_first)
    maps = ActivationMaps.of(model.card, model.directory)
    assert maps is not None
    red, blue = (maps.heat_map(spots(), LABELS.index(each)).cells for each in ("red", "blue"))

    assert red.shape == (CELLS, CELLS)
    assert set(map(tuple, np.argwhere(red > 0.9 * red.max()))) == {(1, 1), (1, 2), (2, 1), (2, 2)}
    assert [tuple(each) for each in np.argwhere(blue > 0.9 * blue.max())] == [(5, 5)]


def test_occlusion_finds_the_same_with_predictions_alone(model: ServedModel) -> None:
    """The middle of the map's weight is within the red square, and it is the same each time."""
    first = occlusion.heat_map(model.predict, spots(), 0)
    again = occlusion.heat_map(model.predict, spots(), 0)
    row, column = np.unravel_index(int(first.cells.argmax()), first.cells.shape)

    assert np.array_equal(first.cells, again.cells)
    assert 2 <= row < 6 and 2 <= column < 6  # noqa: PT018 - one place


def test_a_map_that_is_right_is_better_than_random_and_its_opposite_is_not(
    model: ServedModel,
) -> None:
    """The deletion figure tells them apart, and so does the verdict."""
    maps = ActivationMaps.of(model.card, model.directory)
    assert maps is not None
    heat = maps.heat_map(spots(), 0)
    opposite = HeatMap(-heat.cells, heat.method)
    right, wrong = (deletion.measure(model.predict, spots(), 0, h) for h in (heat, opposite))

    assert right.explains
    assert right.figure < right.random < wrong.figure
    assert not wrong.explains
    assert "no sooner" in wrong.reason


def test_a_picture_that_changes_nothing_explains_nothing(model: ServedModel) -> None:
    """Where every part can go without the label minding, the map says that of itself."""
    grey = np.full((SIDE, SIDE, 3), 90, np.uint8)
    found = Explainer.of(model).explain(grey)

    assert not found.deletion.explains
    assert found.deletion.gain == pytest.approx(0, abs=1e-6)


def test_the_method_is_what_the_network_allows(tmp_path: Path) -> None:
    """Class activation where a mean over all places ends it, occlusion elsewhere."""
    pooled = Explainer.of(network(tmp_path / "pooled"))
    flat = Explainer.of(network(tmp_path / "flat", pools=False))

    assert pooled.explain(spots()).heat.method == CLASS_ACTIVATION
    assert flat.maps is None
    found = flat.explain(spots())
    assert found.heat.method == OCCLUSION
    assert found.deletion.figure < found.deletion.random


def test_a_label_can_be_named(model: ServedModel) -> None:
    """Also one that is not the best; one that there is not is refused."""
    explainer = Explainer.of(model)

    assert (explainer.explain(spots()).label, explainer.explain(spots(), "blue").label) == (
        "red",
        "blue",
    )
    with pytest.raises(UnknownLabelError, match="spots@0 has no label 'cat'"):
        explainer.explain(spots(), "cat")


def test_the_drawing_is_bright_where_the_map_is(model: ServedModel) -> None:
    """Yellow, the light end of cividis, over the red square; dark blue in the corner."""
    found = Explainer.of(model).explain(spots())
    image = Image.open(BytesIO(found.png()))
    scale = image.width // SIDE
    square, corner = image.getpixel((16 * scale, 16 * scale)), image.getpixel((2, image.height - 2))
    assert isinstance(square, tuple)
    assert isinstance(corner, tuple)

    assert sum(square) > sum(corner)
    assert square[0] > square[2]
    assert corner[2] > corner[0]


def test_the_array_is_the_map(model: ServedModel) -> None:
    """`numpy.load` gives the cells back."""
    found = Explainer.of(model).explain(spots())

    assert np.array_equal(np.load(BytesIO(found.npy())), found.heat.cells)


def test_a_map_of_nothing_can_be_drawn() -> None:
    """Where nothing speaks for the label every place has the dark end's colour."""
    nothing = HeatMap(np.full((2, 2), -1, np.float32), OCCLUSION)
    image = np.asarray(Image.open(BytesIO(overlay.png(spots() * 0, nothing))))

    assert (image == (0.25 * overlay.CIVIDIS[0]).round()).all()


def test_shuffled_weights_are_the_same_numbers_and_know_nothing(
    model: ServedModel, tmp_path: Path
) -> None:
    """The network answers otherwise than before, and still gives probabilities."""
    unlearned = random_weights.shuffled(model, tmp_path / "shuffled")
    before, after = (m.predict(spots()[None])[0] for m in (model, unlearned))

    assert after.sum() == pytest.approx(1, abs=1e-5)
    assert not np.allclose(before, after, atol=1e-3)
