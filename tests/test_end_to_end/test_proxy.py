"""The whole service behind a real nginx with TLS and a prefix, by `docs/behind-a-proxy.md`."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from petiole.client import Client
from tests import browser as real_browser
from tests import nginx
from tests.conftest import picture
from tests.nginx import PREFIX, Proxy
from tests.test_api.test_events import told
from tests.test_end_to_end.conftest import (
    FLOWER_AUTH,
    RunningService,
    colour_service,
    frozen_children,
)

pytestmark = pytest.mark.end_to_end

SECONDS = 20_000.0
IMPORTED = """async ([base, bytes]) => {
    const { Client } = await import(`${base}/static/client.js`);
    const file = new File([new Uint8Array(bytes)], "green.png", { type: "image/png" });
    return new Client(base).classify(file);
}"""


@pytest.fixture(scope="module")
def service(
    colour_store: str,
    tmp_path_factory: pytest.TempPathFactory,
    original_environment: dict[str, str],
) -> Iterator[RunningService]:
    """A service that trusts one proxy."""
    nginx.program()
    state = tmp_path_factory.mktemp("state")
    trusting = {
        "PETIOLE_API_TRUSTED_PROXIES": "1",
        "PETIOLE_API_REQUIRE_KEYS": "false",
        "FLOWER_URL_PREFIX": "pictures/flower",
    }
    with colour_service(colour_store, state, original_environment, **trusting) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(service: RunningService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    """The proxy before it."""
    port = int(service.environment["PETIOLE_API_PORT"])
    flower_port = int(service.environment["FLOWER_PORT"])
    folder = tmp_path_factory.mktemp("nginx")
    with nginx.started(folder, service_port=port, flower_port=flower_port) as proxy:
        yield proxy


@pytest.fixture
def page(browser: Browser, proxy: Proxy) -> Iterator[Page]:
    """A page of a browser; an error on its console, or a request past the proxy, fails the test."""
    with real_browser.opened(browser, proxy.url, ignore_https_errors=True) as page:
        requested: list[str] = []
        page.on("request", lambda request: requested.append(urlsplit(request.url).path))
        yield page
        assert [path for path in requested if path and not path.startswith(f"{PREFIX}/")] == []


def test_flower_is_below_the_same_prefix(proxy: Proxy) -> None:
    """It asks for its password there as well, and what its pages are made of comes through."""
    url = f"{proxy.plain_url}/flower/"
    refused = requests.get(url, timeout=20)
    page = requests.get(url, auth=FLOWER_AUTH, timeout=20)
    assets = re.findall(r'(?:src|href)="(/[^"]+\.(?:js|css))', page.text)
    loaded = [requests.get(urljoin(url, path), timeout=20).status_code for path in assets]

    assert (refused.status_code, page.status_code) == (401, 200)
    assert all(path.startswith(f"{PREFIX}/flower/") for path in assets)
    assert loaded == [200] * len(assets) != []


def test_the_page_classifies(page: Page, proxy: Proxy) -> None:
    """Styles, scripts, samples and the stream of events come through the proxy."""
    page.goto(f"{proxy.url}/")
    page.get_by_alt_text("A cup of coffee").click()

    expect(page.locator(".card .facts")).to_contain_text("colours@1 on", timeout=SECONDS)


def test_the_pages_client_takes_an_address_with_a_path(page: Page, proxy: Proxy) -> None:
    """With or without a slash at its end."""
    page.goto(f"{proxy.url}/problems")
    arguments = [proxy.url, list(picture("green", kind="PNG"))]

    assert page.evaluate(IMPORTED, arguments)["predictions"][0]["label"] == "green"


def test_the_specification_is_tried_out(page: Page, proxy: Proxy) -> None:
    """Swagger asks the address that the document names."""
    page.goto(f"{proxy.url}/docs/")
    block = page.locator(".opblock", has=page.locator('[data-path="/livez"]'))
    block.locator(".opblock-summary-control").click(timeout=SECONDS)
    block.get_by_role("button", name="Try it out").click()
    block.get_by_role("button", name="Execute").click()

    expect(block.locator(".request-url")).to_contain_text(f"{proxy.url}/livez")
    expect(block.locator(".live-responses-table .response-col_status").last).to_contain_text("200")


def test_location_is_followed_over_tls(proxy: Proxy) -> None:
    """Resolved as URLs are, it is the result; a second request finds it there."""
    with requests.Session() as session:
        session.verify, session.trust_env = str(proxy.certificate), False
        headers = {"Content-Type": "image/png"}
        sent = session.post(f"{proxy.url}/classify", data=picture("green"), headers=headers)
        address = urljoin(sent.url, sent.headers["Location"])
        found = session.get(address, params={"wait": 20})
        specification = session.get(f"{proxy.url}/openapi.json").json()

    assert found.json()["predictions"][0]["label"] == "green"
    assert specification["servers"] == [{"url": proxy.url}]


def test_the_python_client(proxy: Proxy) -> None:
    """It keeps the path of the address that it was given."""
    with Client(proxy.plain_url) as client:
        assert client.classify(picture("green")).predictions[0].label == "green"


def test_events_are_not_held_back(proxy: Proxy, service: RunningService) -> None:
    """The first one comes while its task still waits, long before nginx' buffer is full."""
    with frozen_children(service):
        headers = {"Content-Type": "image/png"}
        sent = requests.post(
            f"{proxy.plain_url}/classify", data=picture("blue"), headers=headers, timeout=10
        ).json()
        address = f"{proxy.plain_url}/events"
        query = {"task": sent["task_id"]}
        with requests.get(address, params=query, stream=True, timeout=10) as stream:
            came, pieces = b"", stream.iter_content(None)
            while not (events := told(came)):
                came += next(pieces)

    assert events[0]["event"] == "state"
    assert events[0]["data"]["result_url"] == f"{PREFIX}/result/{sent['task_id']}"


def test_a_client_invents_nothing(proxy: Proxy) -> None:
    """The proxy writes over, or adds to, what a client says of itself."""
    headers = {
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Prefix": "/elsewhere",
        "X-Forwarded-Host": "evil.example",
    }
    address = f"{proxy.plain_url}/openapi.json"
    specification = requests.get(address, headers=headers, timeout=10).json()
    own = requests.get(f"{proxy.plain_url}/jobs", headers=headers, timeout=10)

    assert specification["servers"] == [{"url": proxy.plain_url}]
    assert own.status_code == 200  # this test is on the service's machine, whatever it says
