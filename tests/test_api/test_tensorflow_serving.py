"""`/v1/models`: TensorFlow Serving's REST interface, for clients that move from there."""

import base64
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.conftest import picture, stored_uploads
from tests.test_api.test_limits import Limited, limited

__all__ = ["limited"]

MODEL = "/v1/models/colours"
GREEN, RED = ({"b64": base64.b64encode(picture(colour)).decode()} for colour in ("green", "red"))
BLUE_PIXELS = [[[0, 0, 250]] * 3] * 2
BLUE_FLOATS = [[[0.0, 0.0, 1.0]] * 8] * 8
BEST = {"green": 1, "red": 0, "blue": 2}


def best(rows: list[list[float]]) -> list[int]:
    """Return the most probable class of each picture."""
    assert all(sum(row) == pytest.approx(1, abs=1e-6) for row in rows)
    return [row.index(max(row)) for row in rows]


@pytest.mark.parametrize("place", ["", "/versions/1", "/labels/production"])
def test_rows_and_columns_are_predicted(client: FlaskClient, place: str) -> None:
    """Each answered in its own shape, in the order of the labels."""
    url = f"{MODEL}{place}:predict"
    named = client.post(url, json={"signature_name": "serving_default", "instances": [GREEN, RED]})
    column = client.post(url, json={"inputs": {"image": [RED, GREEN]}})
    alone = client.post(url, json={"inputs": GREEN})

    assert best(named.json["predictions"]) == [BEST["green"], BEST["red"]]
    assert best(column.json["outputs"]) == [BEST["red"], BEST["green"]]
    assert best(alone.json["outputs"]) == [BEST["green"]]
    assert len(column.headers["X-Task-Ids"].split(",")) == 2


def test_arrays_are_pictures_and_normalised_ones_are_too(client: FlaskClient) -> None:
    """Whole numbers are pixels of any size; with a fraction they are the model's input."""
    rows = [BLUE_PIXELS, {"image": BLUE_PIXELS}, BLUE_FLOATS, GREEN]
    answer = client.post(f"{MODEL}:predict", json={"instances": rows})

    assert best(answer.json["predictions"]) == [2, 2, 2, 1]


def test_examples_are_classified(client: FlaskClient) -> None:
    """Labels with their probabilities, the best first."""
    answer = client.post(f"{MODEL}:classify", json={"examples": [{"image": RED}, {"image": GREEN}]})
    rows = answer.json["results"]

    assert [row[0][0] for row in rows] == ["red", "green"]
    assert [[label for label, _ in row] for row in rows][1] == ["green", "blue", "red"]


def test_a_model_says_its_state_and_its_signature(client: FlaskClient) -> None:
    """By name, number or alias; what is not there is 404 in `error`."""
    states = [client.get(MODEL + place).json for place in ("", "/versions/1", "/labels/production")]
    (row,) = states[0]["model_version_status"]
    signatures = client.get(f"{MODEL}/metadata").json["metadata"]["signature_def"]["signature_def"]
    missing = client.get(f"{MODEL}/versions/7")

    assert (row["version"], row["state"], row["status"]["error_code"]) == ("1", "AVAILABLE", "OK")
    assert states[0] == states[1] == states[2]
    assert list(signatures["serving_default"]["outputs"]) == ["probabilities"]
    assert (missing.status_code, missing.json["error"]) == (404, missing.json["detail"])


def test_a_verb_is_no_name(client: FlaskClient) -> None:
    """What may only be posted is not looked for as a model when it is asked for."""
    answers = [client.get(f"{MODEL}{place}:predict") for place in ("", "/versions/1", "/labels/a")]
    unknown = client.post(f"{MODEL}:regress", json={"examples": [GREEN]})

    assert [answer.status_code for answer in answers] == [405] * 3
    assert all(set(answer.allow) == {"OPTIONS", "POST"} for answer in answers)
    assert unknown.status_code == 404


DEEP: list[Any] = []
for _ in range(500):
    DEEP = [DEEP]
REFUSED = {
    "nothing": ("predict", {}, 400),
    "both": ("predict", {"instances": [GREEN], "inputs": GREEN}, 400),
    "no instances": ("predict", {"instances": []}, 400),
    "too many": ("predict", {"instances": [GREEN] * 33}, 400),
    "another signature": ("predict", {"signature_name": "logits", "instances": [GREEN]}, 400),
    "another member": ("predict", {"instances": [GREEN], "output_filter": "x"}, 400),
    "a number": ("predict", {"instances": [7]}, 400),
    "another input": ("predict", {"inputs": {"x": [GREEN]}}, 400),
    "b64 of a number": ("predict", {"instances": [{"b64": 7}]}, 400),
    "no base64": ("predict", {"instances": [{"b64": "?"}]}, 400),
    "no picture": ("predict", {"instances": [{"b64": "AAAA"}]}, 415),
    "a matrix": ("predict", {"instances": [[[1, 2, 3]]]}, 400),
    "four dimensions": ("predict", {"instances": [[BLUE_PIXELS]]}, 400),
    "four channels": ("predict", {"instances": [[[[1, 2, 3, 4]]]]}, 400),
    "an empty array": ("predict", {"instances": [[[[]]]]}, 400),
    "ragged rows": ("predict", {"instances": [[[[1, 2, 3]], [[1, 2, 3]] * 2]]}, 400),
    "pixels over 255": ("predict", {"instances": [[[[1, 2, 256]]]]}, 400),
    "pixels of text": ("predict", {"instances": [[[["1", "2", "3"]]]]}, 400),
    "a deep array": ("predict", {"instances": [DEEP]}, 400),
    "floats of another size": ("predict", {"instances": [[[[0.5, 0.5, 0.5]]]]}, 415),
    "no examples": ("classify", {"examples": []}, 400),
    "a context": ("classify", {"context": {}, "examples": [{"image": GREEN}]}, 400),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_answered_is_refused_in_a_sentence(client: FlaskClient, name: str) -> None:
    """With the status that fits, and nothing is left behind."""
    method, body, status = REFUSED[name]
    answer = client.post(f"{MODEL}:{method}", json=body)

    assert (answer.status_code, answer.json["error"]) == (status, answer.json["detail"])
    assert 10 < len(answer.json["error"]) < 400
    assert stored_uploads() == 0


def test_limits_hold_here_as_well(limited: Limited) -> None:
    """Every instance is a picture that is open, and needs the scope for that."""
    client, key = limited(OPEN_JOBS="1")
    answer = client.post(f"{MODEL}:predict", json={"instances": [GREEN, RED]}, headers=key)

    assert (answer.status_code, answer.json["type"]) == (429, "/problems#too-many-requests")
    assert client.post(f"{MODEL}:predict", json={"instances": [GREEN]}).status_code == 401
