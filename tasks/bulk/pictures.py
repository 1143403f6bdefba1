"""The bytes of a bulk's pictures: slices of its body, objects of a bucket, addresses."""

from collections.abc import Callable
from functools import cached_property
from time import sleep

from model_store.objects import Objects
from tasks import stores
from tasks.bulk.items import Item, Slice
from tasks.bulk.records import Bulk
from tasks.bulk.sources import buckets, zips
from tasks.bulk.sources.found import ReadAt
from tasks.errors import (
    DamagedMemberError,
    DownloadUnreachableError,
    PictureTooLargeError,
    UploadMissingError,
)
from tasks.settings import settings

RETRY_SECONDS = 1.0


class Pictures:
    """Reads pictures of one bulk; threads may share it."""

    def __init__(self, bulk: Bulk) -> None:
        """Read nothing yet."""
        self._bulk = bulk

    @cached_property
    def _body(self) -> ReadAt:
        return stores.image_store().reader_of(self._bulk.body)

    @cached_property
    def _place(self) -> Objects:
        return buckets.opened(self._bulk.place)

    def read(self, item: Item) -> bytes:
        """Return the bytes of a picture.

        Raises:
            JobError: it cannot be had; says why.
            CAN_HEAL: a store did not answer.
        """
        if item.url:
            return _downloaded(item.url)
        if item.key:
            return self._of_bucket(item.key)
        assert item.slice is not None  # noqa: S101 - an item without a problem has one of the three
        return self._sliced(item.slice)

    def _sliced(self, place: Slice) -> bytes:
        limit = settings().max_upload_bytes
        if place.header_bytes:
            return zips.unpacked(self._body, place, most_bytes=limit)
        picture = self._body(place.start, place.length)
        if len(picture) < place.length:
            raise DamagedMemberError("the archive is cut off in the middle of this picture")
        return picture

    def _of_bucket(self, key: str) -> bytes:
        limit = settings().max_upload_bytes
        try:
            picture = self._place.read_up_to(key, limit + 1)
        except FileNotFoundError as exc:
            raise UploadMissingError("the picture is no longer in its bucket") from exc
        if len(picture) > limit:
            raise PictureTooLargeError(f"the picture has more than {limit} bytes, the limit")
        return picture


def _downloaded(url: str) -> bytes:
    """Return the picture at an address; a server that gives no answer is asked again."""
    # Imported here: it brings `requests`, which a bulk without addresses need not load.
    from tasks import fetch  # noqa: PLC0415

    return _patiently(lambda: fetch.fetch(url))


def _patiently(fetch: Callable[[], bytes]) -> bytes:
    for _ in range(settings().download_max_retries):
        try:
            return fetch()
        except DownloadUnreachableError:
            sleep(RETRY_SECONDS)
    return fetch()
