"""The task `classify_picture` in eager mode, as another program's own tests run it."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tasks import app, stores, submission
from tasks.errors import BadCallError, PictureTooLargeError, QueueFullError
from tasks.job_stores import STARTED
from tasks.submission import Asked
from tests.conftest import EAGER, ROOT, picture, stored_uploads

PAGE = (ROOT / "docs" / "celery.md").read_text()


@pytest.fixture(autouse=True)
def store(colour_store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model, and every task known."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", colour_store)
    app.loader.import_default_modules()


def answered(**named: Any) -> dict[str, Any]:
    """Return the document of a picture."""
    return app.signature("classify_picture", kwargs=named).apply_async().get()


def test_bytes_are_taken_as_they_are() -> None:
    """Kombu's JSON carries them; nothing of them stays stored."""
    document = answered(image=picture("blue"), min_probability=0.5, filename="a/b.jpg")

    assert [each["label"] for each in document["predictions"]] == ["blue"]
    assert document["filename"] == "b.jpg"
    assert stored_uploads() == 0


def test_a_picture_of_too_many_bytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever way it comes."""
    monkeypatch.setenv("PETIOLE_TASKS_MAX_UPLOAD_BYTES", "100")
    stores.image_store().put("sea", picture("blue"))

    with pytest.raises(PictureTooLargeError, match="the limit is 100 bytes"):
        answered(image=picture("blue"))
    with pytest.raises(PictureTooLargeError, match="the limit is 100 bytes"):
        answered(image_key="sea")


def test_a_full_service_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no worker that could take the message again."""
    monkeypatch.setenv("PETIOLE_TASKS_MAX_OPEN_BYTES", "1")

    with pytest.raises(QueueFullError):
        answered(image=picture("blue"))
    assert stored_uploads() == 0


@pytest.mark.parametrize("key", ["/etc/passwd", "a/../../b", ".."])
def test_a_key_stays_inside_the_image_store(key: str) -> None:
    """Whoever sends it."""
    with pytest.raises(BadCallError, match="leads out"):
        answered(image_key=key)


def test_a_second_copy_of_a_message_leaves_the_job_as_it_is() -> None:
    """Both may be taken at the same moment."""
    task_id, asked = str(uuid4()), Asked(model="colours", top_k=1)
    for _ in "ab":
        submission.submit_of_message(task_id, picture(), filename="a", asked=asked)
        job = stores.job_store().get(task_id) or pytest.fail("no job")
        if job.state != STARTED:
            stores.job_store().claim(task_id, stage="classify", owner="me")

    assert (job.state, job.fence) == (STARTED, 1)


def test_the_tests_on_the_page_pass(tmp_path: Path, colour_store: str) -> None:
    """In a process of their own, with the environment that the page sets."""
    blocks = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, re.DOTALL)
    for name, code in blocks:
        (tmp_path / name).write_text(code)
    (tmp_path / "sea.jpg").write_bytes(picture("blue"))
    own = {"PETIOLE_MODELS_STORE_URL": colour_store, "PETIOLE_MODELS_DEFAULT_MODEL": "colours"}
    environment = {"PATH": "/usr/bin", "PYTHONPATH": str(ROOT), **own}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_mine.py"]
    said = subprocess.check_output(command, cwd=tmp_path, env=environment, text=True)

    assert "1 passed" in said
    assert set(EAGER) - {"PETIOLE_MODELS_DEFAULT_MODEL"} <= set(re.findall(r'"(\w+)":', PAGE))
