"""What the images lay upon the image below them, in bytes on disk, as it is installed here.

Where there is no container engine this is what can be known of their size: the packages of each
lock with their bytecode, and our own files; what the base image has comes besides.
"""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import cache_from_source
from pathlib import Path
from typing import Final

from supply import shipped
from supply.shipped import ROOT
from supply.table import drawn

ROOMS: Final = ("api", "tasks", "model_store", "training", "petiole")
LEFT_OUT: Final = ("tensorflow/include/",)
"""What the Dockerfile deletes again."""
LARGEST: Final = 8
MEGABYTE: Final = 1_000_000


class NotInstalledError(Exception):
    """A package of an image is not installed here, so nobody knows its size."""


def package_bytes(name: str) -> int:
    """Return the bytes that a package takes, its bytecode among them.

    Raises:
        NotInstalledError: it is not here; names it.
    """
    try:
        files = distribution(name).files or ()
    except PackageNotFoundError as exc:
        raise NotInstalledError(f"{name} is not installed; run make setup") from exc
    kept = [file for file in files if not str(file).startswith(LEFT_OUT)]
    return sum(_bytes_of(Path(str(file.locate()))) for file in kept if file.suffix != ".pyc")


def own_bytes() -> int:
    """Return the bytes of our own files in an image."""
    found = (path for room in ROOMS for path in (ROOT / room).rglob("*") if path.is_file())
    return sum(path.stat().st_size for path in found if path.suffix != ".pyc")


def tables() -> str:
    """Return a table of both images, and one of their largest packages."""
    sizes = {
        image: {package.name: package_bytes(package.name) for package in shipped.packages(image)}
        for image in shipped.LOCKS
    }
    rows = [
        (image, str(len(of)), _said(sum(of.values())), _said(own_bytes()))
        for image, of in sizes.items()
    ]
    head = ("image", "packages", "their MB", "our own MB")
    return "\n\n".join((drawn(head, rows), drawn(("image", "largest, MB"), list(_largest(sizes)))))


def _largest(sizes: dict[str, dict[str, int]]) -> Iterator[tuple[str, str]]:
    for image, of in sizes.items():
        ordered = sorted(of.items(), key=lambda item: -item[1])[:LARGEST]
        named = ", ".join(f"{name} {_said(size)}" for name, size in ordered)
        yield image, named


def _bytes_of(path: Path) -> int:
    compiled = Path(cache_from_source(str(path))) if path.suffix == ".py" else None
    return sum(each.stat().st_size for each in (path, compiled) if each and each.is_file())


def _said(size: int) -> str:
    return f"{size / MEGABYTE:,.1f}"
