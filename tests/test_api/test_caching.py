"""The same picture again: what its client is told, and whom it is not for."""

import json
from dataclasses import replace
from io import BytesIO
from time import time

import pytest
from flask.testing import FlaskClient
from pytest_httpserver import HTTPServer
from werkzeug import Request
from werkzeug.test import TestResponse

from api import create_app
from tasks import answer_cache, once, same_picture, stores
from tasks.job_stores import Job
from tests.conftest import picture, stored_uploads
from tests.test_api.test_webhook_option import received, signing

__all__ = ["received", "signing"]

RED, GREEN = picture("red"), picture("green")


@pytest.fixture(autouse=True)
def on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache is on."""
    monkeypatch.setenv("PETIOLE_TASKS_CACHE_TTL_SECONDS", "60")
    once.begin_anew()


@pytest.fixture
def client(colour_store: str, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A client of a fresh API that gives answers again."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", colour_store)
    return create_app().test_client()


def send(client: FlaskClient, upload: bytes = RED, query: str = "wait=5", **headers: str):
    """POST a picture."""
    form = {"image": (BytesIO(upload), headers.pop("name", "a.jpg"))}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(f"/classify?{query}", data=form, headers=named)


def said(*responses: TestResponse) -> list[str | None]:
    """Return what each says of the cache."""
    return [response.headers.get("X-Cache") for response in responses]


def test_the_same_picture_is_answered_from_the_cache(client: FlaskClient) -> None:
    """With a task of its own, and what its own client called it."""
    first, second = send(client), send(client, name="b.jpg")

    assert (first.status_code, second.status_code) == (200, 200)
    assert said(first, second) == ["miss", "hit"]
    assert (first.headers.get("Age"), second.headers["Age"]) == (None, "0")
    own = {"task_id", "filename", "timings_ms"}
    assert first.json["task_id"] != second.json["task_id"]
    assert second.json["filename"] == "b.jpg"
    assert list(first.json) == list(second.json)
    assert {n: v for n, v in first.json.items() if n not in own} == {
        n: v for n, v in second.json.items() if n not in own
    }


def test_its_result_is_there_as_of_any_task(client: FlaskClient) -> None:
    """Also where nobody waited: it is accepted, and over at once."""
    send(client)
    accepted = send(client, query="top_k=5")
    result = client.get(accepted.json["result_url"])

    assert (accepted.status_code, said(accepted)) == (202, ["hit"])
    assert (accepted.json["state"], accepted.json["estimate_seconds"]) == ("PENDING", 0.0)
    assert (accepted.headers["Retry-After"], accepted.headers["Age"]) == ("0", "0")
    assert (result.status_code, result.json["state"]) == (200, "SUCCESS")
    assert result.json["predictions"][0]["label"] == "red"


def test_nothing_is_stored_for_a_hit(client: FlaskClient) -> None:
    """No upload is left, and no job is open."""
    send(client)
    send(client)

    assert stored_uploads() == 0
    assert stores.job_store().load().open_jobs == 0


@pytest.mark.parametrize(
    "other",
    [
        {"upload": GREEN},
        {"upload": RED + b"\0"},
        {"query": "wait=5&top_k=2"},
        {"query": "wait=5&min_probability=0.5"},
        {"query": "wait=5&unknown=ignore"},
        {"query": "wait=5&neighbours=1"},
    ],
)
def test_another_picture_or_option_is_predicted(client: FlaskClient, other: dict) -> None:
    """One byte is enough."""
    send(client)

    assert said(send(client, **other)) == ["miss"]


def test_options_that_change_no_answer_do_not_matter(client: FlaskClient) -> None:
    """Nor do aliases: what counts is the version that answers now."""
    send(client)
    others = [
        send(client, query=f"wait=5&{each}")
        for each in ("priority=low", "deadline=9", "model=colours@1", "model=colours@production")
    ]

    assert said(*others) == ["hit"] * 4


@pytest.mark.parametrize("directive", ["no-cache", "no-store", "max-age=0"])
def test_a_client_may_want_it_predicted_anew(client: FlaskClient, directive: str) -> None:
    """It says so as to any cache."""
    send(client)
    anew = send(client, Cache_Control=directive)

    assert said(anew, send(client, Cache_Control="max-age=60")) == ["miss", "hit"]
    assert anew.json["timings_ms"]["predict"] > 0


def test_a_picture_by_address_is_not_predicted_twice(
    client: FlaskClient, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its bytes are what counts, once they are there."""
    monkeypatch.setenv("PETIOLE_TASKS_DOWNLOAD_ALLOW_NETWORKS", "127.0.0.1/32,::1/128")
    once.begin_anew()
    httpserver.expect_request("/b.jpg").respond_with_data(RED, content_type="image/jpeg")
    first = send(client)
    second = client.post("/classify?wait=5", json={"image_url": httpserver.url_for("/b.jpg")})
    series = client.get("/metrics").text

    assert second.json["predictions"] == first.json["predictions"]
    assert (second.json["filename"], said(second)) == ("b.jpg", ["miss"])
    assert second.json["timings_ms"]["download"] > 0
    assert 'petiole_cache_total{outcome="follower"} 1.0' in series


def test_nobody_waits_for_long_for_what_another_one_predicts(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may never end; then the picture is predicted a second time."""
    monkeypatch.setattr(same_picture, "WAIT_SECONDS", 0.05)
    store, now = stores.job_store(), time()
    store.announce_ready("classify:elsewhere:1", "{}")
    endless = Job("0", "colours", 5, "a.jpg", now, now, version="colours@1", lane="classify")
    store.create(replace(endless, answer_key=answer_cache.key_of(RED, endless)))
    store.claim("0", stage="classify", owner="classify:elsewhere:1")
    answer = send(client)

    assert (answer.status_code, said(answer)) == (200, ["miss"])
    assert answer.json["timings_ms"]["predict"] > 0


def test_both_old_interfaces_use_it(client: FlaskClient) -> None:
    """Their answers look as they did."""
    form = [{"image": (BytesIO(RED), "a.jpg")} for _ in range(2)]
    first, second = (client.post("/predict", data=each) for each in form)

    assert said(first, second, send(client)) == ["miss", "hit", "hit"]
    assert first.json == second.json


def test_a_failure_is_tried_again(client: FlaskClient) -> None:
    """What could not be decoded is not remembered."""
    broken = picture(size=(300, 300))[:2000]

    assert said(send(client, broken), send(client, broken)) == ["miss", "miss"]


def test_a_deleted_result_is_not_given_again(client: FlaskClient) -> None:
    """Its client wants it forgotten."""
    first = send(client)
    client.delete(f"/result/{first.json['task_id']}")

    assert said(send(client)) == ["miss"]


def test_a_repeated_request_has_its_first_task(client: FlaskClient) -> None:
    """Its key stands for the job that was over at once."""
    send(client)
    once_, again = (send(client, Idempotency_Key="mine") for _ in range(2))

    assert once_.json == again.json
    assert send(client, GREEN, Idempotency_Key="mine").status_code == 422


def test_a_webhook_tells_of_a_hit(
    signing: FlaskClient, httpserver: HTTPServer, received: list[Request]
) -> None:
    """Once, with its own task."""
    send(signing)
    hit = send(signing, query=f"wait=5&webhook_url={httpserver.url_for('/told')}")

    assert said(hit) == ["hit"]
    assert [json.loads(each.data)["data"] for each in received] == [hit.json]


def test_hits_and_misses_are_counted(client: FlaskClient) -> None:
    """Beside the jobs that ended, which both are; only the predicted one had stages."""
    send(client)
    send(client)
    series = client.get("/metrics").text

    assert 'petiole_cache_total{outcome="hit"} 1.0' in series
    assert 'petiole_cache_total{outcome="miss"} 1.0' in series
    assert "petiole_cache_answers 1.0" in series
    assert 'petiole_jobs_total{error="",model="colours@1",state="SUCCESS"} 2.0' in series
    assert 'petiole_stage_seconds_count{model="colours@1",stage="predict"} 1.0' in series


def test_one_setting_switches_it_off(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then nobody hears of it either."""
    monkeypatch.setenv("PETIOLE_TASKS_CACHE_TTL_SECONDS", "0")
    once.begin_anew()

    assert said(send(client), send(client)) == [None, None]


def test_pages_of_other_origins_may_read_it(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And may say `Cache-Control`."""
    monkeypatch.setenv("PETIOLE_API_CORS_ORIGINS", "*")
    once.begin_anew()
    opened = create_app().test_client()
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    preflight = opened.options("/classify", headers=asked)

    exposed = preflight.headers["Access-Control-Expose-Headers"]
    assert {"X-Cache", "Age"} <= set(exposed.split(", "))
    assert "Cache-Control" in preflight.headers["Access-Control-Allow-Headers"]
