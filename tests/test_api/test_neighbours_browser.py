"""The page's card with the training pictures that a picture looks like, in a real browser."""

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, Page, expect
from werkzeug.serving import make_server

from api import create_app
from tests import browser as real_browser
from tests import doubting_model
from tests.conftest import picture
from tests.test_end_to_end.conftest import wait_until

MILLISECONDS = 20_000.0
ALL_LOADED = "[...document.querySelectorAll('.neighbours img')].every((each) => each.naturalWidth)"
NO_WORKER = "503 (SERVICE UNAVAILABLE)"
"""What the browser says of `/readyz`: here the API itself classifies."""


@pytest.fixture
def page(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """The page of a service whose model shows its references."""
    doubting_model.publish_showing(tmp_path)
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", str(tmp_path))
    monkeypatch.setenv("PETIOLE_MODELS_DEFAULT_MODEL", "doubting")
    server = make_server("127.0.0.1", 0, create_app(), threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    with real_browser.opened(browser, address, allowed=(NO_WORKER,)) as page:
        page.goto(f"{address}/")
        page.wait_for_selector("#model option", state="attached")
        yield page
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_card_shows_what_the_picture_looks_like(page: Page) -> None:
    """As many as are asked for, each with its picture, for everybody; unasked it shows none."""
    sent = {"name": "green.jpg", "mimeType": "image/jpeg", "buffer": picture("#1edc1e")}
    page.locator("#files").set_input_files([sent])
    expect(page.locator(".card h3")).to_have_text("green", timeout=MILLISECONDS)
    expect(page.locator(".card .looks-like")).to_be_hidden()
    page.locator("#neighbours").fill("3")
    page.locator("#neighbours").press("Tab")
    page.locator("#files").set_input_files([sent])

    near = page.locator(".card .neighbours li")
    expect(near).to_have_count(3, timeout=MILLISECONDS)
    expect(near.first).to_contain_text("green")
    assert wait_until(lambda: page.evaluate(ALL_LOADED), seconds=MILLISECONDS / 1000)
    assert real_browser.violations(page) == []
