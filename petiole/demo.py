"""`petiole demo`: the whole service for a moment, a few pictures through it, their labels.

It runs beside a started service: free ports and a state directory of its own, only the
model store is shared.
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from threading import Thread

import requests
from rich.console import Console as RichConsole
from rich.markup import escape
from rich.table import Table

from model_store.errors import ImageError
from model_store.pictures import headers
from petiole import planning, probes, service
from petiole.console import SAMPLE, next_step, why_no_file
from petiole.settings import UpSettings
from petiole.supervisor import Console
from tasks import documents
from tasks.documents import ClassifiedTask, FailedTask
from tasks.settings import TasksSettings

WAIT_SECONDS = 30
BAR_WIDTH = 24
ELSEWHERE = {
    "REDIS_URL",
    "PETIOLE_TASKS_JOB_STORE_URL",
    "PETIOLE_TASKS_IMAGE_STORE_URL",
    "PETIOLE_API_HOST",
    "PETIOLE_API_REQUIRE_KEYS",
    "PETIOLE_API_FLOWER_URL",
    "PROMETHEUS_MULTIPROC_DIR",
}
ELSEWHERE_PREFIXES = ("CELERY_", "FLOWER_", "GUNICORN_")

LabelsOrReason = ClassifiedTask | str
"""What became of one picture: its labels, or why there are none."""


def unusable(images: Sequence[str]) -> list[str]:
    """Return a sentence for each picture that cannot be read, before anything is started."""
    return [f"{image} {reason}" for image in images if (reason := _why_unreadable(image))]


def _why_unreadable(image: str) -> str:
    if reason := why_no_file(image, command="demo"):
        return reason
    path = Path(image)
    if not path.exists():
        return "does not exist"
    if path.is_dir():
        return "is a folder; name the pictures in it"
    if not os.access(path, os.R_OK):
        return "may not be read"
    return _why_no_picture(path) if path.is_file() else ""


def _why_no_picture(path: Path) -> str:
    """Return what the service would say against a file; of a pipe it cannot be known."""
    limits = TasksSettings()
    if path.stat().st_size > limits.max_upload_bytes:
        most = f"{limits.max_upload_bytes} bytes (PETIOLE_TASKS_MAX_UPLOAD_BYTES)"
        return f"has {path.stat().st_size} bytes; the limit is {most}"
    try:
        headers.read_header(path.read_bytes(), limits.max_pixels)
    except ImageError as exc:
        return f"cannot be classified: {exc}"
    return ""


def run(images: Sequence[str], *, verbose: bool = False) -> bool:
    """Classify the pictures, print each one's labels; returns whether all succeeded.

    Raises:
        StartError: the service cannot be started; says why.
    """
    pictures = [Path(image) for image in images] or [SAMPLE]
    with tempfile.TemporaryDirectory(prefix="petiole-demo-") as directory:
        _set_apart(Path(directory))
        outcomes = _classify_all(pictures, verbose=verbose)
    screen = RichConsole()
    for picture, outcome in zip(pictures, outcomes, strict=True):
        screen.print(_report(picture, outcome))
    next_step("to keep the service running", "up")
    return all(isinstance(outcome, ClassifiedTask) for outcome in outcomes)


def _set_apart(directory: Path) -> None:
    """Point the settings to free ports and to `directory`, but to the same models.

    Whatever could lead to another service, or show this one to others, is forgotten.
    """
    for name in list(os.environ):
        if name in ELSEWHERE or name.startswith(ELSEWHERE_PREFIXES):
            del os.environ[name]
    os.environ |= {
        "PETIOLE_UP_STATE_DIRECTORY": str(directory),
        "PETIOLE_UP_REDIS_PORT": str(probes.free_port()),
        "PETIOLE_API_PORT": str(probes.free_port()),
        "FLOWER_PORT": str(probes.free_port()),
    }


def _classify_all(pictures: Sequence[Path], *, verbose: bool) -> list[LabelsOrReason]:
    up = UpSettings()
    plan = planning.planned(up)
    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        RichConsole(stderr=True).status("starting the service"),
    ):
        console = Console((p.name for p in plan.parts), sys.stderr if verbose else nowhere)
        with service.started(plan, up, console) as running:
            return [_classify_beside(running, picture) for picture in pictures]


def _classify_beside(running: service.Service, picture: Path) -> LabelsOrReason:
    """Classify in a thread, so that the parts are looked after and Ctrl-C is heard.

    Raises:
        StartInterruptedError: the user interrupted; the service's end ends the thread.
    """
    outcomes: list[LabelsOrReason] = []
    api_url = running.plan.api_url
    thread = Thread(target=lambda: outcomes.append(_classify(api_url, picture)), daemon=True)
    thread.start()
    while thread.is_alive():
        running.check_interrupted()
        running.tick()
    running.check_interrupted()
    return outcomes[0]


def _classify(api_url: str, picture: Path) -> LabelsOrReason:
    """Return the finished document, or why there is none."""
    try:
        with picture.open("rb") as stream:
            response = requests.post(
                f"{api_url}/classify",
                params={"wait": str(WAIT_SECONDS)},
                files={"image": stream},
                timeout=WAIT_SECONDS + probes.HTTP_SECONDS,
            )
    except OSError as exc:
        return str(exc)
    if response.status_code == requests.codes.accepted:
        return f"not finished within {WAIT_SECONDS} s"
    if "state" not in (refusal := response.json()):
        return str(refusal["detail"])
    match documents.finished(response.text):
        case ClassifiedTask() as classified:
            return classified
        case FailedTask(error=error):
            return error.detail
    return "it was revoked"


def _report(picture: Path, outcome: LabelsOrReason) -> Table | str:
    if isinstance(outcome, str):
        return f"[bold red]{escape(picture.name)}[/]: {escape(outcome)}\n"
    caption = (
        f"{outcome.model}@{outcome.model_version} on {outcome.runtime},"
        f" {outcome.timings_ms.total:.0f} ms from upload to answer"
    )
    name = escape(picture.name)
    table = Table("label", "probability", "", title=name, caption=escape(caption), box=None)
    for prediction in outcome.predictions:
        share = prediction.probability
        table.add_row(escape(prediction.label), f"{share:.1%}", "█" * round(share * BAR_WIDTH))
    return table
