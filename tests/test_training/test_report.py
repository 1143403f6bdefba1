"""The report: complete, self-contained, safe with any name, and the same for the same run."""

import re

import numpy as np
import pytest

from tests.drawn_reports import Write, a_run, a_test_set
from training.judging.evaluation import TestSet
from training.pictures.data import SetAside
from training.reporting.record import RunData

HOSTILE = '<script>alert("1")</script>&amp;\' {{ 7 * 7 }} $\\frac$'
# What the report of `a_run` says.
SHOWN = (
    "20 pictures of 2 classes",
    "1 picture set aside: 1 \N{MULTIPLICATION SIGN} duplicate",
    "a/x.jpg duplicate: of a/y.jpg",
    "learning_rate 0.01",
    "views [1, 2]",
    "image_dir flowers",
    "tensorflow 2.21.0",
    "sha256:0123abcd",
    "features 1 min 1 s",
    "loss train validation",
    "calibration error (ECE, 15 bins)",
    "temperature 1.250",
)


def test_the_verdict_is_one_sentence(write: Write) -> None:
    """Which version, how good with its interval, and what the gate said."""
    test = a_test_set(("a", "b"), 40)
    hits = int((test.logits.argmax(axis=1) == test.truth).sum())

    text = write(a_run(), test).text.replace("\N{NO-BREAK SPACE}", " ")

    assert f"flowers@3 names {hits} of 40 unseen test pictures correctly:" in text
    assert re.search(r"% top-1 \(95 % interval [\d.]+ to [\d.]+ %\), gate passed: top-1 is", text)


def test_everything_about_the_run_is_shown(write: Write) -> None:
    """Data, settings, versions, times, curves and calibration."""
    text = write(a_run(), a_test_set(("a", "b"), 30)).text

    assert [each for each in SHOWN if each not in text] == []


def test_the_page_needs_nothing_from_outside(write: Write) -> None:
    """No script, no link, and every address is in the page: `data:` or `#`."""
    page = write(a_run(), a_test_set(("a", "b"), 40, lift=0.5))

    addresses = page.attributes("src") + page.attributes("href") + page.attributes("xlink:href")
    assert addresses
    assert set() == {each for each in addresses if not each.startswith(("data:image/", "#"))}
    assert set() == {"script", "link", "iframe", "object"} & {tag for tag, _ in page.elements}
    assert "url(" not in re.sub(r"url\(#", "", page.source)


def test_ids_are_unique_and_drawings_find_theirs(write: Write) -> None:
    """Several drawings in one page do not clip each other."""
    page = write(a_run(), a_test_set(("a", "b"), 40))

    ids = page.attributes("id")
    used = re.findall(r'(?:url\(|xlink:href=")#([\w.-]+)', page.source)
    assert len(ids) == len(set(ids))
    assert used
    assert set(used) <= set(ids)


def test_names_are_text_wherever_they_come_from(write: Write) -> None:
    """HTML, templates and formulas in labels, file names, reasons and settings stay as they are."""
    labels = (HOSTILE, "b")
    run = a_run(
        labels,
        name=HOSTILE,
        gate=HOSTILE,
        settings={HOSTILE: HOSTILE},
        curves={f"train_{HOSTILE}": [1.0, 2.0]},
        phases_seconds={HOSTILE: 1.0},
        data=RunData({HOSTILE: {HOSTILE: 1}}, (SetAside(HOSTILE, HOSTILE),)),
    )

    page = write(run, a_test_set(labels, 30, lift=0.0))

    assert "<script" not in page.source
    assert HOSTILE in page.text
    assert HOSTILE in page.attributes("title")
    assert page.open == []


@pytest.mark.parametrize(
    "labels",
    [
        ("猫", "كلب", "Ö" * 300),
        tuple("abcdefgh"),
        tuple(map(str, range(50))),
        tuple(map(str, range(60))),
    ],
)
def test_any_labels_and_any_number_of_them_render(write: Write, labels: tuple[str, ...]) -> None:
    """Without a warning, a number that is none, or an element left open."""
    page = write(a_run(labels), a_test_set(labels, 30))

    assert page.open == []
    assert not re.search(r"\b(nan|inf|None)\b", page.text)
    assert all(label in page.text for label in labels)


@pytest.mark.parametrize("classes", [2, 50, 51])
def test_the_matrix_is_shown_for_up_to_fifty_classes(write: Write, classes: int) -> None:
    """Every picture is in one of its cells; beyond fifty the page says where the matrix is."""
    labels = tuple(f"c{i}" for i in range(classes))
    page = write(a_run(labels), a_test_set(labels, 200))

    cells = re.findall(r'<td class="(?:right|wrong)[^>]*>(\d+)</td>', page.source)

    assert sum(map(int, cells)) == (200 if classes <= 50 else 0)
    assert ("51 is in report.json" in page.text) == (classes > 50)


@pytest.mark.parametrize("lift", [90.0, -90.0])
def test_models_that_are_always_or_never_right_render(write: Write, lift: float) -> None:
    """Perfect: no mistakes, and that is said. Hopeless: precision and recall are 0."""
    page = write(a_run(), a_test_set(("a", "b"), 20, lift=lift))

    assert ("all 20 test pictures are right" in page.text) == (lift > 0)
    assert not re.search(r"\bnan\b", page.source, re.IGNORECASE)


def test_a_constant_model_on_one_picture_a_class_renders(write: Write) -> None:
    """Two of three classes are never predicted, and a fourth has no test picture."""
    test = TestSet(tuple("abcd"), tuple("xyz"), np.arange(3), np.zeros((3, 4), np.float32), 1.0)

    page = write(a_run(tuple("abcd"), data=RunData({}), curves={}, phases_seconds={}), test)

    # Precision of b, c and d; recall and F1 of d.
    assert page.source.count('<span class="none">') == 5
    assert not re.search(r"\bnan\b", page.source, re.IGNORECASE)


@pytest.mark.parametrize(
    ("version", "gate", "expected", "colour"),
    [
        (3, "", "no gate was set", ""),
        (3, "passed: 0.9", "gate passed: 0.9", "good"),
        (None, "failed: 0.5", "gate failed: 0.5", "bad"),
    ],
)
def test_the_gate_colours_the_verdict(
    write: Write, version: int | None, gate: str, expected: str, colour: str
) -> None:
    """A run that published nothing says so, and has no version in its name."""
    page = write(a_run(version=version, gate=gate), a_test_set(("a", "b"), 40))

    assert expected in page.text
    assert f"gate {colour}" in page.attributes("class")
    assert ("Nothing was published" in page.text) == (version is None)
    assert ("flowers@3" in page.text) == (version is not None)


def test_many_set_aside_pictures_are_folded_away(write: Write) -> None:
    """Eleven are closed behind their count by reason; beyond 500 the page refers to the JSON."""
    rows = tuple(SetAside(f"{i}.jpg", f"too small: {i} pixels") for i in range(600))

    page = write(a_run(data=RunData({}, rows)), a_test_set(("a", "b"), 40))

    assert {} in [each for tag, each in page.elements if tag == "details"]
    assert "600 pictures set aside: 600 \N{MULTIPLICATION SIGN} too small" in page.text
    assert "And 100 more, all in report.json." in page.text
