"""A report as a browser reads it, for the tests that look at one."""

from html.parser import HTMLParser
from pathlib import Path

# Elements that HTML closes by itself.
VOID = {"meta", "img"}


class Page(HTMLParser):
    """What a browser finds: elements with their attributes, the text, and elements left open."""

    def __init__(self, path: Path) -> None:
        """Parse the page."""
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.shown: list[str] = []
        self.source = path.read_text("utf-8")
        self.feed(self.source)

    @property
    def text(self) -> str:
        """The text that is shown, with single spaces."""
        return " ".join(" ".join(self.shown).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element of a drawing that holds nothing."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Make sure that elements close in the order in which they were opened."""
        assert tag == self.open.pop()

    def handle_data(self, data: str) -> None:
        """Note text."""
        if self.open and self.open[-1] != "style":
            self.shown.append(data)

    def attributes(self, name: str) -> list[str]:
        """Return all values of an attribute."""
        return [str(each[name]) for _, each in self.elements if name in each]
