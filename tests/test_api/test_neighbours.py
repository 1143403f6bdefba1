"""Training pictures that look like the one that was sent: named in the answer, and shown."""

import json
from io import BytesIO

import pytest
from flask.testing import FlaskClient
from PIL import Image

from api import create_app
from petiole.client.answers import ClassifiedTask, Neighbour, task_of
from tasks import once, statistics, stores
from tests import doubting_model
from tests.conftest import picture
from tests.test_bulk.conftest import lines_of, zipped

GREEN = picture("#1edc1e")
PLACE = "/models/doubting/1/references"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a store with `doubting@1`, which shows its references, and @2, which does not."""
    directory = tmp_path_factory.mktemp("showing")
    doubting_model.publish_showing(directory)
    doubting_model.publish(directory)
    return str(directory)


@pytest.fixture
def client(store: str, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A client of an API with the model `doubting`."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", store)
    monkeypatch.setenv("PETIOLE_MODELS_DEFAULT_MODEL", "doubting@1")
    return create_app().test_client()


def _answer(client: FlaskClient, query: str, *, root: str = "", **headers: str) -> dict:
    form = {"image": (BytesIO(GREEN), "photo.jpg")}
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    response = client.post(
        f"/classify?wait=5&{query}",
        data=form,
        headers=sent,
        environ_overrides={"SCRIPT_NAME": root},
    )
    assert response.status_code == 200, response.text
    return dict(response.json)


def test_an_answer_names_what_the_picture_looks_like(client: FlaskClient) -> None:
    """The nearest first, with label, distance, name, and a picture to be looked at."""
    near = _answer(client, "neighbours=3")["neighbours"]

    assert {each["label"] for each in near} == {"green"}
    assert [each["distance"] for each in near] == sorted(each["distance"] for each in near)
    assert all(0 <= each["distance"] < 0.1 for each in near)
    assert [each["name"] for each in near] == [f"{each['number']}.jpg" for each in near]
    shown = client.get(near[0]["thumbnail_url"])
    red, green, blue = Image.open(BytesIO(shown.data)).getpixel((0, 0))
    assert green > max(red, blue)


def test_who_does_not_ask_hears_nothing_of_it(client: FlaskClient) -> None:
    """The document is as it was."""
    plain, none = _answer(client, ""), _answer(client, "neighbours=0")

    assert "neighbours" not in plain.keys() | none.keys()


def test_a_version_that_keeps_labels_alone_gives_those(client: FlaskClient) -> None:
    """With their distances, and neither names nor pictures."""
    near = _answer(client, "neighbours=10&model=doubting@2")["neighbours"]

    assert len(near) == 10
    assert {name for each in near for name in each} == {"number", "label", "distance"}
    refused = client.get("/models/doubting/2/references/0.jpg")
    assert refused.status_code == 404
    assert "keeps no pictures" in refused.json["detail"]


def test_the_answer_cache_tells_them_apart(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another number is another answer; the same one is given again, whole."""
    monkeypatch.setenv("PETIOLE_TASKS_CACHE_TTL_SECONDS", "60")
    once.begin_anew()
    answers = [_answer(client, query).get("neighbours") for query in ("", *["neighbours=2"] * 2)]

    assert answers[0] is None
    assert len(answers[1]) == 2
    assert answers[1] == answers[2]
    assert statistics.cache(stores.job_store().counts())[statistics.HIT] == 1


def test_a_key_stands_for_one_number(client: FlaskClient) -> None:
    """With another one it is another request."""
    _answer(client, "neighbours=2", Idempotency_Key="a")
    form = {"image": (BytesIO(GREEN), "photo.jpg")}
    headers = {"Idempotency-Key": "a"}
    again = client.post("/classify?wait=5&neighbours=2", data=form, headers=headers)
    form = {"image": (BytesIO(GREEN), "photo.jpg")}
    other = client.post("/classify?wait=5&neighbours=3", data=form, headers=headers)

    assert (again.status_code, other.status_code) == (200, 422)


def test_each_picture_of_a_bulk_has_its_own(client: FlaskClient) -> None:
    """Behind a proxy's path their addresses are below that."""
    pictures = {"red.jpg": picture("#dc1e1e"), "green.jpg": GREEN}
    bulk = client.post("/bulk?neighbours=2", data=zipped(pictures)).json["bulk_id"]
    lines = lines_of(client, bulk)
    below = client.get(f"/bulk/{bulk}/results", environ_overrides={"SCRIPT_NAME": "/pictures"})

    assert [[near["label"] for near in line["neighbours"]] for line in lines] == [
        ["red", "red"],
        ["green", "green"],
    ]
    first = json.loads(below.text.splitlines()[0])["neighbours"][0]
    assert first["thumbnail_url"].startswith(f"/pictures{PLACE}/")


def test_behind_a_proxy_addresses_are_below_its_path(client: FlaskClient) -> None:
    """As all others of a document."""
    near = _answer(client, "neighbours=1", root="/pictures")["neighbours"]

    assert near[0]["thumbnail_url"] == f"/pictures{PLACE}/{near[0]['number']}.jpg"


@pytest.mark.parametrize("number", ["-1", "11", "two"])
def test_impossible_numbers_are_refused(client: FlaskClient, number: str) -> None:
    """With what is possible."""
    form = {"image": (BytesIO(GREEN), "photo.jpg")}
    assert client.post(f"/classify?neighbours={number}", data=form).status_code == 422


def test_a_small_picture_is_kept_by_its_client(client: FlaskClient) -> None:
    """But by no cache between, as a service may want a key."""
    shown = client.get(f"{PLACE}/0.jpg")

    assert (shown.status_code, shown.mimetype) == (200, "image/jpeg")
    assert shown.headers["Cache-Control"] == "private, max-age=3600"
    assert client.get("/models/doubting/1/references/0.jpg?a=1").status_code == 422
    assert client.get(f"{PLACE}/60.jpg").status_code == 404


def test_the_python_client_has_them_as_types(client: FlaskClient) -> None:
    """And None where the service says nothing of them."""
    task, plain = task_of(_answer(client, "neighbours=1")), task_of(_answer(client, ""))

    assert isinstance(task, ClassifiedTask)
    assert isinstance(plain, ClassifiedTask)
    assert task.neighbours is not None
    assert isinstance(task.neighbours[0], Neighbour)
    assert (task.neighbours[0].label, plain.neighbours) == ("green", None)


def test_the_page_of_a_result_shows_them(client: FlaskClient) -> None:
    """Each with what it shows."""
    task = _answer(client, "neighbours=2")["task_id"]
    page = client.get(f"/result/{task}", headers={"Accept": "text/html"}).text

    assert "Looks like" in page
    assert page.count(f'src="{PLACE}/') == 2
