"""An API in eager mode: the task runs in the test's own process, the stores in its memory."""

import pytest
from flask.testing import FlaskClient

from api import catalog, create_app
from tasks import loaded_models, stores, trials


@pytest.fixture
def client(colour_store: str, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A client of a fresh API with empty stores and the model `colours`."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", colour_store)
    for opened in (
        stores.job_store,
        stores.prompt_job_store,
        stores.image_store,
        catalog.store,
        loaded_models.of_this_process,
        trials.of_this_process,
    ):
        opened.cache_clear()
    catalog._known.clear()
    return create_app().test_client()
