"""`/bulk` in eager mode: what is sent, and what comes of it."""

from flask.testing import FlaskClient

from tests.conftest import picture
from tests.test_bulk.conftest import lines_of, zipped


def test_each_picture_of_an_archive_has_its_line(client: FlaskClient) -> None:
    """A bad picture fails alone."""
    archive = zipped({"a/red.jpg": picture("red"), "bad.jpg": b"no", "blue.jpg": picture("blue")})

    accepted = client.post("/bulk", data=archive, content_type="application/zip")

    assert accepted.status_code == 202, accepted.json
    lines = lines_of(client, accepted.json["bulk_id"])
    assert [(line["name"], line["state"]) for line in lines] == [
        ("a/red.jpg", "SUCCESS"),
        ("bad.jpg", "FAILURE"),
        ("blue.jpg", "SUCCESS"),
    ]
