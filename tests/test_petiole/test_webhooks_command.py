"""`petiole webhooks`: what waits, what was given up, and sending it again."""

import json
from time import time

import pytest
from typer.testing import CliRunner, Result

from petiole.cli import app
from tasks import stores
from tasks.job_stores import SUCCESS, Job, Outcome
from tasks.job_stores.webhooks import NEVER, Load
from tests.test_petiole.conftest import Run

URL = "https://example.org/told"
SETTING = "PETIOLE_TASKS_WEBHOOK_SECRET"


@pytest.fixture
def given_up() -> str:
    """The id of a task whose client could not be told."""
    job = Job("some-id", "m", 5, "f", accepted_at=time(), queued_since=time(), webhook_url=URL)
    stores.job_store().create(job)
    stores.job_store().finish(job.task_id, Outcome(SUCCESS, '{"state": "SUCCESS"}', {}))
    (promise,) = stores.webhooks().take(1, seconds=5.0)
    stores.webhooks().put_off(promise, seconds=NEVER, reason="it answered 410")
    return job.task_id


def webhooks(*words: str) -> Result:
    """Run `petiole webhooks …`."""
    return CliRunner().invoke(app, ["webhooks", *words])


def test_nothing_is_said_in_words() -> None:
    """No empty table."""
    assert webhooks("list").stdout == "no webhook waits, and none was given up\n"


def test_what_was_given_up_is_listed(given_up: str) -> None:
    """With the reason; the client's document is not shown."""
    shown, listed = webhooks("list").stdout, json.loads(webhooks("list", "--json").stdout)

    assert "some-id" in shown
    assert (listed["waiting"], len(listed["dead"])) == ([], 1)
    assert (listed["dead"][0]["url"], listed["dead"][0]["reason"]) == (URL, "it answered 410")
    assert "document" not in listed["dead"][0]


@pytest.mark.parametrize("words", [("some-id",), ("--all",)])
def test_it_is_sent_again(given_up: str, words: tuple[str, ...]) -> None:
    """By its id, or with all others."""
    done = webhooks("resend", *words, "--json")

    assert json.loads(done.stdout) == {"resent": ["some-id"], "unknown": []}
    assert stores.webhooks().load() == Load(1, 0)


def test_what_was_not_given_up_is_one_line() -> None:
    """With exit code 1."""
    ended = webhooks("resend", "nope")

    assert (ended.exit_code, ended.stdout) == (1, "0 webhooks are sent again\n")
    assert ended.stderr == "petiole webhooks: none was given up of task 'nope'\n"


@pytest.mark.parametrize("words", [(), ("a", "--all")])
def test_all_or_some_must_be_said(words: tuple[str, ...]) -> None:
    """Wrong usage is 2."""
    assert webhooks("resend", *words).exit_code == 2


def test_a_secret_that_is_none_is_one_line_without_it(run: Run) -> None:
    """Terminals and logs are read by others."""
    ended = run("webhooks", "list", **{SETTING: "whsec_verysecret"})

    assert ended.returncode == 2
    assert ended.stderr == (
        f"petiole: {SETTING} is '…': it is not whsec_ and the base64 of 24 to 64 random bytes\n"
    )
