"""`petiole jobs`: the same as `/jobs`, for a terminal."""

import json
from time import time

import pytest
from typer.testing import CliRunner, Result

from petiole.cli import app
from tasks import jobs, stores
from tasks.errors import PoisonedJobError
from tasks.job_stores import Job


@pytest.fixture
def quarantined() -> str:
    """The id of a job that failed because it took every worker with it."""
    job = Job("some-id", "flowers", 5, "rose.jpg", accepted_at=time(), queued_since=time())
    stores.job_store().create(job)
    jobs.fail("some-id", PoisonedJobError("the job lost its worker 3 times"))
    return job.task_id


def run(*words: str) -> Result:
    """Run `petiole jobs …`."""
    return CliRunner().invoke(app, ["jobs", *words])


def test_nothing_is_said_in_words() -> None:
    """An empty service is no empty table."""
    assert run("list").stdout == "no job is open\n"
    assert run("quarantine").stdout == "no picture is in quarantine\n"


def test_a_job_is_shown_with_what_became_of_it(quarantined: str) -> None:
    """As a line, and as JSON."""
    shown, document = (
        run("show", quarantined),
        json.loads(run("show", quarantined, "--json").stdout),
    )

    assert "rose.jpg" in shown.stdout
    assert (document["place"], document["model"]) == ("quarantined", "flowers")


def test_purging_asks_first(quarantined: str) -> None:
    """And names how many pictures it is about to delete."""
    asked = CliRunner().invoke(app, ["jobs", "purge"], input="n\n")
    done = run("purge", "--yes", "--json")

    assert "Delete 1 pictures in quarantine?" in asked.stderr
    assert json.loads(done.stdout) == {"purged": [quarantined]}
    assert run("quarantine").stdout == "no picture is in quarantine\n"


@pytest.mark.parametrize("words", [("show", "nope"), ("retry", "nope"), ("purge", "nope", "--yes")])
def test_an_unknown_job_is_one_line(words: tuple[str, ...]) -> None:
    """With exit code 1."""
    ended = run(*words)

    assert ended.exit_code == 1
    assert ended.stderr.startswith("petiole jobs: there is no task 'nope'")
