"""What the names of files and folders mean: a label, or what a system left there for itself."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from training.errors import DataError

# What operating systems and file servers leave in folders, in lower case; and all that begins with
# a dot. They are no pictures of anyone.
LITTER = frozenset(
    {
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "icon\r",
        "__macosx",
        "$recycle.bin",
        "recycler",
        "system volume information",
        "lost+found",
        "@eadir",
        "@recycle",
        "@recently-snapshot",
        "#recycle",
        "#snapshot",
        "__pycache__",
    }
)

# A byte that is no UTF-8, as `shown` writes it.
_UNREADABLE = re.compile(r"\\x[89a-f][0-9a-f]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_ALIKE = re.compile(r"[\s_-]+")
# Byte order marks, zero-width spaces and marks of direction: nobody sees them.
_INVISIBLE = "\ufeff\u200b\u200c\u200d\u200e\u200f\u2060"


def is_litter(name: str) -> bool:
    """Tell whether a file or folder of this name is a system's own."""
    return name.startswith(".") or name.casefold() in LITTER


def litter_in(path: str) -> str:
    """Return the first part of a path that is a system's own, or an empty text."""
    return next((part for part in path.split("/") if part and is_litter(part)), "")


def shown(path: str) -> str:
    r"""Return a path that can be printed: bytes that are no UTF-8 are written as `\xe9`."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def label_of(text: str) -> str:
    """Return the label that a folder's name or a cell of a manifest means.

    Equal letters are equal however they are composed (NFC), as macOS composes them in another way
    than everyone else; nothing invisible stands around them.

    Raises:
        DataError: it cannot be a label.
    """
    label = unicodedata.normalize("NFC", text).strip().strip(_INVISIBLE).strip()
    if _UNREADABLE.search(label):
        raise DataError(
            f"the folder {label} has a name that is not UTF-8, and it would be a label; rename it, "
            "as `convmv -f latin1 -t utf8` does"
        )
    if not label or _CONTROL.search(label):
        raise DataError(f"{text!r} cannot be a label: it is blank or has control characters")
    return label


def oddities(written: Iterable[str], labels: Sequence[str]) -> Iterator[str]:
    """Yield what is worth a warning: names that were taken for one label, labels almost equal.

    Args:
        written: The names as they stand in folders or in a manifest, which have these labels.
        labels: All labels, sorted.
    """
    for label, names in _grouped({name: label_of(name) for name in set(written)}):
        if len(names) > 1:
            yield f"{_listed(names)} are one label, {label}: they differ in nothing that is seen"
    for _, alike in _grouped({label: _rough(label) for label in labels}):
        if len(alike) > 1:
            yield (
                f"{_listed(alike)} are {len(alike)} labels, though almost equal; if they mean the "
                "same, put their pictures into one folder"
            )


def _rough(label: str) -> str:
    return _ALIKE.sub(" ", unicodedata.normalize("NFKC", label).casefold())


def _grouped(keys: dict[str, str]) -> list[tuple[str, list[str]]]:
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name in sorted(keys):
        groups[keys[name]].append(name)
    return sorted(groups.items())


def _listed(names: Sequence[str]) -> str:
    return " and ".join(ascii(name) if _is_composed_oddly(name) else repr(name) for name in names)


def _is_composed_oddly(name: str) -> bool:
    """Tell whether it looks like another name letter by letter."""
    return name != unicodedata.normalize("NFC", name)
