"""Bodies as clients really write them: the right answer, or an error that names the cause."""

import base64
from urllib.parse import quote, urlencode

import pytest
from flask.testing import FlaskClient

from api import forms
from tasks import stores
from tests.conftest import picture

GREEN = picture("green")
TEXT = base64.b64encode(GREEN).decode()
SAFE = base64.urlsafe_b64encode(GREEN).decode()
URL_ENCODED = "application/x-www-form-urlencoded"
BOUNDARY = "----Boundary7MA4"

Arguments = dict[str, object]


def part(head: bytes, content: bytes = GREEN) -> bytes:
    """Return one part of a form, with its header as it is given."""
    return b"--" + BOUNDARY.encode() + b"\r\n" + head + b"\r\n\r\n" + content + b"\r\n"


def named(name: str, content: bytes, *, filename: bytes | None = None) -> bytes:
    """Return one part with the usual header."""
    head = b'Content-Disposition: form-data; name="' + name.encode() + b'"'
    return part(head if filename is None else head + b'; filename="' + filename + b'"', content)


def form(*parts: bytes, end: bytes = b"--\r\n", boundary: str = BOUNDARY) -> Arguments:
    """Return a request with a form."""
    kind = "multipart/form-data" + (f"; boundary={boundary}" if boundary else "")
    return {"data": b"".join(parts) + b"--" + BOUNDARY.encode() + end, "content_type": kind}


FILE = named("image", GREEN, filename=b"a.jpg")

RIGHT = {
    "a file name in Latin-1": form(named("image", GREEN, filename=b"caf\xe9.jpg")),
    "a file name in Shift JIS": form(named("image", GREEN, filename=b"\x89\xd4.jpg")),
    "lines that end in LF": form(FILE.replace(b"\r\n", b"\n", 3)),
    "no end": form(FILE, end=b"--"),
    "base64 in a form": form(named("image", TEXT.encode())),
    "base64, URL-encoded": {"data": urlencode({"image": TEXT}), "content_type": URL_ENCODED},
    "a plus sign as it is": {"data": f"image={TEXT}", "content_type": URL_ENCODED},
    "a data: URL, URL-encoded": {
        "data": urlencode({"image": f"data:image/jpeg;base64,{TEXT}"}),
        "content_type": URL_ENCODED,
    },
    "JSON that curl calls a form": {"data": f' {{"image": "{TEXT}"}}', "content_type": URL_ENCODED},
    "text/json": {"data": f'{{"image": "{TEXT}"}}', "content_type": "text/json"},
    "application/vnd.api+json": {
        "data": f'{{"image": "{TEXT}"}}',
        "content_type": "application/vnd.api+json",
    },
    "a picture that curl calls a form": {"data": GREEN, "content_type": URL_ENCODED},
    "a picture of no type": {"data": GREEN},
    "image/jpg": {"data": GREEN, "content_type": "image/jpg"},
    "binary/octet-stream": {"data": GREEN, "content_type": "binary/octet-stream"},
    "a picture that is called text": {"data": GREEN, "content_type": "text/plain"},
    "base64 for URLs": {"json": {"image": SAFE}},
    "base64 without padding": {"json": {"image": SAFE.rstrip("=")}},
    "base64 with percent signs": {"json": {"image": quote(TEXT, safe="")}},
    "base64 in lines": {
        "json": {"image": "\r\n ".join(TEXT[i : i + 76] for i in range(0, len(TEXT), 76))}
    },
    "DATA:": {"json": {"image": f" DATA:image/jpeg;charset=utf-8;BASE64,{TEXT}"}},
}


@pytest.mark.parametrize("arguments", RIGHT.values(), ids=RIGHT.keys())
def test_a_right_picture_gets_its_label_however_it_is_sent(
    client: FlaskClient, arguments: Arguments
) -> None:
    """Nobody chooses what a client library writes."""
    response = client.post("/classify?wait=5", **arguments)

    assert response.status_code == 200, response.json
    assert response.json["predictions"][0]["label"] == "green"


LONG = named("notes", b"x" * 600_000)
MANY = [named(f"field{i}", b"1") for i in range(1100)]

WRONG = {
    "no boundary": (form(FILE, boundary=""), 400, "malformed-request", "without its boundary"),
    "another boundary": (
        *(form(FILE, boundary="other"), 400, "malformed-request"),
        "the form breaks off or cannot be read",
    ),
    "another boundary, much": (
        *(form(named("image", b"x" * 600_000, filename=b"a"), boundary="other"), 400),
        *("malformed-request", "does not begin with its boundary"),
    ),
    "an endless header": (
        *(form(part(b"X: " + b"y" * 600_000)), 400, "malformed-request"),
        "part 1 has a header of more than 262144 bytes",
    ),
    "broken off": (form(FILE, end=b""), 400, "malformed-request", "the form breaks off"),
    "a long text": (form(FILE, LONG), 422, "invalid-option", "notes: the text has more than 16384"),
    "a long text first": (form(LONG, FILE), 422, "invalid-option", "notes: the text has more than"),
    "1,100 fields": (form(*MANY, FILE), 400, "malformed-request", "has more than 100 fields"),
    "1,100 fields, URL-encoded": (
        *({"data": urlencode({f"f{i}": i for i in range(1100)}), "content_type": URL_ENCODED}, 400),
        *("malformed-request", "has more than 100 fields"),
    ),
    "a long text, URL-encoded": (
        *({"data": urlencode({"notes": "x" * 20_000}), "content_type": URL_ENCODED}, 422),
        *("invalid-option", "notes: the text has more than 16384 bytes"),
    ),
    "a part without a name": (
        *(form(part(b'Content-Disposition: form-data; filename="a.jpg"')), 400),
        *("malformed-request", "part 1 of the form has no name; the picture's is 'image'"),
    ),
    "a part without a disposition": (
        *(form(part(b"Content-Type: image/jpeg")), 400, "malformed-request"),
        "Missing Content-Disposition",
    ),
    "two pictures": (form(FILE, FILE), 422, "invalid-option", "2 files have this name"),
    "two pictures by two names": (
        *(form(FILE, named("image2", GREEN, filename=b"b.jpg")), 422, "invalid-option"),
        "image2: there is no such option",
    ),
    "two texts": (
        *(form(named("image", TEXT.encode()), named("image", TEXT.encode())), 422),
        *("invalid-option", "stands 2 times"),
    ),
    "text and address": (
        *(form(named("image", b"x"), named("image_url", b"http://a.example/")), 400, "no-image"),
        "the form needs one string: image_url, or image (base64)",
    ),
    "no picture that is called a form": (
        *({"data": b"\xff\xd8\x00", "content_type": URL_ENCODED}, 415, "not-an-image"),
        "is not a picture",
    ),
    "nothing": ({"content_type": URL_ENCODED}, 400, "no-image", "the form needs one string"),
    "no base64": ({"json": {"image": "%zz?"}}, 400, "malformed-request", "is not base64"),
    "base64 with a letter too many": (
        *({"json": {"image": "aGVsbG8aa"}}, 400, "malformed-request", "is not base64"),
    ),
}


@pytest.mark.parametrize(("arguments", "status", "slug", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_body_is_told_what_is_wrong(
    client: FlaskClient, arguments: Arguments, status: int, slug: str, said: str
) -> None:
    """A form was dropped whole, and too much text was a picture that is too large."""
    response = client.post("/classify", **arguments)

    assert (response.status_code, response.json["type"]) == (status, f"/problems#{slug}")
    assert said in response.json["detail"]
    assert stores.job_store()._jobs == {}


def test_a_body_above_the_limit_is_no_form_that_is_broken(client: FlaskClient) -> None:
    """It is refused for its size, which is what can be mended."""
    large = form(named("image", bytes(40_000_000), filename=b"a.jpg"))
    response = client.post("/classify", **large)

    assert (response.status_code, response.json["type"]) == (413, "/problems#upload-too-large")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (b"caf\xe9.jpg", "café.jpg"),
        ("玫瑰.jpg".encode(), "玫瑰.jpg"),
        (b"=?utf-8?B?csO2c2UuanBn?=", "röse.jpg"),
        (b"=?utf-8?B?Li4vcsO2c2UuanBn?=", "röse.jpg"),
        (b"=?utf-8?B?a?=", "=?utf-8?B?a?="),
        (b"=?no-such?B?csO2c2UuanBn?=", "=?no-such?B?csO2c2UuanBn?="),
        (b"=?utf-8?B?/w==?=", "w==?="),
    ],
)
def test_a_file_name_is_kept_in_its_letters(client: FlaskClient, sent: bytes, kept: str) -> None:
    """What is no UTF-8 is most often Windows' Western letters."""
    response = client.post("/classify?wait=5", **form(named("image", GREEN, filename=sent)))

    assert response.json["filename"] == kept


def test_the_options_of_a_form_beside_base64_count(client: FlaskClient) -> None:
    """As they do beside a file."""
    sent = form(named("image", TEXT.encode()), named("top_k", b"2"))

    assert len(client.post("/classify?wait=5", **sent).json["predictions"]) == 2


def test_the_bound_on_texts_leaves_room_for_the_longest_address() -> None:
    """An address may have 2,048 characters, each of which may take nine bytes URL-encoded."""
    assert forms.MOST_TEXT_BYTES >= 2048
