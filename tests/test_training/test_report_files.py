"""The files of a report: pictures in the page, JSON beside it, equal bytes for equal runs."""

import base64
import json
import math
from io import BytesIO
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from tests.drawn_reports import Write, a_run, a_test_set, drawn
from training.judging.evaluation import evaluate
from training.pictures.data import SetAside
from training.reporting import report
from training.reporting.record import RunData


def test_curves_that_diverged_are_drawn_as_far_as_they_go(write: Write, tmp_path: Path) -> None:
    """NaN and infinity leave gaps, are null in JSON, and a curve of nothing else is left out."""
    curves = {"train_loss": [1.0, math.nan, math.inf], "b": [math.nan], "c": []}

    page = write(a_run(curves=curves), a_test_set(("a", "b"), 20))

    assert len([tag for tag, _ in page.elements if tag == "svg"]) == 3
    written = json.loads((tmp_path / "made" / report.JSON).read_text())["run"]["curves"]
    assert written == {"train_loss": [1.0, None, None], "b": [None], "c": []}


def test_thumbnails_are_small_jpegs_in_the_page(write: Write) -> None:
    """Of 640 by 400 pixels, 160 by 100 are left."""
    page = write(a_run(), a_test_set(("a", "b"), 40, lift=0.0))

    kind, _, content = page.attributes("src")[0].partition(",")
    with Image.open(BytesIO(base64.b64decode(content))) as image:
        assert (kind, image.format, image.size) == ("data:image/jpeg;base64", "JPEG", (160, 100))


@pytest.mark.parametrize("content", [None, b"", b"no picture", drawn("x")[:300]])
def test_a_picture_that_cannot_be_shown_leaves_a_placeholder(
    write: Write, content: bytes | None
) -> None:
    """It may have been moved or damaged since; the report is made all the same."""

    def lost(path: str) -> bytes:
        if content is None:
            raise FileNotFoundError(path)
        return content

    page = write(a_run(), a_test_set(("a", "b"), 40, lift=0.0), lost)

    assert page.attributes("src") == []
    assert "picture not readable" in page.text


def test_summaries_leave_out_a_picture_that_cannot_be_shown(tmp_path: Path) -> None:
    """The others are there, each under its labels."""
    pytest.importorskip("tensorflow")
    from training.reporting import summaries

    mistakes = evaluate(a_test_set(("a", "b"), 40, lift=0.0)).worst_mistakes
    damaged = {mistakes[0].path: b"no picture"}

    def pictures(path: str) -> bytes:
        return damaged.get(path) or drawn(path)

    summaries.write_mistakes(tmp_path, mistakes, pictures=pictures)

    shown = sum(file.read_bytes().count(b"IEND") for file in (tmp_path / "testing").iterdir())
    assert shown == len(mistakes) - 1 > 0


def test_equal_input_gives_equal_bytes_and_leaves_no_state(tmp_path: Path) -> None:
    """No date, no random id; Matplotlib's settings are as they were."""
    evaluation, before = evaluate(a_test_set(("a", "b"), 40)), dict(mpl.rcParams)

    first, second = (
        report.write(tmp_path / name, a_run(), evaluation, pictures=drawn) for name in "xy"
    )

    assert first.read_bytes() == second.read_bytes()
    assert (tmp_path / "x/report.json").read_bytes() == (tmp_path / "y/report.json").read_bytes()
    assert before == dict(mpl.rcParams)


def test_the_json_holds_the_run_and_the_whole_evaluation(write: Write, tmp_path: Path) -> None:
    """As plain JSON: paths as text, arrays and tuples as lists, NumPy's numbers as numbers."""
    settings = {"image_dir": Path("x"), "views": (1,), "rate": np.float32(0.5), "n": np.int64(3)}
    test = a_test_set(("a", "b"), 40)

    write(a_run(settings=settings), test)

    document = json.loads((tmp_path / "made" / report.JSON).read_text("utf-8"))
    expected = {"image_dir": "x", "views": [1], "rate": 0.5, "n": 3}
    assert expected == document["run"]["settings"]
    assert json.loads(json.dumps(evaluate(test).to_dict())) == document["evaluation"]


def test_file_names_that_are_not_utf8_are_written(write: Write, tmp_path: Path) -> None:
    """Their undecodable bytes, lone surrogates in Python, come back from the JSON."""
    path = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    data = RunData({}, (SetAside(path, "too small"),))

    page = write(a_run(data=data), a_test_set(("a", "b"), 40))

    document = json.loads((tmp_path / "made" / report.JSON).read_text("utf-8"))
    assert path == document["run"]["data"]["set_aside"][0]["path"]
    assert "caf\\udce9.jpg" in page.text
