"""`petiole label_image`: from the store and from a frozen graph, without any server."""

import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from model_store import serving
from model_store.store import ModelStore
from petiole import label_image_command
from tests.test_training.conftest import FinishedRun, fill, run_program

Label = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def rose(finished_run: FinishedRun) -> Path:
    """A picture that the model has not seen, in a format that its name hides."""
    (path,) = fill(finished_run.root / "new", "玫瑰", 1, first=700)
    return path.rename(path.with_name("rose.JPG"))


@pytest.fixture
def label(
    finished_run: FinishedRun,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Label:
    """A function that runs the command here; returns its code, output and errors."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", finished_run.store_url)

    def run(*arguments: str) -> tuple[int, str, str]:
        return label_image_command.main(arguments), *capfd.readouterr()

    return run


def _old_flags(run: FinishedRun, picture: Path, **changes: str) -> list[str]:
    flags = {
        "graph": str(run.root / "graph.pb"),
        "labels": str(run.root / "labels.txt"),
        "image": str(picture),
        "input_layer": "Placeholder",
        "output_layer": "my_answer",
        "input_height": "32",
        "input_width": "32",
        "input_mean": "0",
        "input_std": "255",
    }
    return [word for flag, value in (flags | changes).items() for word in (f"--{flag}", value)]


def test_labels_and_scores_are_what_serving_says(finished_run: FinishedRun, rose: Path) -> None:
    """One `label score` a line, best first, as the tutorial shows them; no server runs."""
    ended = run_program(
        *("petiole", "label_image", str(rose), "--model", "drawn"),
        PETIOLE_MODELS_STORE_URL=finished_run.store_url,
    )
    model = serving.load(ModelStore.open(finished_run.store_url), "drawn")

    expected = [f"{p.label} {p.probability}" for p in model.classify(rose.read_bytes(), k=5)]
    assert ended.stdout.splitlines() == expected
    assert expected[0].startswith("玫瑰 ")


def test_json_has_one_entry_a_picture(finished_run: FinishedRun, label: Label, rose: Path) -> None:
    """A file that is no picture does not hide the others; the exit code tells of it."""
    bad = finished_run.root / "labels.txt"
    code, said, _ = label(str(bad), str(rose), "--model", "drawn@1", "--json", "--top_k=1")

    first, second = json.loads(said)["pictures"]
    assert code == 1
    assert "not a picture" in first["error"]
    assert second["predictions"][0]["label"] == "玫瑰"


def test_the_old_flags_read_the_frozen_graph(
    finished_run: FinishedRun, label: Label, rose: Path
) -> None:
    """Placeholder to the final tensor, 0 to 1, whatever the file is called."""
    code, said, errors = label(*_old_flags(finished_run, rose))

    assert code == 0, errors
    labels = [line.rpartition(" ")[0] for line in said.splitlines()]
    assert (labels[0], len(labels)) == ("玫瑰", 3)


@pytest.mark.parametrize("name", ["a.PNG", "a.jpg", "a.GIF", "a.bmp", "a"])
def test_the_name_of_a_file_does_not_matter(
    finished_run: FinishedRun, label: Label, rose: Path, tmp_path: Path, name: str
) -> None:
    """The old program chose the decoder by the name, and knew `.png` but not `.PNG`."""
    picture = shutil.copy(rose, tmp_path / name)

    expected = [label(*_old_flags(finished_run, rose))[1], label(str(rose), "--model", "drawn")[1]]
    assert expected == [
        label(*_old_flags(finished_run, picture))[1],
        label(str(picture), "--model", "drawn")[1],
    ]


def test_a_mean_of_zero_is_a_mean_of_zero(
    finished_run: FinishedRun, label: Label, rose: Path
) -> None:
    """Every number that is given counts; `0` was taken for "not given" by the old program."""
    said = {
        mean: label(*_old_flags(finished_run, rose, input_mean=mean))[1] for mean in ("0", "128")
    }

    assert said["0"] != said["128"]


def test_the_frozen_graph_gives_the_served_probabilities(
    finished_run: FinishedRun, label: Label, rose: Path
) -> None:
    """The module has no crop and resizes bilinearly, so both ways prepare the same pixels."""
    old = label(*_old_flags(finished_run, rose))[1].split()[1]
    new = label(str(rose), "--model", "drawn")[1].split()[1]

    assert float(old) == pytest.approx(float(new), abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"output_layer": "final_result"}, "its inputs are Placeholder, its last operations"),
        ({"input_std": "0"}, "input_std is 0"),
        ({"input_height": "0"}, "input_height is 0; it must be 1 to 4096"),
        ({"input_width": "299"}, "input_width is 299; Placeholder takes (None, 32, 32, 3)"),
        ({"graph": "/nowhere.pb"}, "graph is /nowhere.pb"),
        ({"labels": "/nowhere.txt"}, "labels is /nowhere.txt, which cannot be read"),
        ({"labels": sys.executable}, "which cannot be read as UTF-8"),
    ],
)
def test_wrong_old_flags_are_explained(
    finished_run: FinishedRun, label: Label, rose: Path, changes: dict[str, str], message: str
) -> None:
    """The old program took 0 for "not given", and died in TensorFlow on a wrong layer."""
    code, _, errors = label(*_old_flags(finished_run, rose, **changes))

    assert code == 2
    assert message in errors


def test_an_address_is_named_as_it_was_written(
    finished_run: FinishedRun, label: Label, rose: Path
) -> None:
    """The message says that files are taken and who takes addresses; other files are answered."""
    address = "https://example.org//a.jpg"
    code, said, errors = label(address, str(rose), "--model", "drawn@1", "--top_k=1")

    assert (1, f"{rose}:") == (code, said.splitlines()[0])
    assert f"{address}: is an address, and label_image takes files; save it first" in errors


def test_no_picture_is_wrong_usage(label: Label) -> None:
    """The message says what is missing."""
    code, _, errors = label("--model", "drawn")

    assert (code, "no picture is given" in errors) == (2, True)


def test_people_get_folders_pipes_and_short_numbers(
    finished_run: FinishedRun, rose: Path, tmp_path: Path
) -> None:
    """`label-image` takes what `classify` takes, but addresses; one that fails hides no other."""
    folder = tmp_path / "a b"
    for name in ("deep/1.jpg", "2.PNG", "notes.txt", ".hidden.jpg"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(rose, folder / name)
    (folder / "3.jpg").write_bytes(b"no picture")
    words = ("petiole", "label-image", str(folder), "-", "--model", "drawn")
    ended = run_program(*words, piped=rose, PETIOLE_MODELS_STORE_URL=finished_run.store_url)

    lines = [re.fullmatch(r"(.+?) +(\d+\.\d %)  (.+)", each) for each in ended.stdout.splitlines()]
    found = [each.groups() for each in lines if each]
    assert [path for path, *_ in found] == [
        *map(str, (folder / "2.PNG", folder / "deep/1.jpg")),
        "-",
    ]
    assert {label for *_, label in found} == {"玫瑰"}
    assert (ended.returncode, str(folder / "3.jpg") in ended.stderr) == (1, True)


def test_a_folder_without_pictures_is_wrong_usage(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Before any model is loaded."""
    code = label_image_command.main([str(tmp_path)], name="label-image")

    assert code == 2
    assert capfd.readouterr().err.startswith(f"petiole label-image: {tmp_path} is a folder without")
