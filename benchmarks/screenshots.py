"""Pictures of the page for the documents: light, dark, on a phone, of a service of its own."""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from benchmarks.service import started_service
from tests.browser import PROGRAMS, program

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
SECONDS = 30_000


@dataclass(frozen=True)
class View:
    """One picture: its name, and the screen that it is of."""

    name: str
    theme: str
    width: int
    height: int


VIEWS = (
    View("page-light", "light", 1180, 900),
    View("page-dark", "dark", 1180, 900),
    View("page-phone", "light", 390, 844),
)


def take(browser: Browser, address: str, view: View) -> Path:
    """Classify the samples, and save what is on the screen then."""
    screen = {"width": view.width, "height": view.height}
    page = browser.new_page(
        viewport=screen,  # type: ignore[arg-type] # a dictionary is what it takes
        color_scheme=view.theme,  # type: ignore[arg-type]
        reduced_motion="reduce",
    )
    page.goto(address)
    for name in ("A rocket", "A cat", "A cup of coffee"):
        page.get_by_alt_text(name).click()
    expect(page.locator("#total")).to_have_text("3 of 3 done", timeout=SECONDS)
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    file = FOLDER / f"{view.name}.png"
    page.screenshot(path=file)
    page.close()
    return file


def main() -> None:
    """Start a service, and take every picture anew."""
    executable = program()
    if executable is None:
        sys.exit(f"none of {', '.join(PROGRAMS)} is installed: apt-get install chromium")
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as state,
        started_service(Path(state)) as service,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        for view in VIEWS:
            print(take(browser, service.api, view))  # noqa: T201
        browser.close()


if __name__ == "__main__":
    main()
