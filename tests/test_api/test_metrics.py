"""Series of `/metrics`: their labels are bounded whatever clients send."""

import re
from itertools import pairwise
from pathlib import Path
from shutil import disk_usage
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from tasks import jobs, once, stores
from tasks.errors import PoisonedJobError
from tasks.job_stores import Job
from tests.conftest import picture

HOSTILE = ("invented", "a|b|c", 'q"uote', "new\nline", "x" * 2000, "\N{SNOWMAN}", "../../etc")


def series(client: FlaskClient) -> dict[tuple[str, ...], float]:
    """Return all samples: name, then labels in order of their names."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples]
    return {(s.name, *(f"{k}={v}" for k, v in sorted(s.labels.items()))): s.value for s in samples}


def send(client: FlaskClient, name: str) -> None:
    """Send what a client may invent, wherever it may invent something."""
    for query in ({"model": name}, {"priority": name}, {"top_k": name}, {name[:50]: "1"}):
        client.post("/classify", query_string=query, data=picture(), content_type="image/jpeg")
    client.post("/classify", data=name.encode(), content_type="text/" + re.sub(r"\W", "", name))
    client.open("/livez", method="X" + re.sub(r"\W", "", name).upper()[:20])
    for path in (f"/{name}", f"/result/{name}", f"/models/{name}", f"/bulk/{name}"):
        client.get(path)


def test_nothing_that_clients_invent_becomes_a_label(client: FlaskClient) -> None:
    """Once each kind of refusal was met, further names make no series."""
    series(client)
    for name in HOSTILE:
        send(client, name)
    before = set(series(client))
    for n in range(3):
        for name in HOSTILE:
            send(client, f"{name}{n}"[-2000:])
    after = set(series(client))

    assert after == before
    assert [key for key in after if any("invented" in part for part in key)] == []


def test_errors_are_of_a_known_kind(client: FlaskClient) -> None:
    """Whatever the text of an exception: an error is the last word of a problem's type."""
    for n in range(20):
        job = Job(str(uuid4()), f"m{n}", 1, "f", accepted_at=1.0, queued_since=1.0, lane="classify")
        stores.job_store().create(job)
        jobs.fail(job.task_id, RuntimeError(f"text {n}"))
    ended = [key for key in series(client) if key[0] == "petiole_jobs_total"]

    assert ended == [
        ("petiole_jobs_total", "error=internal-error", "model=unknown", "state=FAILURE")
    ]


def test_a_quarantine_is_counted_and_shown(client: FlaskClient) -> None:
    """The counter stays when somebody has looked at the picture."""
    job = Job(str(uuid4()), "m", 1, "f", accepted_at=1.0, queued_since=1.0, lane="classify")
    stores.job_store().create(job)
    jobs.fail(job.task_id, PoisonedJobError("lost its worker"))
    put = series(client)
    stores.quarantine().release(job.task_id)
    after = series(client)

    assert (put["petiole_quarantined_total",], put["petiole_quarantine_jobs",]) == (1.0, 1.0)
    assert (after["petiole_quarantined_total",], after["petiole_quarantine_jobs",]) == (1.0, 0.0)


def test_refusals_have_their_reason(client: FlaskClient) -> None:
    """With the route and the status."""
    client.post("/classify", data=b"no picture", content_type="image/jpeg")
    found = series(client)

    name = "petiole_refused_requests_total"
    assert found[name, "reason=not-an-image", "route=/classify", "status=415"] >= 1.0


def test_a_directory_that_is_yet_to_be_made_has_a_disk(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The first upload makes it."""
    monkeypatch.setenv("PETIOLE_TASKS_IMAGE_STORE_URL", str(tmp_path / "not" / "yet"))
    once.begin_anew()
    found = series(client)

    free, size = "petiole_image_store_free_bytes", "petiole_image_store_disk_bytes"
    assert 0 <= found[free,] <= found[size,] == disk_usage(tmp_path).total


def test_labels_count_answers(client: FlaskClient) -> None:
    """By the version that gave them."""
    for colour in ("red", "red", "blue"):
        client.post("/classify", data=picture(colour), content_type="image/jpeg")
    found = series(client)

    def of(label: str) -> float:
        return found["petiole_labels_total", f"label={label}", "model=colours@1"]

    assert (of("red"), of("blue")) == (2.0, 1.0)
    assert found["petiole_accepted_total", "entry=upload", "model=colours@1"] == 3.0


@pytest.mark.parametrize("stage", ["queued", "download", "decode", "predict", "total"])
def test_each_stage_has_buckets_from_a_millisecond_to_minutes(
    client: FlaskClient, stage: str
) -> None:
    """Each counts all times up to its limit."""
    client.post("/classify", data=picture(), content_type="image/jpeg")
    found = {
        float(dict(part.split("=") for part in key[1:])["le"]): n
        for key, n in series(client).items()
        if key[0] == "petiole_stage_seconds_bucket" and f"stage={stage}" in key
    }
    limits = sorted(found)

    assert (limits[0], limits[-2], limits[-1]) == (0.001, 300.0, float("inf"))
    assert [found[limit] for limit in limits] == sorted(found.values())
    assert found[limits[-1]] == 1.0
    assert max(b / a for a, b in pairwise(limits[:-1])) <= 3.0
