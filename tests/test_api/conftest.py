"""An API in eager mode: the task runs in the test's own process, the stores in its memory."""

import pytest
from flask.testing import FlaskClient

from api import create_app
from tests.api_server import start

__all__ = ["client", "start"]


@pytest.fixture
def client(colour_store: str, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A client of a fresh API with empty stores and the model `colours`."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", colour_store)
    return create_app().test_client()
