"""The place of the pictures as it is said: a path on this machine, or the address of a bucket."""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator

_BUCKET = re.compile(r"s3://[^/?#]+(/[^?#]*)?")


def is_address(place: Path | str) -> bool:
    """Tell whether a place is not on this machine."""
    return "://" in str(place)


def name_at(place: Path | str) -> str:
    """Return the last part of a place."""
    return place.rpartition("/")[2] if isinstance(place, str) else place.resolve().name


def model_name_from(pictures_name: str) -> str:
    """Return the model's name that goes with pictures of this name, an archive's without ending."""
    return Path(pictures_name).stem.removesuffix(".tar").lower()


def _read(value: Any) -> Any:
    if not is_address(value):
        return Path(value) if isinstance(value, str) else value
    # It stays a text: a path makes one slash of two.
    if not _BUCKET.fullmatch(str(value)):
        raise ValueError("it is an address; give s3://bucket/prefix or what is on this machine")
    return str(value).rstrip("/")


PicturesPlace = Annotated[Path | str, BeforeValidator(_read)]
