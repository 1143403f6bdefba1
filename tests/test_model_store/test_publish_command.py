"""`petiole models publish`, `compare` and `export` with tiny real networks."""

import json
import shutil
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from model_store import ModelStore
from model_store.errors import CorruptVersionError
from petiole.models_command import app
from tests.conftest import picture

runner = CliRunner()
NAMES = ("pixels", "probabilities")


@pytest.fixture(scope="module")
def place(sources: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a frozen graph and a SavedModel, both published as `colours`, and pictures.

    The second version takes red and blue in the other order, so both agree on green alone.
    """
    place = tmp_path_factory.mktemp("publish")
    sources.labels_file(place / "labels.txt")
    sources.frozen_graph(place / "retrained_graph.pb")
    sources.saved_model(place / "swapped")
    for label, colour in zip(sources.LABELS, ("red", "lime", "blue"), strict=True):
        (place / "photos" / label).mkdir(parents=True)
        Image.new("RGB", (20, 10), colour).save(place / "photos" / label / "1.png")
    (place / "photos" / "broken.jpg").write_bytes(b"no picture")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PETIOLE_MODELS_STORE_URL", str(place / "store"))
        old_flags = ["--input_layer", "Placeholder", "--output_layer", "final_result"]
        old_flags += ["--input_height", "8", "--input_width", "8"]
        old_flags += ["--input_mean", "0", "--input_std", "255"]
        _publish(place / "retrained_graph.pb", *old_flags)
        _publish(place / "swapped", "--mean", "0", "--std", "255", "--channel-order", "BGR")
    return place


@pytest.fixture
def store(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    """A copy of the store with both versions, which the settings point to."""
    shutil.copytree(place / "store", tmp_path / "store")
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", str(tmp_path / "store"))
    return ModelStore.open(str(tmp_path / "store"))


def _publish(source: Path, *options: str) -> Result:
    labels = str(source.parent / "labels.txt")
    command = ["publish", str(source), "--name", "colours", "--labels", labels, *options]
    result = runner.invoke(app, command)
    assert result.exit_code == 0, result.output
    return result


@pytest.mark.parametrize("runtime", ["tensorflow", "openvino"])
def test_a_frozen_graph_is_published_and_served(store: ModelStore, runtime: str) -> None:
    """What the first tutorial's program wrote answers through the real preprocessing."""
    from model_store import serving

    best = serving.load(store, "colours@1", runtime=runtime).classify(picture("red"), k=3)[0]

    # The softmax of (6, 0, 0) is 0.995067; JPEG's red is 254, 0, 0.
    assert (best.label, best.probability) == ("red", pytest.approx(0.995067, abs=1e-3))


def test_two_versions_are_compared(store: ModelStore, place: Path) -> None:
    """Agreement, differences, accuracy by folder, speed, and what could not be read."""
    command = ["compare", "colours@1", "colours@2", "--images", str(place / "photos"), "--json"]
    document = json.loads(runner.invoke(app, command).stdout)

    assert (document["pictures"], document["skipped"]) == (3, ["broken.jpg"])
    assert document["agreement"] == pytest.approx(1 / 3)
    assert document["largest_difference"] == pytest.approx(0.995067 - 0.002467, abs=1e-3)
    assert [side["accuracy"] for side in document["versions"]] == pytest.approx([1, 1 / 3])
    assert all(side["milliseconds_per_image"] > 0 for side in document["versions"])


def test_disagreements_are_shown_with_both_answers(store: ModelStore, place: Path) -> None:
    """A tick marks the right one."""
    command = ["compare", "colours@1", "colours@2", "--images", str(place / "photos")]
    lines = runner.invoke(app, command).stdout.splitlines()

    assert lines[0].startswith("Same best label on 1 of 3 pictures")
    assert any(line.split()[:3] == ["red/1.png", "red", "1.00"] and "✓" in line for line in lines)


def test_an_exported_version_is_published_again(store: ModelStore, tmp_path: Path) -> None:
    """It lies as TensorFlow Serving reads it and brings its labels along."""
    exported = runner.invoke(app, ["export", "colours@2", str(tmp_path / "out"), "--json"])
    directory = Path(json.loads(exported.stdout)["directory"])
    again = runner.invoke(app, ["publish", str(directory), "--name", "again", "--json"])

    assert directory == tmp_path / "out" / "2"
    assert {"saved_model.pb", "variables", "labels.txt", "card.json"} <= {
        path.name for path in directory.iterdir()
    }
    assert json.loads(again.stdout)["labels"] == ["red", "green", "blue"]


def test_the_store_is_a_base_path_of_tensorflow_serving(store: ModelStore, tmp_path: Path) -> None:
    """Its numbered folders are SavedModels that answer as was published, without an export."""
    import tensorflow as tf

    for number in store.versions("colours"):
        folder = tmp_path / "store" / "colours" / str(number)
        pixels, expected = (np.load(folder / "golden" / f"{n}.npy") for n in NAMES)
        answer = tf.saved_model.load(str(folder)).signatures["serving_default"]
        given = answer(images=tf.constant(pixels))

        # It loads a folder as soon as this file is there.
        others = [
            (folder / path).stat().st_mtime_ns for path in store.card("colours", number).files
        ]
        assert (folder / "saved_model.pb").stat().st_mtime_ns == max(others)
        assert answer.structured_input_signature[1]["images"].dtype == tf.uint8
        assert list(given) == ["probabilities"]
        assert np.allclose(given["probabilities"], expected, atol=1e-6)


def test_a_version_is_not_exported_over_another(store: ModelStore, tmp_path: Path) -> None:
    """Nothing that lies there is overwritten."""
    (tmp_path / "out" / "1").mkdir(parents=True)

    result = runner.invoke(app, ["export", "colours@1", str(tmp_path / "out")])

    assert (1, "already there" in result.stderr) == (result.exit_code, True)


def test_pictures_that_cannot_be_compared_are_an_error(store: ModelStore, tmp_path: Path) -> None:
    """An empty folder is a mistake, not full agreement."""
    (tmp_path / "photos").mkdir()
    command = ["compare", "colours@1", "colours@2", "--images", str(tmp_path / "photos")]
    result = runner.invoke(app, command)

    assert result.exit_code == 1
    assert "photos has 0 files, but no picture" in result.stderr


def test_a_flipped_byte_in_any_file_of_a_real_version_is_refused(
    store: ModelStore, tmp_path: Path
) -> None:
    """Graph, weights, variants, golden pictures, card and its digest: nothing is unguarded."""
    directory = tmp_path / "store" / "colours" / "1"
    paths = [path for path in directory.rglob("*") if path.is_file() and path.name != "claim"]
    for path in paths:
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

        with pytest.raises(CorruptVersionError):
            ModelStore.open(str(tmp_path / "store")).fetch("colours", 1)

        path.write_bytes(content)
    assert len(store.card("colours", 1).files) + 2 == len(paths)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--std", "0"], "--std is '0'; expected one number above 0"),
        (["--mean", "1,2"], "--mean is '1,2'; expected one number, or three as in 124,117,104"),
        (["--input_height", "8", "--input_width", "4"], "expected the same"),
        ([], "say with --mean and --std"),
    ],
)
def test_wrong_options_are_wrong_usage(
    store: ModelStore, place: Path, options: list[str], message: str
) -> None:
    """Exit code 2 and one line, before anything is published."""
    labels = ["--labels", str(place / "labels.txt")]
    command = ["publish", str(place / "swapped"), "--name", "colours", *labels, *options]
    result = runner.invoke(app, command)

    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert store.versions("colours") == (1, 2)
