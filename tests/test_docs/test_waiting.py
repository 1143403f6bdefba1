"""`docs/waiting.md`: the code that it gives to receivers, and the addresses that it names."""

import re
import subprocess
from pathlib import Path
from time import time

import pytest
from flask.testing import FlaskClient

from api import create_app
from tasks import signatures
from tests.conftest import picture

PAGE = (Path(__file__).parents[2] / "docs" / "waiting.md").read_text()


def block(kind: str, begins: str) -> str:
    """Return the block of code that begins so."""
    blocks = re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    (found,) = [each for each in blocks if each.startswith(begins)]
    return found


@pytest.fixture
def client(colour_store: str, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A client of a fresh API in eager mode."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", colour_store)
    return create_app().test_client()


def test_the_receiver_on_the_page_knows_what_is_genuine() -> None:
    """With the secret that the page's command makes; another body or an old one is not."""
    made = block("sh", "export").partition("=")[2].strip().strip('"')
    secret = subprocess.check_output(["bash", "-c", f'echo -n "{made}"'], text=True)
    scope: dict = {}
    exec(block("python", "import base64"), scope)  # noqa: S102 - our own page
    keys = signatures.keys_of(secret)
    now, old = (signatures.headers("msg_1", b"{}", at=at, keys=keys) for at in (int(time()), 1))

    is_genuine = scope["is_genuine"]
    assert is_genuine(now, b"{}", secret)
    assert not is_genuine(now, b"{ }", secret)
    assert not is_genuine(old, b"{}", secret)


def test_every_address_on_the_page_answers(client: FlaskClient) -> None:
    """As its lines for `curl` and for browsers name them."""
    task_id = client.post("/classify", data=picture(), content_type="image/jpeg").json["task_id"]
    paths = re.findall(r"127\.0\.0\.1:8000(/(?:result|events)\S*?)\"?\n", PAGE)
    paths += ["/events?task=$TASK&task=$TASK"] if 'EventSource("/events?"' in PAGE else []
    statuses = [client.get(path.replace("$TASK", task_id)).status_code for path in paths]

    assert len(paths) == 5
    assert set(statuses) == {200}
