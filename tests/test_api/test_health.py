"""Health, metrics, models, pages, and the shape of every error."""

import os
import re
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from tasks import once, stores, untold
from tasks.consumption import Notice
from tasks.job_stores import SUCCESS, Job, Outcome
from tasks.readiness import Announcement
from tests.conftest import picture


def test_livez_asks_nothing_else(client: FlaskClient) -> None:
    """It answers whatever the rest of the service does."""
    assert client.get("/livez").json == {"status": "alive", "process": os.getpid()}


def test_readyz_names_what_is_missing(client: FlaskClient) -> None:
    """Without a warm child the service is not ready, and says so with 503."""
    response = client.get("/readyz")

    assert (response.status_code, response.mimetype) == (503, "application/problem+json")
    assert "worker (no child has a warm model)" in response.json["detail"]
    assert response.json["checks"]["job store"] == "ok"


def test_readyz_says_why_a_child_cannot_serve(client: FlaskClient) -> None:
    """The reason that the worker announced reaches the operator."""
    announcement = Announcement("classify")
    announcement.not_ready("UnknownModelError: no model 'colours'")
    document = client.get("/readyz").json
    announcement.withdraw()

    assert "no model 'colours'" in document["detail"]
    assert [child["state"] for child in document["children"]] == ["not ready"]


def test_readyz_is_200_with_a_warm_child(client: FlaskClient) -> None:
    """One warm child is enough, and it is listed."""
    announcement, notice = Announcement("classify"), Notice()
    announcement.ready(models=("colours@1 on openvino",))
    notice.put(["classify"], reason=None)
    ready = client.get("/readyz")
    announcement.withdraw()

    assert (ready.status_code, ready.json["warnings"]) == (200, [])
    assert ready.json["children"][0]["models"] == ["colours@1 on openvino"]
    assert [each["consumes"] for each in ready.json["consumers"]] == [["classify"]]
    assert client.get("/readyz").status_code == 503


def test_readyz_warns_of_a_variant_that_is_not_fit_for_a_cpu(client: FlaskClient) -> None:
    """The service is ready, as another variant answers; the figures of both kinds are there."""
    announcement, notice = Announcement("classify"), Notice()
    announcement.ready(fit={"m@2 litert:int8": "it answers"}, unfit={"m@2 openvino:int8": "0.7"})
    notice.put(["classify"], reason=None)
    ready = client.get("/readyz")
    announcement.withdraw()

    said = "m@2 openvino:int8 is not fit for the CPU of 1 of 1 children: 0.7"
    assert (ready.status_code, ready.json["warnings"]) == (200, [said])
    assert ready.json["children"][0]["fit"] == {"m@2 litert:int8": "it answers"}


def test_readyz_needs_a_worker_that_takes_pictures(client: FlaskClient) -> None:
    """Warm children are of no use when their main process hands them nothing."""
    announcement, notice = Announcement("classify"), Notice()
    announcement.ready(models=("colours@1 on openvino",))
    notice.put(["downloads"], reason=None)
    silent = client.get("/readyz").json["checks"]["worker"]
    notice.put(["classify"], reason="the broker refuses writes")
    said = client.get("/readyz").json["checks"]["worker"]
    announcement.withdraw()

    assert silent == "no worker takes pictures"
    assert said == "no worker takes pictures: the broker refuses writes"


@pytest.mark.parametrize(
    ("late_seconds", "is_there", "said"),
    [
        (untold.NOBODY_SECONDS, False, "no worker takes downloads, so none is delivered"),
        (untold.NOBODY_SECONDS, True, ""),
        (untold.LATE_SECONDS, True, "the worker that takes downloads delivers them late"),
        (0.0, False, ""),
    ],
)
def test_readyz_warns_of_webhooks_that_nobody_delivers(
    client: FlaskClient, late_seconds: float, is_there: bool, said: str
) -> None:
    """With how many and for how long, once they wait longer than they should."""
    downloader = Announcement("downloads")
    if is_there:
        downloader.ready()
    url = "https://example.org/told"
    job = Job(str(uuid4()), "m", 1, "f", accepted_at=1.0, queued_since=1.0, webhook_url=url)
    stores.job_store().create(job)
    stores.job_store().finish(job.task_id, Outcome(SUCCESS, "{}", {}))
    (promise,) = stores.webhooks().take(1, seconds=1.0)
    stores.webhooks().put_back(promise, seconds=-late_seconds)
    warnings = client.get("/readyz").json["warnings"]
    downloader.withdraw()

    assert [said in each and "1 to be told" in each for each in warnings] == [True] * bool(said)


def test_metrics_count_jobs_and_requests(client: FlaskClient) -> None:
    """Ended jobs, stage times and requests are there in Prometheus' format."""
    client.post("/classify", data=picture(), content_type="image/jpeg")
    series = client.get("/metrics").get_data(as_text=True)

    assert 'petiole_jobs_total{error="",model="colours@1",state="SUCCESS"} 1.0' in series
    assert 'petiole_stage_seconds_count{model="colours@1",stage="predict"} 1.0' in series
    assert 'route="/classify",status="202"' in series
    assert 'petiole_children{queue="classify",state="ready"} 0.0' in series


def test_a_version_has_a_failure_rate(client: FlaskClient) -> None:
    """Successes and failures count under the same name, whatever the client called the model."""
    for upload in (picture(), picture(size=(400, 300))[:700]):
        for reference in ("colours", "colours@production"):
            client.post(f"/classify?model={reference}", data=upload, content_type="image/jpeg")
    series = client.get("/metrics").text

    error = 'error="truncated-image",model="colours@1",state="FAILURE"'
    assert 'petiole_jobs_total{error="",model="colours@1",state="SUCCESS"} 2.0' in series
    assert f"petiole_jobs_total{{{error}}} 2.0" in series


def test_invented_methods_make_no_new_series(client: FlaskClient) -> None:
    """A client cannot fill the memory with labels."""
    for i in range(3):
        client.open("/livez", method=f"INVENTED{i}")
    series = client.get("/metrics").get_data(as_text=True)

    assert "INVENTED" not in series
    assert 'method="other"' in series


def test_models_lists_versions_and_aliases(client: FlaskClient) -> None:
    """What can be asked for, with the default marked."""
    (model,) = client.get("/models").json["models"]

    assert (model["name"], model["default"], model["versions"]) == ("colours", True, [1])
    assert model["aliases"]["production"] == 1


@pytest.mark.parametrize("path", ["/", "/docs/", "/problems"])
def test_pages_need_nothing_from_outside(client: FlaskClient, path: str) -> None:
    """No address of another host is loaded: the pages work without internet."""
    page = client.get(path).get_data(as_text=True)

    assert not re.findall(r"(?:src|href)=[\"']?(?:https?:)?//(?!127\.0\.0\.1)", page)


def test_every_problem_type_has_a_row(client: FlaskClient) -> None:
    """The `type` of a problem document points to a place that exists."""
    slug = client.get("/result/nope").json["type"].partition("#")[2]

    assert f'id="{slug}"' in client.get("/problems").get_data(as_text=True)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("PUT", "/classify", 405), ("DELETE", "/livez", 405)],
)
def test_http_errors_are_problem_documents(
    client: FlaskClient, method: str, path: str, status: int
) -> None:
    """404 and 405 have the same shape as every other error."""
    response = client.open(path, method=method)

    assert (response.status_code, response.json["status"]) == (status, status)
    assert response.mimetype == "application/problem+json"
    assert ("Allow" in response.headers) == (status == 405)


def test_an_unforeseen_error_is_a_500_problem(client: FlaskClient) -> None:
    """It says nothing of the inside, and is not a page of HTML."""
    app = client.application
    app.view_functions["health.livez"] = lambda: 1 / 0
    response = client.get("/livez")

    assert (response.status_code, response.mimetype) == (500, "application/problem+json")
    assert "ZeroDivision" not in response.get_data(as_text=True)


def test_a_store_that_is_down_is_503(client: FlaskClient, monkeypatch) -> None:
    """With Retry-After and within seconds, for every route that needs the store."""
    monkeypatch.setenv("PETIOLE_TASKS_JOB_STORE_URL", "redis://127.0.0.1:1/0")
    once.begin_anew()
    responses = [
        client.get("/result/x"),
        client.get("/metrics"),
        client.get("/readyz"),
        client.post("/classify", data=picture(), content_type="image/jpeg"),
    ]

    assert [response.status_code for response in responses] == [503] * 4
    assert all("Retry-After" in response.headers for response in responses)
