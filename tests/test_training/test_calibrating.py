"""A version from elsewhere gets its doubts measured on labelled pictures, with the same network."""

import json
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from model_store import ModelStore, serving
from model_store.doubts import examples
from model_store.doubts.examples import EXAMPLES, THUMBNAILS
from model_store.predictions import Wanted as Asked
from petiole.cli import app
from tests import colour_model, doubting_model
from tests.conftest import ROOT, picture
from tests.report_page import Page
from training.calibration import calibrating
from training.calibration.calibrating import Calibrated, Wanted
from training.errors import DataError
from training.journal import Journal
from training.pictures import small

CHANNELS = {"red": 0, "green": 1, "blue": 2}
EACH = 90


def _fill(folder: Path, n: int = EACH, labels: tuple[str, ...] = tuple(CHANNELS)) -> Path:
    """Write `n` pictures of each label, of which some look rather like the next one."""
    generator = np.random.default_rng(0)
    for label in labels:
        (folder / label).mkdir(parents=True)
        for i in range(n):
            colour = generator.integers(0, 30, 3)
            colour[CHANNELS.get(label, 0)] = 150
            if i % 2 == 0:
                colour[(CHANNELS.get(label, 0) + 1) % 3] = generator.integers(110, 181)
            blotches = generator.integers(-20, 21, (6, 6, 3)) + colour
            image = Image.fromarray(blotches.clip(0, 255).astype(np.uint8))
            image.resize((48, 40)).save(folder / label / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ninety pictures of each of three labels."""
    return _fill(tmp_path_factory.mktemp("labelled") / "pictures")


@pytest.fixture(scope="module", autouse=True)
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> "pytest.MonkeyPatch":
    """What is kept between runs is kept beside the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PETIOLE_TRAINING_DIRECTORY", str(tmp_path_factory.mktemp("training")))
        yield patch


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    """A store with `doubting@1`, a network that is far too sure, and nothing measured of it."""
    directory = tmp_path_factory.mktemp("models")
    doubting_model.publish_plain(directory)
    return ModelStore.open(str(directory))


@pytest.fixture(scope="module")
def calibrated(store: ModelStore, pictures: Path, elsewhere: object) -> Calibrated:
    """What came of calibrating it."""
    return calibrating.calibrate(store, Wanted("doubting@1", pictures), Journal())


def test_the_next_version_has_the_same_network(store: ModelStore, calibrated: Calibrated) -> None:
    """Byte for byte; `production` is where it was."""
    before, after = store.card("doubting", 1), store.card("doubting", 2)
    network = [path for path in before.files if path.startswith("openvino")]

    assert calibrated.card.ref == "doubting@2"
    assert [after.files[path] for path in network] == [before.files[path] for path in network]
    assert store.aliases("doubting")["production"] == 1


def test_probabilities_are_believable_afterwards(calibrated: Calibrated) -> None:
    """The network was far too sure; one temperature mends most of that."""
    found = calibrated.measured.trust.calibration
    assert found is not None

    assert (found.applied, found.temperature > 1.5) == ("after the network", True)
    assert found.error_after < found.error_before


def test_what_was_measured_is_served(
    store: ModelStore, pictures: Path, calibrated: Calibrated
) -> None:
    """Each test picture: its probability and novelty to 1e-4, the same set and verdict."""
    model = serving.load(store, "doubting@2")
    model.warm_up()
    for said in calibrated.measured.own:
        pixels = model.prepare((pictures / said.path).read_bytes())
        (found,) = model.answer(pixels[None], Asked(1))

        assert found.predictions[0].label == said.label
        assert abs(found.predictions[0].probability - said.probability) < 1e-4
        assert found.doubts == said.doubts


def test_labels_of_references_are_kept_and_nothing_else(
    store: ModelStore, calibrated: Calibrated
) -> None:
    """Unless somebody says so: the pictures may be private."""
    model = serving.load(store, "doubting@2")
    (found,) = model.answer(model.prepare(picture("#961414"))[None], Asked(1, neighbours=3))

    assert [each.label for each in found.doubts.neighbours or ()] == ["red"] * 3
    assert {each.name for each in found.doubts.neighbours or ()} == {None}
    assert THUMBNAILS not in calibrated.card.files
    assert b".png" not in store.file(calibrated.card, EXAMPLES)


def test_what_was_shown_is_not_shown_by_the_next_version(pictures: Path, tmp_path: Path) -> None:
    """Each calibration says anew whether its pictures may be seen, and which those are."""
    doubting_model.publish_showing(tmp_path)
    shown = ModelStore.open(str(tmp_path))
    own, plain = (
        calibrating.calibrate(
            shown, Wanted("doubting@1", pictures, keep_thumbnails=keep), Journal()
        )
        for keep in (True, False)
    )

    assert own.measured.examples is not None
    names = {each.name for each in own.measured.examples.pictures}
    assert names <= {f"{i}.png" for i in range(EACH)}
    archive = shown.file(own.card, THUMBNAILS)
    first = Image.open(BytesIO(examples.thumbnail(archive, 0) or b""))
    assert first.size == (48, 40)
    assert THUMBNAILS in shown.card("doubting", 1).files
    assert THUMBNAILS not in plain.card.files


def test_a_small_copy_has_pixels_alone() -> None:
    """Where it was taken and what was noted goes nowhere; it is upright."""
    content, exif = BytesIO(), Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "at home"
    Image.new("RGB", (400, 200), "red").save(content, "JPEG", exif=exif, comment=b"a secret")

    copy = small.jpeg(lambda path: content.getvalue(), "a.jpg", 96)

    assert copy is not None
    assert (b"secret" in copy, b"home" in copy) == (False, False)
    assert Image.open(BytesIO(copy)).size == (48, 96)


def test_what_is_like_nothing_is_unknown(store: ModelStore, calibrated: Calibrated) -> None:
    """White is no mixture of two colours; without calibration nothing was said of it."""
    verdicts = []
    for version in (1, 2):
        model = serving.load(store, f"doubting@{version}")
        (found,) = model.answer(model.prepare(picture("white"))[None], Asked(1))
        verdicts.append(found.doubts.verdict)

    assert calibrated.measured.likeness is not None
    assert verdicts == [None, "unknown"]


def test_a_network_without_features_says_nothing_of_strangeness(
    pictures: Path, tmp_path: Path
) -> None:
    """Calibration and sets are measured all the same."""
    colour_model.publish(tmp_path / "store")
    plain = ModelStore.open(str(tmp_path / "store"))

    trust = calibrating.calibrate(plain, Wanted("colours", pictures), Journal()).measured.trust

    assert trust.novelty is None
    assert trust.calibration is not None
    assert trust.label_sets is not None


def test_too_few_pictures_are_refused(store: ModelStore, tmp_path: Path) -> None:
    """With how many are needed; nothing is published."""
    few = _fill(tmp_path / "few", 12)
    versions = store.versions("doubting")

    with pytest.raises(DataError, match="20 of each are needed"):
        calibrating.calibrate(store, Wanted("doubting@1", few), Journal())

    assert store.versions("doubting") == versions


def test_folders_that_are_no_labels_are_refused(store: ModelStore, tmp_path: Path) -> None:
    """With labels that the version has."""
    others = _fill(tmp_path / "others", 2, ("cyan", "mauve"))

    with pytest.raises(DataError, match=r"no folder in .* is called like a label"):
        calibrating.calibrate(store, Wanted("doubting@1", others), Journal())


def test_the_command_says_it_and_needs_no_tensorflow(
    store: ModelStore, pictures: Path, elsewhere: pytest.MonkeyPatch
) -> None:
    """A line for each figure; where OpenVINO serves nothing else is imported."""
    code = (
        "import sys; from petiole.cli import app\n"
        "try: app(sys.argv[1:])\n"
        "finally: assert 'tensorflow' not in sys.modules"
    )
    words = ("models", "calibrate", "doubting@1", "--images", str(pictures))
    elsewhere.setenv("PETIOLE_MODELS_STORE_URL", store.place)
    ended = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stderr
    assert "Calibration error = " in ended.stdout
    assert "Label sets hold the true label for " in ended.stdout
    assert "Published doubting@" in ended.stdout


def test_the_report_of_a_calibration_is_in_the_version(
    store: ModelStore, calibrated: Calibrated
) -> None:
    """With the picture of each verdict; `models show` has the figures."""
    page = Page(store.fetch("doubting", 2) / "report.html")
    assert "Does it know what it does not know?" in page.text

    environment = {"PETIOLE_MODELS_STORE_URL": store.place}
    said = CliRunner().invoke(app, ["models", "show", "doubting@2"], env=environment).output
    shown = CliRunner().invoke(app, ["models", "show", "doubting@2", "--json"], env=environment)
    assert "label sets" in said
    assert json.loads(shown.stdout)["trust"]["novelty"]["foreign"]["kind"] == "drawn"
