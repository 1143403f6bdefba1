"""`petiole classify` of archives and lists, into a file that is not begun anew."""

import csv
import gzip
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from petiole.cli import app
from petiole.client import Client, UnreadablePictureError
from tests.conftest import picture
from tests.test_end_to_end.conftest import RunningService, wait_until

pytestmark = pytest.mark.end_to_end

Run = Callable[..., Result]
MEMBERS = {
    "a.png": picture("red", kind="PNG"),
    "sub/b.jpg": picture("blue"),
    "sub/notes.txt": b"text",
    "__MACOSX/._a.png": b"litter",
}


@pytest.fixture
def run(service: RunningService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run `petiole classify` in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Result:
        environment = {"PETIOLE_URL": service.api}
        return CliRunner().invoke(app, ["classify", *words], env=environment)

    return run


def _zip(path: str, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def _tar(path: str, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz" if path.endswith("gz") else "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def _labels(ended: Result) -> list[tuple[str, str]]:
    return [(words[0], words[-1]) for words in map(str.split, ended.stdout.splitlines())]


@pytest.mark.parametrize("name", ["in.zip", "in.tar", "in.tar.gz", "in.TGZ"])
def test_the_pictures_in_an_archive_are_classified(run: Run, name: str) -> None:
    """By their paths in it; nothing is unpacked beside it."""
    (_zip if name.endswith("zip") else _tar)(name, MEMBERS)
    ended = run(name)

    assert (ended.exit_code, ended.stderr) == (0, "")
    assert _labels(ended) == [(f"{name}/a.png", "red"), (f"{name}/sub/b.jpg", "blue")]
    assert os.listdir() == [name]


def test_a_bad_member_fails_alone(run: Run) -> None:
    """One that is no picture, one whose check sum is wrong, one that is encrypted."""
    _zip("in.zip", {"a.png": MEMBERS["a.png"], "b.png": b"text", "c.png": b"wrong" * 10})
    content = bytearray(Path("in.zip").read_bytes())
    # The flag of encryption, in the directory at the end and before the member.
    for mark, place in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        content[content.rindex(mark) + place] |= 1
    Path("in.zip").write_bytes(content)
    ended = run("in.zip")

    assert ended.exit_code == 1
    assert _labels(ended) == [("in.zip/a.png", "red")]
    assert "in.zip/b.png: the upload of 4 bytes is not a picture" in ended.stderr
    assert "in.zip/c.png: 'c.png' cannot be read: " in ended.stderr
    assert "encrypted" in ended.stderr


def test_an_archive_that_would_fill_a_disk_is_refused(run: Run) -> None:
    """Before anything is sent."""
    _zip("in.zip", {f"{n}.png": bytes(2**24) for n in range(8)})
    ended = run("in.zip")

    assert ended.exit_code == 2
    assert "in.zip" in ended.stderr
    assert "times" in ended.stderr


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("in.zip", b"PK no archive", "cannot be read as a zip archive"),
        ("in.tar", b"text", "cannot be read as a tar archive"),
        ("in.txt", b"\n# nothing\n", "is a list without a line"),
        ("in.txt", b"\xff\xfe\xff", "is no list of pictures: it is not UTF-8"),
    ],
)
def test_what_cannot_be_read_is_said_at_once(
    run: Run, name: str, content: bytes, said: str
) -> None:
    """As wrong usage."""
    Path(name).write_bytes(content)
    ended = run(name)

    assert ended.exit_code == 2
    assert said in ended.stderr


def test_an_archive_without_pictures_is_said_at_once(run: Run) -> None:
    """With what is looked for in it."""
    _zip("in.zip", {"notes.txt": b"text"})

    assert "in.zip is an archive without pictures (.apng" in run("in.zip").stderr


def test_a_list_has_a_picture_on_each_line(run: Run) -> None:
    """Its paths begin where it lies; one that is not there fails alone."""
    Path("lists").mkdir()
    Path("lists/a.png").write_bytes(MEMBERS["a.png"])
    Path("lists/in.txt").write_text("# two\na.png\n\nmissing.jpg\n")
    ended = run("lists/in.txt")

    assert ended.exit_code == 1
    assert _labels(ended) == [("a.png", "red")]
    assert "missing.jpg: 'lists/missing.jpg' cannot be read: No such file" in ended.stderr


def test_an_output_file_is_not_done_again(run: Run) -> None:
    """What was added since is; a picture that failed stands there with its error."""
    _zip("in.zip", {"a.png": MEMBERS["a.png"], "b.png": b"text"})
    first = run("in.zip", "--output", "out.jsonl")
    Path("c.jpg").write_bytes(MEMBERS["sub/b.jpg"])
    second = run("in.zip", "c.jpg", "--output", "out.jsonl")
    rows = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]

    assert (first.exit_code, first.stdout, second.exit_code) == (1, "", 0)
    assert second.stderr == "petiole classify: 2 are in out.jsonl already\n"
    assert [row["path"] for row in rows] == ["in.zip/a.png", "in.zip/b.png", "c.jpg"]
    assert [row["predictions"][0]["label"] for row in rows if "predictions" in row] == [
        "red",
        "blue",
    ]
    assert rows[1]["error"]["slug"] == "not-an-image"


def test_an_output_of_rows_is_not_done_again(run: Run) -> None:
    """The names of the columns stand there once."""
    Path("a.png").write_bytes(MEMBERS["a.png"])
    Path("b.jpg").write_bytes(MEMBERS["sub/b.jpg"])
    run("a.png", "--output", "out.csv", "--top-k", "1")
    run("a.png", "b.jpg", "--output", "out.csv", "--top-k", "1")
    with Path("out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))

    assert [(row["path"], row["label"]) for row in rows] == [("a.png", "red"), ("b.jpg", "blue")]


def test_half_a_line_is_cut_off(run: Run) -> None:
    """A kill in the middle of a line leaves no picture out, and none twice."""
    Path("a.png").write_bytes(MEMBERS["a.png"])
    run("a.png", "--output", "out.jsonl")
    whole = Path("out.jsonl").read_bytes()
    Path("out.jsonl").write_bytes(whole[:-20])
    run("a.png", "--output", "out.jsonl")

    (row,) = map(json.loads, Path("out.jsonl").read_text().splitlines())
    assert row["path"] == "a.png"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("out.txt", "", "out.txt is of no kind that is written; call it .jsonl or .csv"),
        ("out.jsonl", "text\n", "out.jsonl is there and is no output of this command"),
        ("out.csv", "a,b\n1,2\n", "out.csv is there and is no output of this command"),
        ("away/out.csv", None, "away/out.csv cannot be written: No such file"),
    ],
)
def test_an_output_that_cannot_be_is_refused(
    run: Run, name: str, content: str | None, said: str
) -> None:
    """Before anything is sent, and nothing in it is changed."""
    Path("a.png").write_bytes(MEMBERS["a.png"])
    if content is not None:
        Path(name).write_text(content)
    ended = run("a.png", "--output", name)

    assert (ended.exit_code, said in ended.stderr) == (2, True)
    assert content is None or Path(name).read_text() == content


def test_output_goes_to_one_place(run: Run) -> None:
    """A file has its own kind."""
    Path("a.png").write_bytes(MEMBERS["a.png"])
    ended = run("a.png", "--jsonl", "--output", "out.jsonl")

    assert ended.exit_code == 2
    assert "--jsonl and --output exclude each other" in ended.stderr


def test_interrupted_and_killed_it_has_each_picture_once(
    service: RunningService, tmp_path: Path
) -> None:
    """The same command goes on where it was; 300 pictures, two ends in the middle."""
    _zip(str(tmp_path / "in.zip"), {f"{n:03}.jpg": picture("blue") for n in range(300)})
    out = tmp_path / "out.jsonl"
    # One at a time, so that the end of a look is not the end of them all.
    words = ["in.zip", "--output", "out.jsonl", "--concurrency", "1"]
    command = [sys.executable, "-m", "petiole", "classify", *words]
    environment = {**service.environment, "PETIOLE_URL": service.api}

    # A shell ignores it for what it starts in the background, such as these tests.
    options = {"preexec_fn": partial(signal.signal, signal.SIGINT, signal.SIG_DFL)}

    def lines() -> int:
        return out.read_bytes().count(b"\n") if out.exists() else 0

    for end, seen in ((signal.SIGINT, 20), (signal.SIGKILL, 60)):
        running = subprocess.Popen(command, cwd=tmp_path, env=environment, **options)
        wait_until(lambda seen=seen: lines() >= seen)
        running.send_signal(end)
        running.wait()
        assert lines() < 300
    command[-1] = "8"
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=False)

    names = [json.loads(line)["path"] for line in out.read_text().splitlines()]
    assert done.returncode == 0
    assert names == [f"in.zip/{n:03}.jpg" for n in range(300)]


def test_a_compressed_tar_that_is_cut_off_is_refused(run: Run) -> None:
    """It would have lost its last pictures without a word."""
    _tar("in.tar.gz", {f"{n}.png": os.urandom(2000) for n in range(20)})
    Path("in.tar.gz").write_bytes(Path("in.tar.gz").read_bytes()[:-500])

    assert run("in.tar.gz").exit_code == 2


def test_a_single_picture_in_gzip_is_no_archive(run: Run) -> None:
    """It is sent as it is, and refused by the service by its name."""
    Path("a.png.gz").write_bytes(gzip.compress(MEMBERS["a.png"]))

    assert "is a gzip file" in run("a.png.gz").stderr


def test_the_client_takes_a_file_in_an_archive(service: RunningService, tmp_path: Path) -> None:
    """Whatever can be read by bytes and has a name; one that is not there is said."""
    _zip(str(tmp_path / "in.zip"), MEMBERS)
    archive = zipfile.Path(tmp_path / "in.zip")
    with Client(service.api) as client:
        task = client.classify(archive / "sub" / "b.jpg")
        with pytest.raises(UnreadablePictureError, match=r"'c\.jpg' cannot be read"):
            client.classify(archive / "c.jpg")

    assert (task.best.label, task.filename) == ("blue", "b.jpg")
