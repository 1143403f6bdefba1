"""What `/v2` refuses: each with its status, a sentence, and nothing left behind."""

import pytest
from flask.testing import FlaskClient

from tests.conftest import picture, stored_uploads
from tests.test_api.test_open_inference import (
    GREEN,
    LENGTH,
    MODEL,
    element,
    infer_binary,
    pictures,
    text,
)

IMAGE = {"name": "image", "datatype": "BYTES", "shape": [1], "data": [text(GREEN)]}
PIXELS = {"name": "image", "datatype": "UINT8", "shape": [1, 2, 3, 3], "data": [0] * 18}
FLOATS = {"name": "image", "datatype": "FP32", "shape": [1, 8, 8, 3], "data": [0.5] * 192}
HUGE = 2**62
REFUSED = {
    "no inputs": ({"inputs": []}, 400),
    "two inputs": ({"inputs": [IMAGE, IMAGE]}, 400),
    "another input": ({"inputs": [IMAGE | {"name": "input_0"}]}, 400),
    "another datatype": ({"inputs": [IMAGE | {"datatype": "FP64"}]}, 400),
    "another output": ({"inputs": [IMAGE], "outputs": [{"name": "logits"}]}, 400),
    "an output twice": ({"inputs": [IMAGE], "outputs": [{"name": "label"}] * 2}, 400),
    "no such parameter": ({"inputs": [IMAGE], "parameters": {"sequence_id": 1}}, 400),
    "a classification of labels": (
        {
            "inputs": [IMAGE],
            "outputs": [{"name": "label", "parameters": {"classification": 2}}],
        },
        400,
    ),
    "no data": ({"inputs": [{k: v for k, v in IMAGE.items() if k != "data"}]}, 400),
    "a shape of one more": ({"inputs": [IMAGE | {"shape": [2]}]}, 400),
    "no pictures": ({"inputs": [IMAGE | {"shape": [0], "data": []}]}, 400),
    "a negative shape": ({"inputs": [IMAGE | {"shape": [-1]}]}, 400),
    "a shape of text": ({"inputs": [IMAGE | {"shape": ["1"]}]}, 400),
    "a matrix of pictures": ({"inputs": [IMAGE | {"shape": [1, 2]}]}, 400),
    "too many pictures": ({"inputs": [pictures(*[GREEN] * 33)]}, 400),
    "no base64": ({"inputs": [IMAGE | {"data": ["?"]}]}, 400),
    "no text": ({"inputs": [IMAGE | {"data": [1]}]}, 400),
    "no picture": ({"inputs": [IMAGE | {"data": [text(b"x" * 90)]}]}, 415),
    "an empty picture": ({"inputs": [IMAGE | {"data": [""]}]}, 400),
    "a cut-off picture": (
        {"inputs": [IMAGE | {"data": [text(picture(size=(400, 300))[:700])]}]},
        422,
    ),
    "pixels of no height": ({"inputs": [PIXELS | {"shape": [1, 0, 3, 3], "data": []}]}, 400),
    "pixels of another shape": ({"inputs": [PIXELS | {"shape": [1, 3, 2, 2]}]}, 400),
    "pixels that are flat": ({"inputs": [PIXELS | {"shape": [18]}]}, 400),
    "a shape that overflows": ({"inputs": [PIXELS | {"shape": [1, HUGE, HUGE, 3]}]}, 400),
    "more pixels than data": ({"inputs": [PIXELS | {"shape": [1, 9000, 9000, 3]}]}, 400),
    "pixels over 255": ({"inputs": [PIXELS | {"data": [256] * 18}]}, 400),
    "pixels under 0": ({"inputs": [PIXELS | {"data": [-1] * 18}]}, 400),
    "pixels of fractions": ({"inputs": [PIXELS | {"data": [0.5] * 18}]}, 400),
    "pixels of text": ({"inputs": [PIXELS | {"data": ["0"] * 18}]}, 400),
    "ragged pixels": ({"inputs": [PIXELS | {"data": [[[[0] * 3] * 4, [[0] * 3] * 2]]}]}, 400),
    "floats of another size": ({"inputs": [FLOATS | {"shape": [1, 4, 16, 3]}]}, 415),
    "floats that are no numbers": ({"inputs": [FLOATS | {"data": [float("nan")] * 192}]}, 415),
    "infinite floats": ({"inputs": [FLOATS | {"data": [float("inf")] * 192}]}, 415),
    "floats that are not normalised": ({"inputs": [FLOATS | {"data": [200.0] * 192}]}, 415),
    "floats too large": ({"inputs": [FLOATS | {"data": [1e300] * 192}]}, 400),
    "floats of text": ({"inputs": [FLOATS | {"data": ["1"] * 192}]}, 400),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_answered_is_refused_in_a_sentence(client: FlaskClient, name: str) -> None:
    """With the status that fits; `error` is where clients of this protocol look for it."""
    body, status = REFUSED[name]
    answer = client.post(f"{MODEL}/infer", json=body)

    assert (answer.status_code, answer.json["error"]) == (status, answer.json["detail"])
    assert 10 < len(answer.json["error"]) < 400
    assert "Traceback" not in answer.text
    assert stored_uploads() == 0


BODIES = {
    "no JSON": b"x",
    "a list": b"[]",
    "invalid UTF-8": b'{"inputs": "\xff"}',
    "deep": b'{"inputs":' + b"[" * 200_000,
    "a number of many digits": b'{"inputs": [%s]}' % (b"1" * 5000),
    "nothing": b"",
}


@pytest.mark.parametrize("name", BODIES)
def test_what_is_no_request_is_refused(client: FlaskClient, name: str) -> None:
    """400, whatever it is."""
    answer = client.post(f"{MODEL}/infer", data=BODIES[name])

    assert (answer.status_code, answer.json["type"]) == (400, "/problems#malformed-request")


@pytest.mark.parametrize(
    ("values", "says", "shape"),
    [
        (element(GREEN), 5, [1]),
        (element(GREEN), len(GREEN) + 5, [1]),
        (element(GREEN) + b"x", None, [1]),
        (element(GREEN), None, [2]),
        (element(GREEN)[:-1], None, [1]),
        (b"\xff\xff\xff\xff", None, [1]),
        (b"\x01", None, [1]),
        (b"", None, [1]),
    ],
)
def test_sizes_that_do_not_add_up_are_refused(
    client: FlaskClient, values: bytes, says: int | None, shape: list[int]
) -> None:
    """Of the tensor, of its elements, and of both together."""
    answer = infer_binary(client, values, says=says, datatype="BYTES", shape=shape)

    assert (answer.status_code, answer.json["type"]) == (400, "/problems#malformed-request")


@pytest.mark.parametrize("length", ["-1", "1e3", "99999999", "9" * 5000, "", "x"])
def test_a_header_that_lies_is_refused(client: FlaskClient, length: str) -> None:
    """Whatever it says instead of a number that the body has."""
    answer = client.post(f"{MODEL}/infer", data=b"{}", headers={LENGTH: length})

    assert answer.status_code == 400
    assert answer.json["error"].startswith(f"{LENGTH} is ")


@pytest.mark.parametrize("size", [0, 17, 19, 36])
def test_pixels_need_as_many_bytes_as_their_shape_says(client: FlaskClient, size: int) -> None:
    """Not one more or less, and not those of another picture."""
    answer = infer_binary(client, bytes(size), datatype="UINT8", shape=[1, 2, 3, 3])

    assert (answer.status_code, answer.json["type"]) == (400, "/problems#malformed-request")
    assert "expected 18" in answer.json["error"]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (f"{MODEL}/infer?top_k=3", {}, 422),
        (f"{MODEL}/infer", {"Idempotency-Key": "mine"}, 422),
        (f"{MODEL}/infer", {"Content-Encoding": "gzip"}, 415),
        ("/v2/models/roses/infer", {}, 404),
        ("/v2/models/ROSES/infer", {}, 422),
        ("/v2/nothing", {}, 404),
    ],
)
def test_what_would_be_ignored_is_refused(
    client: FlaskClient, path: str, headers: dict[str, str], status: int
) -> None:
    """An option, a name for the request, a compressed body, another model."""
    answer = client.post(path, json={"inputs": [IMAGE]}, headers=headers)

    assert (answer.status_code, answer.json["error"]) == (status, answer.json["detail"])
