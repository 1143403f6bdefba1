"""An API in eager mode, and bulks to send to it."""

import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from typing import Any

import pytest
from flask.testing import FlaskClient

from api import create_app


@pytest.fixture
def client(colour_store: str, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A client of a fresh API with empty stores and the model `colours`."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", colour_store)
    return create_app().test_client()


def zipped(members: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive with these members."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", method) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return archive.getvalue()


def tarred(members: Mapping[str, bytes], mode: str) -> bytes:
    """Return a tar archive with these members, packed as tarfile's `mode` says."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode=mode) as opened:  # type: ignore[call-overload] # a text
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))
    return archive.getvalue()


def lines_of(client: FlaskClient, bulk_id: str, **options: Any) -> list[dict[str, Any]]:
    """Return the results of a bulk."""
    response = client.get(f"/bulk/{bulk_id}/results", query_string=options)
    assert response.status_code == 200, response.json
    return [json.loads(line) for line in response.text.splitlines()]
