"""`/v2`: the Open Inference Protocol, as its clients write it; each picture is a job of its own."""

import base64
import json
import struct
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.protocols import open_inference, outputs
from model_store.predictions import Prediction
from tasks import once, stores
from tasks.celery import app
from tasks.documents import ClassifiedTask, Timings
from tasks.errors import ServiceUnavailableError
from tasks.keys.records import CLASSIFY
from tests.conftest import picture, stored_uploads
from tests.test_api.keyed import MakeKey, guarded, key
from tests.test_api.test_limits import Limited, limited

__all__ = ["guarded", "key", "limited"]

MODEL = "/v2/models/colours"
GREEN, RED = picture("green"), picture("red")
LENGTH = "Inference-Header-Content-Length"
BLUE_PIXELS = bytes((0, 0, 250)) * 6


def text(image: bytes) -> str:
    """Return a picture as JSON carries it."""
    return base64.b64encode(image).decode()


def pictures(*images: bytes) -> dict[str, Any]:
    """Return the input that pictures are in JSON."""
    data = [text(image) for image in images]
    return {"name": "image", "datatype": "BYTES", "shape": [len(data)], "data": data}


def infer(client: FlaskClient, *inputs: dict[str, Any], **members: Any) -> TestResponse:
    """Send a request that is JSON alone."""
    return client.post(f"{MODEL}/infer", json={"inputs": list(inputs), **members})


def infer_binary(
    client: FlaskClient, values: bytes, *, says: int | None = None, **tensor: Any
) -> TestResponse:
    """Send a request whose values follow its JSON, and wants its outputs so."""
    size = len(values) if says is None else says
    given = {"name": "image", "parameters": {"binary_data_size": size}, **tensor}
    members = {"inputs": [given], "parameters": {"binary_data_output": True}}
    head = json.dumps(members).encode()
    return client.post(f"{MODEL}/infer", data=head + values, headers={LENGTH: str(len(head))})


def element(image: bytes) -> bytes:
    """Return a picture as an element of a `BYTES` tensor."""
    return struct.pack("<I", len(image)) + image


def output(answer: TestResponse, name: str) -> Any:
    """Return the values of an output that stands in the JSON."""
    assert answer.status_code == 200, answer.text
    (found,) = (each for each in answer.json["outputs"] if each["name"] == name)
    return found["data"]


def test_a_picture_is_answered_with_every_output(client: FlaskClient) -> None:
    """In the order of the labels, as `/classify` says it too; the request's id comes back."""
    answer = infer(client, pictures(GREEN), id="mine")
    task = client.get(f"/result/{answer.headers['X-Task-Ids']}").json
    expected = {p["class_index"]: p["probability"] for p in task["predictions"]}

    assert output(answer, "probabilities") == [expected[i] for i in range(3)]
    assert output(answer, "label") == ["green"]
    assert output(answer, "verdict") == [""]
    assert (answer.json["id"], answer.json["model_version"]) == ("mine", "1")


def test_values_may_follow_the_json_both_ways(client: FlaskClient) -> None:
    """The header says where they begin, and each output how long it is."""
    answer = infer_binary(client, element(RED), datatype="BYTES", shape=[1])
    length = int(answer.headers[LENGTH])
    named = json.loads(answer.data[:length])["outputs"]
    sizes = {each["name"]: each["parameters"]["binary_data_size"] for each in named}
    rest = answer.data[length:]

    assert sizes == {"probabilities": 12, "label": 7, "verdict": 4}
    assert sum(struct.unpack("<3f", rest[:12])) == pytest.approx(1, abs=1e-6)
    assert rest[12:] == element(b"red") + element(b"")


def test_every_picture_of_a_request_is_a_task_in_order(client: FlaskClient) -> None:
    """Each has a record of its own, and its result can be asked for."""
    answer = infer(client, pictures(GREEN, RED, GREEN))
    task_ids = answer.headers["X-Task-Ids"].split(",")
    results = [client.get(f"/result/{each}").json for each in task_ids]

    assert output(answer, "label") == ["green", "red", "green"]
    assert [r["predictions"][0]["label"] for r in results] == ["green", "red", "green"]
    assert (len(set(task_ids)), stored_uploads()) == (3, 0)


def test_a_classification_is_the_best_labels_as_triton_writes_them(client: FlaskClient) -> None:
    """`probability:index:label`, and only so many labels are kept."""
    wanted = {"name": "probabilities", "parameters": {"classification": 2}}
    answer = infer(client, pictures(RED, GREEN), outputs=[wanted])
    task_id = answer.headers["X-Task-Ids"].partition(",")[0]

    rows = [row.split(":")[1:] for row in output(answer, "probabilities")]
    assert [rows[0], rows[2]] == [["0", "red"], ["1", "green"]]
    assert answer.json["outputs"][0]["shape"] == [2, 2]
    assert len(client.get(f"/result/{task_id}").json["predictions"]) == 2


@pytest.mark.parametrize("is_binary", [True, False])
def test_pixels_are_pictures_that_are_decoded(client: FlaskClient, is_binary: bool) -> None:
    """Of any size, through the model's own preprocessing."""
    tensor = {"name": "image", "datatype": "UINT8", "shape": [2, 2, 3, 3]}
    values = BLUE_PIXELS + bytes((250, 0, 0)) * 6
    if is_binary:
        answer = infer_binary(client, values, **tensor)
        assert element(b"blue") + element(b"red") in answer.data
    else:
        answer = infer(client, {**tensor, "data": list(values)})
        assert output(answer, "label") == ["blue", "red"]


def test_floats_are_what_the_preprocessing_ends_with(client: FlaskClient) -> None:
    """The same answer as for the picture, to the last bit, whose pixels were normalised."""
    pixels = [7, 99, 201] * 64
    whole = {"name": "image", "datatype": "UINT8", "shape": [1, 8, 8, 3], "data": pixels}
    normalised = [value / 255 for value in pixels]
    floats = whole | {"datatype": "FP32", "data": normalised}

    answers = [output(infer(client, each), "probabilities") for each in (whole, floats)]
    assert answers[0] == answers[1]


def test_a_model_is_described_as_it_answers(client: FlaskClient) -> None:
    """By name, by version and by alias; the outputs are those that are given."""
    paths = (MODEL, f"{MODEL}/versions/1", f"{MODEL}/versions/production")
    described = [client.get(path).json for path in paths]
    given = infer(client, pictures(GREEN)).json["outputs"]
    shapes = [(each["name"], each["datatype"], each["shape"][1:]) for each in given]

    assert described[0] == described[1] == described[2]
    assert described[0]["inputs"][0]["shape"] == [-1]
    assert [(o["name"], o["datatype"], o["shape"][1:]) for o in described[0]["outputs"]] == shapes
    assert client.post("/v2/repository/index").json[0]["name"] == "colours"
    assert "binary_tensor_data" in client.get("/v2").json["extensions"]


def test_a_version_that_is_named_answers(client: FlaskClient) -> None:
    """One that is not there is a 404 that says which are."""
    body = {"inputs": [pictures(GREEN)]}
    found, missing = (client.post(f"{MODEL}/versions/{n}/infer", json=body) for n in (1, 9))

    assert (found.status_code, missing.status_code) == (200, 404)
    assert "colours" in missing.json["error"]
    assert client.get(f"{MODEL}/versions/9/ready").status_code == 404


def test_it_is_ready_when_the_service_is(client: FlaskClient) -> None:
    """As `/readyz` says, which there is no worker for here."""
    states = [client.get(path).status_code for path in ("/readyz", "/v2/health/ready")]

    assert states == [503, 503]
    assert client.get(f"{MODEL}/ready").status_code == 503
    assert client.get("/v2/health/live").status_code == 200


def test_one_bad_picture_says_which_and_the_others_are_kept(client: FlaskClient) -> None:
    """Its task failed; those beside it are done, and can be asked for."""
    answer = infer(client, pictures(GREEN, picture(size=(400, 300))[:700], RED))
    states = [
        client.get(f"/result/{each}").json["state"]
        for each in answer.headers["X-Task-Ids"].split(",")
    ]

    assert (answer.status_code, answer.json["type"]) == (422, "/problems#truncated-image")
    assert answer.json["error"].startswith("picture 2 of 3: ")
    assert states == ["SUCCESS", "FAILURE", "SUCCESS"]


def test_a_wait_that_is_over_loses_nothing(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """504 names the tasks, which go on."""
    monkeypatch.setenv("PETIOLE_API_COMPATIBLE_WAIT_SECONDS", "0.01")
    monkeypatch.setitem(app.conf, "task_always_eager", False)
    once.begin_anew()
    answer = infer(client, pictures(GREEN, RED))

    assert (answer.status_code, answer.json["type"]) == (504, "/problems#wait-over")
    assert answer.headers["X-Task-Ids"].split(",") == answer.json["task_ids"]
    states = {client.get(url).json["state"] for url in answer.json["result_urls"]}
    assert (states, stored_uploads()) == ({"PENDING"}, 2)


def test_all_pictures_of_a_request_are_accepted_or_none(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is room for one of two, that one is taken back."""
    monkeypatch.setenv("PETIOLE_TASKS_MAX_OPEN_JOBS", "1")
    monkeypatch.setitem(app.conf, "task_always_eager", False)
    once.begin_anew()
    answer = infer(client, pictures(GREEN, RED))

    assert (answer.status_code, answer.json["type"]) == (503, "/problems#queue-full")
    assert (stores.job_store().load().open_jobs, stored_uploads()) == (0, 0)


def test_every_picture_counts_as_an_open_one(limited: Limited) -> None:
    """By the id that its task gets; the request is one."""
    client, headers = limited(OPEN_JOBS="2")
    send = {"json": {"inputs": [pictures(GREEN, RED, GREEN)]}, "headers": headers}
    three = client.post(f"{MODEL}/infer", **send)
    send["json"] = {"inputs": [pictures(GREEN)]}
    one = client.post(f"{MODEL}/infer", **send)

    assert (three.status_code, three.json["type"]) == (429, "/problems#too-many-requests")
    assert "error" in three.json
    assert (one.status_code, stores.job_store().counts()) == (429, {})


def test_bytes_count_for_the_day(limited: Limited) -> None:
    """As those of any picture."""
    client, headers = limited(BYTES_PER_DAY="100")
    answer = client.post(f"{MODEL}/infer", json={"inputs": [pictures(GREEN)]}, headers=headers)

    assert (answer.status_code, answer.json["type"]) == (429, "/problems#too-many-requests")


def test_the_tasks_belong_to_the_key_that_sent_them(guarded: Flask, key: MakeKey) -> None:
    """Without one there are none, and another's key does not see them."""
    client, body = guarded.test_client(), {"inputs": [pictures(GREEN, RED)]}
    ana, ben = key("ana", CLASSIFY), key("ben", CLASSIFY)
    answer = client.post(f"{MODEL}/infer", json=body, headers=ana)
    seen = [
        [client.get(f"/result/{each}", headers=who).status_code for who in (ana, ben)]
        for each in answer.headers["X-Task-Ids"].split(",")
    ]

    assert client.post(f"{MODEL}/infer", json=body).status_code == 401
    assert client.post(f"{MODEL}/infer", json=body).json["error"].startswith("send a key")
    assert (answer.status_code, seen) == (200, [[200, 404]] * 2)
    assert client.get("/v2/health/live").status_code == 200


def answered(version: int, labels: int) -> ClassifiedTask:
    """Return what a version with so many labels says of a picture."""
    ranked = tuple(Prediction(str(i), i, 1 / labels) for i in range(labels))
    times = Timings(0.0, 0.0, 0.0, 0.0, 0.0)
    return ClassifiedTask("id", "SUCCESS", "colours", version, "openvino", "image", ranked, times)


def test_two_versions_may_answer_while_one_follows_the_other() -> None:
    """No version is named then; if their labels differ in number there is no tensor of both."""
    members = open_inference.named("colours", [answered(1, 3), answered(2, 3)])

    assert members == {"model_name": "colours"}
    assert open_inference.named("colours", [answered(2, 3)])["model_version"] == "2"
    with pytest.raises(ServiceUnavailableError, match="send them again"):
        outputs.probabilities([answered(1, 3), answered(2, 4)])
