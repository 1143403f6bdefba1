"""Another Celery program sends pictures: each of its messages brings it the end of its job."""

import base64
import gc
import os
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
from celery import Celery, chain, chord, group
from celery.exceptions import TaskRevokedError
from celery.result import AsyncResult
from kombu import pools
from pytest_httpserver import HTTPServer

from petiole.parts import Part
from tasks.job_stores.measuring import STARTED_JOBS
from tests.conftest import ROOT, picture
from tests.test_end_to_end.conftest import wait_until
from tests.test_workers.conftest import Stage, worker

pytestmark = pytest.mark.end_to_end

PAGE = (ROOT / "docs" / "celery.md").read_text()
QUEUE = "theirs"
SECONDS = 40
SLOW = {"size": (6000, 6000), "kind": "PNG"}


def own_worker() -> Part:
    """Return a worker of the service that does everything, as programs without HTTP need it."""
    return worker("--concurrency", "2", queue="classify,downloads")


def their_worker() -> Part:
    """Return the worker of the other program, which is the one on the page."""
    program = (sys.executable, "-m", "celery", "-A", "theirs", "worker", "-P", "solo")
    return Part("theirs", (*program, "-Q", QUEUE, "-n", "theirs@%h", "-l", "INFO"), {})


def blocks(kind: str) -> list[str]:
    """Return the blocks of the page that are of one kind."""
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def process(stage: Stage) -> Iterator[psutil.Process]:
    """One worker of the service, and one of the other program, for all tests of this file."""
    (program,) = [block for block in blocks("python") if block.startswith("# theirs.py")]
    (stage.directory / "theirs.py").write_text(program)
    path = f"{ROOT}:{stage.directory}"
    with (
        stage.working(own_worker()) as process,
        stage.running(their_worker(), PYTHONPATH=path, **addresses(stage)),
    ):
        wait_until(lambda: "ready." in stage.log)
        yield process


@pytest.fixture(scope="module")
def program(stage: Stage, process: psutil.Process) -> Iterator[Celery]:
    """The other program, as it sends."""
    del process
    with pytest.MonkeyPatch.context() as patch:
        for name, url in addresses(stage).items():
            patch.setenv(name, url)
        patch.syspath_prepend(str(stage.directory))
        app = import_module("theirs").app
        yield app
        del sys.modules["theirs"]
        gc.collect()  # A result that goes later says so to a server that is gone.
        app.backend.result_consumer.stop()
        app.backend.client.close()
        pools.reset()


def addresses(stage: Stage) -> dict[str, str]:
    """Return the environment of another program."""
    names = ("REDIS_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND")
    return dict.fromkeys(names, stage.redis_url)


def image(colour: str = "red", **kind: Any) -> str:
    """Return a picture as JSON carries it."""
    return base64.b64encode(picture(colour, **kind)).decode()


def sent(program: Celery, *args: Any, **named: Any) -> AsyncResult:
    """Send one picture."""
    return program.send_task("classify_picture", args=args, kwargs=named)


def of(program: Celery, colour: str) -> Any:
    """Return the signature of one picture."""
    return program.signature("classify_picture", args=(image(colour),))


def worked_on(program: Celery) -> list[dict[str, Any]]:
    """Return the tasks that children have in hand."""
    said = program.control.inspect().active() or {}
    return [task for tasks in said.values() for task in tasks]


def their(program: Celery, name: str) -> Any:
    """Return the signature of one of the other program's own tasks, which names their queue."""
    return program.signature(f"theirs.{name}", options={"queue": QUEUE})


def test_a_picture_is_answered(stage: Stage, program: Celery) -> None:
    """Like one that came over HTTP, where it can be asked for as well."""
    result = sent(program, image("blue"), top_k=1, filename="folder/sea.jpg")
    document = result.get(timeout=SECONDS)

    assert document["predictions"][0]["label"] == "blue"
    assert (len(document["predictions"]), document["filename"]) == (1, "sea.jpg")
    assert stage.get(f"/result/{result.id}").json() == document


@pytest.mark.parametrize("key", ["shelf/sea", "sea"])
def test_a_picture_of_the_image_store_is_answered(stage: Stage, program: Celery, key: str) -> None:
    """It stays there, as it is its program's."""
    place = stage.directory / "uploads" / key
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(picture("blue"))
    document = sent(program, image_key=key).get(timeout=SECONDS)

    assert document["predictions"][0]["label"] == "blue"
    assert place.exists()


def test_a_picture_with_an_address_is_answered(
    stage: Stage, program: Celery, httpserver: HTTPServer
) -> None:
    """It is downloaded as one that came over HTTP; what is linked to it is called, too."""
    httpserver.expect_request("/sea.jpg").respond_with_data(picture("blue"))
    url = httpserver.url_for("/sea.jpg")
    plain = sent(program, image_url=url)
    linked = chain(
        program.signature("classify_picture", kwargs={"image_url": url}),
        their(program, "label"),
    ).apply_async()

    assert plain.get(timeout=SECONDS)["filename"] == "sea.jpg"
    assert linked.get(timeout=SECONDS) == "blue"


@pytest.mark.parametrize(
    ("named", "error", "said"),
    [
        ({}, "BadCallError", "give one of image"),
        ({"image": "no base64"}, "BadCallError", "not base64"),
        ({"image": "AAAA"}, "NotAnImageError", ""),
        ({"image": "AAAA", "image_key": "a"}, "BadCallError", "give one of image"),
        ({"image": "AAAA", "topk": 3}, "BadCallError", "topk: there is no such option"),
        ({"image": "AAAA", "top_k": 0}, "BadCallError", "top_k: "),
        ({"image": "AAAA", "model": "nothing"}, "UnknownModelError", "nothing"),
        ({"image_key": "nothing"}, "UploadMissingError", "gone"),
        ({"image_key": "../redis/x"}, "BadCallError", "image_key: "),
        ({"image_url": "file:///etc/passwd"}, "DownloadRefusedError", "use http or https"),
        ({"image_url": "http://10.0.0.1/a.jpg"}, "DownloadRefusedError", "public"),
    ],
)
def test_what_cannot_be_fails_at_once(
    program: Celery, named: dict[str, Any], error: str, said: str
) -> None:
    """With an exception of a type of its own, which JSON carries."""
    result = sent(program, **named)
    failure = result.get(timeout=SECONDS, propagate=False)

    assert (result.state, type(failure).__name__) == ("FAILURE", error)
    assert said in str(failure)


def test_an_id_that_is_no_uuid_is_refused(program: Celery) -> None:
    """It would become a key of the image store."""
    result = program.send_task("classify_picture", args=(image(),), task_id="../mine")

    with pytest.raises(Exception, match="is no UUID") as failure:
        result.get(timeout=SECONDS)
    assert type(failure.value).__name__ == "BadCallError"


def test_classify_with_an_id_of_no_record_fails_at_once(program: Celery) -> None:
    """Its caller does not wait for ever."""
    result = program.send_task("classify", args=(str(uuid4()),))

    with pytest.raises(Exception, match="there is no task") as failure:
        result.get(timeout=SECONDS)
    assert type(failure.value).__name__ == "UnknownJobError"


def test_classify_of_a_job_brings_its_end_under_another_id(stage: Stage, program: Celery) -> None:
    """Whether it waits still or is over; and when it failed."""
    (task_id,) = stage.accepted(1, picture("blue"))
    results = [program.send_task("classify", args=(task_id,)) for _ in range(2)]
    found = [each.get(timeout=SECONDS)["task_id"] for each in results]

    assert found == [task_id, task_id]


def test_a_chord_is_counted(program: Celery) -> None:
    """Of pictures that the service's children share; its body is the other program's."""
    colours = ["red", "lime", "blue"] * 4
    header = group(of(program, colour) for colour in colours)
    found = chord(header)(their(program, "labels")).get(timeout=SECONDS)

    assert found == ["red", "green", "blue"] * 4


def test_a_chord_with_a_picture_that_fails_fails(program: Celery) -> None:
    """As that picture did; its body is not called."""
    broken = program.signature("classify_picture", args=("AAAA",))
    result = chord([of(program, "red"), broken])(their(program, "labels"))

    with pytest.raises(Exception, match="is not a picture") as failure:
        result.get(timeout=SECONDS)
    assert type(failure.value).__name__ == "NotAnImageError"


def test_a_group_gives_each_its_own(program: Celery) -> None:
    """Those that failed are known."""
    broken = program.signature("classify_picture", args=("AAAA",))
    result = group([of(program, "red"), broken, of(program, "blue")]).apply_async()
    result.join(timeout=SECONDS, propagate=False)

    assert [each.state for each in result.results] == ["SUCCESS", "FAILURE", "SUCCESS"]


def test_links_are_called(stage: Stage, program: Celery) -> None:
    """With the document, or with the id of what failed."""
    linked = their(program, "label").set(task_id=str(uuid4()))
    of(program, "blue").apply_async(link=linked)
    noted = their(program, "note")
    failed = program.signature("classify_picture", args=("AAAA",)).apply_async(link_error=noted)

    assert AsyncResult(linked.id, app=program).get(timeout=SECONDS) == "blue"
    assert wait_until(lambda: failed.id in stage.log)


def test_a_message_that_comes_back_calls_its_links(program: Celery) -> None:
    """As after the loss of its worker, when another message ended its job meanwhile."""
    first = of(program, "blue").apply_async()
    first.get(timeout=SECONDS)
    linked = their(program, "label").set(task_id=str(uuid4()))
    of(program, "blue").apply_async(task_id=first.id, link=linked)

    assert AsyncResult(linked.id, app=program).get(timeout=SECONDS) == "blue"


def test_the_examples_on_the_page_do_what_it_says(
    stage: Stage, program: Celery, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Each prints what stands below it."""
    del program
    monkeypatch.chdir(stage.directory / "uploads")
    for name, colour in {"sea.jpg": "blue", "sea": "blue", "sun": "red"}.items():
        Path(name).write_bytes(picture(colour))
    for block in blocks("python"):
        if "from theirs import app" in block:
            exec(block, {})  # noqa: S102 - our own page

    assert capsys.readouterr().out == "".join(blocks("text"))


def test_a_lost_child_calls_no_link_before_its_time(
    stage: Stage, program: Celery, process: psutil.Process
) -> None:
    """The picture is classified by another child, and its chord is then counted."""
    slow = program.signature("classify_picture", args=(image("blue", **SLOW),))
    result = chord([slow, of(program, "red")])(their(program, "labels"))
    plain = sent(program, image("red", **SLOW))
    wait_until(lambda: stage.redis.zcard(STARTED_JOBS) >= 1)
    for child in process.children():
        child.kill()

    assert result.get(timeout=SECONDS) == ["blue", "red"]
    assert plain.get(timeout=SECONDS)["predictions"][0]["label"] == "red"


def test_a_child_that_is_lost_before_it_made_the_job_loses_no_picture(
    stage: Stage, program: Celery, process: psutil.Process
) -> None:
    """The message comes back; a pipe in the place of the picture held its child up."""
    place = stage.directory / "uploads" / "held"
    os.mkfifo(place)
    result = sent(program, image_key="held")
    (active,) = wait_until(lambda: worked_on(program))
    place.unlink()
    place.write_bytes(picture("blue"))
    psutil.Process(active["worker_pid"]).kill()

    assert result.get(timeout=SECONDS)["predictions"][0]["label"] == "blue"


def test_what_expired_is_revoked(stage: Stage, program: Celery, process: psutil.Process) -> None:
    """Its caller is told, and nothing of it is stored."""
    result = of(program, "red").apply_async(countdown=0.5, expires=0.1)

    with pytest.raises(TaskRevokedError):
        result.get(timeout=SECONDS)
    assert stage.get(f"/result/{result.id}").status_code == 404


def test_what_was_revoked_is_not_done(stage: Stage, program: Celery) -> None:
    """Before it was taken."""
    result = of(program, "red").apply_async(countdown=2)
    wait_until(lambda: program.control.inspect().scheduled())
    result.revoke()

    with pytest.raises(TaskRevokedError):
        result.get(timeout=SECONDS)
    assert stage.get(f"/result/{result.id}").status_code == 404


def test_a_lost_worker_loses_no_picture(
    stage: Stage, program: Celery, process: psutil.Process
) -> None:
    """The record that was made of it brings it to the next worker."""
    result = sent(program, image("blue", **SLOW))
    wait_until(lambda: stage.redis.zcard(STARTED_JOBS) >= 1)
    for each in [process, *process.children(recursive=True)]:
        each.kill()
    with stage.working(own_worker()):
        document = result.get(timeout=SECONDS)

    assert document["predictions"][0]["label"] == "blue"
