"""`/result/<task_id>` of a training: how far it is, what it made, and its end on request."""

from dataclasses import asdict
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

import petiole.training_worker  # noqa: F401 - it makes the errors of training known
from tasks import jobs, training_jobs
from tasks.documents import Progress, TrainedTask
from training.errors import GateError

PROGRESS = Progress(phase="Computing features", done=32, total=1000, seconds_left=48.5)
RESULT = {
    **{"model": "flowers", "model_version": 2, "filename": "photographs"},
    **{"report": "file:///runs/report.html", "top1": 0.9, "test_pictures": 40},
}


@pytest.fixture
def running(client: FlaskClient) -> str:
    """The id of a training that runs."""
    task_id = str(uuid4())
    assert claimed(task_id)
    return task_id


def claimed(task_id: str) -> bool:
    """Start a training as its worker does."""
    return training_jobs.claim(task_id, model="flowers", pictures="photographs", retries=0)


def test_a_training_tells_how_far_it_is(client: FlaskClient, running: str) -> None:
    """While it runs; a classification has nothing to tell."""
    before = client.get(f"/result/{running}").json
    training_jobs.note(running, PROGRESS)
    after = client.get(f"/result/{running}")

    assert (after.status_code, after.json["state"]) == (202, "STARTED")
    assert after.json["progress"] == asdict(PROGRESS)
    assert "progress" not in before


def test_a_finished_training_names_its_version(client: FlaskClient, running: str) -> None:
    """What the task returned is the document."""
    training_jobs.finish(TrainedTask(running, "SUCCESS", **RESULT))
    response = client.get(f"/result/{running}")

    assert response.status_code == 200
    assert response.json == {"task_id": running, "state": "SUCCESS", **RESULT}


def test_a_gate_that_held_is_a_problem_with_its_reason(client: FlaskClient, running: str) -> None:
    """Nothing was published, and the client learns why."""
    jobs.fail(running, GateError("failed: top-1 accuracy is 0.8; at least 0.9"))
    error = client.get(f"/result/{running}").json["error"]

    assert (error["type"], error["status"]) == ("/problems#gate-failed", 422)
    assert error["detail"] == "failed: top-1 accuracy is 0.8; at least 0.9"


def test_a_running_training_can_be_revoked(client: FlaskClient, running: str) -> None:
    """It stays revoked whatever its worker still says, and cannot be started again."""
    response = client.delete(f"/result/{running}")
    training_jobs.note(running, PROGRESS)
    training_jobs.finish(TrainedTask(running, "SUCCESS", **RESULT))

    assert (response.status_code, response.json["state"]) == (200, "REVOKED")
    assert client.get(f"/result/{running}").json["state"] == "REVOKED"
    assert not claimed(running)


def test_a_finished_training_is_forgotten(client: FlaskClient, running: str) -> None:
    """Its document is gone, and its id says so."""
    training_jobs.finish(TrainedTask(running, "SUCCESS", **RESULT))
    statuses = [client.delete(f"/result/{running}").status_code for _ in range(2)]

    assert statuses == [204, 410]
    assert client.get(f"/result/{running}").status_code == 410


def test_trainings_are_not_counted_as_pictures(client: FlaskClient, running: str) -> None:
    """The figures of the service are those of classifications."""
    training_jobs.finish(TrainedTask(running, "SUCCESS", **RESULT))

    assert 'model="flowers' not in client.get("/metrics").text
