"""Where the body of a large request is written as it comes."""

from pathlib import Path

from api.settings import settings
from tasks.at_rest.spool import Spool


def opened() -> Spool:
    """Return a file for one body.

    Raises:
        OSError: there can be none.
        ServiceUnavailableError: the image store cannot be opened.
    """
    named = settings().spool_directory
    return Spool(Path(named) if named else None)
