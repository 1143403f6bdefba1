"""`docs/licences.md`: what is shipped and under which licences."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from supply import files, shipped
from supply.licences import licence_of
from supply.shipped import ROOT

DOCUMENT: Final = ROOT / "docs" / "licences.md"
RUN: Final = "`make run`"


def write(text: str, mark: str = "licences", document: Path = DOCUMENT) -> None:
    """Put tables between two marks of the document."""
    begin, end = (f"<!-- {mark}: {which} -->" for which in ("begin", "end"))
    before, _, rest = document.read_text(encoding="utf-8").partition(begin)
    after = rest.partition(end)[2]
    document.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def tables() -> str:
    """Return all tables, from the locks and what is installed."""
    return "\n\n".join((_of_packages(), _of_others(), _of_files()))


def _of_packages() -> str:
    where: dict[shipped.Package, list[str]] = {}
    for image in shipped.LOCKS:
        for package in shipped.packages(image):
            where.setdefault(package, []).append(image)
    for package in shipped.packages_alone():
        where.setdefault(package, []).append(RUN)
    rows = []
    for package, images in sorted(where.items(), key=lambda item: item[0].name):
        licence = licence_of(package.name)
        row = (package.name, package.version, ", ".join(images), licence.expression, licence.said)
        rows.append(row)
    return drawn(("package", "version", "image", "licence", "where it says so"), rows)


def _of_others() -> str:
    images = (shipped.base_image(), shipped.redis_image())
    rows = [(f"`{each.name}:{each.tag}`", "see the image") for each in images]
    rows += [(f"`{each.package}`: {each.holds}", each.licence) for each in files.WITHIN]
    return drawn(("image of others, or what a package holds of others", "licence"), rows)


def _of_files() -> str:
    rows = [(f"`{e.files}`", f"{e.what} {e.version}".strip(), e.licence) for e in files.FILES]
    return drawn(("file", "of", "licence"), rows)


def drawn(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))
