"""Both clients against a real service: every kind of picture, every ending, many pictures."""

import asyncio
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from petiole.client import (
    Client,
    NotFinishedError,
    RevokedError,
    UnknownTaskError,
)
from petiole.client.pictures import prepared
from tests.conftest import free_port, picture
from tests.test_client.conftest import Ask
from tests.test_end_to_end.conftest import RunningService, frozen_children

pytestmark = pytest.mark.end_to_end

COLOURS = ("red", "green", "blue")


@pytest.fixture
def red_file(tmp_path: Path) -> Path:
    """A red picture on disk, with a name that is no ASCII."""
    path = tmp_path / "röt.png"
    path.write_bytes(picture("red", kind="PNG"))
    return path


def red_in_every_form(path: Path) -> dict[str, object]:
    """Return the picture as everything that a client takes but an address."""
    with Image.open(path) as image:
        image.load()
    cmyk = image.convert("CMYK")
    pixels = np.asarray(image)
    return {
        "path": path,
        "str": str(path),
        "bytes": path.read_bytes(),
        "memoryview": memoryview(path.read_bytes()),
        "Pillow's image": image,
        "Pillow's image in CMYK": cmyk,
        "array": pixels,
        "array that is a view": pixels[::-2, ::3],
    }


def test_every_form_of_a_picture_is_classified_alike(ask: Ask, red_file: Path) -> None:
    """Encoding an image or an array loses nothing."""
    forms = red_in_every_form(red_file)
    best = {name: ask("classify", form).best for name, form in forms.items()}

    assert {prediction.label for prediction in best.values()} == {"red"}
    exact = [best[name].probability for name in best if "CMYK" not in name]
    assert len(set(exact)) == 1


def test_a_name_arrives_as_it_is(ask: Ask, red_file: Path) -> None:
    """With the options, and as a typed result."""
    task = ask("classify", red_file, top_k=2, model="colours@1")

    assert (task.filename, task.model, task.model_version) == ("röt.png", "colours", 1)
    assert (task.best.label, len(task.predictions)) == ("red", 2)
    assert task.timings_ms.total > 0


def test_a_grey_array_and_one_with_opacity_are_pictures(ask: Ask) -> None:
    """[H, W], [H, W, 1] and [H, W, 4] beside [H, W, 3]."""
    grey = np.full((20, 30), 90, np.uint8)
    blue = np.zeros((20, 30, 4), np.uint8)
    blue[..., 2:] = 255

    assert ask("classify", grey).best == ask("classify", grey[..., None]).best
    assert ask("classify", blue).best.label == "blue"


def test_an_image_that_lies_on_its_side_is_turned_before_it_is_sent(tmp_path: Path) -> None:
    """Its Exif says so, and the service would turn its file alike; the image stays as it is."""
    image, exif = Image.new("RGB", (60, 20), "red"), Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "sideways.jpg", exif=exif)
    with Image.open(tmp_path / "sideways.jpg") as opened:
        sent = prepared(opened)
        assert opened.getexif()[0x0112] == 6

    with Image.open(io.BytesIO(sent.image)) as upright:
        assert (upright.size, dict(upright.getexif())) == ((20, 60), {})


def test_an_address_is_fetched_by_the_service(ask: Ask, httpserver) -> None:
    """The picture does not pass through the client."""
    httpserver.expect_request("/green.png").respond_with_data(picture("green", kind="PNG"))

    assert ask("classify", httpserver.url_for("/green.png")).best.label == "green"


def test_a_task_is_submitted_asked_for_and_forgotten(ask: Ask) -> None:
    """What is forgotten once more stays so; what never was is an error."""
    accepted = ask("submit", picture("blue"))
    task = ask("result", accepted.task_id)
    ask("forget", accepted.task_id)
    ask("forget", accepted.task_id)

    assert (task.task_id, task.best.label) == (accepted.task_id, "blue")
    with pytest.raises(UnknownTaskError):
        ask("forget", "never-was")


def test_a_task_that_is_over_is_not_cancelled(ask: Ask) -> None:
    """And keeps its result."""
    task_id = ask("classify", picture()).task_id

    assert ask("cancel", task_id) is False
    assert ask("result", task_id, wait=0).task_id == task_id


def test_a_task_that_waits_is_cancelled(ask: Ask, service: RunningService) -> None:
    """Its result says so from then on."""
    with frozen_children(service):
        task_id = ask("submit", picture()).task_id
        cancelled = ask("cancel", task_id)

    assert cancelled is True
    with pytest.raises(RevokedError) as caught:
        ask("result", task_id)
    assert caught.value.task.task_id == task_id


def test_a_wait_that_is_over_says_how_far_the_task_is(ask: Ask, service: RunningService) -> None:
    """The task goes on, and its id leads to it."""
    with frozen_children(service), pytest.raises(NotFinishedError) as caught:
        ask("classify", picture("green"), wait=0.3)
    task = caught.value.task

    assert task.state in {"PENDING", "STARTED"}
    assert task.task_id in str(caught.value)
    assert ask("result", task.task_id).best.label == "green"


def test_a_deadline_that_passes_is_its_own_error(service: RunningService) -> None:
    """The service dropped the picture; nobody waits for it any more."""
    with Client(service.api) as client:
        with frozen_children(service):
            others = [client.submit(picture()).task_id for _ in range(4)]
            task_id = client.submit(picture(), deadline=0.5).task_id
            with pytest.raises(RevokedError) as caught:
                client.result(task_id)
        for each in others:
            client.forget(each)

    assert caught.value.task.reason == "deadline"


def test_order_is_kept_at_any_concurrency(ask: Ask, tmp_path: Path) -> None:
    """One that cannot be read and one that is no picture are outcomes like the others."""
    colours = [COLOURS[number % 3] for number in range(24)]
    pictures: list[object] = [picture(colour) for colour in colours]
    pictures[5], pictures[11] = tmp_path / "nowhere.jpg", b"no picture"
    outcomes = ask("map", pictures, concurrency=8)

    assert [outcome.index for outcome in outcomes] == list(range(24))
    assert [outcome.picture for outcome in outcomes] == pictures
    errors = {outcome.index: outcome.error.slug for outcome in outcomes if outcome.error}
    assert errors == {5: "unreadable-picture", 11: "not-an-image"}
    good = [outcome for outcome in outcomes if outcome.task]
    assert [each.classified().best.label for each in good] == [colours[g.index] for g in good]


def test_a_stream_gives_what_is_ready_first(
    ask: Ask, service: RunningService, tmp_path: Path
) -> None:
    """A picture that cannot even be read is ready before one that is classified."""
    outcomes = ask("stream", [picture(), tmp_path / "nowhere.jpg", picture()], concurrency=3)

    assert outcomes[0].index == 1
    assert {outcome.index for outcome in outcomes} == {0, 1, 2}


def test_many_pictures_are_classified_inside_a_running_loop(service: RunningService) -> None:
    """As in a notebook, which has one."""

    async def notebook() -> list[str]:
        with Client(service.api) as client:
            return [outcome.classified().best.label for outcome in client.map([picture()] * 3)]

    assert asyncio.run(notebook()) == ["red"] * 3


def test_the_same_key_is_the_same_task(ask: Ask) -> None:
    """Also for another client, later."""
    tasks = [ask("classify", picture(), idempotency_key=f"{ask!r}") for _ in range(2)]

    assert tasks[0] == tasks[1]


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would look for the service on a machine of its own."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")

    assert ask("classify", picture()).best.label == "red"


def test_a_key_is_sent_with_every_call(httpserver) -> None:
    """As a bearer token."""
    headers = {"Authorization": "Bearer secret"}
    httpserver.expect_request("/result/it", "DELETE", headers=headers).respond_with_data(status=204)
    with Client(httpserver.url_for(""), key="secret") as client:
        client.forget("it")

    httpserver.check_assertions()


def test_an_answer_is_explained(ask: Ask) -> None:
    """The best label, and another one of the same kept picture; the map is a PNG."""
    task = ask("classify", picture("red"), keep=True)
    best, blue = ask("explain", task.task_id), ask("explain", task.task_id, label="blue")
    image = ask("heat_map", blue, label="blue")
    ask("forget", task.task_id)

    assert (best.label, blue.label) == ("red", "blue")
    assert best.picture == task.task_id
    assert best.method in {"class activation", "occlusion"}
    assert Image.open(io.BytesIO(image)).format == "PNG"
