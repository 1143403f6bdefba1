"""Accepting a picture: its bytes, its record and its message, all of them or none.

A client that names its request with a key gets one job for it, however often it sends it.
"""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from time import monotonic, time

from tasks import answer_cache, correlation, job_ends, lanes, publisher, stores, views
from tasks.envelopes import Envelope
from tasks.errors import QueueFullError, ServiceUnavailableError, TasksError
from tasks.explaining import life as explanations
from tasks.job_stores import PENDING, SUCCESS, Accepted, Job, Place, Told
from tasks.job_stores.kept import EARLIER, HIT, MISS
from tasks.keys.ownership import NOBODY, Identity
from tasks.once import once
from tasks.tracing import spans
from tasks.urls import filename_of
from tasks.views import Answer

CLOSED_SECONDS = 0.1
_LATER_OPTIONS = ("webhook_url", "min_probability", "unknown", "explain", "neighbours")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """What a client wants of a picture.

    Attributes:
        model: The reference that it named, or the default one.
        version: What that means now, as in `imagenet@1`; empty where nobody has looked.
        top_k: How many labels.
        deadline_seconds: How long somebody waits for them; 0 is for ever.
        priority: `low` never delays what is `normal`.
        webhook_url: Who is told of the end, or nothing.
        anew_percent: Share of such pictures that are predicted though their answer is known.
        min_probability: Labels below it are left out.
        unknown: `ignore` where nobody wants to know how strange the picture is.
        explain: `asked`, or `kept` where an explanation may be asked for; or nothing.
        neighbours: How many training pictures that look like it.
    """

    model: str
    top_k: int
    version: str = ""
    deadline_seconds: float = 0.0
    priority: str = lanes.NORMAL
    webhook_url: str = ""
    anew_percent: float = 0.0
    min_probability: float = 0.0
    unknown: str = ""
    explain: str = ""
    neighbours: int = 0


def submit_upload(
    upload: bytes,
    *,
    filename: str,
    asked: Asked,
    wait_seconds: float = 0.0,
    key: str = "",
    identity: Identity = NOBODY,
) -> Answer:
    """Store the picture, record the job, queue its classification.

    Returns the accepted job, or the finished one when it is over within the wait. With the `key` of
    an earlier request of the same picture and options it is the job of that one. Both the job and
    the key are those of the `identity`, where there is one.

    Raises:
        ServiceUnavailableError: a part did not answer; nothing is left behind.
        QueueFullError: there is too much to do already; nothing is left behind.
        ReusedKeyError: the earlier request was another one.
    """
    digest, name = _digest(asked, upload) if key else "", _name_of(key, identity.owner)
    if earlier := _earlier(name, digest):
        return _again(earlier, wait_seconds)
    job = replace(_new_job(filename, asked, name, identity), upload_bytes=len(upload))
    if answer_cache.may_serve(job, anew_percent=asked.anew_percent):
        key_now = answer_cache.key_of(upload, job, whose=answer_cache.mark_of(identity.owner))
        job = replace(job, answer_key=key_now)
        told = _recalled(job, digest)
        if told.outcome in {HIT, EARLIER}:
            return _known(job, told, wait_seconds)
        job = job if told.outcome == MISS else replace(job, answer_key="")
    _gate().check()
    job = explanations.kept(job)
    stores.image_store().put(job.task_id, upload)
    return _accept(job, "classify", wait_seconds, digest)


def submit_url(
    image_url: str,
    *,
    asked: Asked,
    wait_seconds: float = 0.0,
    key: str = "",
    identity: Identity = NOBODY,
) -> Answer:
    """Record the job and queue its download; returns and raises like `submit_upload`."""
    digest, name = _digest(asked, image_url.encode()) if key else "", _name_of(key, identity.owner)
    if earlier := _earlier(name, digest):
        return _again(earlier, wait_seconds)
    _gate().check()
    job = replace(_new_job(filename_of(image_url), asked, name, identity), image_url=image_url)
    if answer_cache.may_serve(job, anew_percent=asked.anew_percent):
        later = answer_cache.until_downloaded(answer_cache.mark_of(identity.owner))
        job = replace(job, answer_key=later)
    job = explanations.kept(job)
    return _accept(job, "download", wait_seconds, digest)


def submit_of_message(task_id: str, picture: bytes | str, *, filename: str, asked: Asked) -> None:
    """Record the job of a message that another program sent; where this raises, it comes again.

    A picture is then the caller's to classify, who has its message in hand. One that is an address
    is downloaded first: that is queued. A job that is there already stays as it is.

    Raises:
        ServiceUnavailableError: a part did not answer.
        QueueFullError: there is too much to do already.
    """
    _gate().check()
    task_name = "download" if isinstance(picture, str) else "classify"
    job = replace(
        _new_job(filename, asked, "", Identity(task_id=task_id)),
        lane=publisher.lane(task_name, asked.priority),
    )
    try:
        if isinstance(picture, str):
            _queue_download(replace(job, image_url=picture))
        else:
            stores.image_store().put(task_id, picture)
            job = replace(job, upload_bytes=len(picture))
            stores.prompt_job_store().create(job, unless_open=True)
    except QueueFullError as exc:
        stores.drop_upload(task_id)
        _gate().close(exc)
        raise


def _queue_download(job: Job) -> None:
    envelope = publisher.envelope("download", job.task_id, priority=job.priority)
    stores.prompt_job_store().create(job, envelope, unless_open=True)
    if envelope is None:
        publisher.publish("download", job.task_id, priority=job.priority)


def _digest(asked: Asked, picture: bytes) -> str:
    """Return what two requests have in common that mean the same; not what the model means now."""
    members = asdict(replace(asked, version=""))
    del members["anew_percent"]
    for name in _LATER_OPTIONS:
        # Keys of requests that came before there was such an option stand for the same as before.
        if not members[name]:
            del members[name]
    options = json.dumps(members, sort_keys=True)
    return sha256(options.encode() + sha256(picture).digest()).hexdigest()


def _name_of(key: str, owner: str) -> str:
    """Return what a client's key is called here: two clients may have the same one."""
    named = f"{owner} {key}" if owner else key
    return sha256(named.encode()).hexdigest() if key else ""


def _earlier(name: str, digest: str) -> str | None:
    return stores.prompt_job_store().earlier(name, digest=digest) if name else None


def _again(task_id: str, wait_seconds: float) -> Answer:
    """Return what the first request was answered, or would have been if it had waited now."""
    spans.accepted_before(task_id)
    if wait_seconds <= 0:
        return Answer(task_id, PENDING)
    return views.view(task_id, wait_seconds=wait_seconds)


def _recalled(job: Job, digest: str) -> Told:
    """Ask for the answer of a new job; one that may have ended although nobody heard of it goes."""
    try:
        return answer_cache.recall(job, digest=digest)
    except ServiceUnavailableError:
        _withdraw(job)
        raise


def _known(job: Job, told: Told, wait_seconds: float) -> Answer:
    """Return a job that was over when it was accepted: at once, or as one to be asked for."""
    if told.outcome == EARLIER:
        return _again(told.task_id, wait_seconds)
    spans.accepted(job)
    job_ends.say(job, SUCCESS, model=job.version)
    if job.webhook_url and publisher.runs_here():
        _tell_of_end_here()
    known = Answer(job.task_id, SUCCESS, told.document, age_seconds=told.age_seconds)
    if wait_seconds > 0:
        return known
    return replace(
        known, state=PENDING, document=None, submitted_at=job.accepted_at, place=Place(0, 0.0)
    )


def _accept(job: Job, task_name: str, wait_seconds: float, digest: str) -> Answer:
    job = replace(job, lane=publisher.lane(task_name, job.priority))
    if wait_seconds <= 0:
        accepted = record_and_publish(job, task_name, digest)
        return Answer(accepted.task_id, PENDING, submitted_at=job.accepted_at, place=accepted.place)
    with stores.prompt_job_store().watching(job.task_id) as watch:
        accepted = record_and_publish(job, task_name, digest)
        try:
            if accepted.task_id != job.task_id:
                return views.view(accepted.task_id, wait_seconds=wait_seconds)
            return views.watched(watch, job.task_id, wait_seconds)
        except ServiceUnavailableError as exc:
            # The job is accepted: its client gets the id, and asks for the result later.
            logger.warning("wait ended early", extra={"task_id": job.task_id, "reason": str(exc)})
            return Answer(accepted.task_id, PENDING)


def _new_job(filename: str, asked: Asked, key: str, identity: Identity) -> Job:
    now, asked_by = time(), correlation.current()
    task_id = identity.new_task_id
    return Job(
        task_id=task_id,
        model=asked.model,
        version=asked.version,
        top_k=asked.top_k,
        filename=filename,
        accepted_at=now,
        queued_since=now,
        deadline_seconds=asked.deadline_seconds,
        priority=asked.priority,
        key=key,
        webhook_url=asked.webhook_url,
        min_probability=asked.min_probability,
        unknown=asked.unknown,
        explain=asked.explain,
        neighbours=asked.neighbours,
        request_id=asked_by.request_id,
        trace=spans.of_new(task_id),
    )


def record_and_publish(job: Job, task_name: str, digest: str) -> Accepted:
    """Accept a job: record and message in one step where they lie in one Redis.

    Raises what `record` does.
    """
    envelope = publisher.envelope(task_name, job.task_id, priority=job.priority)

    def publish() -> None:
        if envelope is None:
            publisher.publish(task_name, job.task_id, priority=job.priority)
        if job.webhook_url and publisher.runs_here():
            _tell_of_end_here()

    try:
        return record(job, publish=publish, envelope=envelope, digest=digest)
    except QueueFullError as exc:
        _gate().close(exc)
        raise


def _tell_of_end_here() -> None:
    """Deliver webhooks in this process, where no worker does."""
    from tasks import webhooks  # noqa: PLC0415 - brings `requests`, which the API need not load

    webhooks.deliver_due()


def record(
    job: Job, *, publish: Callable[[], None], envelope: Envelope | None = None, digest: str = ""
) -> Accepted:
    """Write the record of a new job, then publish its message; undo both if either fails.

    Raises:
        ServiceUnavailableError: a part did not answer; nothing is left behind.
        QueueFullError: there is too much to do already; nothing is left behind.
        ReusedKeyError: an earlier request with the job's key had another digest.
    """
    try:
        accepted = stores.prompt_job_store().create(job, envelope, digest=digest)
        if accepted.task_id == job.task_id:
            publish()
            spans.accepted(job)
        else:
            stores.drop_upload(job.task_id)
            spans.accepted_before(accepted.task_id)
    except ServiceUnavailableError:
        _withdraw(job)
        raise
    except TasksError:
        stores.drop_upload(job.task_id)
        raise
    return accepted


def _withdraw(job: Job) -> None:
    """Undo a submission: a job is accepted whole or not at all.

    A message that reached the broker after all finds no record and is dropped by its claim. A job
    that was meanwhile given to another request with its key goes on.
    """
    try:
        discarded = stores.prompt_job_store().discard(job.task_id)
    except ServiceUnavailableError as exc:
        # The record expires and the upload is swept; the client has its 503.
        reason = {"task_id": job.task_id, "reason": str(exc)}
        logger.warning("submission not undone", extra=reason)
        # With a key it will come again, and the record may be there to answer it.
        discarded = not job.key
    if discarded:
        stores.drop_upload(job.task_id)


class Gate:
    """Spares a busy service the pictures that it would refuse: what was full just now still is."""

    def __init__(self) -> None:
        """Be open."""
        self._refusal = QueueFullError("")
        self._closed_until = float("-inf")

    def close(self, refusal: QueueFullError) -> None:
        """Say the same to whoever comes within the next moment."""
        self._refusal, self._closed_until = refusal, monotonic() + CLOSED_SECONDS

    def check(self) -> None:
        """Pass.

        Raises:
            QueueFullError: the service was full a moment ago.
        """
        if monotonic() < self._closed_until:
            said, seconds = str(self._refusal), self._refusal.retry_after_seconds
            raise QueueFullError(said, retry_after_seconds=seconds)


@once
def _gate() -> Gate:
    return Gate()
