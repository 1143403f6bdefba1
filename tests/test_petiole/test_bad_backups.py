"""What `petiole restore` refuses, and that it then has changed nothing; restores into a bucket."""

import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import time

import pytest
import redis
from click.testing import Result
from typer.testing import CliRunner

from model_store import ModelStore
from petiole.cli import app
from tasks import once, stores
from tasks.job_stores import Job, Outcome
from tests.conftest import picture

TASK_IDS = ("first", "second")


@dataclass(frozen=True)
class Empty:
    """A place that has nothing; commands run in this process, which is quicker."""

    directory: Path
    redis: redis.Redis

    def run(self, *words: str) -> Result:
        """Run `petiole` against it."""
        return CliRunner().invoke(app, list(words))


@pytest.fixture
def empty(redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Empty]:
    """One that the settings of this process name."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        for name, value in {
            "PETIOLE_TASKS_JOB_STORE_URL": redis_url,
            "PETIOLE_TASKS_IMAGE_STORE_URL": str(tmp_path / "uploads"),
            "PETIOLE_MODELS_STORE_URL": str(tmp_path / "models"),
        }.items():
            monkeypatch.setenv(name, value)
        once.begin_anew()
        yield Empty(tmp_path, client)


def accept(task_id: str) -> None:
    """Let a picture wait, whose message nobody has."""
    now = time()
    job = Job(task_id, "colours", 3, "red.jpg", accepted_at=now, queued_since=now)
    stores.image_store().put(task_id, picture())
    stores.job_store().create(replace(job, lane="classify", upload_bytes=len(picture())))


@pytest.fixture
def archive(empty: Empty, colour_store: str, tmp_path: Path) -> Path:
    """A backup of two open pictures and a model, whose place is empty again."""
    shutil.copytree(colour_store, tmp_path / "models")
    for task_id in TASK_IDS:
        accept(task_id)
    done = empty.run("backup", str(tmp_path / "it.tar"))
    assert done.exit_code == 0, done.output
    shutil.rmtree(tmp_path / "models")
    shutil.rmtree(tmp_path / "uploads")
    empty.redis.flushdb()
    return tmp_path / "it.tar"


def test_what_ended_is_not_in_it(empty: Empty, tmp_path: Path) -> None:
    """Neither what was over before, nor what ended between the look at its record and its bytes."""
    for task_id in ("open", "over", "ending"):
        accept(task_id)
    stores.job_store().finish("over", Outcome("SUCCESS", "{}", counts={}))
    stores.image_store().delete("ending")
    done = empty.run("backup", str(tmp_path / "it.tar"))

    with tarfile.open(tmp_path / "it.tar") as tar:
        names = set(tar.getnames())
        (job,) = json.loads(_content(tar, "records.json"))["jobs"]
    assert done.exit_code == 0, done.output
    assert names == {"uploads/open", "records.json", "manifest.json"}
    assert job["record"]["task_id"] == "open"


def test_a_version_that_is_not_published_yet_is_not_in_it(
    empty: Empty, colour_store: str, tmp_path: Path
) -> None:
    """Its number is, which nobody else may use."""
    unfinished = tmp_path / "models" / "colours" / "2"
    shutil.copytree(colour_store, tmp_path / "models")
    unfinished.mkdir()
    (unfinished / "claim").write_text("claimed")
    (unfinished / "saved_model.pb").write_text("half")
    empty.run("backup", str(tmp_path / "it.tar"))

    with tarfile.open(tmp_path / "it.tar") as tar:
        found = [name for name in tar.getnames() if name.startswith("models/colours/2/")]
        assert "models/colours/1/card.json" in tar.getnames()
    assert found == ["models/colours/2/claim"]


def _content(tar: tarfile.TarFile, name: str) -> bytes:
    stream = tar.extractfile(name)
    assert stream is not None
    return stream.read()


Members = dict[str, bytes]


def _of_later_format(members: Members) -> None:
    manifest = json.loads(members["manifest.json"])
    text = json.dumps({**manifest, "format": 99, "release": "9.9.0", "new": 1})
    members["manifest.json"] = text.encode()


def _with_other_bytes(members: Members) -> None:
    name = next(name for name in members if name.startswith("uploads/"))
    members[name] = bytes(len(members[name]))


def _with_a_way_out(members: Members) -> None:
    manifest = members.pop("manifest.json")
    members["models/../../out"] = b"x"
    members["manifest.json"] = manifest


def _without_a_picture(members: Members) -> None:
    del members[next(name for name in members if name.startswith("uploads/"))]


def _without_manifest(members: Members) -> None:
    del members["manifest.json"]


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (_of_later_format, "format 99, made by release 9.9.0; this release reads formats up to 1"),
        (_with_other_bytes, "has other bytes than were backed up"),
        (_with_a_way_out, "'models/../../out' is nothing that a backup holds"),
        (_without_a_picture, "is not where its manifest says"),
        (_without_manifest, "it is cut off, or no backup"),
    ],
)
def test_a_bad_archive_changes_nothing(
    empty: Empty, archive: Path, tmp_path: Path, harm: Callable[[Members], None], said: str
) -> None:
    """One line says what is wrong with it."""
    with tarfile.open(archive) as tar:
        members = {name: _content(tar, name) for name in tar.getnames()}
    harm(members)
    bad = tmp_path / "bad.tar"
    with tarfile.open(bad, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))

    assert said in _refused(empty, bad)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999])
def test_a_truncated_archive_changes_nothing(
    empty: Empty, archive: Path, tmp_path: Path, share: float
) -> None:
    """Wherever it ends."""
    whole = archive.read_bytes()
    bad = tmp_path / "bad.tar"
    # Tar fills its file up with zeros, which nobody misses.
    bad.write_bytes(whole.rstrip(b"\0")[: int(share * len(whole.rstrip(b"\0")))])

    assert "is not restored: it is" in _refused(empty, bad)


def test_what_is_no_archive_changes_nothing(empty: Empty, tmp_path: Path) -> None:
    """A picture, say."""
    (tmp_path / "bad.tar").write_bytes(picture())

    assert "it is damaged, or no backup" in _refused(empty, tmp_path / "bad.tar")


def test_a_folders_backup_is_restored_into_a_bucket(
    empty: Empty, archive: Path, bucket_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Models and pictures alike: this process works at once on what it queues."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", f"{bucket_url}/models")
    monkeypatch.setenv("PETIOLE_TASKS_IMAGE_STORE_URL", f"{bucket_url}/uploads")
    monkeypatch.setenv("PETIOLE_MODELS_CACHE_DIRECTORY", str(empty.directory / "cache"))
    once.begin_anew()
    done = empty.run("restore", str(archive))

    assert done.exit_code == 0, done.output
    store = ModelStore.open(f"{bucket_url}/models", cache_directory=empty.directory / "cache")
    store.verify(store.card("colours", 1))
    jobs = [stores.job_store().get(task_id) for task_id in TASK_IDS]
    assert [job.state for job in jobs if job] == ["SUCCESS"] * len(TASK_IDS)


def test_models_with_other_bytes_are_left_alone(empty: Empty, archive: Path) -> None:
    """Also where it is told to add: two histories of one name make none."""
    other = empty.directory / "models" / "colours" / "1" / "card.json"
    other.parent.mkdir(parents=True)
    other.write_text("mine")
    done = empty.run("restore", str(archive), "--add")

    assert "the model store has colours/1/card.json with other bytes" in done.stderr
    assert (empty.redis.dbsize(), other.read_text()) == (0, "mine")


def test_a_service_too_small_for_it_is_left_alone(
    empty: Empty, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the setting to raise."""
    monkeypatch.setenv("PETIOLE_TASKS_MAX_OPEN_JOBS", "1")
    once.begin_anew()

    assert "it needs PETIOLE_TASKS_MAX_OPEN_JOBS of 2; it is 1" in _refused(empty, archive)


def test_a_file_that_is_there_is_not_written_over(empty: Empty, tmp_path: Path) -> None:
    """It may be the last backup."""
    (tmp_path / "it.tar").write_text("mine")
    done = empty.run("backup", str(tmp_path / "it.tar"))

    assert done.exit_code == 1
    assert "is there already" in done.stderr
    assert (tmp_path / "it.tar").read_text() == "mine"


def _refused(at: Empty, file: Path) -> str:
    """Try to restore, and return the one line that is said once nothing is seen to be changed."""
    done = at.run("restore", str(file))

    assert at.redis.dbsize() == 0
    assert not {"models", "uploads"} & {each.name for each in at.directory.iterdir()}
    assert (done.exit_code, done.stderr.strip().count("\n")) == (1, 0), done.stderr
    return done.stderr
