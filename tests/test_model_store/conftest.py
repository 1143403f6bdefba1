"""Fixtures of the model store's tests: pictures drawn in code, stores, a tiny network."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from model_store import ModelCard, ModelStore, Origin, PreprocessingSpec, Variant
from tests.pictures import files as picture_files

ROOT = Path(__file__).parents[2]
TINY_CLASSES = 5
TINY_SIZE = 32

Encoded = Callable[..., bytes]


@pytest.fixture
def encoded() -> Encoded:
    """A function that returns a Pillow image as the bytes of a file."""

    def encode(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
        if format == "HEIC":
            return picture_files.heic(image)
        return picture_files.encoded(image, format, **options)

    return encode


@pytest.fixture
def quarters() -> Image.Image:
    """A 96 x 64 picture: red, green, blue and yellow quarters, clockwise from the upper left."""
    image = Image.new("RGB", (96, 64), "red")
    image.paste("lime", (48, 0, 96, 32))
    image.paste("blue", (48, 32, 96, 64))
    image.paste("yellow", (0, 32, 48, 64))
    return image


@pytest.fixture
def noise() -> Image.Image:
    """A 120 x 90 picture that does not compress, so that half of its bytes is half a picture."""
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture
def draft() -> ModelCard:
    """The card of a model that is not published yet."""
    variant = Variant("tensorflow", "float32", ".", 1.0, 0.0, 16.0, True, "it is the SavedModel")
    return ModelCard(
        name="flowers",
        labels=("daisy", "tulip"),
        preprocessing=PreprocessingSpec(input_size=32, crop_fraction=0.875),
        variants=(variant,),
        licence="Apache-2.0",
        origin=Origin("training", "run 1"),
    )


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A directory with the files of a version; the bytes are no model."""
    directory = tmp_path / "files"
    (directory / "variables").mkdir(parents=True)
    (directory / "saved_model.pb").write_bytes(b"graph")
    (directory / "variables" / "variables.index").write_bytes(b"weights")
    return directory


@pytest.fixture(params=["directory", "bucket"])
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store of each kind that several processes can use."""
    if request.param == "directory":
        return str(tmp_path / "store")
    url: str = request.getfixturevalue("bucket_url")
    return url


@pytest.fixture(params=["directory", "bucket", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ModelStore:
    """An empty store of each kind."""
    cache = tmp_path / "cache"
    urls = {"directory": str(tmp_path / "store"), "memory": "memory:"}
    url = urls.get(request.param) or request.getfixturevalue("bucket_url")
    return ModelStore.open(url, cache_directory=cache)


@pytest.fixture(scope="session")
def tiny_saved_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SavedModel with five classes for 32 x 32 pictures, untrained, with decided answers."""
    pytest.importorskip("tensorflow")
    from model_store.installers import imagenet
    from model_store.runtimes.tensorflow import limit_threads

    limit_threads(1)
    directory = tmp_path_factory.mktemp("tiny") / "tiny"
    imagenet.export(_tiny_network(), PreprocessingSpec(TINY_SIZE, 1.0), directory)
    return directory


@pytest.fixture(scope="session")
def tiny_draft() -> ModelCard:
    """The card of the tiny network before it is published."""
    return ModelCard(
        name="tiny",
        labels=tuple("abcde"),
        preprocessing=PreprocessingSpec(TINY_SIZE, 0.875),
        variants=(),
        licence="Apache-2.0",
        origin=Origin("training", "drawn in a test"),
    )


@pytest.fixture(scope="session")
def pictures_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty pictures in folders named after labels, one file that is none, and one cut off."""
    from model_store import drawings

    directory = tmp_path_factory.mktemp("pictures")
    for i, image in enumerate(drawings.textures(60, input_size=48, seed=7)):
        folder = directory / "abcde"[i % TINY_CLASSES]
        folder.mkdir(exist_ok=True)
        Image.fromarray(image).save(folder / f"{i:02}.png")
    (directory / "a" / "notes.txt").write_text("no picture")
    (directory / "b" / "half.png").write_bytes((directory / "b" / "01.png").read_bytes()[:999])
    return directory


@pytest.fixture(scope="session")
def tiny_store(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_saved_model: Path,
    tiny_draft: ModelCard,
    pictures_directory: Path,
) -> ModelStore:
    """A store with `tiny@1`, published with pictures, and `tiny@2`, published without."""
    from model_store import picture_sets, pipeline

    place = tmp_path_factory.mktemp("tiny-store")
    store = ModelStore.open(str(place / "store"), cache_directory=place / "cache")
    for i, pictures in enumerate((pictures_directory, None)):
        directory = Path(shutil.copytree(tiny_saved_model, place / f"tiny{i}"))
        sets = picture_sets.choose(tiny_draft, pictures, lambda _: None)
        pipeline.publish(store, directory, tiny_draft, sets=sets, report=lambda _: None)
    return store


def _tiny_network() -> object:
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((TINY_SIZE, TINY_SIZE, 3)),
            layers.Conv2D(8, 3, 2, padding="same", activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(TINY_CLASSES, kernel_initializer="random_normal"),
            layers.Rescaling(100.0),
        ]
    )


@pytest.fixture(scope="session")
def imagenet_store(tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    """A store that has the real `imagenet`: the checkout's own, or a fresh installation."""
    installed = ROOT / "var" / "models"
    if (installed / "imagenet").is_dir():
        store = ModelStore.open(str(installed))
        if store.versions("imagenet") and store.card(*store.resolve("imagenet")).golden:
            return store
    pytest.importorskip("tensorflow")
    url = str(tmp_path_factory.mktemp("models"))
    program = "from petiole.models_command import app; app()"
    subprocess.run(
        [sys.executable, "-c", program, "install", "imagenet"],
        env={**os.environ, "PETIOLE_MODELS_STORE_URL": url},
        cwd=ROOT,
        check=True,
        timeout=300,
    )
    return ModelStore.open(url)


@pytest.fixture(scope="module")
def sources() -> ModuleType:
    """The makers of tiny classifiers."""
    pytest.importorskip("tensorflow")
    from tests import tiny_sources

    return tiny_sources
