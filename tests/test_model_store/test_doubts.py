"""What a version says of its own answers: label sets, strangeness, verdicts, temperature."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax

from chaos import colours
from model_store import (
    ModelCard,
    ModelStore,
    choosing,
    fingerprints,
    runtimes,
    serving,
    verification,
)
from model_store.doubts import examples, label_sets, likeness, scaling
from model_store.doubts.examples import EXAMPLES, Example, Examples
from model_store.doubts.judging import Judge
from model_store.doubts.likeness import Likeness
from model_store.doubts.section import (
    DRAWN,
    Calibration,
    Foreign,
    LabelSets,
    Novelty,
    Share,
    Trust,
    Verdicts,
)
from model_store.errors import CorruptVersionError, ModelFormatError
from model_store.predictions import Neighbour
from tests import doubting_model

LABELS = ("daisy", "rose", "tulip")
SHARE = Share(0.9, 0.8, 0.95, 100)
TRUST = Trust(
    accuracy=SHARE,
    calibration=Calibration(1.5, "after the network", 100, 0.05, 0.01, 100),
    label_sets=LabelSets(0.9, 0.4, 100, SHARE, 1.02),
    novelty=Novelty(10, 500, 100, 0.05, SHARE, Foreign(DRAWN, "textures", SHARE)),
    verdicts=Verdicts(0.9, 0.06, 0.04, right_if_confident=SHARE),
)


def _drawn(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities [n, 3] and truth [n] that really follows them."""
    generator = np.random.default_rng(seed)
    probabilities = softmax(generator.normal(0, 2.2, (n, 3)), axis=1)
    truth = np.array([generator.choice(3, p=row) for row in probabilities])
    return probabilities.astype(np.float32), truth


def _rows(n: int, seed: int, *, turned: bool = False) -> np.ndarray:
    """Return features [n, 16] around one direction, or around another one."""
    rows = np.random.default_rng(seed).normal(0, 0.2, (n, 16)).astype(np.float32)
    rows[:, 8 if turned else 0] += 1
    return rows


def test_a_threshold_by_hand() -> None:
    """Of 9 pictures the worst decides, as ceil(10 x 0.9) is 9; of 19 the second worst."""
    truth = np.zeros(19, np.int64)
    own = np.linspace(0.1, 1, 19, dtype=np.float32)[::-1] / 2.5
    probabilities = np.stack([own, 1 - own], axis=1)

    assert label_sets.threshold(probabilities[-9:], truth[:9]) == pytest.approx(0.04)
    assert label_sets.threshold(probabilities, truth) == pytest.approx(own[17])


def test_too_few_pictures_promise_nothing() -> None:
    """With 8 no set but that of all labels would hold in 90 % of cases."""
    probabilities, truth = _drawn(8, seed=0)

    assert label_sets.threshold(probabilities, truth) is None


def test_label_sets_hold_what_they_promise() -> None:
    """On 4,000 other pictures: 90 % less three standard errors of fitting on 500."""
    threshold = label_sets.threshold(*_drawn(500, seed=1))
    probabilities, truth = _drawn(4000, seed=2)
    assert threshold is not None

    sets = [label_sets.label_set(row, threshold) for row in probabilities]

    assert np.mean([each in found for each, found in zip(truth, sets, strict=True)]) >= 0.86
    assert min(map(len, sets)) == 1


@pytest.mark.parametrize(
    ("probabilities", "expected"),
    [
        ([0.9, 0.06, 0.04], (0,)),
        ([0.08, 0.45, 0.47], (2, 1)),
        # No label reaches the threshold: the best two, not the best one.
        ([0.3, 0.36, 0.34], (1, 2)),
    ],
)
def test_a_set_has_the_labels_from_the_threshold_on(
    probabilities: list[float], expected: tuple[int, ...]
) -> None:
    """Best first."""
    assert label_sets.label_set(np.array(probabilities, np.float32), 0.4) == expected


def test_likeness_is_the_cosine_to_the_kth_reference() -> None:
    """By hand: the second of three, whatever the length of the features."""
    references = np.array([[1, 0], [0.6, 0.8], [0, 1]], np.float32)
    found = Likeness(references, np.empty(0, np.float32), k=2)

    assert found.of(np.array([5, 0], np.float32)) == pytest.approx(0.6)


def test_own_pictures_are_rarely_strange_and_others_are() -> None:
    """At a level of 5 %, on 2,000 own pictures and 200 others."""
    fitted = likeness.fit(_rows(600, 1), _rows(300, 2))
    assert fitted is not None

    own = [fitted.novelty(row) for row in _rows(2000, 3)]
    others = [fitted.novelty(row) for row in _rows(200, 4, turned=True)]

    assert np.mean(np.array(own) <= likeness.LEVEL) <= 0.09
    assert np.mean(np.array(others) <= likeness.LEVEL) >= 0.99
    assert len(fitted.references) == likeness.MOST_REFERENCES


@pytest.mark.parametrize(("training", "own"), [(19, 300), (300, 18), (0, 0)])
def test_strangeness_needs_enough_pictures(training: int, own: int) -> None:
    """Without them nothing is kept, and answers say nothing of it."""
    assert likeness.fit(_rows(training, 1), _rows(own, 2)) is None


def test_references_are_served_as_they_were_measured(tmp_path: Path) -> None:
    """What comes back from the files gives the same numbers, to the last digit."""
    fitted = likeness.fit(_rows(100, 1), _rows(50, 2))
    assert fitted is not None
    fitted.save(tmp_path)
    trust = replace(TRUST, label_sets=None)

    read = Judge.of(LABELS, trust, tmp_path).likeness

    assert read is not None
    assert [read.novelty(row) for row in _rows(9, 3)] == [fitted.novelty(r) for r in _rows(9, 3)]


@pytest.mark.parametrize(
    ("probabilities", "features", "verdict"),
    [
        ([0.9, 0.06, 0.04], _rows(1, 3)[0], "confident"),
        ([0.45, 0.47, 0.08], _rows(1, 3)[0], "uncertain"),
        ([0.9, 0.06, 0.04], _rows(1, 4, turned=True)[0], "unknown"),
        # What predicts gives no features: nothing is said of strangeness.
        ([0.9, 0.06, 0.04], None, "confident"),
    ],
)
def test_a_verdict_follows_from_set_and_novelty(
    probabilities: list[float], features: np.ndarray | None, verdict: str
) -> None:
    """A strange picture is unknown however sure its best label is."""
    judge = Judge(LABELS, 0.4, likeness.fit(_rows(100, 1), _rows(50, 2)), likeness.LEVEL)

    doubts = judge.doubts(np.array(probabilities, np.float32), features)

    assert doubts.verdict == verdict
    assert (doubts.novelty is None) == (features is None)


def test_who_ignores_unknown_hears_nothing_of_it() -> None:
    """The set is still there."""
    judge = Judge(LABELS, 0.4, likeness.fit(_rows(100, 1), _rows(50, 2)), likeness.LEVEL)
    strange = _rows(1, 4, turned=True)[0]

    doubts = judge.doubts(np.array([0.9, 0.06, 0.04]), strange, ignores_unknown=True)

    assert (doubts.verdict, doubts.label_set, doubts.novelty) == ("confident", ("daisy",), None)


def _judge_with(directory: Path, told: Examples) -> Judge:
    """Return a judge of 100 references that are told of so."""
    fitted = likeness.fit(_rows(100, 1), _rows(50, 2))
    assert fitted is not None
    fitted.save(directory)
    told.save(directory)
    trust = replace(TRUST, label_sets=None)
    return Judge.of(LABELS, trust, directory, files=(EXAMPLES,))


def test_the_nearest_references_are_named(tmp_path: Path) -> None:
    """One of them is nearest to itself; distances are 1 - cosine, and grow."""
    told = Examples(tuple(Example(LABELS[i % 3], f"{i}.jpg", i == 7) for i in range(100)))
    row = _rows(100, 1)[7]

    found = _judge_with(tmp_path, told).doubts(np.ones(3), row, neighbours=10).neighbours

    assert found is not None
    assert found[0] == Neighbour(7, "rose", pytest.approx(0, abs=1e-3), "7.jpg", True)
    assert [each.distance for each in found] == sorted(each.distance for each in found)
    by_hand = np.sort(1 - likeness.normalised(_rows(100, 1)) @ likeness.normalised(row[None])[0])
    assert [each.distance for each in found] == pytest.approx(by_hand[:10], abs=1e-3)
    assert [each.label for each in found] == [LABELS[each.number % 3] for each in found]


def test_nobody_is_named_unasked_or_where_it_cannot_be_said(tmp_path: Path) -> None:
    """Not without features, and not by a version that does not keep what its references are."""
    told = Examples(tuple(Example("rose") for _ in range(100)))
    judge, row = _judge_with(tmp_path, told), _rows(1, 3)[0]
    older = Judge.of(LABELS, replace(TRUST, label_sets=None), tmp_path)

    assert judge.doubts(np.ones(3), row).neighbours is None
    assert judge.doubts(np.ones(3), None, neighbours=3).neighbours is None
    assert older.doubts(np.ones(3), row, neighbours=3).neighbours is None
    assert judge.doubts(np.ones(3), row, neighbours=3).neighbours is not None


@pytest.mark.parametrize(
    "text",
    [
        *("[]", "{", '{"references": [{"label": 1}]}', '{"references": []}'),
        json.dumps({"references": [{"label": "rose", "name": "\udc80"}] * 100}),
    ],
)
def test_a_list_of_references_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    """When the model is loaded, not with an answer."""
    told = Examples(tuple(Example("rose") for _ in range(100)))
    _judge_with(tmp_path, told)
    (tmp_path / EXAMPLES).write_text(text)

    with pytest.raises(ModelFormatError, match=r"trust/references\.json"):
        Judge.of(LABELS, TRUST, tmp_path, files=(EXAMPLES,))


def test_thumbnails_come_one_by_one() -> None:
    """None where there is none; what is no archive or no small picture is refused."""
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("3.jpg", b"small")
        archive.writestr("4.jpg", bytes(1_000_000))

    assert examples.thumbnail(kept.getvalue(), 3) == b"small"
    assert examples.thumbnail(kept.getvalue(), 5) is None
    for broken, number in ((kept.getvalue(), 4), (b"no archive", 3), (kept.getvalue()[:-9], 3)):
        with pytest.raises(CorruptVersionError, match=r"trust/thumbnails\.zip"):
            examples.thumbnail(broken, number)


def test_a_version_without_the_section_says_nothing(tmp_path: Path) -> None:
    """No verdict, no set, no novelty, and no file is looked for."""
    doubts = Judge.of(LABELS, None, tmp_path).doubts(np.array([0.9, 0.06, 0.04]), None)

    assert (doubts.verdict, doubts.label_set, doubts.novelty) == (None, None, None)


def test_auto_takes_what_can_say_all_of_the_card(tmp_path: Path) -> None:
    """A variant without features is passed over, however fast; by name it is there."""
    store = ModelStore.open(str(tmp_path / "store"), cache_directory=tmp_path / "cache")
    files = tmp_path / "files"
    files.mkdir()
    card = doubting_model.publish(tmp_path / "store")
    verification.copy(store.fetch("doubting", 1), card.files, files)
    plain = "openvino/int8/model.xml"
    colours.save(files / plain, (0, 1, 2))
    quick = replace(card.variants[0], precision="int8", path=plain)
    network = runtimes.find("openvino").load(files / plain, card, threads=1)
    fingerprints.write((files / plain).parent, card, network.predict)
    card = store.publish(files, replace(card, variants=(quick, *card.variants)))
    times = {"openvino:int8": 1.0, "openvino:float32": 9.0}
    choosing.remember(card, card.variants, tmp_path / "cache", times)

    chosen = {
        each: serving.load(store, "doubting@2", runtime=each) for each in ("auto", "openvino")
    }

    assert chosen["auto"].variant.choice == "openvino:float32"
    assert chosen["openvino"].variant.choice == "openvino:int8"


def test_a_temperature_for_probabilities_is_that_for_logits() -> None:
    """Within float32; a probability of 0 stays next to 0."""
    logits = np.random.default_rng(0).normal(0, 3, (20, 5))
    plain = softmax(logits, axis=1).astype(np.float32)

    assert np.abs(scaling.scaled(plain, 1.7) - softmax(logits / 1.7, axis=1)).max() < 1e-6
    assert scaling.scaled(np.array([[1, 0]], np.float32), 0.5).tolist() == [[1, 0]]


def test_the_section_survives_the_way_through_json(draft: ModelCard) -> None:
    """Also one of which half was not measured; a card without it does not name it."""
    card = replace(
        draft, version=1, created_at="2026-11-21T12:00:00+00:00", files={"a": "0" * 64}, trust=TRUST
    )
    half = replace(card, trust=Trust(label_sets=TRUST.label_sets))

    assert [ModelCard.from_json(each.to_json()) for each in (card, half)] == [card, half]
    assert "trust" not in replace(card, trust=None).to_json()


def test_a_version_without_its_references_is_refused(draft: ModelCard, tmp_path: Path) -> None:
    """A card that promises strangeness needs the files for it."""
    (tmp_path / "saved_model.pb").write_bytes(b"")
    store = ModelStore.open("memory:")

    with pytest.raises(ModelFormatError, match=r"novelty needs trust/references\.npy"):
        store.publish(tmp_path, replace(draft, variants=(), trust=TRUST))
