"""Why a picture was given its label, asked over HTTP; eager mode, a tiny real network."""

import json
from io import BytesIO
from time import time
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image

from tasks import once, stores
from tasks.bulk import untaken
from tasks.explaining import ends, records
from tasks.job_stores import EXPLANATION, SUCCESS, Job
from tests.conftest import picture, stored_uploads


def classified(client: FlaskClient, **options: Any) -> dict[str, Any]:
    """Send a red picture and return its finished document."""
    query = {"wait": 5, **options}
    response = client.post(
        "/classify", data=picture(), content_type="image/jpeg", query_string=query
    )
    assert response.status_code == 200, response.json
    found: dict[str, Any] = response.json
    return found


def problem_of(response: Any) -> tuple[int, str]:
    """Return the status and the slug of a problem."""
    return response.status_code, response.json["type"].partition("#")[2]


def test_an_explanation_comes_with_the_picture(client: FlaskClient) -> None:
    """The document has its address; it says how it was made and whether it explains."""
    found = classified(client, explain=True)
    explained = client.get(found["explanation_url"]).json

    assert found["explanation_url"] == f"/result/{found['task_id']}/explanation"
    assert (explained["state"], explained["label"]) == (SUCCESS, "red")
    assert explained["method"] == "occlusion"
    # One colour all over: no part of it matters more than another one.
    assert explained["explains"] is False
    assert explained["picture"] == found["task_id"]


def test_the_map_is_a_picture_and_an_array(client: FlaskClient) -> None:
    """Both are artifacts with addresses of their own."""
    explained = client.get(classified(client, explain=True)["explanation_url"]).json
    image, array = client.get(explained["image_url"]), client.get(explained["array_url"])

    assert (image.mimetype, Image.open(BytesIO(image.data)).format) == ("image/png", "PNG")
    assert np.load(BytesIO(array.data)).shape == (8, 8)


def test_who_asks_for_nothing_gets_and_leaves_nothing(client: FlaskClient) -> None:
    """No address, no picture that is kept, and 410 for who asks later."""
    found = classified(client)

    assert "explanation_url" not in found
    assert stored_uploads() == 0
    response = client.post(f"/result/{found['task_id']}/explanation")
    assert problem_of(response) == (410, "picture-not-kept")


def test_any_label_of_a_kept_picture_can_be_explained(client: FlaskClient) -> None:
    """`keep` alone makes nothing; asking twice makes one."""
    task_id = classified(client, keep=True)["task_id"]
    address = f"/result/{task_id}/explanation"
    assert problem_of(client.get(address)) == (404, "unknown-explanation")
    first = client.post(address, query_string={"label": "blue", "wait": 5}).json
    again = client.post(address, query_string={"label": "blue"}).json

    assert (first["label"], first["task_id"]) == ("blue", again["task_id"])
    assert client.get(first["image_url"]).status_code == 200
    assert problem_of(client.get(f"{address}.png")) == (404, "unknown-explanation")


def test_a_label_that_there_is_not_is_404(client: FlaskClient) -> None:
    """It names the version that lacks it."""
    task_id = classified(client, keep=True)["task_id"]
    response = client.post(f"/result/{task_id}/explanation", query_string={"label": "cat"})

    assert problem_of(response) == (404, "unknown-label")
    assert "colours@1" in response.json["detail"]


def test_a_picture_that_failed_has_nothing_to_explain(client: FlaskClient) -> None:
    """409, and its bytes are gone like any other's."""
    broken = picture(size=(640, 480))[:-2000]
    response = client.post(
        "/classify", data=broken, content_type="image/jpeg", query_string={"keep": True}
    )
    task_id = response.json["task_id"]

    assert problem_of(client.post(f"/result/{task_id}/explanation")) == (409, "unexplainable")
    assert stored_uploads() == 0


def test_an_unknown_task_is_404(client: FlaskClient) -> None:
    """As for its result."""
    for ask in (client.get, client.post):
        assert problem_of(ask("/result/nobody/explanation")) == (404, "unknown-task")


def test_deleting_a_result_deletes_what_was_made_of_it(client: FlaskClient) -> None:
    """Picture, maps and figures go with it, at once."""
    found = classified(client, explain=True)
    address = found["explanation_url"]
    assert client.delete(f"/result/{found['task_id']}").status_code == 204

    assert stored_uploads() == 0
    assert client.get(address).status_code == 410
    assert client.get(f"{address}.png").status_code == 410


def test_a_picture_is_kept_for_its_time_only(client: FlaskClient) -> None:
    """Then it is deleted, and no further label can be explained; what was made stays."""
    found = classified(client, explain=True)
    stores.keeping().keep(found["task_id"], seconds=-1, most=10)
    ends.drop_expired()

    response = client.post(found["explanation_url"], query_string={"label": "blue"})
    assert problem_of(response) == (410, "picture-not-kept")
    assert client.get(found["explanation_url"]).status_code == 200
    assert stored_uploads() == 2  # the map, as picture and array


def test_no_more_pictures_are_kept_than_the_bound(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks to keep one more is told to come later; others are served."""
    monkeypatch.setenv("PETIOLE_TASKS_KEEP_PICTURES_MOST", "1")
    once.begin_anew()
    classified(client, keep=True)
    response = client.post(
        "/classify", data=picture(), content_type="image/jpeg", query_string={"keep": True}
    )

    assert problem_of(response) == (503, "queue-full")
    assert classified(client)["state"] == SUCCESS
    assert stored_uploads() == 1


def test_an_operator_may_keep_every_picture(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far as there is room: who asked for nothing is never refused for that."""
    monkeypatch.setenv("PETIOLE_TASKS_KEEP_EVERY_PICTURE", "true")
    monkeypatch.setenv("PETIOLE_TASKS_KEEP_PICTURES_MOST", "1")
    once.begin_anew()
    kept, beyond = classified(client), classified(client)

    assert "explanation_url" not in kept
    assert client.post(f"/result/{kept['task_id']}/explanation").status_code == 200
    response = client.post(f"/result/{beyond['task_id']}/explanation")
    assert problem_of(response) == (410, "picture-not-kept")


def test_a_service_without_explanations_says_so(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its operator keeps no pictures: 422 for the option, 409 for who asks later."""
    monkeypatch.setenv("PETIOLE_TASKS_KEEP_PICTURES_SECONDS", "0")
    once.begin_anew()
    refused = client.post(
        "/classify", data=picture(), content_type="image/jpeg", query_string={"explain": True}
    )
    task_id = classified(client)["task_id"]

    assert problem_of(refused) == (422, "invalid-option")
    assert problem_of(client.post(f"/result/{task_id}/explanation")) == (409, "explanations-off")


def test_a_map_outlives_neither_its_figures_nor_a_crash(client: FlaskClient) -> None:
    """What the sweep finds is wanted as long as somebody can be told where it is."""
    found = classified(client, explain=True)
    explanation_id = records.id_of(found["task_id"])
    key = records.key_of(found["task_id"], explanation_id, "png")
    before = ends.is_wanted(key)
    stores.job_store().forget(explanation_id)

    assert before
    assert not ends.is_wanted(key)
    assert not ends.is_wanted(records.key_of("nobody", records.id_of("nobody"), "png"))


def test_explanations_that_nobody_takes_are_told(
    client: FlaskClient, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that was started for bulks alone, as before there were explanations."""
    monkeypatch.setenv("PETIOLE_TASKS_JOB_STORE_URL", redis_url)
    once.begin_anew()
    store = stores.job_store()
    lane = {"kind": EXPLANATION, "lane": "explain", "explains": "a"}
    store.create(Job("x", "colours", 1, "a.jpg", time(), time(), **lane))
    before = untaken.warnings()
    store.announce_ready("explain:here:1", json.dumps({"queue": "explain", "state": "ready"}))
    after = untaken.warnings()
    store.withdraw_ready("explain:here:1")
    store.discard("x")

    assert any("no worker takes explain" in sentence for sentence in before)
    assert not any("no worker takes explain" in sentence for sentence in after)


def test_a_picture_whose_answer_is_known_is_explained_too(client: FlaskClient) -> None:
    """It is not answered from the cache, where there would be no picture to explain."""
    classified(client, model="colours@1")
    found = classified(client, model="colours@1", explain=True)

    assert client.get(found["explanation_url"]).json["state"] == SUCCESS
    assert "explanation_url" not in classified(client, model="colours@1")
