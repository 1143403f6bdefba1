"""`petiole demo`: it touches no other service, can be interrupted, and shows names as they are."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import psutil
import pytest
from rich.console import Console

from model_store.predictions import Prediction
from petiole import demo
from petiole.parts import plan
from petiole.settings import UpSettings
from tasks.documents import ClassifiedTask, Timings
from tests.conftest import ROOT
from tests.test_end_to_end.conftest import alive, wait_until

LEADING_ELSEWHERE = [
    "CELERY_BROKER_URL",
    "CELERY_BROKER_READ_URL",
    "CELERY_BROKER_WRITE_URL",
    "CELERY_RESULT_BACKEND",
    "REDIS_URL",
    "PETIOLE_TASKS_JOB_STORE_URL",
    "PETIOLE_TASKS_IMAGE_STORE_URL",
    "PETIOLE_API_HOST",
    "GUNICORN_CMD_ARGS",
    "FLOWER_ADDRESS",
    "FLOWER_URL_PREFIX",
    "PROMETHEUS_MULTIPROC_DIR",
]


@pytest.fixture
def own_environment() -> Iterator[None]:
    """Give the process its environment back in the end."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.usefixtures("own_environment")
def test_a_demo_knows_no_address_of_another_service(tmp_path: Path) -> None:
    """Nothing that the user's settings lead to is handed to the demo's parts."""
    os.environ |= dict.fromkeys(LEADING_ELSEWHERE, "elsewhere.example")
    demo._set_apart(tmp_path)
    planned = plan(UpSettings(), os.environ)
    seen = [planned.environment, *(part.environment for part in planned.parts)]

    assert "elsewhere.example" not in {value for each in seen for value in each.values()}
    assert planned.redis_url.startswith("redis://operator:")
    assert planned.redis_url.endswith(f"@127.0.0.1:{os.environ['PETIOLE_UP_REDIS_PORT']}/0")
    assert {part.name for part in planned.parts} >= {"redis", "flower"}


TIMINGS = Timings(queued=1.0, download=0.0, decode=2.0, predict=9.0, total=12.0)
RED = ClassifiedTask(
    *("id", "SUCCESS", "colours", 1, "openvino", "a.jpg"),
    predictions=(Prediction("red [bold]", 0, 0.5),),
    timings_ms=TIMINGS,
)


@pytest.mark.parametrize("outcome", [RED, "no [/] image"], ids=["good", "bad"])
def test_brackets_in_names_are_shown_as_they_are(outcome: demo.LabelsOrReason) -> None:
    """A file's name, a label and an error are text, whatever is in them."""
    screen = Console(width=120, record=True, file=StringIO())
    screen.print(demo._report(Path("a[bold].jpg"), outcome))
    shown = screen.export_text()

    assert "a[bold].jpg" in shown
    assert "red [bold]" in shown or "no [/] image" in shown


def opened_for_writing(pipe: Path) -> int:
    """Return a descriptor once somebody reads from a named pipe, else 0."""
    try:
        return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return 0


@pytest.fixture
def begun(environment: dict[str, str], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A demo that reads its only picture, which never comes to an end."""
    pipe = tmp_path / "picture.jpg"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "petiole", "demo", str(pipe)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log, stdout=log)
    writer = wait_until(lambda: opened_for_writing(pipe))
    yield process
    os.close(writer)
    process.terminate()
    process.wait(timeout=60)


@pytest.mark.end_to_end
def test_ctrl_c_ends_a_demo_amid_its_pictures(
    begun: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """The exit status says that it was interrupted, and nothing of it goes on running."""
    children = psutil.Process(begun.pid).children(recursive=True)
    begun.send_signal(signal.SIGINT)

    assert begun.wait(timeout=30) == 130
    assert (tmp_path / "log").read_text().endswith("petiole: interrupted\n")
    assert children
    assert alive(children) == []
