"""The first job of a bulk: what is in its body, written down as an index and cut into packs."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tasks import problems, stores
from tasks.at_rest.spool import Spool
from tasks.bulk.items import Item, line_of
from tasks.bulk.records import BUCKET, CSV, FORM, JSON, TAR, ZIP, Bulk, Pack
from tasks.bulk.sources import buckets, forms, lists, tars, zips
from tasks.bulk.sources.found import PIECE_BYTES, Found, ReadAt, Window, buffered
from tasks.errors import BadBulkError
from tasks.job_stores import Job
from tasks.settings import TasksSettings, settings

PACKS_AT_ONCE = 1000


def listed(bulk: Bulk, job: Job) -> Bulk:
    """Write the index of a bulk, and return it with what was found.

    Raises:
        BadBulkError: its input cannot be read, has no picture, or too many.
        CAN_HEAL: a store did not answer.
    """
    mark = f"{bulk.body_key}-{job.fence}"
    body = _body_of(bulk, f"{mark}-plain")
    with Spool() as spool:
        index = _Index(job, spool, settings())
        for found in _found_in(bulk, body):
            index.add(found)
        index.end()
        spool.flush()
        stores.image_store().take(f"{mark}-index", spool.path)
    return replace(bulk, total=index.total, packs=index.packs, body=body, index=f"{mark}-index")


def _body_of(bulk: Bulk, plain_key: str) -> str:
    """Return the object in which pictures lie as slices: that of a packed tar is made here."""
    if bulk.kind == BUCKET:
        return ""
    if bulk.kind != TAR or not tars.is_packed(_reader(bulk.body_key)(0, 8)):
        return bulk.body_key
    limit = settings().bulk_max_bytes
    with Spool() as spool:
        tars.unpack(_Stream(_reader(bulk.body_key)), spool, most_bytes=limit)
        spool.flush()
        stores.image_store().take(plain_key, spool.path)
    return plain_key


def _reader(key: str) -> ReadAt:
    return stores.image_store().reader_of(key)


def _found_in(bulk: Bulk, body: str) -> Iterator[Found]:
    if bulk.kind == BUCKET:
        return buckets.members(bulk.place)
    read_at = _reader(body)
    window = Window(buffered(read_at), 0, stores.image_store().size_bytes(body))
    if bulk.kind == FORM:
        return _in_form(window, bulk.boundary)
    reads = {JSON: lists.of_json, CSV: lists.of_csv, ZIP: _in_zip, TAR: _in_tar}
    return iter(reads[bulk.kind](window))


def _in_zip(window: Window) -> Iterator[Found]:
    return zips.members(window, most_bytes=settings().max_upload_bytes)


def _in_tar(window: Window) -> Iterator[Found]:
    return tars.members(window, most_bytes=settings().max_upload_bytes)


def _in_form(window: Window, boundary: str) -> Iterator[Found]:
    """Give the pictures that parts are, and those in parts that are archives."""
    for part in forms.parts(window, boundary):
        inner = Window(window.read_at, window.start + part.start, part.length)
        head = inner.read(0, tars.BLOCK_BYTES)
        if head.startswith(zips.SIGNATURES):
            yield from _in_zip(inner)
        elif tars.is_plain(head):
            yield from _in_tar(inner)
        else:
            yield forms.found(part, inner, most_bytes=settings().max_upload_bytes)


@dataclass
class _Index:
    """Writes lines, and cuts them into packs."""

    job: Job
    file: Spool
    limits: TasksSettings
    total: int = 0
    packs: int = 0
    _start: int = 0
    _length: int = 0
    _bytes: int = 0
    _pictures: int = 0
    _waiting: list[Pack] = field(default_factory=list)

    def add(self, found: Found) -> None:
        if self.total >= self.limits.bulk_max_pictures:
            most = self.limits.bulk_max_pictures
            raise BadBulkError(f"there are more than {most} pictures, the limit; send fewer")
        item = _item(self.total, found)
        too_many = self._pictures >= self.limits.bulk_pack_pictures
        if too_many or (
            self._pictures and self._bytes + item.size_bytes > self.limits.bulk_pack_bytes
        ):
            self._cut()
        self._length += self.file.write(line_of(item))
        self._bytes += item.size_bytes
        self._pictures += 1
        self.total += 1

    def _cut(self) -> None:
        self.packs += 1
        self._waiting.append(Pack(self.packs, self._start, self._length, self._pictures))
        self._start += self._length
        self._length = self._bytes = self._pictures = 0
        if len(self._waiting) >= PACKS_AT_ONCE:
            self._hand_over()

    def _hand_over(self) -> None:
        stores.bulks().add_packs(self.job, self._waiting)
        self._waiting = []

    def end(self) -> None:
        if not self.total:
            raise BadBulkError("there is no picture in it")
        self._cut()
        if self._waiting:
            self._hand_over()


def _item(number: int, found: Found) -> Item:
    if not found.error:
        return Item(number, found.name, slice=found.slice, url=found.url, key=found.key)
    problem = problems.of(found.error).document(problems.detail_of(found.error))
    return Item(number, found.name, problem=problem)


class _Stream(io.RawIOBase):
    """A body as a file that is read from its begin."""

    def __init__(self, read_at: ReadAt) -> None:
        super().__init__()
        self._read_at, self._position = read_at, 0

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        found = self._read_at(self._position, size if size >= 0 else PIECE_BYTES)
        self._position += len(found)
        return found

    def seek(self, position: int, whence: int = 0) -> int:
        """Go to a position that is counted from the begin."""
        if whence != io.SEEK_SET:
            raise OSError("its size is not known")
        self._position = position
        return position
