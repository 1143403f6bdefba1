"""The operator's page in a real browser, beside a service that has everything to show."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from model_store import ModelStore
from model_store.rollouts import Gate, Rollout
from tests import browser as real_browser
from tests import colour_model
from tests.conftest import ROOT, picture
from tests.test_end_to_end.conftest import (
    HTTP_SECONDS,
    RunningService,
    colour_service,
    wait_until,
)

pytestmark = pytest.mark.end_to_end

LOST = "Failed to load resource"
"""What the browser itself says of every answer that is no success, and of none at all."""
MILLISECONDS = 30_000.0
MOST_SHOWN = 10
SCREENS = [(theme, width) for theme in ("light", "dark") for width in (390, 1280)]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of `colours`: production, and one that is damaged."""
    directory = tmp_path_factory.mktemp("admin-models")
    for _ in range(2):
        colour_model.publish(directory)
    (artifact,) = (directory / "colours" / "2").rglob("model.bin")
    artifact.write_bytes(b"damaged")
    return directory


@pytest.fixture(scope="module")
def service(
    directory: Path,
    tmp_path_factory: pytest.TempPathFactory,
    original_environment: dict[str, str],
) -> Iterator[RunningService]:
    """A service that classifies with `colours`."""
    state = tmp_path_factory.mktemp("admin-state")
    with colour_service(str(directory), state, original_environment) as running:
        yield running


@pytest.fixture
def page(browser: Browser, service: RunningService) -> Iterator[Page]:
    """The operator's page, in a browser that was never here before."""
    with real_browser.opened(browser, service.api) as page:
        page.goto(f"{service.api}/admin")
        expect(page.locator("#status")).to_contain_text("Ready: 2 of 2", timeout=MILLISECONDS)
        yield page


def send(service: RunningService, **options: object) -> str:
    """POST a red picture and return its task id."""
    answer = requests.post(
        f"{service.api}/classify",
        files={"image": ("<red>.jpg", picture("red"))},
        params=options,
        timeout=HTTP_SECONDS,
    )
    return str(answer.json()["task_id"])


@contextmanager
def frozen(processes: list[psutil.Process]) -> Iterator[None]:
    """Let processes stand still meanwhile."""
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in reversed(processes):
            process.resume()


def test_an_idle_service_says_so(page: Page) -> None:
    """Nothing waits, nothing failed, and both children have the model in memory."""
    page.get_by_role("link", name="Admin").click()

    expect(page.locator("#waiting-number")).to_have_text("0")
    for words in ("Nothing waits.", "No picture is in quarantine.", "Every queue is empty."):
        expect(page.get_by_text(words)).to_be_visible()
    expect(page.locator("#workers tbody tr", has_text="colours@1 on openvino")).to_have_count(2)
    expect(page.locator("#no-worker")).to_be_hidden()
    expect(page.locator("#flow polyline")).to_have_count(2, timeout=MILLISECONDS)


def test_what_waits_is_counted_and_its_oldest_shown(page: Page, service: RunningService) -> None:
    """However many; then they leave, and the plot has both."""
    with frozen(service.part("worker").children()):
        for n in range(MOST_SHOWN + 2):
            send(service, priority="low" if n == 0 else "normal")
        expect(page.locator("#waiting-number")).to_have_text("12")
        expect(page.locator("#waiting tbody tr")).to_have_count(MOST_SHOWN)
        expect(page.locator("#waiting .more")).to_contain_text("and 2 more")
        expect(page.locator("#waiting tbody tr").first).to_contain_text("<red>.jpg")
        expect(page.locator("#lanes tbody tr")).to_have_count(2)
        expect(page.locator("#oldest")).to_contain_text("the oldest for")
    expect(page.locator("#waiting-number")).to_have_text("0", timeout=MILLISECONDS)

    expect(page.locator("#rate-in")).not_to_have_text("0.0")
    expect(page.locator("#waiting table")).to_be_hidden()


def test_a_trial_and_a_refused_version_are_seen(
    page: Page, service: RunningService, directory: Path
) -> None:
    """With the reason, the gate, and the commands that end it."""
    store = ModelStore.open(str(directory))
    gate = Gate(agreement=0.97, comparisons=200)
    rollout = store.begin_rollout("colours", Rollout("canary", 2, 10.0, gate))
    try:
        refused = page.locator("#refused tbody tr")
        expect(refused).to_contain_text("model.bin", timeout=MILLISECONDS)
        trial = page.locator("#trials tbody tr")
        expect(trial).to_contain_text("canary on 10 %", timeout=MILLISECONDS)
        expect(trial).to_contain_text("0 of 200")
        expect(trial).to_contain_text("at least 97.0 %")
        trial.get_by_role("button").click()
        expect(page.locator("#act-commands")).to_contain_text("petiole models end colours")
        expect(page.locator("#act-do")).to_be_hidden()
        page.keyboard.press("Escape")
    finally:
        store.end_rollout("colours", rollout.number, outcome="ended by hand")
    expect(page.locator("#last-trials")).to_contain_text("ended by hand", timeout=MILLISECONDS)


@pytest.fixture(scope="module")
def trainings(service: RunningService) -> None:
    """Two trainings that run, as far as their records say; no worker does it here."""
    program = (
        "from tasks import training_jobs\n"
        "from tasks.documents import Progress\n"
        "for name in ('one', 'two'):\n"
        "    training_jobs.claim(name, model=name, pictures='photographs', retries=0)\n"
        "    training_jobs.note(name, Progress('Computing features', 320, 1000))\n"
    )
    environment = {**service.environment, "REDIS_URL": service.redis_url}
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=environment, check=True)


@pytest.mark.usefixtures("trainings")
def test_a_training_shows_how_far_it_is(page: Page) -> None:
    """A bar with its number in words; the command cancels it."""
    row = page.locator("#trainings tbody tr").last
    expect(row).to_contain_text("Computing features: 320 of 1,000", timeout=MILLISECONDS)
    expect(row.get_by_role("progressbar")).to_have_attribute("value", "320")
    row.get_by_role("button", name="Commands for the training of one").click()
    command = page.locator("#act-commands code").inner_text()
    page.keyboard.press("Escape")
    subprocess.run(command.split(), check=True, capture_output=True)

    assert command.endswith("/result/one")
    expect(row).to_contain_text("cancelled", timeout=MILLISECONDS)


def test_a_service_that_is_away_is_said_and_comes_back(
    browser: Browser, service: RunningService
) -> None:
    """Its store hangs, then nothing answers at all; what was seen last stays."""
    with real_browser.opened(browser, service.api, allowed=(LOST,)) as page:
        page.goto(f"{service.api}/admin")
        expect(page.locator("#workers tbody tr").first).to_be_visible(timeout=MILLISECONDS)
        with frozen([service.part("redis")]):
            expect(page.locator("#trouble")).to_contain_text("job store", timeout=MILLISECONDS)
        expect(page.locator("#banner")).to_be_hidden(timeout=MILLISECONDS)
        page.context.set_offline(True)
        expect(page.locator("#trouble")).to_contain_text("does not answer", timeout=MILLISECONDS)
        expect(page.locator("#trouble")).to_contain_text("What is below is from")
        expect(page.locator("#workers tbody tr").first).to_be_visible()
        page.context.set_offline(False)
        expect(page.locator("#banner")).to_be_hidden(timeout=MILLISECONDS)
        expect(page.locator("#news")).to_contain_text("The service answers again.")
    wait_until(lambda: service.get("/readyz").ok)


def test_no_worker_is_said_with_what_to_do(page: Page, service: RunningService) -> None:
    """It hangs: its notes run out, and the page names the command that starts another."""
    worker = service.part("worker")
    with frozen([worker, *worker.children()]):
        expect(page.locator("#status")).to_contain_text("no worker runs", timeout=MILLISECONDS)
        expect(page.locator("#no-worker code").last).to_contain_text("-A tasks worker -Q classify")
    expect(page.locator("#status")).to_contain_text("Ready", timeout=MILLISECONDS)
    expect(page.locator("#no-worker")).to_be_hidden()


@pytest.mark.usefixtures("trainings")
@pytest.mark.parametrize(("theme", "width"), SCREENS)
def test_everybody_can_use_it(
    browser: Browser, service: RunningService, theme: str, width: int
) -> None:
    """WCAG 2.2 AA as far as a program sees it, with rows and the dialog open."""
    size = {"width": width, "height": 900}
    with real_browser.opened(browser, service.api, viewport=size, color_scheme=theme) as page:
        page.goto(f"{service.api}/admin")
        expect(page.locator("#trainings tbody tr").first).to_be_visible(timeout=MILLISECONDS)
        on_the_page = real_browser.violations(page)
        page.locator("#trainings").get_by_role("button").first.click()
        expect(page.locator("#act")).to_be_visible()
        in_the_dialog = real_browser.violations(page)

    assert (on_the_page, in_the_dialog) == ([], [])


@pytest.mark.usefixtures("trainings")
def test_a_narrow_phone_needs_no_scrolling_sideways(
    browser: Browser, service: RunningService
) -> None:
    """320 pixels, the narrowest that is asked for."""
    size = {"width": 320, "height": 640}
    with real_browser.opened(browser, service.api, viewport=size) as page:
        page.goto(f"{service.api}/admin")
        expect(page.locator("#trainings tbody tr").first).to_be_visible(timeout=MILLISECONDS)

        assert page.evaluate("document.documentElement.scrollWidth") <= 320
