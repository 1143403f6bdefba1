"""What a training measures of its answers' doubts is what is served with them."""

import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from model_store import ModelStore, serving
from model_store.doubts import examples
from model_store.doubts.examples import THUMBNAILS
from model_store.predictions import Neighbour, Wanted
from tests.report_page import Page
from tests.test_training.conftest import COLOURS, draw, encode, fill
from training import answer, run
from training.errors import SettingsError
from training.journal import Journal
from training.settings import settings_of

LABELS = 90


@dataclass(frozen=True)
class DoubtingRun:
    """A finished run with enough pictures to measure doubts, and where its things are."""

    root: Path
    outcome: run.Outcome
    store: ModelStore

    @property
    def report(self) -> dict[str, Any]:
        """What `report.json` says."""
        text = self.outcome.report.with_name("report.json").read_text("utf-8")
        document: dict[str, Any] = json.loads(text)
        return document


def _foreign(folder: Path) -> Path:
    """Write 30 pictures that are black and white stripes, one of them twice, and a text."""
    (folder / "deep").mkdir(parents=True)
    for i in range(30):
        stripes = np.zeros((48, 64, 3), np.uint8)
        stripes[:, i % 4 :: 8] = 255
        stripes[i % 7 :: 9] = 128
        picture = np.clip(stripes + np.random.default_rng(i).integers(0, 9, stripes.shape), 0, 255)
        (folder / "deep" / f"{i}.png").write_bytes(
            encode(Image.fromarray(picture.astype(np.uint8)))
        )
    (folder / "again.png").write_bytes((folder / "deep" / "0.png").read_bytes())
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def doubting(tmp_path_factory: pytest.TempPathFactory, hub_folder: Path) -> DoubtingRun:
    """A run on 270 drawn pictures with foreign ones."""
    root = tmp_path_factory.mktemp("doubts")
    for label in COLOURS:
        fill(root / "pictures", label, LABELS)
    values = {
        "image_dir": root / "pictures",
        "name": "doubting",
        "tfhub_module": str(hub_folder),
        "bottleneck_dir": root / "cache",
        "runs_dir": root / "runs",
        "validation_percentage": 20,
        "testing_percentage": 20,
        "foreign": _foreign(root / "foreign"),
        "keep_thumbnails": True,
    }
    store = ModelStore.open(str(root / "store"))
    return DoubtingRun(root, run.train(settings_of(values), store, Journal()), store)


def test_the_card_vouches_for_what_was_measured(doubting: DoubtingRun) -> None:
    """Each figure with its interval and on how many pictures; foreign ones by their folder."""
    trust = doubting.store.card("doubting", 1).trust
    assert trust is not None
    assert trust.label_sets is not None
    assert trust.novelty is not None

    assert trust.label_sets.covered.share >= 0.85
    assert trust.novelty.own_flagged.share <= 0.15
    assert trust.novelty.foreign is not None
    assert (trust.novelty.foreign.kind, trust.novelty.foreign.source) == ("photographs", "foreign")
    # The text and the second copy are no pictures of their own.
    assert trust.novelty.foreign.flagged.pictures == 30
    assert trust.novelty.foreign.flagged.share >= 0.9


@pytest.mark.parametrize("runtime", ["tensorflow", "litert", "openvino"])
def test_the_report_is_what_is_served(doubting: DoubtingRun, runtime: str) -> None:
    """Each test picture and each foreign one: probability and novelty to 1e-4, the same verdict."""
    model = serving.load(doubting.store, "doubting@1", runtime=runtime)
    measured = doubting.report["trust"]
    places = {
        "test_pictures": doubting.root / "pictures",
        "foreign_pictures": doubting.root / "foreign",
    }
    for kind, place in places.items():
        for said in measured[kind]:
            pixels = model.prepare((place / said["path"]).read_bytes())
            (found,) = model.answer(pixels[None], Wanted(1))
            best = found.predictions[0]

            assert best.label == said["label"]
            assert abs(best.probability - said["probability"]) < 1e-4
            assert found.doubts.verdict == said["doubts"]["verdict"]
            assert list(found.doubts.label_set or ()) == said["doubts"]["label_set"]
            assert abs((found.doubts.novelty or 0) - said["doubts"]["novelty"]) < 1e-4


def test_a_reference_is_nearest_to_itself(doubting: DoubtingRun) -> None:
    """Of each reference that is looked at: its label, its name, and a small copy of it."""
    model = serving.load(doubting.store, "doubting@1", runtime="openvino")
    archive = doubting.store.file(model.card, THUMBNAILS)
    shown = model.judge.examples
    assert shown is not None
    for number in range(0, len(shown), 20):
        told = shown[number]
        file = doubting.root / "pictures" / told.label / (told.name or "")
        (found,) = model.answer(model.prepare(file.read_bytes())[None], Wanted(1, neighbours=1))
        (near,) = found.doubts.neighbours or ()
        small = Image.open(BytesIO(examples.thumbnail(archive, number) or b""))

        assert near == Neighbour(number, told.label, near.distance, told.name, has_thumbnail=True)
        assert near.distance < 1e-3
        with Image.open(file) as whole:
            means = [np.asarray(each.convert("RGB")).mean((0, 1)) for each in (small, whole)]
        assert np.abs(means[0] - means[1]).max() < 3


@pytest.mark.parametrize("runtime", ["tensorflow", "litert", "openvino"])
def test_an_answer_depends_on_the_picture_alone(doubting: DoubtingRun, runtime: str) -> None:
    """Not on the size of its batch, nor on its place in it."""
    model = serving.load(doubting.store, "doubting@1", runtime=runtime)
    images = np.stack([model.prepare(encode(draw(i, (40, 40 + 9 * i, 200)))) for i in range(7)])
    alone = [model.answer(image[None], Wanted(3))[0] for image in images]

    for order in (list(range(7)), [6, 2, 0, 4, 1, 5, 3], [3, 3, 3]):
        for found, i in zip(model.answer(images[order], Wanted(3)), order, strict=True):
            expected = [each.probability for each in alone[i].predictions]
            assert [e.probability for e in found.predictions] == pytest.approx(expected, abs=1e-4)
            assert found.doubts == alone[i].doubts


def test_options_of_an_answer(doubting: DoubtingRun) -> None:
    """`min_probability` leaves labels out, `ignores_unknown` the question of strangeness."""
    model = serving.load(doubting.store, "doubting@1", runtime="openvino")
    image = model.prepare((doubting.root / "foreign" / "deep" / "1.png").read_bytes())[None]

    (plain,) = model.answer(image, Wanted(3))
    (ignored,) = model.answer(image, Wanted(3, min_probability=1.0, ignores_unknown=True))

    assert (plain.doubts.verdict, len(plain.predictions)) == ("unknown", 3)
    assert (ignored.doubts.verdict, ignored.doubts.novelty) == ("uncertain", None)
    assert ignored.predictions == ()


def test_the_report_is_a_file_of_the_version(doubting: DoubtingRun) -> None:
    """It shows doubts with pictures of each verdict, and does not call itself unpublished."""
    files = doubting.store.fetch("doubting", 1)
    page = Page(files / "report.html")

    assert "Does it know what it does not know?" in page.text
    assert "photographs in foreign" in page.text
    assert "pictures foreign and unknown" in page.text
    assert "Nothing was published" not in page.text


def test_the_end_of_a_run_says_it(doubting: DoubtingRun) -> None:
    """A line for the sets, a line for what is called unknown."""
    said = answer.of_run(doubting.outcome, settings_of({"image_dir": doubting.root}))

    assert "Label sets hold the true label for " in said
    assert "% of 30 photographs in foreign, " in said


def test_a_foreign_folder_that_is_none_is_refused_at_once(tmp_path: Path) -> None:
    """Before anything slow."""
    fill(tmp_path / "pictures", "a", 2)
    values = {"image_dir": tmp_path / "pictures", "foreign": tmp_path / "none"}

    with pytest.raises(SettingsError, match="which is no folder"):
        run.train(settings_of(values), ModelStore.open("memory:"), Journal())


def test_few_pictures_vouch_for_nothing(folder: Path, tmp_path: Path, hub_folder: Path) -> None:
    """With 36 pictures the card has no such section, and answers no verdict."""
    values = {
        "image_dir": folder,
        "tfhub_module": str(hub_folder),
        "bottleneck_dir": tmp_path / "cache",
        "runs_dir": tmp_path / "runs",
        "name": "small",
    }
    store = ModelStore.open(str(tmp_path / "store"))
    outcome = run.train(settings_of(values), store, Journal())
    model = serving.load(store, "small@1", runtime="openvino")
    pixels = model.prepare(encode(draw(5)))

    (found,) = model.answer(pixels[None], Wanted(3))

    assert store.card("small", 1).trust is None
    assert (found.doubts.verdict, found.doubts.label_set, found.doubts.novelty) == (
        None,
        None,
        None,
    )
    assert "Not measured" in Page(outcome.report).text
