"""A page of another origin in a real browser: what the operator allows it, and nothing else."""

from typing import Any

import pytest
from playwright.sync_api import Browser
from pytest_httpserver import HTTPServer

from tests.api_server import Server, Start
from tests.conftest import picture

pytestmark = pytest.mark.server

PAGE = '<!doctype html><title>Elsewhere</title><link rel="icon" href="data:,">'
SENT = """async ([base, bytes]) => {
    const { Client } = await import(`${base}/static/client.js`);
    const client = new Client(base);
    const file = new File([new Uint8Array(bytes)], "a.png", { type: "image/png" });
    const task = await client.submit(file, { top_k: 3 });
    const told = await new Promise((resolve) => {
        const ignored = { onOpen() {}, onProblem() {}, onBreak() {}, onRefused() {} };
        const source = client.events([task.task_id], { ...ignored, onAnswer: (answer) => {
            source.close();
            resolve(answer);
        } });
    });
    const found = await fetch(`${base}/result/${told.task_id}`);
    const names = ["Location", "Retry-After", "ETag"];
    const refused = await client.result("unknown").catch((error) => error.slug);
    const ended = await client.end(task.task_id);
    return [found.status, names.filter((name) => !found.headers.get(name)), refused, ended.state];
}"""
TRIED = """async ([base, bytes]) => {
    const body = new Uint8Array(bytes);
    const headers = { "Content-Type": "image/png" };
    const asked = [
        fetch(`${base}/models`),
        fetch(`${base}/classify`, { method: "POST", headers, body }),
        import(`${base}/static/client.js`),
    ];
    return (await Promise.allSettled(asked)).map((outcome) => outcome.status);
}"""


@pytest.fixture
def api(start: Start, httpserver: HTTPServer) -> Server:
    """An API that is open to the pages of `localhost`, and to no other name of that server."""
    httpserver.expect_request("/").respond_with_data(PAGE, content_type="text/html")
    return start(PETIOLE_API_CORS_ORIGINS=f"http://localhost:{httpserver.port}")


def run(browser: Browser, api: Server, origin: str, script: str) -> Any:
    """Return what a script on a page of an origin gets when it asks the API.

    Nothing is routed: Playwright answers the preflights of routed requests itself.
    """
    with browser.new_page() as page:
        page.goto(f"{origin}/")
        return page.evaluate(script, [api.url, list(picture(kind="PNG"))])


def test_a_page_of_a_named_origin_uses_the_client(
    browser: Browser, api: Server, httpserver: HTTPServer
) -> None:
    """It sends, hears, reads headers and problems, and cancels, with preflights on the way."""
    origin = f"http://localhost:{httpserver.port}"

    expected = [202, [], "unknown-task", "REVOKED"]
    assert run(browser, api, origin, SENT) == expected


def test_a_page_of_another_origin_reads_nothing(
    browser: Browser, api: Server, httpserver: HTTPServer
) -> None:
    """The browser keeps answers from it, and does not even send a picture."""
    origin = f"http://127.0.0.1:{httpserver.port}"

    before = api.job_store.load().open_jobs
    outcomes = run(browser, api, origin, TRIED)

    assert outcomes == ["rejected"] * 3
    assert api.job_store.load().open_jobs == before
