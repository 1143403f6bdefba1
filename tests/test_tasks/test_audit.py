"""Who did what is written down: one contract on both trails, and the deeds that have a line."""

import json
import logging
from pathlib import Path
from uuid import uuid4

import pytest
import redis
from flask.testing import FlaskClient
from typer.testing import CliRunner

from api import create_app
from petiole.cli import app
from tasks import audit, jobs, once, stores
from tasks.audit import Deed, MemoryTrail, RedisTrail, Trail
from tasks.errors import PoisonedJobError
from tasks.job_stores import Job
from tasks.keys.records import ADMIN, new
from tasks.settings import TasksSettings
from tests import colour_model
from tests.conftest import free_port


@pytest.fixture(params=["memory", "redis"])
def trail(request: pytest.FixtureRequest) -> Trail:
    """Each implementation in turn, empty."""
    if request.param == "memory":
        return MemoryTrail()
    url = request.getfixturevalue("redis_url")
    with redis.Redis.from_url(url) as client:
        client.delete(audit.STREAM)
    return RedisTrail(TasksSettings(job_store_url=url))


def test_deeds_come_back_in_their_order(trail: Trail) -> None:
    """The latest are told, the oldest of them first, and as they were written."""
    deeds = [Deed("key-created", str(n), "ana", particulars={"may": "bulk"}) for n in range(4)]
    for deed in deeds:
        trail.append(deed)

    assert trail.latest(3) == deeds[1:]
    assert json.loads(deeds[0].line)["subject"] == "0"
    assert "\n" not in deeds[0].line


def test_a_trail_that_is_away_undoes_nothing_and_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The line is in the log."""
    monkeypatch.setenv("PETIOLE_TASKS_JOB_STORE_URL", f"redis://127.0.0.1:{free_port()}/0")
    once.begin_anew()
    with caplog.at_level(logging.ERROR):
        audit.note(audit.PROMOTED, "colours@2", by="ana")

    (record,) = [each for each in caplog.records if each.message == "audit line not kept"]
    assert '"subject": "colours@2"' in record.line


def poisoned() -> str:
    """Return the id of a picture that took every worker with it."""
    job = Job(str(uuid4()), "colours", 1, "a.jpg", 1.0, 1.0, image_url="https://example.org/a.jpg")
    stores.job_store().create(job)
    jobs.fail(job.task_id, PoisonedJobError("the job lost its worker 3 times"))
    return job.task_id


def deeds() -> list[tuple[str, str, str]]:
    """Return what was done, to what, and by whom."""
    return [(each.what, each.subject, each.by) for each in stores.audit().latest(100)]


def test_quarantine_and_who_ends_it_are_written_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the service, by a key, and by a user of the command line."""
    monkeypatch.setenv("PETIOLE_API_REQUIRE_KEYS", "true")
    once.begin_anew()
    key, token = new("op", (ADMIN,))
    stores.keys().create(key)
    client: FlaskClient = create_app().test_client()
    first, second = poisoned(), poisoned()
    client.delete(f"/jobs/{first}", headers={"Authorization": f"Bearer {token}"})
    CliRunner().invoke(app, ["jobs", "purge", "--yes", second])

    assert deeds() == [
        (audit.QUARANTINED, first, audit.THE_SERVICE),
        (audit.QUARANTINED, second, audit.THE_SERVICE),
        (audit.PURGED, first, f"key {key.key_id} (op)"),
        (audit.PURGED, second, audit.this_user()),
    ]


def test_keys_and_versions_are_written_down(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, redis_url: str
) -> None:
    """No line has a key."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    monkeypatch.setenv("PETIOLE_TASKS_JOB_STORE_URL", redis_url)
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", str(tmp_path))
    for _ in range(2):
        colour_model.publish(tmp_path)
    once.begin_anew()
    made = CliRunner().invoke(app, ["keys", "create", "ana"]).stdout.strip()
    key_id = made[4:16]
    CliRunner().invoke(app, ["keys", "revoke", key_id])
    CliRunner().invoke(app, ["models", "promote", "colours@1"])
    CliRunner().invoke(app, ["models", "canary", "colours@2", "--percent", "5"])
    CliRunner().invoke(app, ["models", "end", "colours"])
    told = CliRunner().invoke(app, ["audit", "--json"]).stdout
    shown = CliRunner().invoke(app, ["audit"]).stdout

    assert [json.loads(line)["what"] for line in told.splitlines()] == [
        *(audit.KEY_CREATED, audit.KEY_REVOKED, audit.PROMOTED),
        *(audit.TRIAL_BEGUN, audit.TRIAL_ENDED),
    ]
    assert json.loads(told.splitlines()[3])["particulars"] == {"kind": "canary", "share": "5 %"}
    assert made.partition(".")[2] not in told
    assert "version-promoted" in shown
