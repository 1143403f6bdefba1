"""A store that is away for a moment is no fault of the picture."""

import json
import os

import pytest

from tasks import submission, views
from tasks.documents import ClassifiedTask, FailedTask
from tasks.submission import Asked
from tests import colour_model
from tests.conftest import picture, stored_uploads
from tests.doorway import doorway

MORE_THAN_ONE_TRY_STANDS = 7
"""Connections: the model store gives up after three, and so does the task's first try."""
FOR_EVER = 10_000


def classified(*, closed_for: int, monkeypatch: pytest.MonkeyPatch) -> views.Answer:
    """Classify a picture while the bucket with the models is away for so many connections."""
    with doorway(os.environ["AWS_ENDPOINT_URL"], closed_for=closed_for) as door:
        monkeypatch.setenv("AWS_ENDPOINT_URL", door.address)
        submitted = submission.submit_upload(
            picture("green"), filename="a.jpg", asked=Asked("colours", top_k=1)
        )
        assert door.turned_away
    return views.view(submitted.task_id)


@pytest.fixture(autouse=True)
def models_in_a_bucket(bucket_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`colours@1` in a bucket, and nothing of it in this process yet."""
    colour_model.publish(bucket_url)
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", bucket_url)


def test_a_moment_without_the_model_store_fails_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task is tried again, with its picture, until the model can be loaded."""
    answer = classified(closed_for=MORE_THAN_ONE_TRY_STANDS, monkeypatch=monkeypatch)

    assert isinstance(answer.finished, ClassifiedTask), answer.document
    assert answer.finished.predictions[0].label == "green"
    assert stored_uploads() == 0


def test_a_store_that_stays_away_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the end the job fails with what is missing, and without places of the inside."""
    answer = classified(closed_for=FOR_EVER, monkeypatch=monkeypatch)

    assert isinstance(answer.finished, FailedTask)
    assert answer.finished.error.type == "/problems#service-unavailable"
    assert "127.0.0.1" not in json.dumps(answer.document)
