"""`/livez`: this process answers. `/readyz`: the service can classify, or what is missing."""

import logging
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any, Literal

from apiflask import APIBlueprint
from flask import Response, jsonify

from api import access, bodies
from api.errors import problem_response
from tasks import documents, publisher, readiness, redis_checks, redis_users, stores, unfit, untold
from tasks.at_rest import lacking
from tasks.at_rest.keyring import SETTING
from tasks.bulk import untaken
from tasks.errors import ServiceUnavailableError
from tasks.problems import Problem
from tasks.readiness import Note

TAKEN_QUEUES = ("classify", "downloads", "bulk")
PICTURE_QUEUES = frozenset(publisher.QUEUE_OF_TASK[name] for name in ("classify", "download"))
NOT_READY = Problem("not-ready", "The service cannot classify now", 503)
AWAY_SECONDS = 5.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Ready:
    """What was looked at, and what each worker process says about itself.

    `warnings` are what the service cannot promise although it is ready; `consumers` are the main
    processes of the workers, which take the messages that the others work on. `bulk_children` do
    many pictures at once; single ones are classified without them.
    """

    status: Literal["ready"]
    checks: dict[str, str]
    warnings: tuple[str, ...]
    children: tuple[Note, ...]
    downloaders: tuple[Note, ...]
    bulk_children: tuple[Note, ...]
    consumers: tuple[Note, ...]


blueprint = APIBlueprint("health", __name__, tag="Health")


@blueprint.get("/livez")
@blueprint.doc(operation_id="livez", responses={})
def livez() -> Response:
    """Say that this process answers, and which it is; nothing else is asked."""
    return jsonify(status="alive", process=os.getpid())


@blueprint.get("/readyz")
@blueprint.doc(operation_id="readyz", responses={})
def readyz() -> Response:
    """Say whether a picture sent now would be classified, or name what is missing."""
    # At once: a hung server costs each check its timeout, and the answer is due within 3 s.
    with ThreadPoolExecutor(len(CHECKS) + len(DOUBTS)) as pool:
        doubts = [pool.submit(doubt) for doubt in DOUBTS]
        checks = dict(zip(CHECKS, pool.map(_outcome, CHECKS.values()), strict=True))
        warnings = tuple(sentence for each in doubts for sentence in each.result())
    shows_details = _shows_details()
    missing = [name for name, outcome in checks.items() if outcome != "ok"]
    if not shows_details:
        checks = {name: "missing" if name in missing else "ok" for name in checks}
        warnings = ()
    if missing:
        detail = "missing: " + "; ".join(f"{name} ({checks[name]})" for name in missing)
        document = NOT_READY.document(detail, instance="/readyz")
        return problem_response(
            document, checks=checks, warnings=warnings, **_announced(checks, shows_details)
        )
    return bodies.of(Ready("ready", checks, warnings, **_said(shows_details)))


def _shows_details() -> bool:
    """Tell whether the client may hear more than whether the service is ready."""
    try:
        return access.shows_details()
    except ServiceUnavailableError:
        return False


def _announced(checks: Mapping[str, str], shows_details: bool) -> dict[str, Any]:
    """Return what the worker processes say of themselves, where the job store answers."""
    if checks["job store"] != "ok":
        return {}
    said = _said(shows_details).items()
    return {kind: [documents.as_dict(note) for note in notes] for kind, notes in said}


def _said(shows_details: bool) -> dict[str, tuple[Note, ...]]:
    """Return the notes of the worker processes by their kind, or only whether each takes jobs."""
    store = stores.prompt_job_store()
    said = {
        "children": tuple(readiness.classify_children(store)),
        "downloaders": tuple(readiness.downloaders(store)),
        "bulk_children": tuple(readiness.bulk_children(store)),
        "consumers": tuple(readiness.consumers(store, *TAKEN_QUEUES)),
    }
    if shows_details:
        return said
    return {kind: tuple(Note("", n.queue, n.state) for n in notes) for kind, notes in said.items()}


def log_refusals() -> None:
    """Log what Redis refuses, as soon as it answers, in a thread of its own."""
    Thread(target=_log_refusals, name="refusals", daemon=True).start()


def _log_refusals() -> None:
    while True:
        try:
            found = redis_checks.refusals(redis_users.OF_THE_WEB, answers_clients=True)
        except ServiceUnavailableError:
            Event().wait(AWAY_SECONDS)
            continue
        for each in found:
            logger.error("Redis refuses what is needed", extra={"reason": each})
        return


def _outcome(check: Callable[[], str]) -> str:
    try:
        return check()
    except ServiceUnavailableError as exc:
        return str(exc)


def _broker() -> str:
    publisher.ping()
    return "ok"


def _job_store() -> str:
    stores.prompt_job_store().ready()
    return "ok"


def _writing() -> str:
    return "; ".join(redis_checks.refusals(PICTURE_QUEUES, answers_clients=True)) or "ok"


def _image_store() -> str:
    stores.image_store().probe()
    return "ok"


def _worker() -> str:
    children = readiness.classify_children(stores.prompt_job_store())
    ready = [child for child in children if child.is_ready]
    if any(child.reads(stores.keyring().first) for child in ready):
        return _consuming()
    if ready:
        return f"no child can read pictures: {SETTING} is another one there than here"
    reasons = sorted({child.reason for child in children if child.reason})
    return "no child has a warm model" + (f": {'; '.join(reasons)}" if reasons else "")


def _consuming() -> str:
    """Say whether the main process of some worker takes pictures from the queue."""
    consumers = readiness.consumers(stores.prompt_job_store(), "classify")
    if any(consumer.is_ready for consumer in consumers):
        return "ok"
    reasons = sorted({each.reason for each in consumers if each.reason})
    return "no worker takes pictures" + (f": {'; '.join(reasons)}" if reasons else "")


CHECKS: dict[str, Callable[[], str]] = {
    "broker": _broker,
    "job store": _job_store,
    "writing": _writing,
    "image store": _image_store,
    "worker": _worker,
}
DOUBTS: tuple[Callable[[], tuple[str, ...]], ...] = (
    redis_checks.warnings,
    untold.warnings,
    untaken.warnings,
    unfit.warnings,
    lacking.warnings,
)
