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
    answer = client.post(f"{MODEL}/infer", json={"inputs": [IMAGE]}, headers=headers)

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
