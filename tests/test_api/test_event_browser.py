"""What `docs/waiting.md` tells a page to do, in a real browser: it reconnects, and it stops."""

import os
import signal

import pytest
from playwright.sync_api import Browser, Page

from tests import browser as real_browser
from tests.api_server import Start
from tests.test_api.test_event_server import post
from tests.test_api.test_server import children_of
from tests.test_docs.test_waiting import block
from tests.test_end_to_end.conftest import wait_until

pytestmark = pytest.mark.server

CLOSED = 2
KEPT_SAYING = "window.said = []; console.log = (what, task) => window.said.push([what, task]);"


def said(page: Page, what: str) -> list[str]:
    """Return the tasks of which the code on the page has said something, each time."""
    return [task["task_id"] for told, task in page.evaluate("window.said") if told == what]


def test_a_page_is_told_over_a_restart(browser: Browser, start: Start) -> None:
    """A new process goes on with its stream; each end is told once; then it asks no more."""
    server = start()
    ids = [post(server) for _ in range(3)]
    with real_browser.opened(browser, server.url) as page:
        page.goto(f"{server.url}/livez")
        script = (
            f"(ids) => {{ {KEPT_SAYING} {block('js', 'const source')} window.source = source }}"
        )
        page.evaluate(script, ids)
        wait_until(lambda: len(said(page, "waits or runs")) == 3, seconds=10)
        server.end_job(ids[0])
        wait_until(lambda: said(page, "is over") == ids[:1], seconds=10)
        before = children_of(server)
        os.kill(server.process.pid, signal.SIGHUP)
        wait_until(lambda: not children_of(server) & before, seconds=20)
        for task_id in ids[1:]:
            server.end_job(task_id)
        wait_until(lambda: page.evaluate("window.source.readyState") == CLOSED, seconds=20)

        assert sorted(said(page, "is over")) == sorted(ids)
        assert len(said(page, "waits or runs")) == 3
