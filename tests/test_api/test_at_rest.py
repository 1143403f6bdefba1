"""All that a service leaves in its image store is encrypted, and its clients notice nothing."""

import os
from base64 import b64encode
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from api.intake import Intake
from tasks.at_rest.keyring import MAGIC, SETTING
from tests.conftest import picture
from tests.test_bulk.conftest import lines_of, tarred

MARKER = b"a picture of somebody"


@pytest.fixture(autouse=True)
def encrypted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A directory, and a key."""
    monkeypatch.setenv(SETTING, b64encode(b"k" * 32).decode())
    monkeypatch.setenv("PETIOLE_TASKS_IMAGE_STORE_URL", str(tmp_path / "uploads"))


def test_all_that_lies_there_is_encrypted(client: FlaskClient, tmp_path: Path) -> None:
    """A kept picture, its map, the index and the results of a bulk from a packed archive."""
    sent = client.post("/classify?explain=true&wait=5", data=picture(), content_type="image/jpeg")
    shown = client.get(f"{sent.json['explanation_url']}.png")
    members = {"a.jpg": picture("red"), "b.jpg": picture("blue")}
    bulk = client.post("/bulk", data=tarred(members, "w:gz"))
    lines = lines_of(client, bulk.json["bulk_id"])
    files = [each for each in (tmp_path / "uploads").rglob("*") if each.is_file()]

    assert [line["state"] for line in lines] == ["SUCCESS", "SUCCESS"]
    assert (sent.json["state"], shown.data[:4]) == ("SUCCESS", b"\x89PNG")
    assert [each.name for each in files if not each.read_bytes().startswith(MAGIC)] == []
    assert {"key-check", sent.json["task_id"]} < {each.name for each in files}
    assert len(files) == len(["check", "picture", "png", "npy", "index", "results"])


def test_who_has_another_key_is_told_no_name_of_it(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """503, and try again: the setting is the operator's business."""
    (tmp_path / "uploads").mkdir()
    (tmp_path / "uploads" / "key-check").write_bytes(MAGIC + bytes(100))
    refused = client.post("/classify", data=picture(), content_type="image/jpeg")

    assert refused.status_code == 503
    assert refused.json["detail"] == "the image store cannot be used; try again shortly"
    assert SETTING in client.get("/readyz").json["checks"]["image store"]


def test_the_body_of_a_request_goes_to_disk_encrypted() -> None:
    """A temporary file without a name is a file as well."""
    with Intake.of_pictures(max_bytes=10**6, seconds=1.0).open() as body:
        for _ in range(20_000):
            body.write(MARKER)
        body.seek(0)
        content = b"".join(map(_content, os.listdir("/proc/self/fd")))
        whole = body.read(-1)

    assert (MAGIC in content, MARKER in content) == (True, False)
    assert whole == MARKER * 20_000


def _content(descriptor: str) -> bytes:
    """Return what is in an open file that has no name."""
    file = Path("/proc/self/fd", descriptor)
    try:
        return file.read_bytes() if os.readlink(file).endswith(" (deleted)") else b""
    except OSError:
        return b""
