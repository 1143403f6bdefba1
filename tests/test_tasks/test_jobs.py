"""Accepting a job is all or nothing, and every error has its problem."""

import inspect
from time import time
from types import SimpleNamespace

import pytest
from celery.exceptions import Ignore, SoftTimeLimitExceeded

import model_store.errors
import tasks.errors
from model_store.errors import StoreUnavailableError
from tasks import (
    classify,
    holding,
    jobs,
    problems,
    publisher,
    statistics,
    stores,
    submission,
    views,
    working,
)
from tasks.documents import ClassifiedTask, Timings
from tasks.errors import PictureTimeLimitError, ServiceUnavailableError, UploadMissingError
from tasks.job_stores import Job, Outcome
from tasks.settings import settings
from tasks.submission import Asked
from tests.conftest import free_port, picture, stored_uploads


def test_a_job_that_cannot_be_published_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker is down: an error, no record, no upload."""
    monkeypatch.setenv("CELERY_BROKER_URL", f"redis://127.0.0.1:{free_port()}/0")
    monkeypatch.setitem(publisher.worker_app.conf, "task_always_eager", False)
    with pytest.raises(ServiceUnavailableError, match="broker"):
        submission.submit_upload(picture(), filename="a.jpg", asked=Asked("colours", top_k=5))

    assert stores.job_store()._jobs == {}
    assert stored_uploads() == 0


def record(task_id: str, *, seconds_ago: float = 0.0) -> None:
    """Write the record of a job whose message waits."""
    accepted_at = time() - seconds_ago
    job = Job(task_id, "colours", 1, "a.jpg", accepted_at=accepted_at, queued_since=accepted_at)
    stores.job_store().create(job)


def test_time_spent_on_waiting_for_a_store_is_not_the_pictures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The soft time limit met it outside of decoding and predicting: it is tried again."""
    monkeypatch.setitem(publisher.worker_app.conf, "task_always_eager", False)
    record("id")
    with pytest.raises(Ignore), working.work_on("id", stage="classify", queue="classify"):
        raise SoftTimeLimitExceeded
    job = stores.job_store().get("id")

    assert (job.state, job.attempts, job.postponed) == ("RETRY", 0, 1)


def test_a_job_is_not_put_off_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that stays away is told to its client in the end."""
    monkeypatch.setitem(publisher.worker_app.conf, "task_always_eager", False)
    record("id", seconds_ago=settings().give_up_seconds + 1)
    with pytest.raises(Ignore), working.work_on("id", stage="classify", queue="classify"):
        raise ServiceUnavailableError("the image store is away")

    assert views.view("id").finished.error.type == "/problems#service-unavailable"


def test_a_download_that_comes_too_late_leaves_no_picture() -> None:
    """Another one of the same picture was quicker, or its client has cancelled it."""
    record("id")
    job = stores.job_store().get("id")
    stores.job_store().finish("id", Outcome("SUCCESS", "{}", {}))
    jobs.requeue_downloaded(job, picture(), download_ms=1.0)

    assert stored_uploads() == 0


class SlowModel:
    """Still decodes its picture when the soft time limit comes."""

    card = SimpleNamespace(ref="colours@1")

    def prepared(self, upload: bytes, *, max_pixels: int, show_cut_off: bool) -> None:
        """Raise what Celery raises then."""
        raise SoftTimeLimitExceeded


def test_time_spent_on_a_picture_is_the_pictures() -> None:
    """It would take as long the next time."""
    record("id")
    with (
        pytest.raises(PictureTimeLimitError),
        working.work_on("id", stage="classify", queue="classify") as job,
    ):
        classify._classified_or_failed(job, b"", SlowModel())

    assert views.view("id").finished.error.type == "/problems#time-limit"


@pytest.mark.parametrize("module", [tasks.errors, model_store.errors], ids=["tasks", "model_store"])
def test_every_error_has_a_problem(module) -> None:
    """No error that a client can meet falls through to `internal-error` unnoticed."""
    roots = {"TasksError", "JobError", "ModelStoreError"}
    roots |= {"UnknownInstallerError", "ImportOptionError", "CalibrationError"}  # the CLI's
    roots |= {"VersionInUseError", "WeightsUnavailableError"}
    kinds = [kind for _, kind in inspect.getmembers(module, inspect.isclass)]
    missing = {k.__name__ for k in kinds if problems.of(k("x")) is problems.INTERNAL} - roots

    assert missing == set()


@pytest.mark.parametrize("kind", [OSError, StoreUnavailableError])
def test_places_of_the_inside_do_not_reach_the_client(kind: type[Exception]) -> None:
    """Paths and addresses are for the log."""
    detail = problems.detail_of(kind("the model store cannot be used at /secret/place"))

    assert "secret" not in detail


def test_statistics_come_back_as_they_were_counted() -> None:
    """Buckets, sums and ends survive the names they are stored under."""
    timings = Timings(queued=30.0, download=30.0, decode=30.0, predict=30.0, total=400_000.0)
    document = ClassifiedTask("id", "SUCCESS", "m", 2, "openvino", "a.jpg", (), timings)
    counts = {**statistics.of_success(document), **statistics.details_of(document).plain}
    totals = statistics.totals(counts)

    assert totals.ended == {("SUCCESS", "m@2", ""): 1}
    assert totals.stages["m@2", "decode"].buckets == {"0.05": 1}
    assert totals.stages["m@2", "total"].buckets == {"+Inf": 1}
    assert totals.stages["m@2", "queued"].sum_seconds == pytest.approx(0.03)


def test_a_lost_process_leaves_no_picture_that_it_had_ended() -> None:
    """It may die between the end of a job and the deletion, with the next one already started."""
    store, images = stores.job_store(), stores.image_store()
    for task_id, before in {"ended": "", "next": "ended"}.items():
        store.create(Job(task_id, "colours", 1, "a.jpg", time(), time(), before=before))
        images.put(task_id, picture())
        store.claim(task_id, stage="classify", owner="gone")
    store.finish("ended", Outcome("SUCCESS", "{}", {}))
    with working.work_on("next", stage="classify", queue="classify"):
        pass
    holding.release("next")

    assert images.get("next")
    with pytest.raises(UploadMissingError):
        images.get("ended")
