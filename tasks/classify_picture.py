"""The task `classify_picture`: the picture itself in, its ranked labels out, without HTTP.

It makes the record that `POST /classify` makes, under the id of its own message. From then on the
job is like any other: it is tried again when it loses its worker, and found when it is lost.
"""

import base64
import binascii
from functools import partial
from typing import Any, Self
from uuid import UUID

from celery import Task
from celery.exceptions import Ignore
from pydantic import ConfigDict, ValidationError, field_validator, model_validator

from model_store.pictures.headers import read_header
from model_store.predictions import IGNORE
from tasks import callers, lanes, loaded_models, stores, submission
from tasks.celery import app
from tasks.classify import classified
from tasks.errors import CAN_HEAL, BadCallError, PictureTooLargeError, QueueFullError
from tasks.options import PictureOptions
from tasks.publisher import PICTURE, runs_here
from tasks.settings import settings
from tasks.submission import Asked
from tasks.told import MOST_CHARACTERS
from tasks.urls import base_name, check_host, check_url, filename_of, listed

FIRST_LOW_NUMBER = 5
"""Celery's numbers from here on are `low`, the only other priority that a job has."""
MOST_TRIES = 240
"""With pauses of 15 s, an hour, after which a full or broken service is told to the program."""


class Call(PictureOptions):
    """What a program may say: one picture, in one of three ways, and what it wants of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    image: str | bytes = ""
    image_url: str = ""
    image_key: str = ""
    filename: str = ""

    @model_validator(mode="after")
    def _has_one_picture(self) -> Self:
        if sum(map(bool, (self.image, self.image_url, self.image_key))) != 1:
            raise ValueError("give one of image (base64), image_url and image_key")
        return self

    @field_validator("image_key")
    @classmethod
    def _stays_inside(cls, key: str) -> str:
        if key.startswith("/") or ".." in key.split("/"):
            raise ValueError("it leads out of the image store")
        return key

    @property
    def called(self) -> str:
        """What the picture is called in its document."""
        return base_name(self.filename) or filename_of(self.image_url or self.image_key)


@app.task(
    name=PICTURE,
    bind=True,
    ignore_result=False,
    resultrepr_maxsize=MOST_CHARACTERS,
)
def classify_picture(self: Task[..., Any], *args: Any, **options: Any) -> Any:
    """Return the finished document of a picture, as `GET /result/<task_id>` gives it."""
    task_id = str(self.request.id)
    _check_id(task_id)
    call = _call(*args, **options)
    try:
        if stores.prompt_job_store().get(task_id) is None:
            _submit(task_id, call, _priority_of(self.request))
    except (*CAN_HEAL, QueueFullError) as exc:
        if self.request.retries >= MOST_TRIES:
            raise
        raise callers.come_back(self, exc) from exc
    return callers.served(self, task_id, partial(_work, self, task_id, call))


def _work(task: Any, task_id: str, call: Call) -> Any:
    """Classify a picture that is here; one that is downloaded first has messages of its own."""
    if not call.image_url:
        return classified(task, task_id)
    if runs_here():
        return callers.end_of(task, task_id)
    raise Ignore


def _check_id(task_id: str) -> None:
    """Refuse what could not be a job's id, which becomes a key of several stores."""
    try:
        is_one = str(UUID(task_id)) == task_id
    except ValueError:
        is_one = False
    if not is_one:
        raise BadCallError(f"the id {task_id[:64]!r} is no UUID; leave task_id out, or send one")


def _call(image: Any = "", *further: Any, **options: Any) -> Call:
    """Return what a program asked for.

    Raises:
        BadCallError: it cannot be; says why.
    """
    if further:
        raise BadCallError("the task takes one argument, the image; name the others")
    try:
        return Call(image=image, **options)
    except ValidationError as exc:
        raise BadCallError("; ".join(map(_reason, exc.errors()))) from None


def _reason(error: Any) -> str:
    name = ".".join(map(str, error["loc"][:1]))
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = f"there is no such option; there are: {', '.join(Call.model_fields)}"
    return f"{name}: {message}" if name else message


def _priority_of(request: Any) -> lanes.Priority:
    number = (request.delivery_info or {}).get("priority") or 0
    return lanes.LOW if number >= FIRST_LOW_NUMBER else lanes.NORMAL


def _submit(task_id: str, call: Call, priority: lanes.Priority) -> None:
    name, number = loaded_models.of_this_process().store.resolve(call.model)
    asked = Asked(
        model=call.model,
        version=f"{name}@{number}",
        top_k=call.top_k,
        priority=priority,
        min_probability=call.min_probability,
        unknown=IGNORE if call.unknown == IGNORE else "",
        neighbours=call.neighbours,
    )
    picture = _checked_url(call.image_url) if call.image_url else _checked(_bytes_of(call))
    submission.submit_of_message(task_id, picture, filename=call.called, asked=asked)


def _checked_url(url: str) -> str:
    check_url(url)
    allowed, denied = settings().download_allow_hosts, settings().download_deny_hosts
    check_host(url, allowed=listed(allowed), denied=listed(denied))
    return url


def _bytes_of(call: Call) -> bytes:
    """Return the picture.

    Raises:
        BadCallError: it is no base64.
        UploadMissingError: there is nothing under the key.
        ServiceUnavailableError: the image store cannot be read.
    """
    if call.image_key:
        _check_size(stores.image_store().size_bytes(call.image_key))
        return stores.image_store().get(call.image_key)
    if isinstance(call.image, bytes):
        return call.image
    try:
        return base64.b64decode(call.image, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise BadCallError(f"image: it is not base64: {exc}") from exc


def _checked(picture: bytes) -> bytes:
    _check_size(len(picture))
    read_header(picture, settings().max_pixels)
    return picture


def _check_size(size_bytes: int) -> None:
    limit = settings().max_upload_bytes
    if size_bytes > limit:
        message = f"the picture is {size_bytes} bytes; the limit is {limit} bytes"
        raise PictureTooLargeError(message)
