"""The page in a real browser, against the whole service: every way in, every state, every key."""

import csv
import json
import os
import re
from collections.abc import Iterator
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from pytest_httpserver import HTTPServer

from tests import browser as real_browser
from tests.doorway import doorway
from tests.pictures.files import heic
from tests.test_end_to_end.conftest import SAMPLE, RunningService, frozen_children

pytestmark = pytest.mark.end_to_end

SECONDS = 20_000.0
LOST = "Failed to load resource"
"""What the browser itself says of every answer that is no success, and of none at all."""


@pytest.fixture
def page(browser: Browser, service: RunningService) -> Iterator[Page]:
    """The page, in a browser that was never here before."""
    with real_browser.opened(browser, service.api) as page:
        page.goto(f"{service.api}/")
        page.wait_for_selector("#model option", state="attached")
        yield page


def card(page: Page, label: str = "espresso") -> None:
    """Wait for a card with this label."""
    expect(page.locator(".card h3", has_text=label).first).to_be_visible(timeout=SECONDS)


def drawn(colour: tuple[int, int, int], size: tuple[int, int] = (32, 32)) -> bytes:
    """Return one picture as PNG."""
    stream = BytesIO()
    Image.new("RGB", size, colour).save(stream, "PNG")
    return stream.getvalue()


def files(count: int) -> list[dict[str, object]]:
    """Return so many different pictures as a browser takes them."""
    return [
        {"name": f"{n:03}.png", "mimeType": "image/png", "buffer": drawn((n * 2 % 256, n % 256, 9))}
        for n in range(count)
    ]


def give(page: Page, kind: str, name: str = "given.jpg", target: str = "#drop") -> None:
    """Drop or paste a file, as the browser does it: an event with a `DataTransfer`."""
    page.evaluate(
        """([kind, name, bytes, target]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], name, {type: "image/jpeg"}));
            const names = {drop: "dataTransfer", paste: "clipboardData"};
            const event = kind === "paste"
                ? new ClipboardEvent("paste", {bubbles: true, clipboardData: data})
                : new DragEvent("drop", {bubbles: true, cancelable: true, dataTransfer: data});
            document.querySelector(target).dispatchEvent(event);
        }""",
        [kind, name, list(SAMPLE.read_bytes()), target],
    )


def test_a_sample_is_classified_and_says_how_sure_it_is(page: Page) -> None:
    """Label, shares in words, version and stages; the news is told to a screen reader."""
    page.get_by_alt_text("A cup of coffee").click()
    card(page)

    first = page.locator(".card .bars li").first
    expect(first).to_contain_text("espresso")
    expect(first).to_contain_text("%")
    expect(page.locator(".card .facts")).to_contain_text("imagenet@1 on")
    expect(page.locator("#news")).to_contain_text("espresso")


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_picture_is_dropped_or_pasted(page: Page, kind: str) -> None:
    """Anywhere on the page."""
    give(page, kind, target="#drop" if kind == "drop" else "body")
    card(page)
    expect(page.locator(".card .name")).to_have_text("given.jpg")


def test_keys_alone_are_enough(page: Page) -> None:
    """From the first Tab to the answer, through the cards, and the help."""
    # From now on: a dialog that opens before somebody listens is lost.
    page.on("filechooser", lambda chooser: chooser.set_files(SAMPLE))
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    page.keyboard.press("u")
    card(page)
    page.keyboard.press("j")
    expect(page.locator(".card").first).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#filter")).to_be_focused()
    page.keyboard.type("nothing like it")
    expect(page.locator("#nothing")).to_be_visible()


def test_keys_can_be_switched_off(page: Page) -> None:
    """For those whose dictation or screen reader types letters."""
    page.keyboard.press("?")
    page.locator("#keys").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("?")

    expect(page.locator("#help")).to_be_hidden()


def test_the_camera_takes_a_picture(page: Page) -> None:
    """The browser's camera; it is let go afterwards."""
    page.locator("#camera").click()
    expect(page.locator("#shoot")).to_be_enabled(timeout=SECONDS)
    page.locator("#shoot").click()

    expect(page.locator(".card .facts")).to_contain_text("imagenet@1", timeout=SECONDS)
    assert page.evaluate("document.querySelector('video').srcObject") is None


def test_an_address_is_fetched(page: Page, httpserver: HTTPServer) -> None:
    """The service downloads it; the code below shows the same request."""
    httpserver.expect_request("/coffee.jpg").respond_with_data(SAMPLE.read_bytes())
    page.locator("#url").fill(httpserver.url_for("/coffee.jpg"))
    page.get_by_role("button", name="Fetch").click()
    card(page)
    page.locator("#code summary").click()

    expect(page.locator("#snippet")).to_contain_text("image_url")


def test_a_hundred_pictures_become_a_list(page: Page, tmp_path: Path) -> None:
    """Rows of which few exist at a time, a total, a filter, a card on demand, and both exports.

    One stream at a time tells of all of them; nothing is asked for again and again.
    """
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.locator("#files").set_input_files(files(100))  # type: ignore[arg-type]
    expect(page.locator("#total")).to_have_text("100 of 100 done", timeout=3 * SECONDS)
    assert page.locator("#rows li").count() < 60
    assert any("/events?task=" in url for url in asked)
    assert not [url for url in asked if "/result/" in url]
    page.locator("#filter").fill("042.png")
    expect(page.locator("#rows li")).to_have_count(1)
    page.locator("#rows button").click()
    expect(page.locator("#card-dialog .name")).to_have_text("042.png")
    page.keyboard.press("Escape")
    page.locator("#filter").fill("")

    with page.expect_download() as saved:
        page.locator("#csv").click()
    rows = list(csv.DictReader(StringIO(Path(saved.value.path()).read_text())))
    with page.expect_download() as saved:
        page.locator("#json").click()
    answers = json.loads(Path(saved.value.path()).read_text())
    assert {row["name"] for row in rows} == {f"{n:03}.png" for n in range(100)}
    assert {row["state"] for row in rows} == {"SUCCESS"}
    assert {a["task_id"]: a["predictions"][0]["label"] for a in answers} == {
        row["task_id"]: row["label"] for row in rows
    }


def test_what_is_no_picture_says_what_to_do(browser: Browser, service: RunningService) -> None:
    """The problem's own words, and advice; the others go on."""
    with real_browser.opened(browser, service.api, allowed=("415",)) as page:
        page.goto(service.api)
        text = {"name": "notes.jpg", "mimeType": "image/jpeg", "buffer": b"Dear diary"}
        page.locator("#files").set_input_files([text, *files(1)])  # type: ignore[list-item]
        expect(page.locator(".card h3", has_text="not a picture")).to_be_visible(timeout=SECONDS)
        expect(page.locator(".card .state.bad")).to_contain_text(". Send a photograph")
        expect(page.locator("#total")).to_have_text("2 of 2 done, 1 failed", timeout=SECONDS)


def test_what_the_browser_cannot_show_has_no_broken_picture(page: Page) -> None:
    """The service reads HEIC all the same; the card stays as it is when it is drawn again."""
    upload = heic(Image.open(SAMPLE).convert("RGB"))
    phone = {"name": "phone.heic", "mimeType": "image/heic", "buffer": upload}
    page.locator("#files").set_input_files([phone, *files(1)])  # type: ignore[list-item]
    card(page)

    expect(page.locator("#total")).to_have_text("2 of 2 done", timeout=SECONDS)
    found = page.locator(".card", has_text="phone.heic")
    expect(found.locator(".thumbnail")).to_be_hidden()
    expect(found.locator("h3")).to_have_text("espresso")


def test_a_picture_that_is_too_large_is_made_smaller_here(page: Page) -> None:
    """And the card says so."""
    noise = Image.frombytes("RGB", (2800, 2800), os.urandom(3 * 2800 * 2800))
    stream = BytesIO()
    noise.save(stream, "PNG", compress_level=0)
    large = {"name": "noise.png", "mimeType": "image/png", "buffer": stream.getvalue()}
    page.locator("#files").set_input_files(large)  # type: ignore[arg-type]

    expect(page.locator(".card .note")).to_contain_text("Made smaller here: 23.5 MB")
    expect(page.locator(".card .facts")).to_contain_text("imagenet@1", timeout=SECONDS)


def test_nothing_is_lost_while_the_service_is_away(
    browser: Browser, service: RunningService
) -> None:
    """It goes away half-way: the page says so, and goes on by itself when it is back."""
    with (
        doorway(service.api, closed_for=0) as way,
        real_browser.opened(browser, way.address, allowed=(LOST, "net::ERR")) as page,
    ):
        page.goto(way.address)
        page.wait_for_selector("#model option", state="attached")
        page.locator("#files").set_input_files(files(100))  # type: ignore[arg-type]
        expect(page.locator("#total")).to_contain_text("of 100")
        way.turn_away(10)
        expect(page.locator("#banner")).to_contain_text("Nothing is lost", timeout=SECONDS)
        expect(page.locator("#total")).to_have_text("100 of 100 done", timeout=3 * SECONDS)
        expect(page.locator("#banner")).to_be_hidden()


def test_offline_is_said_and_survived(browser: Browser, service: RunningService) -> None:
    """A picture that is given meanwhile is sent when the network is back."""
    with real_browser.opened(browser, service.api, allowed=(LOST, "net::ERR")) as page:
        page.goto(service.api)
        page.wait_for_selector("#model option", state="attached")
        page.context.set_offline(True)
        give(page, "drop")
        expect(page.locator("#banner")).to_contain_text("offline", timeout=SECONDS)
        page.context.set_offline(False)
        card(page)


def test_history_stays_here_and_is_forgotten_on_request(
    browser: Browser, service: RunningService
) -> None:
    """After a reload it is still listed; Forget deletes it on the service as well."""
    with real_browser.opened(browser, service.api, allowed=("410",)) as page:
        page.goto(service.api)
        give(page, "drop")
        card(page)
        task = page.locator(".card a.link").get_attribute("href")
        page.reload()
        expect(page.locator("#results")).to_be_hidden()
        page.locator("#history summary").click()
        page.locator("#past a", has_text="espresso").click()
        card(page)
        page.get_by_role("button", name="Forget").click()
        expect(page.locator("#results")).to_be_hidden()
        expect(page.locator("#past li")).to_have_count(0)
        page.goto(f"{service.api}/{task}")
        expect(page.locator(".card h3")).to_contain_text("no longer kept", timeout=SECONDS)


def test_a_link_opens_the_result_in_another_browser(page: Page, browser: Browser) -> None:
    """As long as the service keeps it."""
    give(page, "drop")
    card(page)
    address = page.url + str(page.locator(".card a.link").get_attribute("href"))
    with real_browser.opened(browser, page.url) as other:
        other.goto(address)
        card(other)
        expect(other.locator(".card .name")).to_have_text("given.jpg")


def test_two_models_are_compared(page: Page) -> None:
    """Side by side, each with its own answer."""
    page.locator("#other").select_option("imagenet@1")
    give(page, "drop")

    expect(page.locator(".card.compared .run .bars li")).to_have_count(10, timeout=SECONDS)


def test_the_number_of_labels_is_chosen(page: Page) -> None:
    """And stands with that of look-alikes in the code for this request, which can be copied."""
    page.locator("#top-k").fill("3")
    page.locator("#neighbours").fill("4")
    page.locator("#neighbours").press("Tab")
    give(page, "drop")
    expect(page.locator(".card .bars li")).to_have_count(3, timeout=SECONDS)
    page.locator("#code summary").click()
    for language, words in (("curl", "top_k=3"), ("Python", '"top_k": 3'), ("JavaScript", "top_k")):
        page.get_by_role("tab", name=language).click()
        expect(page.locator("#snippet")).to_contain_text(words)
        expect(page.locator("#snippet")).to_contain_text("neighbours")
    page.locator("#copy").click()
    expect(page.locator("#copy")).to_have_text(re.compile("Copied|Selected: copy it with Ctrl"))


def test_without_script_a_form_does_it(browser: Browser, service: RunningService) -> None:
    """From the form to a page with the labels."""
    with real_browser.opened(browser, service.api, java_script_enabled=False) as page:
        page.goto(service.api)
        page.locator("#files").set_input_files(SAMPLE)
        page.get_by_role("button", name="Classify").click()
        page.wait_for_url("**/result/*")
        expect(page.locator("h1")).to_have_text("espresso", timeout=SECONDS)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_everybody_can_use_it(
    browser: Browser, service: RunningService, theme: str, width: int
) -> None:
    """WCAG 2.2 AA as far as a program can tell: the page with answers, and the other pages."""
    size = {"width": width, "height": 900}
    options = {"viewport": size, "color_scheme": theme, "reduced_motion": "reduce"}
    with real_browser.opened(browser, service.api, allowed=("404",), **options) as page:
        page.goto(service.api)
        page.get_by_alt_text("A cat").click()
        card(page, "cat")
        page.locator("#code summary").click()
        page.locator("#history summary").click()
        assert real_browser.violations(page) == []
        for path in ("/models", "/models/imagenet", "/problems", "/nowhere", "/result/none"):
            page.goto(service.api + path)
            assert real_browser.violations(page) == []


def test_nothing_scrolls_sideways_on_the_smallest_screen(
    browser: Browser, service: RunningService
) -> None:
    """320 pixels, as WCAG 1.4.10 has it."""
    size = {"width": 320, "height": 640}
    with real_browser.opened(browser, service.api, viewport=size) as page:
        page.goto(service.api)
        give(page, "drop", name=f"{'long' * 40}.jpg")
        card(page)
        for path in ("", "/models", "/models/imagenet", "/problems"):
            if path:
                page.goto(service.api + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_cancelled_picture_can_be_sent_again(page: Page, service: RunningService) -> None:
    """As a new task of the same file; the card goes on."""
    with frozen_children(service):
        page.locator("#files").set_input_files(SAMPLE)
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator(".card")).to_contain_text("Cancelled", timeout=SECONDS)
    page.get_by_role("button", name="Retry").click()

    card(page)


def test_a_card_shows_why(page: Page, service: RunningService) -> None:
    """The map, how it was made and whether it explains; the service keeps nothing of it."""
    page.locator("#files").set_input_files(str(SAMPLE))
    card(page)
    page.get_by_role("button", name="Why?").click()
    figure = page.locator(".card .why")

    expect(figure).to_contain_text("speaks for espresso", timeout=9 * SECONDS)
    expect(figure.get_by_role("img")).to_be_visible()
    expect(page.get_by_role("button", name="Why?")).to_have_count(0)
    assert real_browser.violations(page) == []
    left = Path(service.environment["PETIOLE_UP_STATE_DIRECTORY"]) / "uploads" / "explained"
    assert not list(left.rglob("*.png"))
    if folder := os.environ.get("PETIOLE_TEST_PICTURES"):
        page.locator(".card").first.screenshot(path=str(Path(folder) / "why.png"))
