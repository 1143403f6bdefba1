"""`/bulk` in eager mode: what is sent, and what comes of it."""

import csv
import io
import json
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient
from pytest_httpserver import HTTPServer

from tasks import once, stores
from tasks.bulk import life
from tests.conftest import picture, stored_uploads
from tests.test_bulk.conftest import lines_of, tarred, zipped

PICTURES = {"a/red.jpg": picture("red"), "bad.jpg": b"no", "blue.jpg": picture("blue")}
ENDS = [("a/red.jpg", "SUCCESS"), ("bad.jpg", "FAILURE"), ("blue.jpg", "SUCCESS")]


def names_and_states(lines: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return what became of each picture."""
    return [(line["name"], line["state"]) for line in lines]


def sent(client: FlaskClient, body: Any, content_type: str = "", **options: Any) -> str:
    """Send a bulk and return its id."""
    accepted = client.post("/bulk", data=body, content_type=content_type, query_string=options)
    assert accepted.status_code == 202, accepted.json
    return str(accepted.json["bulk_id"])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (zipped(PICTURES), "application/zip"),
        (zipped(PICTURES), "application/x-www-form-urlencoded"),
        (tarred(PICTURES, "w"), ""),
        (tarred(PICTURES, "w:gz"), "application/octet-stream"),
        (tarred(PICTURES, "w:xz"), "image/jpeg"),
    ],
    ids=["zip", "zip of curl", "tar", "tar.gz", "tar.xz"],
)
def test_each_picture_of_an_archive_has_its_line(
    client: FlaskClient, body: bytes, said: str
) -> None:
    """Whatever the archive is called; a bad picture fails alone."""
    bulk_id = sent(client, body, said, top_k=2)
    lines = lines_of(client, bulk_id)
    status = client.get(f"/bulk/{bulk_id}").json

    assert names_and_states(lines) == ENDS
    assert [line["number"] for line in lines] == [0, 1, 2]
    assert [len(lines[0]["predictions"]), lines[0]["predictions"][0]["label"]] == [2, "red"]
    assert lines[1]["error"]["type"] == "/problems#not-an-image"
    assert (status["state"], status["total"], status["done"], status["failed"]) == (
        "SUCCESS",
        3,
        3,
        1,
    )
    assert status["model"] == "colours@1"


def test_a_form_has_many_files_and_archives_among_them(client: FlaskClient) -> None:
    """Each part is a picture, or what is in it is."""
    form = {
        "image": [
            (io.BytesIO(picture("red")), "rosé.jpg"),
            (io.BytesIO(zipped({"b.jpg": picture("blue")})), "b.zip"),
            (io.BytesIO(tarred({"c.jpg": picture("green")}, "w")), "c.tar"),
            (io.BytesIO(b"no"), "bad.jpg"),
        ]
    }
    lines = lines_of(client, sent(client, form, "multipart/form-data"))

    assert names_and_states(lines) == [
        ("rosé.jpg", "SUCCESS"),
        ("b.jpg", "SUCCESS"),
        ("c.jpg", "SUCCESS"),
        ("bad.jpg", "FAILURE"),
    ]


@pytest.mark.parametrize("as_csv", [False, True])
def test_a_list_of_addresses_is_downloaded(
    client: FlaskClient, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, as_csv: bool
) -> None:
    """Addresses that may be asked; another one fails alone."""
    monkeypatch.setenv("PETIOLE_TASKS_DOWNLOAD_ALLOW_NETWORKS", "127.0.0.1/32")
    once.begin_anew()
    httpserver.expect_request("/red.jpg").respond_with_data(picture("red"))
    urls = [httpserver.url_for("/red.jpg"), httpserver.url_for("/no"), "ftp://example.org/a.jpg"]
    body = "\n".join(["image_url", *urls]) if as_csv else json.dumps(urls)
    kind = "text/csv" if as_csv else "application/json"
    lines = lines_of(client, sent(client, body, kind))

    assert [line["state"] for line in lines] == ["SUCCESS", "FAILURE", "FAILURE"]
    assert [line["error"]["type"] for line in lines[1:]] == [
        "/problems#download-status",
        "/problems#download-refused",
    ]


def test_a_place_in_a_bucket_is_read_where_it_is_allowed(
    client: FlaskClient, bucket_url: str, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All pictures below it, and nothing else."""
    monkeypatch.setenv("PETIOLE_TASKS_BULK_BUCKETS", bucket_url)
    once.begin_anew()
    place = f"{s3_endpoint}/{bucket_url.removeprefix('s3://')}"
    for name, content in {"x/a.jpg": picture("red"), "x/b.txt": b"no", "y.jpg": b""}.items():
        requests.put(f"{place}/{name}", data=content, timeout=10).raise_for_status()
    bulk_id = sent(client, json.dumps({"prefix": f"{bucket_url}/x"}), "application/json")
    refused = client.post("/bulk", json={"prefix": "s3://bucket/another"})

    assert names_and_states(lines_of(client, bulk_id)) == [
        ("a.jpg", "SUCCESS"),
        ("b.txt", "FAILURE"),
    ]
    assert (refused.status_code, refused.json["type"]) == (422, "/problems#bad-bulk")


@pytest.mark.parametrize(
    ("body", "content_type", "status", "slug"),
    [
        (b"", "application/zip", 400, "no-image"),
        (picture("red"), "image/jpeg", 415, "unsupported-media-type"),
        (b"text", "application/json", 415, "unsupported-media-type"),
        (b"{", "application/json", 400, "malformed-request"),
        (b"x", "multipart/form-data", 400, "malformed-request"),
        (bytes(5000), "application/zip", 413, "bulk-too-large"),
    ],
    ids=["nothing", "a picture", "a text", "half a JSON", "no boundary", "too large"],
)
def test_what_is_no_bulk_is_refused_at_once(
    client: FlaskClient,
    monkeypatch: pytest.MonkeyPatch,
    body: bytes,
    content_type: str,
    status: int,
    slug: str,
) -> None:
    """And nothing of it is left."""
    monkeypatch.setenv("PETIOLE_TASKS_BULK_MAX_BYTES", "4000")
    once.begin_anew()
    refused = client.post("/bulk", data=body, content_type=content_type)

    assert (refused.status_code, refused.json["type"]) == (status, f"/problems#{slug}")
    assert stored_uploads() == 0


@pytest.mark.parametrize(
    ("body", "content_type", "says"),
    [
        (zipped(PICTURES)[:-30], "", "directory"),
        (zipped({}), "", "no picture"),
        (tarred(PICTURES, "w:gz")[:100], "", "cannot be unpacked"),
        (b"[]", "", "no picture"),
        (b"[" * 70_000, "", "JSON"),
        (
            b"--x\r\nContent-Disposition: form-data; name=image; filename=a\r\n\r\n3",
            "multipart/form-data; boundary=x",
            "",
        ),
        (zipped({f"{i}.jpg": b"" for i in range(6)}), "", "more than 5 pictures"),
    ],
    ids=["cut zip", "no member", "cut tar", "no address", "no JSON", "half a form", "too many"],
)
def test_an_input_that_cannot_be_read_fails_its_bulk(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, body: bytes, content_type: str, says: str
) -> None:
    """With the reason, and without a line or a byte that is left."""
    monkeypatch.setenv("PETIOLE_TASKS_BULK_MAX_PICTURES", "5")
    once.begin_anew()
    bulk_id = sent(client, body, content_type)
    status = client.get(f"/bulk/{bulk_id}").json

    assert (status["state"], status["error"]["type"]) == ("FAILURE", "/problems#bad-bulk")
    assert says in status["error"]["detail"]
    assert lines_of(client, bulk_id) == []


def test_a_client_goes_on_after_any_line(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cursor is that of the last line that was read, in the middle of a pack or at its end."""
    monkeypatch.setenv("PETIOLE_TASKS_BULK_PACK_PICTURES", "2")
    once.begin_anew()
    bulk_id = sent(client, zipped({f"{i}.jpg": picture("red") for i in range(5)}))
    whole = lines_of(client, bulk_id)
    rest = [lines_of(client, bulk_id, cursor=line["cursor"]) for line in whole]

    assert [line["number"] for line in whole] == [0, 1, 2, 3, 4]
    assert rest == [whole[i + 1 :] for i in range(5)]
    assert client.get(f"/bulk/{bulk_id}/results?cursor=x").status_code == 422


def test_results_come_as_csv_too(client: FlaskClient) -> None:
    """In columns that the first line names; going on has no such line."""
    bulk_id = sent(client, zipped(PICTURES), top_k=2)
    response = client.get(f"/bulk/{bulk_id}/results?format=csv")
    first, second, third = csv.DictReader(io.StringIO(response.text))
    rest = client.get(f"/bulk/{bulk_id}/results?format=csv&cursor=0.2").text

    assert response.mimetype == "text/csv"
    assert (first["name"], first["label_1"], first["state"]) == ("a/red.jpg", "red", "SUCCESS")
    assert (second["error"], second["label_1"]) == ("not-an-image", "")
    assert (third["cursor"], float(third["probability_1"]) > 0.5) == ("0.3", True)
    assert [row[2] for row in csv.reader(io.StringIO(rest))] == ["blue.jpg"]


def test_nothing_but_results_is_left_of_a_bulk(client: FlaskClient) -> None:
    """And nothing at all once it is forgotten; while it is open, its body is wanted."""
    bulk_id = sent(client, tarred(PICTURES, "w:gz"))
    bulk = life.get(bulk_id)
    results = stores.bulks().entries(bulk_id, start=0, limit=9)
    images = stores.image_store()
    images.sweep(older_than_seconds=-60, is_wanted=life.is_wanted)

    assert not any(map(life.is_wanted, (bulk.body_key, bulk.body, "bulk-spool-x", "bulk-")))
    assert len(lines_of(client, bulk_id)) == 3
    assert life.is_wanted(results[0].key)
    assert client.delete(f"/bulk/{bulk_id}").status_code == 204
    assert stored_uploads() == 0
    assert client.get(f"/bulk/{bulk_id}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/results"),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("POST", "/cancel"),
        ("DELETE", ""),
    ],
)
def test_an_unknown_bulk_is_404(client: FlaskClient, method: str, path: str) -> None:
    """By whatever is asked for it."""
    answer = client.open(f"/bulk/nope{path}", method=method)

    assert (answer.status_code, answer.json["type"]) == (404, "/problems#unknown-bulk")


@pytest.mark.parametrize("verb", ["pause", "resume", "cancel"])
def test_what_is_over_cannot_be_changed(client: FlaskClient, verb: str) -> None:
    """It is 409, and its results stay."""
    bulk_id = sent(client, zipped(PICTURES))
    answer = client.post(f"/bulk/{bulk_id}/{verb}")

    assert (answer.status_code, answer.json["type"]) == (409, "/problems#bulk-over")
    assert len(lines_of(client, bulk_id)) == 3


def test_a_pack_is_not_cancelled_as_a_picture(client: FlaskClient) -> None:
    """Its id is no task of a client's."""
    bulk_id = sent(client, zipped(PICTURES))

    assert client.delete(f"/result/{bulk_id}-1").status_code == 404


def test_a_body_may_lie_in_a_bucket(
    client: FlaskClient, bucket_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read there slice by slice, and nothing is left of it."""
    monkeypatch.setenv("PETIOLE_TASKS_IMAGE_STORE_URL", bucket_url)
    once.begin_anew()
    bulk_id = sent(client, tarred(PICTURES, "w:gz"))

    assert names_and_states(lines_of(client, bulk_id)) == ENDS
    assert client.delete(f"/bulk/{bulk_id}").status_code == 204
    assert stored_uploads() == 0


def test_a_key_that_would_mean_nothing_is_refused(client: FlaskClient) -> None:
    """Whoever relies on it would have everything done twice."""
    headers = {"Idempotency-Key": "mine"}
    refused = client.post("/bulk", data=zipped(PICTURES), headers=headers)

    assert (refused.status_code, refused.json["type"]) == (422, "/problems#invalid-option")
