"""An API that requires keys, for the tests of who may do what."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api import create_app
from tasks import once, stores
from tasks.keys.records import BULK, CLASSIFY, MODELS, new

ID = "0b5a6c1e-3f0e-4c58-9a3c-000000000000"
BROWSER = {"Accept": "text/html"}
MakeKey = Callable[..., dict[str, str]]


@pytest.fixture
def guarded(colour_store: str, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """An API that requires keys, and forgets what it has looked up at once."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", colour_store)
    monkeypatch.setenv("PETIOLE_API_REQUIRE_KEYS", "true")
    monkeypatch.setenv("PETIOLE_API_KEY_MEMORY_SECONDS", "0")
    once.begin_anew()
    return create_app()


@pytest.fixture
def client(guarded: Flask) -> FlaskClient:
    """A client without a key."""
    return guarded.test_client()


@pytest.fixture
def key(guarded: Flask) -> MakeKey:
    """Make a key; returns the header that shows it."""

    def make(name: str = "ana", *scopes: str) -> dict[str, str]:
        made, token = new(name, scopes or (CLASSIFY, BULK, MODELS))
        stores.keys().create(made)
        return {"Authorization": f"Bearer {token}"}

    return make


def slug_of(answer: TestResponse) -> tuple[int, str]:
    """Return the status of an answer and the kind of its problem."""
    members = answer.json if isinstance(answer.json, dict) else {}
    return answer.status_code, members.get("type", "").partition("#")[2]
