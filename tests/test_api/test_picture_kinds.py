"""What a client is told of pictures that are stored in other ways than most."""

from io import BytesIO

import pytest
from flask.testing import FlaskClient
from PIL import Image

from api import create_app
from tests.conftest import picture as drawn
from tests.pictures import other_files, table, tiff
from tests.pictures.files import heic

RED = Image.new("RGB", (64, 48), "red")


def _posted(client: FlaskClient, upload: bytes) -> dict[str, object]:
    response = client.post("/classify?wait=5", data={"image": (BytesIO(upload), "photo")})
    return dict(response.json)


def test_a_heic_is_classified(client: FlaskClient) -> None:
    """Phones write them."""
    document = _posted(client, heic(RED))

    assert document["predictions"][0]["label"] == "red"  # type: ignore[index]
    assert "warnings" not in document


@pytest.mark.parametrize("name", ["JPEG XL", "photograph in gzip", "NEF, ARW, PEF", "MP4"])
def test_what_is_no_picture_is_refused_by_name_at_once(client: FlaskClient, name: str) -> None:
    """There is no job, and the problem calls the file what it is."""
    (file,) = (each for each in other_files.all_files() if each.name == name)

    document = _posted(client, file.upload)

    assert document["status"] == 415
    assert file.called in str(document["detail"])


def test_a_layout_that_is_not_decoded_is_refused_at_once(client: FlaskClient) -> None:
    """With the sentence that the table has."""
    upload = tiff.Tiff(bits=10).write(table.tiff_layouts.ramp(1, 10))

    document = _posted(client, upload)

    assert document["type"] == "/problems#unsupported-image-format"
    assert document["detail"] == (
        "the TIFF has grey pixels of 10 bits; save it as RGB or grey with 8 bits a channel"
    )


def test_a_jpeg_that_is_cut_off_fails(client: FlaskClient) -> None:
    """Half a picture is not the picture that was asked about."""
    upload = drawn(size=(400, 300))

    document = _posted(client, upload[: len(upload) // 2])

    assert document["state"] == "FAILURE"
    assert document["error"]["type"] == "/problems#truncated-image"  # type: ignore[index]


def test_a_setting_shows_a_jpeg_that_is_cut_off(
    colour_store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer has a warning, on the page for people too."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", colour_store)
    monkeypatch.setenv("PETIOLE_TASKS_CUT_OFF_JPEGS", "show")
    client = create_app().test_client()
    upload = drawn(size=(400, 300))
    cut = upload[: len(upload) // 2]

    document = _posted(client, cut)
    page = client.get(f"/result/{document['task_id']}", headers={"Accept": "text/html"})

    assert document["state"] == "SUCCESS"
    assert document["warnings"] == [f"the JPEG is cut off after {len(cut)} bytes"]
    assert f"Mind that the JPEG is cut off after {len(cut)} bytes." in page.text
