"""Places in buckets that the operator allowed: the pictures below a prefix."""

from collections.abc import Iterator

from model_store.objects import Objects
from tasks.bulk.sources.found import Found, is_litter
from tasks.errors import BadBulkError
from tasks.image_store import LIMITS
from tasks.settings import settings
from tasks.urls import listed

CALLED = "the bucket"


def checked(place: str) -> str:
    """Return a place in a bucket if pictures may be read there, with `/` at its end.

    Raises:
        BadBulkError: the operator has not allowed it.
    """
    place = place.rstrip("/") + "/"
    allowed = [each.rstrip("/") + "/" for each in listed(settings().bulk_buckets)]
    if ".." in place.split("/") or not any(place.startswith(each) for each in allowed):
        raise BadBulkError(
            f"{place[:200]!r} is not below a place that PETIOLE_TASKS_BULK_BUCKETS allows"
        )
    return place


def opened(place: str) -> Objects:
    """Return what lies at a place; nobody is asked yet."""
    return Objects.open(place.rstrip("/"), called=CALLED, limits=LIMITS)


def members(place: str) -> Iterator[Found]:
    """Give the objects below a place.

    Raises:
        StoreUnavailableError: it cannot be listed.
    """
    for path in opened(place).walk():
        if not path.endswith("/") and not is_litter(path):
            yield Found(path, key=path)
