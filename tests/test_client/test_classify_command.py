"""`petiole classify` against a real service: what it prints, where, and how it ends."""

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from model_store.pictures import heif
from model_store.pictures.headers import ACCEPTED_FORMATS
from petiole.cli import app
from petiole.named_pictures import SUFFIXES
from tests.conftest import free_port, picture
from tests.test_client.conftest import interrupted
from tests.test_end_to_end.conftest import RunningService

pytestmark = pytest.mark.end_to_end

Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures in a folder and below it, beside what is none and what is hidden."""
    for name, content in {
        "b.JPG": picture("blue"),
        "a.png": picture("red", kind="PNG"),
        "notes.txt": b"text",
        "sub/c.jpg": picture("green"),
        "sub/broken.webp": b"text",
        ".hidden/d.jpg": picture(),
        ".e.jpg": picture(),
    }.items():
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / "in" / name).write_bytes(content)
    return tmp_path


@pytest.fixture
def run(service: RunningService, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `petiole classify` there, told by PETIOLE_URL where the service is."""
    monkeypatch.chdir(folder)

    def run(*words: str, piped: bytes = b"", url: str = service.api) -> Result:
        return CliRunner().invoke(app, ["classify", *words], input=piped, env={"PETIOLE_URL": url})

    return run


def _environment(service: RunningService) -> dict[str, str]:
    hidden = ("_PORT", "STATE_DIRECTORY", "STORE_URL")
    return {n: v for n, v in service.environment.items() if not n.endswith(hidden)}


def test_a_single_picture_is_its_labels_best_first(run: Run) -> None:
    """In short numbers, without colours where no terminal is."""
    ended = run("in/a.png")
    lines = ended.stdout.splitlines()

    assert (ended.exit_code, ended.stderr) == (0, "")
    assert [line.split()[-1] for line in lines[:3]] == ["red", "green", "blue"]
    assert all(line[6:9] == "%  " for line in lines[:3])
    assert lines[3].startswith("colours@1, ")


def test_several_pictures_are_a_line_each(run: Run) -> None:
    """In a stable order; the one that fails is a line on stderr, and the exit code 1."""
    ended = run("in")
    lines = [line.split() for line in ended.stdout.splitlines()]

    assert [(line[0], line[-1]) for line in lines] == [
        ("in/a.png", "red"),
        ("in/b.JPG", "blue"),
        ("in/sub/c.jpg", "green"),
    ]
    failed, total = ended.stderr.splitlines()
    assert failed.startswith(
        "petiole classify: in/sub/broken.webp: the upload of 4 bytes is not a picture; "
    )
    assert total.startswith("petiole classify: 4 of 4 pictures, 1 failed")
    assert ended.exit_code == 1


def test_json_is_one_document(run: Run) -> None:
    """With the service's own members, and the error of a picture in its place."""
    ended = run("in/sub", "in/a.png", "--json", "--top-k", "1")
    broken, green, red = json.loads(ended.stdout)["pictures"]

    assert (broken["path"], broken["error"]["slug"]) == ("in/sub/broken.webp", "not-an-image")
    assert (green["path"], green["predictions"][0]["label"]) == ("in/sub/c.jpg", "green")
    assert (red["model"], red["model_version"], len(red["predictions"])) == ("colours", 1, 1)


def test_jsonl_is_an_object_a_line(run: Run) -> None:
    """In the order of the pictures."""
    ended = run("in", "--jsonl", "--concurrency", "2")
    paths = [json.loads(line)["path"] for line in ended.stdout.splitlines()]

    assert paths == ["in/a.png", "in/b.JPG", "in/sub/broken.webp", "in/sub/c.jpg"]


def test_csv_is_a_row_for_each_label(run: Run) -> None:
    """Read back with Python's own reader."""
    ended = run("in", "--csv", "--top-k", "2")
    rows = list(csv.DictReader(io.StringIO(ended.stdout)))

    assert [row["rank"] for row in rows] == ["1", "2", "1", "2", "", "1", "2"]
    assert [row["label"] for row in rows if row["rank"] == "1"] == ["red", "blue", "green"]
    assert float(rows[0]["probability"]) > float(rows[1]["probability"])
    assert (rows[4]["error"], rows[4]["path"]) == ("not-an-image", "in/sub/broken.webp")


def test_a_picture_is_piped_in_or_fetched(run: Run, httpserver) -> None:
    """Both beside files."""
    httpserver.expect_request("/g.png").respond_with_data(picture("green", kind="PNG"))
    address = httpserver.url_for("/g.png")
    ended = run("-", address, "in/a.png", piped=picture("blue"))
    lines = [line.split() for line in ended.stdout.splitlines()]

    assert [line[0] for line in lines] == ["-", address, "in/a.png"]
    assert [line[-1] for line in lines] == ["blue", "green", "red"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("in/nope.jpg",), "in/nope.jpg does not exist\n"),
        ((".void",), ".void is a folder without pictures (.apng, .avif, "),
        (("ftp://host/a.jpg",), "ftp://host/a.jpg is an address that cannot be fetched; it must"),
        (("-", "-"), "- can stand once: standard input holds one picture\n"),
        (("in/a.png", "--json", "--csv"), "--json and --csv exclude each other; choose one\n"),
        (("in/a.png", "--model", "nope"), "no model 'nope'; this store"),
        (("in/a.png", "--url", "host:80"), "url is 'host:80'; it must be like http://"),
    ],
)
def test_wrong_input_is_a_sentence(
    run: Run, folder: Path, words: tuple[str, ...], said: str
) -> None:
    """And exit code 2; nothing was classified."""
    (folder / ".void").mkdir()
    ended = run(*words)

    assert ended.stderr.startswith(f"petiole classify: {said}")
    assert (ended.exit_code, ended.stdout) == (2, "")


def test_the_service_is_found_by_its_note(
    service: RunningService, folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In its folder and below it, without a word about ports."""
    elsewhere = run("in/a.png", url="")
    below = service.log.parent / "below"
    below.mkdir(exist_ok=True)
    monkeypatch.chdir(below)
    found = run(str(folder / "in" / "a.png"), url="")

    assert (found.exit_code, found.stdout.split()[2]) == (0, "red")
    assert elsewhere.exit_code == 1
    assert "no service runs in this folder or above it; start one (" in elsewhere.stderr


def test_an_address_where_no_service_is_ends_it_at_once(run: Run) -> None:
    """With one line, however many pictures there are."""
    address = f"http://127.0.0.1:{free_port()}"
    ended = run("in", "--url", address)

    assert (ended.exit_code, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    assert ended.stderr.startswith(f"petiole classify: {address} does not answer: ")


def test_an_interrupt_withdraws_what_was_sent(service: RunningService, folder: Path) -> None:
    """One line, and no job is left."""
    words = [sys.executable, "-m", "petiole", "classify", *["in/a.png"] * 6, "--jsonl"]
    left, output, errors = interrupted(service, words, cwd=folder, open_before=6)

    said = "petiole classify: interrupted after 0 of 6 pictures; what was under way is withdrawn\n"
    assert (left, output, errors) == (0, "", said)


@pytest.mark.parametrize("flags", [[], ["--json"], ["--csv"]])
def test_a_reader_that_has_had_enough_is_no_error(
    service: RunningService, folder: Path, flags: list[str]
) -> None:
    """As in `| head`: nothing is said."""
    near, far = os.pipe()
    os.close(near)
    words = [sys.executable, "-m", "petiole", "classify", "in/a.png", *flags]
    environment = _environment(service) | {"PETIOLE_URL": service.api}
    ended = subprocess.run(
        words,
        cwd=folder,
        env=environment,
        stdout=far,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(far)

    assert (ended.returncode, ended.stderr) == (1, b"")


def test_progress_and_colours_are_for_terminals(service: RunningService, folder: Path) -> None:
    """Both streams are one here, and each line stands on its own."""
    near, far = os.openpty()
    words = [sys.executable, "-m", "petiole", "classify", "in/a.png", "in/b.JPG"]
    environment = _environment(service) | {"PETIOLE_URL": service.api}
    environment.pop("NO_COLOR", None)
    subprocess.run(
        words, cwd=folder, env=environment, stdout=far, stderr=far, timeout=60, check=True
    )
    os.close(far)
    shown = os.read(near, 65_536).decode()
    os.close(near)

    assert "\r\x1b[K1 of 2 pictures" in shown
    assert "\x1b[1mred\x1b[0m" in shown
    assert shown.endswith("\r\x1b[K")


def test_folders_are_searched_for_every_format_that_is_accepted() -> None:
    """By the suffixes that Pillow knows of each."""
    heif.is_installed()
    known = Image.registered_extensions()
    accepted = {
        suffix
        for suffix, name in known.items()
        if {"HEIF": "HEIC"}.get(name, name) in ACCEPTED_FORMATS
    }

    assert accepted == SUFFIXES
