"""A model ready to serve, and which of its variants serves."""

from pathlib import Path

import numpy as np
import pytest

from model_store import ModelCard, ModelStore, drawings, golden, serving
from model_store.errors import CorruptVersionError, ModelFormatError, RuntimeUnavailableError

COFFEE = Path(__file__).parents[2] / "petiole" / "samples" / "coffee.jpg"


class Constant:
    """An artifact that answers the same row for every image."""

    def __init__(self, row: list[float]) -> None:
        """Answer `row`."""
        self._row = row

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return the row [N, classes] for each of the images."""
        return np.tile(np.array(self._row, np.float32), (len(images), 1))


def test_a_runtime_without_a_variant_is_refused(
    store: ModelStore, files: Path, draft: ModelCard
) -> None:
    """The message lists what the version has."""
    store.publish(files, draft)

    with pytest.raises(RuntimeUnavailableError, match=r"'litert'.*tensorflow float32"):
        serving.load(store, "flowers", runtime="litert")


def test_a_corrupt_version_is_not_loaded(tmp_path: Path, files: Path, draft: ModelCard) -> None:
    """Every byte is verified before a runtime sees the first."""
    store = ModelStore.open(str(tmp_path / "store"))
    store.publish(files, draft)
    (tmp_path / "store/flowers/1/variables/variables.index").write_bytes(b"Weights")

    with pytest.raises(CorruptVersionError, match=r"variables\.index"):
        serving.load(store, "flowers")


@pytest.mark.parametrize(
    ("row", "message"),
    [([0.5, 0.4, 0.1], "one probability for each label"), ([3.0, 1.0], "expected 1")],
)
def test_warming_up_refuses_what_are_no_probabilities(
    draft: ModelCard, row: list[float], message: str
) -> None:
    """A network that does not fit its card never becomes ready."""
    model = serving.ServedModel(draft, draft.variants[0], Constant(row), Path())

    with pytest.raises(ModelFormatError, match=message):
        model.warm_up()


@pytest.mark.parametrize("runtime", ["openvino", "litert", "tensorflow"])
def test_the_real_model_sees_an_espresso(imagenet_store: ModelStore, runtime: str) -> None:
    """The sample picture gets the right label through every runtime."""
    model = serving.load(imagenet_store, "imagenet", runtime=runtime, threads=1)
    model.warm_up((1, 2))

    best = model.classify(COFFEE.read_bytes(), k=5)

    assert (runtime, "espresso", 5) == (model.runtime, best[0].label, len(best))
    assert best[0].probability > 0.9


@pytest.fixture(scope="module")
def textures(imagenet_store: ModelStore) -> tuple[np.ndarray, np.ndarray]:
    """Drawn pictures [7, 224, 224, 3], of which the real model is unsure, and its answers."""
    reference = serving.load(imagenet_store, "imagenet", runtime="tensorflow")
    images = drawings.textures(7, input_size=224)
    return images, golden.one_by_one(reference.predict, images)


@pytest.mark.parametrize("runtime", ["openvino:float32", "litert:float32", "tensorflow:float32"])
@pytest.mark.parametrize("batch", [1, 2, 3, 7])
def test_the_real_model_says_the_same_in_any_batch(
    imagenet_store: ModelStore, textures: tuple[np.ndarray, np.ndarray], runtime: str, batch: int
) -> None:
    """As the SavedModel says to one picture, within 1e-4, from the first place to the last."""
    images, expected = textures
    predict = serving.load(imagenet_store, "imagenet", runtime=runtime).predict

    for forth in (slice(None), slice(None, None, -1)):
        some = images[forth].copy()
        parts = [predict(some[i : i + batch]) for i in range(0, len(some), batch)]
        assert np.abs(np.concatenate(parts) - expected[forth]).max() < 1e-4
