"""Pictures in quarantine on the operator's page: retried, purged, and out of other sites' reach."""

import json
import os
import re
import signal
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Browser, Page, expect
from pytest_httpserver import HTTPServer

from tests import browser as real_browser
from tests.conftest import picture
from tests.test_end_to_end.conftest import (
    HTTP_SECONDS,
    RunningService,
    colour_service,
    wait_until,
)

pytestmark = pytest.mark.end_to_end

MILLISECONDS = 30_000.0
TRIES = 20
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - of the tests


@pytest.fixture(scope="module")
def service(
    colour_store: str,
    tmp_path_factory: pytest.TempPathFactory,
    original_environment: dict[str, str],
) -> Iterator[RunningService]:
    """A service in which a picture goes into quarantine as soon as it has lost its worker."""
    state = tmp_path_factory.mktemp("quarantine-state")
    with colour_service(
        colour_store,
        state,
        original_environment,
        PETIOLE_TASKS_MAX_ATTEMPTS="1",
        PETIOLE_TASKS_WEBHOOK_SECRET=SECRET,
        PETIOLE_TASKS_WEBHOOK_ALLOW_NETWORKS="127.0.0.1/32",
    ) as running:
        yield running


@pytest.fixture
def page(browser: Browser, service: RunningService) -> Iterator[Page]:
    """The operator's page, in a browser that was never here before."""
    rights = ["clipboard-read", "clipboard-write"]
    with real_browser.opened(browser, service.api, permissions=rights) as page:
        page.goto(f"{service.api}/admin")
        expect(page.locator("#status")).to_contain_text("Ready: 2 of 2", timeout=MILLISECONDS)
        yield page


def send(service: RunningService, **options: str) -> str:
    """POST a picture that takes long to decode, and return its task id."""
    upload = picture("red", size=(6300, 6300), kind="PNG")
    answer = requests.post(
        f"{service.api}/classify",
        params=options,
        files={"image": ("<red>.jpg", upload)},
        timeout=HTTP_SECONDS,
    )
    return str(answer.json()["task_id"])


def kept(service: RunningService) -> list[str]:
    """Return the ids of the pictures in quarantine."""
    return [job["task_id"] for job in service.get("/jobs").json()["quarantined"]]


@pytest.fixture
def quarantined(service: RunningService) -> Iterator[list[str]]:
    """The ids of two pictures whose child was killed while it decoded them."""
    ids = [killed_over(service) for _ in range(2)]
    wait_until(lambda: sorted(kept(service)) == sorted(ids))
    wait_until(lambda: service.get("/readyz").ok)
    yield kept(service)
    for task_id in kept(service):
        requests.delete(f"{service.api}/jobs/{task_id}", timeout=HTTP_SECONDS)


def killed_over(service: RunningService, **options: str) -> str:
    """Kill a child that is still at work on a picture; return that picture's id."""
    for _ in range(TRIES):
        task_id = send(service, **options)
        owner = wait_until(lambda task=task_id: service.get(f"/jobs/{task}").json()["owner"])
        child = int(owner.rpartition(":")[2])
        # On a quick machine it may be over before it is seen; what stands still will not be.
        os.kill(child, signal.SIGSTOP)
        if service.get(f"/jobs/{task_id}").json()["place"] == "started":
            os.kill(child, signal.SIGKILL)
            return task_id
        os.kill(child, signal.SIGCONT)
    pytest.fail(f"no child was still at work in {TRIES} tries")


def test_a_quarantined_picture_is_retried_by_key_alone(
    page: Page, service: RunningService, quarantined: list[str]
) -> None:
    """With its cause; the dialog has the command, and the link leads to the answer."""
    row = page.locator("#quarantine tbody tr").first
    # It depends on who finds it first: its main process, or who looks for lost jobs.
    cause = re.compile("Worker exited prematurely|lost its worker")
    expect(row).to_contain_text(cause, timeout=MILLISECONDS)
    row.get_by_role("button", name="Retry <red>.jpg").focus()
    page.keyboard.press("Enter")
    command = f"petiole jobs retry {quarantined[0]}"
    expect(page.locator("#act-commands code")).to_have_text(command)
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    page.locator("#act-do").focus()
    page.keyboard.press("Enter")
    link = page.locator("#done a")
    expect(link).to_be_visible()
    again = link.inner_text()
    expect(page.locator("#quarantine tbody tr")).to_have_count(1)
    expect(page.locator("#quarantine-title")).to_be_focused()

    assert copied == command
    assert kept(service) == quarantined[1:]
    assert service.get(f"/result/{again}?wait=20").json()["state"] == "SUCCESS"
    expect(page.locator("#news")).to_contain_text("is tried again")


def test_a_purge_is_asked_about(
    page: Page, service: RunningService, quarantined: list[str]
) -> None:
    """Enter alone does not delete; what is gone meanwhile is said in the dialog."""
    first = page.locator("#quarantine tbody tr", has_text=quarantined[0])
    second = page.locator("#quarantine tbody tr", has_text=quarantined[1])
    first.get_by_role("button", name="Purge").click()
    expect(page.locator("#act-commands code")).to_have_text(f"petiole jobs purge {quarantined[0]}")
    page.keyboard.press("Enter")
    expect(page.locator("#act")).to_be_hidden()
    assert kept(service) == quarantined
    first.get_by_role("button", name="Purge").click()
    page.locator("#act-do").click()
    expect(page.locator("#done")).to_have_text("<red>.jpg is deleted.")
    expect(first).to_have_count(0)
    second.get_by_role("button", name="Purge").click()
    page.locator("#act-do").click()
    expect(page.get_by_text("No picture is in quarantine.")).to_be_visible()

    assert kept(service) == []


def test_another_sites_page_can_do_nothing(
    browser: Browser, service: RunningService, httpserver: HTTPServer, quarantined: list[str]
) -> None:
    """Not by a form, not by a script, not under a name that it made lead here."""
    address = f"{service.api}/jobs/{quarantined[0]}/retry"
    form = f"<form method=post action='{address}'></form>"
    httpserver.expect_request("/trap").respond_with_data(form, content_type="text/html")
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(httpserver.url_for("/trap"))
        with page.expect_response(address) as scripted:
            page.evaluate("url => fetch(url, {method: 'POST', mode: 'no-cors'})", address)
        with page.expect_navigation() as posted:
            page.evaluate("document.forms[0].submit()")
        named = page.goto(service.api.replace("127.0.0.1", "evil.localhost") + "/jobs")
        statuses = [scripted.value.status, posted.value.status, named.status]

    assert statuses == [403, 403, 403]
    assert kept(service) == quarantined


def test_a_retried_picture_tells_whoever_was_told(
    service: RunningService, httpserver: HTTPServer
) -> None:
    """Of its failure first, then of the end of the new run."""
    httpserver.expect_request("/told", method="POST").respond_with_data("")
    failed = killed_over(service, webhook_url=httpserver.url_for("/told"))
    wait_until(lambda: kept(service) == [failed])
    address = f"{service.api}/jobs/{failed}/retry"
    again = requests.post(address, timeout=HTTP_SECONDS).json()["task_id"]

    def told() -> dict[str, str]:
        ends = [json.loads(request.get_data())["data"] for request, _ in httpserver.log]
        return {end["task_id"]: end["state"] for end in ends}

    wait_until(lambda: told().keys() >= {failed, again})
    assert (told()[failed], told()[again]) == ("FAILURE", "SUCCESS")
