"""`POST /classify`: every way to send a picture, every option, every refusal."""

import base64
from io import BytesIO

import pytest
from flask.testing import FlaskClient

from tasks.settings import settings
from tests.conftest import picture


def send(client: FlaskClient, upload: bytes, query: str = "", **fields: str):
    """POST one picture as the multipart field `image`."""
    form = {"image": (BytesIO(upload), "photo.jpg"), **fields}
    return client.post(f"/classify{query}", data=form)


def test_a_picture_is_accepted_with_a_task_id(client: FlaskClient) -> None:
    """The answer is 202 with the id, the state and where to ask."""
    response = send(client, picture())

    task_id = response.json["task_id"]
    url = f"/result/{task_id}"
    assert response.status_code == 202
    body = {"task_id": task_id, "state": "PENDING", "result_url": url, "ahead": 0}
    assert response.json == {**body, "submitted_at": response.json["submitted_at"]}
    assert response.headers["Location"] == url
    assert int(response.headers["Retry-After"]) >= 1


def ways_to_send() -> list:
    """Return each documented way to send a green picture."""
    green = picture("green")
    text = base64.b64encode(green).decode()
    return [
        pytest.param({"data": {"image": (BytesIO(green), "a.jpg")}}, id="multipart"),
        pytest.param({"data": green, "content_type": "image/jpeg"}, id="raw"),
        pytest.param({"data": green, "content_type": "application/octet-stream"}, id="octets"),
        pytest.param({"json": {"image": text}}, id="base64"),
        pytest.param({"json": {"image": base64.encodebytes(green).decode()}}, id="base64 in lines"),
        pytest.param({"json": {"image": f"data:image/jpeg;base64,{text}"}}, id="data URL"),
        pytest.param({"json": {"image_url": f" data:image/jpeg;base64,{text}"}}, id="as address"),
    ]


@pytest.mark.parametrize("request_arguments", ways_to_send())
def test_every_way_to_send_a_picture_gives_its_label(
    client: FlaskClient, request_arguments: dict
) -> None:
    """Multipart, raw bytes, base64 and data URLs are the same picture."""
    response = client.post("/classify?wait=5", **request_arguments)

    assert response.status_code == 200
    assert response.json["predictions"][0]["label"] == "green"


@pytest.mark.parametrize(
    "place",
    [
        lambda client, upload: send(client, upload, "?top_k=2&wait=1"),
        lambda client, upload: send(client, upload, top_k="2", wait="1"),
        lambda client, upload: client.post(
            "/classify",
            json={"image": base64.b64encode(upload).decode(), "top_k": 2, "wait": 1},
        ),
    ],
    ids=["query", "form", "json"],
)
def test_options_may_stand_in_query_form_or_json(client: FlaskClient, place) -> None:
    """An option means the same wherever it stands."""
    response = place(client, picture())

    assert response.status_code == 200
    assert len(response.json["predictions"]) == 2


def test_prefer_wait_is_honoured_and_said(client: FlaskClient) -> None:
    """`Prefer: wait=N` waits like the option, and the answer says so (RFC 7240)."""
    form = {"image": (BytesIO(picture()), "a.jpg")}
    response = client.post("/classify", data=form, headers={"Prefer": "respond-async, wait=7"})

    assert response.status_code == 200
    assert response.headers["Preference-Applied"] == "wait=7"


@pytest.mark.parametrize(
    ("query", "prefer", "applied"),
    [
        ("", "respond-async", None),
        ("?wait=3", "respond-async", None),
        ("?wait=3", "wait=7", None),
        ("", "wait=700", "wait=30"),
        ("", "wait=0", None),
    ],
)
def test_only_an_honoured_preference_is_said(
    client: FlaskClient, query: str, prefer: str, applied: str | None
) -> None:
    """Not one that the query overrules, nor one that is something else than a wait."""
    form = {"image": (BytesIO(picture()), "a.jpg")}
    sent = client.post(f"/classify{query}", data=form, headers={"Prefer": prefer})
    asked = client.get(f"/result/{sent.json['task_id']}{query}", headers={"Prefer": prefer})

    assert [r.headers.get("Preference-Applied") for r in (sent, asked)] == [applied] * 2


def test_a_failure_that_was_waited_for_has_its_status(client: FlaskClient) -> None:
    """`curl -f` notices it; the resource itself is there, whatever it says."""
    cut_off = picture(size=(400, 300))[:700]
    sent = send(client, cut_off, "?wait=5")
    asked = client.get(sent.headers["Content-Location"])

    assert (sent.status_code, asked.status_code) == (422, 200)
    assert sent.json["error"]["status"] == 422
    assert sent.json == asked.json


def test_json_ends_with_a_newline(client: FlaskClient) -> None:
    """As a terminal expects it, whatever was asked."""
    sent = send(client, picture(), "?wait=5")
    others = [client.get(path) for path in ("/livez", "/readyz", "/models", "/openapi.json", "/no")]
    result = client.get(sent.headers["Content-Location"])
    answers = [sent, result, send(client, picture()), send(client, b"no"), *others]

    assert [answer.text[-2:] for answer in answers] == ["}\n"] * len(answers)


@pytest.mark.parametrize("reference", ["colours", "colours@1", "colours@production"])
def test_a_model_can_be_named_by_version_or_alias(client: FlaskClient, reference: str) -> None:
    """The result names the version that answered, whatever was asked for."""
    response = send(client, picture(), f"?wait=1&model={reference}")

    assert (response.json["model"], response.json["model_version"]) == ("colours", 1)


@pytest.mark.parametrize(
    ("query", "status", "slug", "said"),
    [
        ("?model=cats", 404, "unknown-model", "colours"),
        ("?model=colours@9", 404, "unknown-version", "1"),
        ("?model=colours@01", 422, "bad-model-reference", "leading zeros"),
        ("?model=a/b", 422, "bad-model-reference", "a/b"),
        ("?top_k=0", 422, "invalid-option", "top_k"),
        ("?wait=-1", 422, "invalid-option", "wait"),
        ("?wait=nan", 422, "invalid-option", "wait"),
        ("?wait=soon", 422, "invalid-option", "wait"),
    ],
)
def test_an_impossible_option_is_refused_with_its_name(
    client: FlaskClient, query: str, status: int, slug: str, said: str
) -> None:
    """A wrong option is a problem document that says what was wrong."""
    response = send(client, picture(), query)

    assert response.status_code == status
    assert response.mimetype == "application/problem+json"
    assert response.json["type"].endswith(f"#{slug}")
    assert said in response.json["detail"]


@pytest.mark.parametrize(
    ("arguments", "status", "slug"),
    [
        ({}, 400, "no-image"),
        ({"data": {"picture": (BytesIO(picture()), "a.jpg")}}, 400, "no-image"),
        ({"data": b"", "content_type": "image/png"}, 400, "no-image"),
        ({"data": b"{", "content_type": "application/json"}, 400, "malformed-request"),
        ({"json": ["image"]}, 400, "malformed-request"),
        ({"json": {"image": "%%%"}}, 400, "malformed-request"),
        ({"data": "[" * 200_000, "content_type": "application/json"}, 400, "malformed-request"),
        ({"json": {"image_url": "http://a.example/\ud800.jpg"}}, 422, "download-refused"),
        ({"json": {"image": "data:image/png,abc"}}, 400, "malformed-request"),
        ({"json": {"image": "aGk=", "image_url": "http://a.example/b"}}, 400, "no-image"),
        ({"json": {"image_url": 3}}, 400, "no-image"),
        ({"data": "x", "content_type": "text/plain"}, 415, "unsupported-media-type"),
        ({"data": b"<svg/>", "content_type": "image/svg+xml"}, 415, "not-an-image"),
        ({"json": {"image_url": "ftp://a.example/b.jpg"}}, 422, "download-refused"),
        ({"json": {"image_url": "http://u:p@a.example/b.jpg"}}, 422, "download-refused"),
        ({"json": {"image_url": "http://a.example/" + "b" * 3000}}, 422, "download-refused"),
    ],
)
def test_a_body_without_a_usable_picture_is_refused(
    client: FlaskClient, arguments: dict, status: int, slug: str
) -> None:
    """Each refusal has its own status and type, and no job is made."""
    response = client.post("/classify", **arguments)

    assert (response.status_code, response.mimetype) == (status, "application/problem+json")
    assert response.json["type"] == f"/problems#{slug}"


def test_an_upload_over_the_byte_limit_is_413(client: FlaskClient) -> None:
    """The limit is named, and the body is not read further than needed."""
    limit = settings().max_upload_bytes
    response = client.post("/classify", data=b"\xff" * (limit + 1), content_type="image/jpeg")

    assert response.status_code == 413
    assert str(limit) in response.json["detail"]


def test_a_body_over_every_limit_is_not_even_read(client: FlaskClient) -> None:
    """Content-Length alone is enough to refuse."""
    size = settings().max_upload_bytes * 2
    response = client.post("/classify", data=b"\xff" * size, content_type="image/jpeg")

    assert response.status_code == 413
    assert response.json["type"].endswith("#upload-too-large")


def test_too_many_pixels_are_refused_by_the_header(client: FlaskClient) -> None:
    """A small file that announces a huge picture never reaches a worker."""
    response = send(client, picture(size=(9000, 5000), kind="PNG"))

    assert response.status_code == 422
    assert response.json["type"].endswith("#too-many-pixels")


def test_a_client_path_is_cut_to_the_file_name(client: FlaskClient) -> None:
    """Folders of the client's machine are not stored."""
    form = {"image": (BytesIO(picture()), "pictures/rose.jpg")}
    response = client.post("/classify?wait=1", data=form)

    assert response.json["filename"] == "rose.jpg"
