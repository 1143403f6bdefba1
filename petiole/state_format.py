"""The format of a state directory: a number in it, so that none is misread by an earlier release.

Release 0.1 wrote none; what it left is format 1.
"""

from pathlib import Path

FORMAT = 1
FILE = "format"


class LaterFormatError(Exception):
    """A later release has written the state directory; the message says what to do."""


def settle(directory: Path) -> None:
    """Check that this release understands a state directory, and note its format in it.

    Raises:
        LaterFormatError: it does not; nothing was changed.
    """
    file = directory / FILE
    found = file.read_text("utf-8").strip() if file.is_file() else str(FORMAT)
    if not found.isdecimal() or int(found) > FORMAT:
        raise LaterFormatError(
            f"{file} says format {found!r}; this release reads formats up to {FORMAT}: start the "
            "release that wrote it, or name another folder in PETIOLE_UP_STATE_DIRECTORY"
        )
    file.write_text(f"{FORMAT}\n", encoding="utf-8")
