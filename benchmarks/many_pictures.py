"""`python -m benchmarks.many_pictures`: the page with thousands of pictures, in a real browser.

What a person would feel: how long the page does not answer, how smoothly it moves, how soon a
filter and an export are there; while pictures are classified, and when all are done.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from benchmarks import report
from benchmarks.service import ROOT, started_service
from petiole.markdown import table
from tests.browser import PROGRAMS, program

PATIENCE_MS = 600_000
MARK = "many"
WATCH = """
window.seen = { tasks: [], frames: [] };
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) seen.tasks.push(entry.duration);
}).observe({ type: "longtask", buffered: true });
let last = performance.now();
const tick = (now) => { seen.frames.push(now - last); last = now; requestAnimationFrame(tick); };
requestAnimationFrame(tick);
"""
TAKE = "(() => { const was = seen; seen = { tasks: [], frames: [] }; return was; })()"
SCROLL = """new Promise((done) => {
  const step = () => {
    scrollBy(0, 400);
    if (scrollY + innerHeight < document.body.scrollHeight - 500) requestAnimationFrame(step);
    else { scrollTo(0, 0); requestAnimationFrame(() => done()); }
  };
  step();
})"""


@dataclass(frozen=True)
class Felt:
    """One thing that was done: its seconds, and how the page moved meanwhile."""

    what: str
    seconds: float
    longest_ms: float
    late_share: float

    def row(self) -> tuple[str, ...]:
        """Return it as a row of the table."""
        late = f"{100 * self.late_share:.1f} %"
        return self.what, f"{self.seconds:.2f}", f"{self.longest_ms:.0f}", late


class Watched:
    """A page whose long tasks and frames are told since the last look."""

    def __init__(self, page: Page) -> None:
        """Begin to watch."""
        self.page = page
        page.add_init_script(WATCH)

    def felt(self, what: str, begun: float) -> Felt:
        """Return what was felt since the last look, of something that began then."""
        seconds = monotonic() - begun
        seen = self.page.evaluate(TAKE)
        late = [each for each in seen["frames"] if each > 100]  # noqa: PLR2004 - what is seen
        share = sum(late) / max(1.0, sum(seen["frames"]))
        return Felt(what, seconds, max(seen["tasks"], default=0.0), share)


def draw(folder: Path, count: int) -> list[Path]:
    """Write so many different small pictures."""
    folder.mkdir()
    files = [folder / f"{number:05}.png" for number in range(count)]
    for number, file in enumerate(files):
        colour = (number % 256, number // 256, 90)
        Image.new("RGB", (64, 64), colour).save(file)
    return files


def measure(browser: Browser, address: str, files: list[Path]) -> tuple[list[Felt], str]:
    """Do what a person does with many pictures; return what was felt, and what the page holds."""
    page = browser.new_page(viewport={"width": 1180, "height": 900})
    watched = Watched(page)
    page.goto(address)
    page.wait_for_selector("#model option", state="attached")
    found = list(_done(watched, files))
    metrics = page.context.new_cdp_session(page)
    metrics.send("Performance.enable")
    said = {m["name"]: m["value"] for m in metrics.send("Performance.getMetrics")["metrics"]}
    held = f"{said['Nodes']:.0f} nodes, {said['JSHeapUsedSize'] / 2**20:.0f} MiB of JavaScript"
    page.close()
    return found, held


def _done(watched: Watched, files: list[Path]) -> Iterator[Felt]:
    page, count = watched.page, len(files)
    begun = monotonic()
    page.locator("#files").set_input_files(files)
    expect(page.locator("#total")).to_contain_text(f"of {count}", timeout=PATIENCE_MS)
    yield watched.felt("files chosen, until they are listed", begun)
    begun = monotonic()
    page.evaluate(SCROLL)
    yield watched.felt("scrolled through, while they are sent", begun)
    begun = monotonic()
    done = f"{count} of {count} done"
    expect(page.locator("#total")).to_have_text(done, timeout=PATIENCE_MS)
    yield watched.felt("classified, all", begun)
    begun = monotonic()
    page.evaluate(SCROLL)
    yield watched.felt("scrolled through, when all are done", begun)
    begun = monotonic()
    page.locator("#filter").fill(files[-1].name)
    expect(page.locator("#rows li, #cards li")).to_have_count(1)
    yield watched.felt("filtered to one", begun)
    page.locator("#filter").fill("")
    begun = monotonic()
    with page.expect_download() as saved:
        page.locator("#csv").click()
    saved.value.path()
    yield watched.felt("exported as CSV", begun)


def main() -> None:
    """Measure, print the table, and write it into the document that was named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--document", type=Path)
    arguments = parser.parse_args()
    executable = program()
    if executable is None:
        sys.exit(f"none of {', '.join(PROGRAMS)} is installed: apt-get install chromium")
    with (
        tempfile.TemporaryDirectory(dir=ROOT / "var") as place,
        started_service(Path(place)) as service,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        files = draw(Path(place) / "pictures", arguments.count)
        found, held = measure(browser, service.api, files)
        browser.close()
    head = (
        "",
        "seconds",
        "longest time without an answer, ms",
        "of the time in frames over 100 ms",
    )
    rows = table(head, [each.row() for each in found])
    what = f"{arguments.count} pictures of 64 x 64; afterwards the page holds {held}."
    text = f"{report.heading(what)}\n\n{rows}"
    print(text)  # noqa: T201 - the table is the output
    if arguments.document:
        report.write(arguments.document, text, mark=MARK)


if __name__ == "__main__":
    main()
