"""What a client says and nobody would listen to is refused, with what may have been meant."""

from base64 import b64encode
from io import BytesIO

import pytest
from flask.testing import FlaskClient

from tasks import stores
from tests.conftest import picture


def form(**more: object) -> dict:
    """Return a form with one picture and further parts."""
    return {"image": (BytesIO(picture()), "photo.jpg"), **more}


def two_pictures() -> dict:
    """Return a form with two parts of the same name."""
    return {"image": [(BytesIO(picture()), "a.jpg"), (BytesIO(picture()), "b.jpg")]}


def file_and_text() -> dict:
    """Return a form with a picture, and with a text of the same name."""
    return {"image": [(BytesIO(picture()), "a.jpg"), "text"]}


REFUSED = {
    "misspelt in the query": ("POST", "/classify?topk=3", form(), "did you mean top_k?"),
    "misspelt in the form": ("POST", "/classify", form(topk="3"), "did you mean top_k?"),
    "said twice": ("POST", "/classify?top_k=3&top_k=4", form(), "stands 2 times; say it once"),
    "said twice in the form": ("POST", "/classify", form(wait=["1", "2"]), "stands 2 times"),
    "two pictures": ("POST", "/classify", two_pictures(), "send one picture with each request"),
    "a file and a text": ("POST", "/classify", file_and_text(), "image: stands as a file and as"),
    "both for /predict": ("POST", "/predict", file_and_text(), "as text; send the file alone"),
    "another file": ("POST", "/classify", form(mask=(BytesIO(b"x"), "m.png")), "mask: there is no"),
    "a model for /predict": ("POST", "/predict", form(model="colours"), "there are: none"),
    "a query for /predict": ("POST", "/predict?top_k=3", form(), "there are: none"),
    "two pictures for /predict": ("POST", "/predict", two_pictures(), "send one picture"),
    "a model for the tutorial": (
        *("GET", "/classify?image_url=http://a.example/b.jpg&model=colours", None),
        "there are: image_url",
    ),
    "two addresses": (
        *("GET", "/classify?image_url=http://a.example/b&image_url=http://a.example/c", None),
        "stands 2 times",
    ),
    "of a result": ("GET", "/result/nope?wiat=3", None, "did you mean wait?"),
    "of a revocation": ("DELETE", "/result/nope?wait=3", None, "there are: none"),
    "of the models": ("GET", "/models?name=colours", None, "there are: none"),
}


@pytest.mark.parametrize(("method", "path", "data", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_what_would_be_ignored_is_refused(
    client: FlaskClient, method: str, path: str, data: dict | None, said: str
) -> None:
    """422 before any job is made, and the message names the option."""
    response = client.open(path, method=method, data=data)

    assert (response.status_code, response.json["type"]) == (422, "/problems#invalid-option")
    assert said in response.json["detail"]
    assert response.json["errors"][0]["option"] in response.json["detail"]
    assert stores.job_store()._jobs == {}


def test_an_unknown_member_of_the_json_is_refused(client: FlaskClient) -> None:
    """JSON is no place to hide a mistake either."""
    text = b64encode(picture()).decode()
    response = client.post("/classify", json={"image": text, "topk": 3})

    assert response.status_code == 422
    assert "did you mean top_k?" in response.json["detail"]


@pytest.mark.parametrize(
    "members",
    ['"image": {0}, "top_k": 3, "top_k": 3', '"image": {0}, "image": {0}'],
    ids=["option", "picture"],
)
def test_a_member_that_stands_twice_in_the_json_is_refused(
    client: FlaskClient, members: str
) -> None:
    """JSON itself would take the last one, and nobody would know."""
    text = f'"{b64encode(picture()).decode()}"'
    body = "{" + members.format(text) + "}"
    response = client.post("/classify", data=body, content_type="application/json")

    assert (response.status_code, response.json["type"]) == (422, "/problems#invalid-option")
    assert "stands 2 times; say it once" in response.json["detail"]


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "\ud800"], ids=repr)
def test_what_is_no_json_object_is_400(client: FlaskClient, body: str) -> None:
    """Whatever else it is."""
    response = client.post(
        "/classify", data=body.encode("utf-8", "surrogatepass"), content_type="application/json"
    )

    assert (response.status_code, response.json["type"]) == (400, "/problems#malformed-request")
    assert response.json["detail"] == "the body is not a JSON object"


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_probes_may_add_what_they_like(client: FlaskClient, path: str) -> None:
    """Some append a number against caches."""
    assert client.get(path).status_code == client.get(f"{path}?n=1").status_code != 422


def test_a_missing_picture_says_what_is_there(client: FlaskClient) -> None:
    """Whoever calls the field otherwise sees it."""
    response = client.post("/classify", data={"file": (BytesIO(picture()), "a.jpg")})

    assert response.status_code == 400
    assert "the multipart field 'image' is missing, there is 'file'" in response.json["detail"]
