"""What a client is told of an answer's doubts, and of the version that has them."""

import csv
from io import BytesIO

import pytest
from flask.testing import FlaskClient

from api import create_app
from tasks import once, statistics, stores
from tests import doubting_model
from tests.conftest import picture
from tests.test_bulk.conftest import lines_of, zipped

HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def doubting_store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a store with `doubting@1`."""
    directory = tmp_path_factory.mktemp("doubting")
    doubting_model.publish(directory)
    return str(directory)


@pytest.fixture
def doubting(doubting_store: str, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A client of an API with the model `doubting`."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", doubting_store)
    monkeypatch.setenv("PETIOLE_MODELS_DEFAULT_MODEL", "doubting")
    return create_app().test_client()


def _answer(client: FlaskClient, colour: str, query: str = "") -> dict:
    form = {"image": (BytesIO(picture(colour)), "photo.jpg")}
    document = client.post(f"/classify?wait=5{query}", data=form).json
    assert document["state"] == "SUCCESS", document
    return document


@pytest.mark.parametrize(
    ("colour", "verdict", "labels"),
    [("#dc1e1e", "confident", {"red"}), ("#dcdc00", "uncertain", {"red", "green"})],
)
def test_an_answer_says_how_far_it_can_be_trusted(
    doubting: FlaskClient, colour: str, verdict: str, labels: set[str]
) -> None:
    """A clear picture has one label, one between two has both."""
    document = _answer(doubting, colour)

    assert (document["verdict"], set(document["label_set"])) == (verdict, labels)
    assert document["novelty"] > 0.05


@pytest.mark.parametrize("colour", ["#dc1e1e", "#dcdc00", "white"])
def test_an_answer_that_is_given_again_has_the_same_doubts(
    doubting: FlaskClient, colour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether it was said at once or a worker found it there."""
    monkeypatch.setenv("PETIOLE_TASKS_CACHE_TTL_SECONDS", "60")
    once.begin_anew()
    own = {"task_id", "timings_ms"}
    first, second = (
        {name: each for name, each in _answer(doubting, colour).items() if name not in own}
        for _ in range(2)
    )

    assert first == second
    assert "verdict" in first
    assert statistics.cache(stores.job_store().counts())[statistics.HIT] == 1


def test_a_strange_picture_is_unknown_and_still_ranked(doubting: FlaskClient) -> None:
    """White is like no colour that it was trained on."""
    document = _answer(doubting, "white")

    assert document["verdict"] == "unknown"
    assert document["novelty"] <= 0.05
    assert len(document["predictions"]) == 3


def test_unknown_can_be_ignored(doubting: FlaskClient) -> None:
    """Then the novelty is not there, and the set alone decides."""
    document = _answer(doubting, "white", "&unknown=ignore")

    assert document["verdict"] == "uncertain"
    assert "novelty" not in document


def test_labels_below_a_probability_are_left_out(doubting: FlaskClient) -> None:
    """All of them if need be; a picture without any is not called confident."""
    some = _answer(doubting, "#dcdc00", "&min_probability=0.3")
    none = _answer(doubting, "#dcdc00", "&min_probability=0.99")

    assert {each["label"] for each in some["predictions"]} == {"red", "green"}
    assert (none["predictions"], none["verdict"]) == ([], "uncertain")


def test_each_picture_of_a_bulk_says_it(doubting: FlaskClient) -> None:
    """The same options mean the same; CSV has the verdict in a column."""
    pictures = {"red.jpg": picture("#dc1e1e"), "white.jpg": picture("white")}
    ids = [
        doubting.post(f"/bulk{query}", data=zipped(pictures)).json["bulk_id"]
        for query in ("", "?unknown=ignore&min_probability=0.9")
    ]
    plain, chosen = (lines_of(doubting, each) for each in ids)
    table = doubting.get(f"/bulk/{ids[0]}/results?format=csv").text.splitlines()

    assert [line["verdict"] for line in plain] == ["confident", "unknown"]
    assert [len(line["predictions"]) for line in chosen] == [1, 0]
    assert "novelty" not in chosen[1]
    assert [row["verdict"] for row in csv.DictReader(table)] == ["confident", "unknown"]


@pytest.mark.parametrize("query", ["min_probability=2", "min_probability=nan", "unknown=maybe"])
def test_impossible_options_are_refused(doubting: FlaskClient, query: str) -> None:
    """With what is possible."""
    form = {"image": (BytesIO(picture()), "photo.jpg")}
    assert doubting.post(f"/classify?{query}", data=form).status_code == 422


def test_a_version_that_vouches_for_nothing_says_nothing(client: FlaskClient) -> None:
    """The members are not there, rather than empty."""
    document = _answer(client, "red")

    assert not {"verdict", "label_set", "novelty"} & document.keys()


def test_the_page_of_a_result_says_it_in_words(doubting: FlaskClient) -> None:
    """Also where no label is left."""
    unknown = _answer(doubting, "white")["task_id"]
    between = _answer(doubting, "#dcdc00", "&min_probability=0.99")["task_id"]

    page = doubting.get(f"/result/{unknown}", headers=HTML).text
    assert "it looks like nothing that the model was trained on" in page
    page = doubting.get(f"/result/{between}", headers=HTML).text
    assert "No label is probable enough" in page
    assert "Uncertain: " in page


@pytest.mark.parametrize("version", ["1", "production"])
def test_a_version_has_an_address(doubting: FlaskClient, version: str) -> None:
    """By number or alias: what it is, and what was measured of it."""
    document = doubting.get(f"/models/doubting/{version}").json

    assert (document["version"], document["aliases"]) == (1, ["production"])
    assert document["trust"]["label_sets"]["covered"]["share"] == 0.95
    assert document["trust"]["novelty"]["foreign"]["source"] == "dogs"
    assert document["report_url"] == "/models/doubting/1/report"
    assert document["variants"][0]["runtime"] == "openvino"


def test_what_was_not_measured_is_not_there(client: FlaskClient) -> None:
    """Neither the section nor a report."""
    document = client.get("/models/colours/1").json

    assert not {"trust", "report_url"} & document.keys()
    assert "Not measured" in client.get("/models/colours/1", headers=HTML).text
    assert client.get("/models/colours/1/report").status_code == 404


def test_a_person_reads_the_card_as_a_page(doubting: FlaskClient) -> None:
    """With each figure, its interval and on how many pictures."""
    page = doubting.get("/models/doubting/1", headers=HTML).text

    assert "95.0 % <small>(90.0 % to 98.0 %, 100 pictures)</small>" in page
    assert "photographs in dogs" in page


def test_labels_have_an_address(doubting: FlaskClient) -> None:
    """In class order, for programs and for people."""
    labels = list(doubting.get("/models/doubting/1/labels").json["labels"])

    assert labels == ["red", "green", "blue"]
    assert doubting.get("/models/doubting/1/labels", headers=HTML).text.split() == labels


def test_the_report_runs_nothing(doubting: FlaskClient) -> None:
    """It is shown as a page of nobody's."""
    response = doubting.get("/models/doubting/1/report")

    assert "A report" in response.text
    assert "sandbox" in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["doubting/9", "doubting/none", "nothing/1", "doubting/9/labels"])
def test_what_is_not_there_is_404(doubting: FlaskClient, path: str) -> None:
    """With what there is."""
    assert doubting.get(f"/models/{path}").status_code == 404
