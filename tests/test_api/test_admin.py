"""`/admin`: the whole service in one answer, for its operator and nobody else."""

from uuid import uuid4

import pytest
from flask.testing import FlaskClient

import petiole.training_worker  # noqa: F401 - it makes the errors of training known
from model_store import ModelStore
from model_store.rollouts import Rollout
from tasks import documents, jobs, once, statistics, stores, training_jobs
from tasks.documents import Progress, TrainedTask
from tasks.errors import PictureTimeLimitError, PoisonedJobError
from tasks.readiness import Note
from tasks.survey import MOST_SHOWN
from tests import colour_model
from tests.conftest import picture
from tests.test_api.test_pages import BROWSER
from tests.test_api.test_results import submitted, waiting_job
from training.errors import GateError

CHILD, OTHER = "classify:here:7", "classify:there:8"


def service(client: FlaskClient) -> dict:
    """Return what is said of the service."""
    return client.get("/admin").json["service"]


def announced(process: str, **more: object) -> None:
    """Let a child say that it is ready."""
    note = Note(process, "classify", "ready", models=("colours@1 on openvino",), **more)
    stores.job_store().announce_ready(process, documents.to_json(note))


def quarantined() -> str:
    """Return the id of a job whose picture took every worker with it."""
    task_id = waiting_job(lane="classify")
    stores.image_store().put(task_id, picture("green"))
    for _ in range(3):
        stores.job_store().claim(task_id, stage="classify")
    jobs.try_again(task_id, PoisonedJobError("the job lost its worker 3 times"))
    return task_id


def test_nothing_to_do_is_said_as_such(client: FlaskClient) -> None:
    """No list is missing where there is nothing in it."""
    said = client.get("/admin").json
    load = said["service"]["load"]

    assert (load["open_jobs"], load["accepted"], load["in_work"]) == (0, 0, 0)
    assert [lane["waiting"] for lane in load["lanes"]] == [0, 0, 0, 0]
    assert said["service"]["workers"] == said["trials"] == said["service"]["trainings"] == []


def test_what_comes_and_goes_is_counted(client: FlaskClient) -> None:
    """Two looks give the rates: what was accepted and what ended, by state."""
    submitted(client, picture())
    jobs.fail(waiting_job(lane="classify"), ValueError())
    waiting_job(lane="classify")
    load = service(client)["load"]

    assert load["ended"] == {"SUCCESS": 1, "FAILURE": 1}
    assert (load["accepted"], load["open_jobs"]) == (3, 1)


def test_the_lists_are_bounded_and_the_numbers_are_not(client: FlaskClient) -> None:
    """However many wait, the oldest ones are shown, and how long the first has waited."""
    ids = [waiting_job(lane="classify") for _ in range(MOST_SHOWN + 10)]
    said = service(client)
    lane = said["load"]["lanes"][0]

    assert (lane["queue"], lane["priority"], lane["waiting"]) == ("classify", "normal", len(ids))
    assert [job["task_id"] for job in said["jobs"]["waiting"]] == ids[:MOST_SHOWN]
    assert lane["oldest_seconds"] >= 0


def test_children_say_what_they_have_and_refuse(client: FlaskClient) -> None:
    """A reason that two children give is one line."""
    refused = {"colours@2": "CorruptVersionError: model.bin"}
    announced(CHILD, refused=refused)
    announced(OTHER, refused=refused)
    said = service(client)

    assert [worker["process"] for worker in said["workers"]] == [CHILD, OTHER]
    assert said["workers"][0]["models"] == ["colours@1 on openvino"]
    assert said["refused"] == [
        {"version": "colours@2", "reason": "CorruptVersionError: model.bin", "children": 2}
    ]


def test_failures_and_quarantine_have_their_causes(client: FlaskClient) -> None:
    """A quarantined job is not shown twice; a forgotten one no more."""
    failed, forgotten = waiting_job(lane="classify"), waiting_job(lane="classify")
    for task_id in (failed, forgotten):
        jobs.fail(task_id, PictureTimeLimitError("decoding took over 5 s"))
    kept = quarantined()
    client.delete(f"/result/{forgotten}")
    said = service(client)["jobs"]

    assert [(j["task_id"], j["cause"]) for j in said["failed"]] == [
        (failed, "decoding took over 5 s")
    ]
    assert [(j["task_id"], j["cause"]) for j in said["quarantined"]] == [
        (kept, "the job lost its worker 3 times")
    ]
    assert said["in_quarantine"] == 1
    assert client.get(f"/jobs/{kept}").json["cause"] == "the job lost its worker 3 times"


def test_trainings_tell_how_far_they_are_and_what_they_made(client: FlaskClient) -> None:
    """The latest first; one that failed says why."""
    running, done, failed = (str(uuid4()) for _ in range(3))
    for task_id in (failed, done, running):
        training_jobs.claim(task_id, model="flowers", pictures="photographs", retries=0)
    training_jobs.note(running, Progress("Computing features", 32, 1000))
    made = {"report": "file:///runs/report.html", "top1": 0.9, "test_pictures": 40}
    document = TrainedTask(done, "SUCCESS", "flowers", "photographs", **made, model_version=2)
    training_jobs.finish(document)
    jobs.fail(failed, GateError("failed: top-1 accuracy is 0.8; at least 0.9"))
    said = service(client)["trainings"]

    assert [training["task_id"] for training in said] == [running, done, failed]
    assert said[0]["progress"] == {"phase": "Computing features", "done": 32, "total": 1000}
    assert (said[1]["model_version"], said[1]["report"], said[1]["top1"]) == (
        2,
        made["report"],
        0.9,
    )
    assert said[2]["cause"] == "failed: top-1 accuracy is 0.8; at least 0.9"
    assert "progress" not in said[1]


def test_a_cancelled_training_is_nowhere_any_more(client: FlaskClient) -> None:
    """How far it was is not said of what does not go on."""
    task_id = str(uuid4())
    training_jobs.claim(task_id, model="flowers", pictures="photographs", retries=0)
    training_jobs.note(task_id, Progress("Computing features", 32, 1000))
    client.delete(f"/result/{task_id}")
    (training,) = service(client)["trainings"]

    assert (training["state"], "progress" in training) == ("REVOKED", False)


def test_a_trial_has_its_figures(client: FlaskClient, tmp_path, monkeypatch) -> None:
    """How it goes while it runs, and how the last one ended."""
    for _ in range(2):
        colour_model.publish(tmp_path)
    store = ModelStore.open(str(tmp_path))
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", str(tmp_path))
    once.begin_anew()
    rollout = store.begin_rollout("colours", Rollout("canary", 2, 10.0))
    counts = {"compared": 8, "agreed": 6, "production_seconds": 1, "candidate_seconds": 2}
    named = {statistics.trial("colours", rollout, what): n for what, n in counts.items()}
    stores.job_store().count(named)
    announced(CHILD, trials={"colours": rollout.number})
    (trial,) = client.get("/admin").json["trials"]
    store.end_rollout("colours", rollout.number, outcome="ended by hand")
    once.begin_anew()

    assert (trial["model"], trial["rollout"]["version"], trial["rollout"]["percent"]) == (
        *("colours", 2),
        10.0,
    )
    assert (trial["compared"], trial["agreement"], trial["slowdown"]) == (8, 0.75, 2.0)
    assert trial["followers"] == 1
    assert client.get("/admin").json["last_trials"] == [
        {"model": "colours", "outcome": "ended by hand"}
    ]


def test_models_that_are_away_leave_the_rest(client: FlaskClient, monkeypatch) -> None:
    """The queue is seen although no trial is."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", "s3://bucket/away")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    once.begin_anew()
    waiting_job(lane="classify")
    said = client.get("/admin").json

    assert "cannot be reached" in said["models_missing"]
    assert said["service"]["load"]["open_jobs"] == 1


@pytest.mark.parametrize("shown", ["true", "false"])
def test_the_page_is_there_where_jobs_are_shown(client: FlaskClient, monkeypatch, shown) -> None:
    """Elsewhere it is a page that says 404, and no page links to it."""
    monkeypatch.setenv("PETIOLE_API_SHOW_JOBS", shown)
    once.begin_anew()
    page, start = (client.get(path, headers=BROWSER) for path in ("/admin", "/"))
    links_to_it = 'href="/admin"' in start.get_data(as_text=True)

    assert (page.status_code, page.mimetype) == (200 if shown == "true" else 404, "text/html")
    assert links_to_it == (shown == "true")
    assert client.get("/admin").status_code == page.status_code
