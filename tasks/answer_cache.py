"""The same picture again: an answer that was made lately is given once more, see `docs/caching.md`.

What an answer depends on is the picture's bytes, the version that answers now, and the options. A
picture that is sent again is then a job like any other, which is over when it is accepted.
"""

import json
from collections.abc import Mapping
from dataclasses import astuple
from hashlib import sha256
from importlib.metadata import version
from typing import Any, Final

from model_store import ModelReference
from model_store.predictions import Prediction
from model_store.settings import ModelSettings
from tasks import celery_results, statistics, stores
from tasks.documents import ClassifiedTask, Neighbour, Timings, as_dict
from tasks.job_stores import SUCCESS, Ask, Job, Kept, Told
from tasks.once import once
from tasks.settings import settings
from tasks.shares import share_of

ALWAYS_ANEW: Final = 100.0
"""Percent of the pictures that are predicted whatever is known."""

UNTIL_DOWNLOADED: Final = "downloaded:"
"""In the place of the key, for a picture whose bytes are not there yet; then whose it is."""

MODEL = ("model", "model_version", "runtime")
FURTHER = ("warnings", "verdict", "label_set", "novelty", "neighbours")
"""Members of a document that not every answer has, in their order."""
TUPLES = frozenset({"warnings", "label_set"})
NO_TIME = Timings(0.0, 0.0, 0.0, 0.0, 0.0)


@once
def is_on() -> bool:
    """Tell whether answers are given again.

    Not where Celery keeps its results apart from the job records: an answer could be there for one
    of them and not for the other.
    """
    is_one_store = stores.are_in_memory() or celery_results.are_written_with_the_record()
    return settings().cache_ttl_seconds > 0 and is_one_store


def may_serve(job: Job, *, anew_percent: float) -> bool:
    """Tell whether a new job may be answered by what is known, and known for others afterwards.

    One that is to be explained may not: its picture has to be kept, and by a worker.
    `anew_percent` of all pictures may not, by their task ids: they are those of a trial, which sees
    as many as it would without.
    """
    if job.explain or settings().keep_every_picture or not (is_on() and job.version):
        return False
    return not anew_percent or share_of(job.task_id) >= anew_percent


def mark_of(owner: str) -> str:
    """Return who may be given an answer again: whoever has the owner's key, or all without one.

    What one client sent tells no other one that somebody has sent it.
    """
    return sha256(owner.encode()).hexdigest() if owner else ""


def until_downloaded(whose: str) -> str:
    """Return what stands for the key of a picture that is yet to be downloaded."""
    return UNTIL_DOWNLOADED + whose


def key_of_downloaded(picture: bytes, job: Job) -> str:
    """Return the key of a picture that was downloaded, if its answer may be given again."""
    if not job.answer_key.startswith(UNTIL_DOWNLOADED):
        return job.answer_key
    return key_of(picture, job, whose=job.answer_key.removeprefix(UNTIL_DOWNLOADED))


def key_of(picture: bytes, job: Job, *, whose: str = "") -> str:
    """Return what the answer for a picture depends on, as 64 letters."""
    parts = (job.version, *astuple(job.wanted), _of_this_service(), whose)
    options = " ".join(map(str, parts))
    return sha256(sha256(picture).digest() + options.encode()).hexdigest()


@once
def _of_this_service() -> str:
    """Return what all answers of this service depend on."""
    runtime = ModelSettings().runtime
    return f"{settings().cut_off_jpegs} {settings().max_pixels} {runtime} {version('petiole')}"


def recall(job: Job, *, digest: str) -> Told:
    """End a new job with the answer that is known for its key, if there is one.

    Raises:
        ServiceUnavailableError: the job store did not answer; the job has to be taken back.
        ReusedKeyError: an earlier request with the job's key had another digest.
    """
    return stores.prompt_job_store().recall(job, _question(job, digest))


def _question(job: Job, digest: str) -> Ask:
    before = f'{{"task_id": "{job.task_id}", "state": "{SUCCESS}", '
    between = f', "filename": {json.dumps(job.filename)}, '
    after = f', "timings_ms": {json.dumps(as_dict(NO_TIME))}'
    return Ask(
        model=ModelReference.parse(job.version).name,
        parts=(before, between, after),
        celery_result=celery_results.around_document(job.task_id),
        counts=statistics.of_known(job.version, statistics.HIT),
        missed=statistics.of_cache(statistics.MISS),
        digest=digest,
    )


def kept(job: Job, members: Mapping[str, Any]) -> Kept | None:
    """Return what is to be kept of a finished document, or None.

    Kept under the version that the job was accepted for, so nothing where another one answered.
    """
    if not job.answer_key or f"{members['model']}@{members['model_version']}" != job.version:
        return None
    further = {name: members[name] for name in FURTHER if name in members}
    return Kept(
        job.answer_key,
        model=_inner({name: members[name] for name in MODEL}),
        found=_inner({"predictions": members["predictions"]}),
        further=f", {_inner(further)}" if further else "",
    )


def _inner(members: Mapping[str, Any]) -> str:
    """Return members as they stand between the braces of a JSON object."""
    return json.dumps(members)[1:-1]


def document_of(job: Job, timings: Timings) -> ClassifiedTask:
    """Return the finished document of a started job whose answer is there."""
    return ClassifiedTask(
        task_id=job.task_id,
        state=SUCCESS,
        filename=job.filename,
        timings_ms=timings,
        **_members(job.answer),
    )


def _members(answer: str) -> dict[str, Any]:
    members = json.loads(answer)
    members["predictions"] = tuple(Prediction(**each) for each in members["predictions"])
    for name in TUPLES & members.keys():
        members[name] = tuple(members[name])
    if "neighbours" in members:
        members["neighbours"] = tuple(Neighbour(**each) for each in members["neighbours"])
    return dict(members)
