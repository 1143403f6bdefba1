"""A real browser: what it says on its console, asks from outside or may not load fails the test."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Request, Route, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--no-sandbox",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)


@dataclass
class Complaints:
    """What a page did that it must not do."""

    allowed: tuple[str, ...] = ()
    found: list[str] = field(default_factory=list)

    def note(self, words: str) -> None:
        """Write it down, unless the test asked for it."""
        if not any(text in words for text in self.allowed):
            self.found.append(words)


def program() -> str | None:
    """Return where a browser is installed, or None."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


@contextmanager
def started() -> Iterator[Browser]:
    """Run the browser; skip at home, and fail in CI, where there is none."""
    executable = program()
    if executable is None:
        message = "there is no Chromium: apt-get install chromium"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(OPTIONS))
        yield browser
        browser.close()


@contextmanager
def opened(
    browser: Browser, address: str, *, allowed: tuple[str, ...] = (), **options: object
) -> Iterator[Page]:
    """Give a page in a context of its own; what it complains of is asserted at the end."""
    context: BrowserContext = browser.new_context(**options)  # type: ignore[arg-type]
    complaints = Complaints(allowed)
    context.route("**/*", lambda route, request: _only_from(address, route, request, complaints))
    page = context.new_page()
    page.on("console", lambda said: said.type == "error" and complaints.note(said.text))
    page.on("pageerror", lambda error: complaints.note(str(error)))
    try:
        yield page
    finally:
        context.close()
    assert complaints.found == []


def violations(page: Page) -> list[str]:
    """Return what axe finds wrong with a page, with the element that it finds it at."""
    page.wait_for_timeout(300)  # A theme's colours change over a moment, and axe reads them then.
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": tags}})
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found.response["violations"]
    ]


def _only_from(address: str, route: Route, request: Request, complaints: Complaints) -> None:
    if urlsplit(request.url).netloc == urlsplit(address).netloc:
        route.continue_()
        return
    complaints.note(f"asked for {request.url}")
    route.abort()
