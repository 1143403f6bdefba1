"""The documents at `/docs/` in a real browser: what they offer to be tried works."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import browser as real_browser
from tests.test_end_to_end.conftest import RunningService

pytestmark = pytest.mark.end_to_end

SECONDS = 20_000.0


@pytest.fixture
def page(browser: Browser, service: RunningService) -> Iterator[Page]:
    """The documents, in a browser that was never here before."""
    with real_browser.opened(browser, service.api) as page:
        page.goto(f"{service.api}/docs/")
        yield page


@pytest.mark.parametrize(
    ("operation", "answer"),
    [("classify", '"predictions"'), ("model", '"versions"'), ("readyz", '"ready"')],
)
def test_what_is_tried_as_it_stands_is_answered(page: Page, operation: str, answer: str) -> None:
    """Opened, tried out and executed, with nothing filled in."""
    part = page.locator(f"[id$=-{operation}]")
    part.locator(".opblock-summary-control").click()
    part.get_by_role("button", name="Try it out").click()
    part.get_by_role("button", name="Execute").click()
    told = part.locator(".live-responses-table")

    expect(told.locator(".response-col_status").nth(1)).to_have_text("200", timeout=SECONDS)
    expect(told).to_contain_text(answer)
