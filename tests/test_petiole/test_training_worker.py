"""The training worker's app: one name, one queue, and what a run without its broker does."""

from pathlib import Path

import pytest
from celery import Celery

import tasks.celery
from petiole.training_worker import app
from tasks import cancellation, jobs, publisher, training_jobs, views
from tests.conftest import free_port
from training import tasks as training_tasks
from training.settings import TrainingSettings

PLACES = {
    *("bottleneck_dir", "output_graph", "output_labels", "saved_model_dir"),
    *("summaries_dir", "runs_dir"),
}


def ended(task_id: str, **flags: object) -> dict[str, str]:
    """Run the task with these flags in this process; return what `GET /result` would say."""
    app.loader.import_default_modules()
    app.tasks[training_tasks.NAME].apply(args=[flags], task_id=task_id)
    return jobs.json.loads(views.view(task_id).document)


def test_the_publisher_and_the_task_have_one_name_and_one_queue() -> None:
    """However it is sent, a training lands where training workers look."""
    for each in (app, tasks.celery.app):
        queue = each.amqp.router.route({}, training_tasks.NAME)["queue"]
        assert queue.name == publisher.QUEUE_OF_TASK[publisher.TRAIN]
    assert publisher.TRAIN == training_tasks.NAME


@pytest.mark.parametrize("flag", ["check", "cross_validate"])
def test_what_publishes_nothing_is_no_training(flag: str, tmp_path: Path) -> None:
    """Also for a task that was sent without the command line."""
    document = ended(
        "one", image_dir=str(tmp_path), name="roses", **{flag: 5 if "_" in flag else 1}
    )

    assert document["error"]["type"] == "/problems#bad-training-settings"
    assert f"{flag} publishes nothing" in document["error"]["detail"]


def test_a_wrong_flag_is_the_senders_fault() -> None:
    """The record names it, also when nobody wrote one before the task was sent."""
    document = ended("two", image_dir="/nowhere/Roses", testing_percentage=0)

    assert (document["model"], document["filename"]) == ("roses", "Roses")
    assert "testing_percentage is 0" in document["error"]["detail"]


@pytest.mark.parametrize("flag", sorted(PLACES))
def test_a_message_does_not_say_where_a_worker_writes(flag: str, tmp_path: Path) -> None:
    """Whoever reaches the queue could lay files where they are run; nothing is made there."""
    place = tmp_path / "place"
    document = ended("five", image_dir=str(tmp_path), name="roses", **{flag: str(place)})

    assert f"{flag} is the training worker's to say" in document["error"]["detail"]
    assert not place.exists()


def test_every_place_is_looked_at() -> None:
    """A new field with a path is either read, or one of those that no message may have."""
    paths = {n for n, f in TrainingSettings.model_fields.items() if "Path" in str(f.annotation)}

    assert paths - {"image_dir", "backbone_weights", "foreign"} == PLACES


def test_a_revoked_training_does_not_start() -> None:
    """Its message may still be on the way."""
    training_jobs.claim("three", model="roses", pictures="Roses", retries=0)
    cancellation.cancel("three")

    assert ended("three", image_dir="/nowhere")["state"] == "REVOKED"


def test_a_run_goes_on_without_its_broker(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody hears how far it is, and that is all."""
    for name in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"):
        monkeypatch.setenv(name, f"redis://127.0.0.1:{free_port()}/0")
    lonely = Celery("lonely", set_as_current=False)
    lonely.conf.task_publish_retry = False
    lonely.conf.result_backend_transport_options = {"retry_policy": {"timeout": 0.5}}

    @lonely.task(bind=True)
    def task(self: object) -> None:
        """Do nothing."""

    task.push_request(id="four", hostname="here")

    training_tasks._Teller(task).event("phase started", {"phase": "Evaluating"})

    assert "progress not told" in caplog.text
