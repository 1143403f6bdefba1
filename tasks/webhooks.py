"""Telling clients of the end of their jobs: signed, at least once, tried again for hours.

Workers that take `downloads` do it, in threads: they alone ask addresses that strangers named.
Nothing is sent through the broker; what is due is a sorted set in the job store, so that there is
no message to be lost, and whoever dies with a delivery in hand only delays it.
"""

import json
import logging
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from random import uniform
from threading import Event, Lock, Thread
from time import time
from urllib.parse import urlsplit

import requests

from tasks import correlation, guarded, signatures, stores
from tasks.correlation import REQUEST_ID_HEADER, TRACEPARENT_HEADER
from tasks.deadline import Deadline
from tasks.documents import EVENT_TYPES
from tasks.errors import DownloadRefusedError, ServiceUnavailableError
from tasks.job_stores.webhooks import NEVER, Webhook
from tasks.once import once
from tasks.settings import TasksSettings, settings
from tasks.urls import check_url

HANDS = 16
HANDS_FOR_FAILING = 4
"""For one host that failed last: it may hold its hands for long, and the others need some."""
WAITS_FOR_HAND_SECONDS = 1.0, 20.0
PAUSES_SECONDS = (5.0, 30.0, 120.0, 300.0, 900.0, 1800.0, 3600.0)
LONGEST_PAUSE_SECONDS = 3600.0
JITTER = 0.1
TURN_SECONDS = 0.5
IN_HAND_SECONDS = 5.0
"""On top of the time that one delivery may take: then another process may try."""
GONE = 410
USER_AGENT = "petiole"
NAME = "webhooks"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Refusal:
    """Why a delivery failed, and in how many seconds the next try makes sense; `NEVER` for none."""

    reason: str
    seconds: float = 0.0


def body_of(webhook: Webhook) -> bytes:
    """Return what is sent: the kind of event, when it happened, and the document as its data.

    Every try sends the same bytes.
    """
    document = json.loads(webhook.document)
    moment = datetime.fromtimestamp(webhook.ended_at, UTC).isoformat(timespec="milliseconds")
    event = {
        "type": EVENT_TYPES[document["state"]],
        "timestamp": moment.replace("+00:00", "Z"),
        "data": document,
    }
    return json.dumps(event).encode()


def message_id(task_id: str) -> str:
    """Return the id by which a receiver knows that it was told before."""
    return f"msg_{task_id}"


def send(webhook: Webhook) -> Refusal | None:
    """POST one event to whoever wants it; returns why it was not taken, or None."""
    limits = settings()
    with (
        Deadline(limits.webhook_total_seconds) as deadline,
        guarded.session(_bounds(limits), user_agent=USER_AGENT) as session,
    ):
        deadline.guard(session)
        try:
            check_url(webhook.url)
            return _post(session, webhook)
        except (guarded.ForbiddenAddressError, DownloadRefusedError):
            return Refusal("only public addresses may be told", NEVER)
        except (requests.RequestException, OSError, ValueError) as exc:
            took = f"within {limits.webhook_total_seconds:g} s"
            return Refusal(f"it did not answer {took} ({type(exc).__name__})")


def _bounds(limits: TasksSettings) -> guarded.Bounds:
    seconds = limits.download_connect_seconds
    return guarded.bounds(allow=limits.webhook_allow_networks, look_up_seconds=seconds)


def _post(session: requests.Session, webhook: Webhook) -> Refusal | None:
    limits, body = settings(), body_of(webhook)
    signed = signatures.headers(
        message_id(webhook.task_id), body, at=int(time()), keys=limits.webhook_keys
    )
    response = session.post(
        webhook.url,
        data=body,
        headers={"Content-Type": "application/json", **signed, **_names(webhook)},
        timeout=(limits.download_connect_seconds, limits.webhook_total_seconds),
        stream=True,  # what it says beyond its status is not read
        allow_redirects=False,
    )
    with response:
        if response.status_code in range(200, 300):
            return None
        seconds = NEVER if response.status_code == GONE else _retry_after(response)
        return Refusal(f"it answered {response.status_code}", seconds)


def _names(webhook: Webhook) -> dict[str, str]:
    """Return what the receiver is told of the request: its id, and the trace to go on with."""
    names = {REQUEST_ID_HEADER: webhook.request_id, TRACEPARENT_HEADER: webhook.trace}
    return {name: value for name, value in names.items() if value}


def _retry_after(response: requests.Response) -> float:
    said = response.headers.get("Retry-After", "")
    return min(float(said), LONGEST_PAUSE_SECONDS) if said.isdecimal() else 0.0


def deliver(webhook: Webhook) -> bool:
    """Send one event and note what became of it; tells whether it was taken.

    Raises:
        ServiceUnavailableError: that could not be noted; it will be sent once more.
    """
    with correlation.of(webhook):
        return _delivered(webhook)


def _delivered(webhook: Webhook) -> bool:
    refusal = send(webhook)
    fields = {"task_id": webhook.task_id, "attempt": webhook.attempts}
    if refusal is None:
        stores.webhooks().keep(webhook)
        logger.info("webhook delivered", extra=fields)
        return True
    seconds = refusal.seconds
    if seconds >= 0:
        pause = PAUSES_SECONDS[min(webhook.attempts, len(PAUSES_SECONDS)) - 1]
        seconds = max(seconds, pause * uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 - no secret
    again = stores.webhooks().put_off(webhook, seconds=seconds, reason=refusal.reason)
    said = {"reason": refusal.reason, "again": again}
    logger.warning("webhook not delivered", extra={**fields, **said})
    return False


def deliver_due() -> None:
    """Deliver what is due, one after the other, as in Celery's eager mode.

    Raises:
        ServiceUnavailableError: the job store did not answer.
    """
    seconds = settings().webhook_total_seconds + IN_HAND_SECONDS
    for webhook in stores.webhooks().take(HANDS, seconds=seconds):
        deliver(webhook)


class Postman:
    """Takes what is due and gives it to threads; a host that fails does not get all of them."""

    def __init__(self) -> None:
        """Begin with free hands."""
        self._pool = ThreadPoolExecutor(HANDS, thread_name_prefix=NAME)
        self._busy: Counter[str] = Counter()
        self._failing: set[str] = set()
        self._lock = Lock()

    def turn(self) -> int:
        """Take as much as there are hands for; returns how much that was.

        Raises:
            ServiceUnavailableError: the job store did not answer.
        """
        free = HANDS - self._busy.total()
        if free <= 0:
            return 0
        in_hand_seconds = settings().webhook_total_seconds + IN_HAND_SECONDS
        due = stores.webhooks().take(free, seconds=in_hand_seconds)
        for webhook in due:
            self._begin(webhook)
        return len(due)

    def close(self) -> None:
        """Wait for what is in hand; nothing more is taken."""
        self._pool.shutdown()

    def _begin(self, webhook: Webhook) -> None:
        host = urlsplit(webhook.url).netloc
        with self._lock:
            hands = HANDS_FOR_FAILING if host in self._failing else HANDS
            has_hand = self._busy[host] < hands
            self._busy[host] += has_hand
        if has_hand:
            self._pool.submit(self._deliver, webhook, host)
        else:
            seconds = uniform(*WAITS_FOR_HAND_SECONDS)  # noqa: S311 - no secret
            stores.webhooks().put_back(webhook, seconds=seconds)

    def _deliver(self, webhook: Webhook, host: str) -> None:
        is_taken = False
        try:
            is_taken = deliver(webhook)
        except ServiceUnavailableError as exc:
            reason = {"task_id": webhook.task_id, "reason": str(exc)}
            logger.warning("webhook will be sent again", extra=reason)
        except Exception:
            # Nobody awaits this thread; the promise is due again when its time in hand is over.
            logger.exception("webhook failed", extra={"task_id": webhook.task_id})
        with self._lock:
            self._busy[host] -= 1
            self._failing.discard(host) if is_taken else self._failing.add(host)


class Round:
    """Goes round with a postman in a thread of this process, until it is ended."""

    def __init__(self) -> None:
        """Prepare; nothing is delivered yet."""
        self._is_over = Event()
        self._said = ""

    def begin(self) -> None:
        """Deliver from now on, where there is a secret to sign with."""
        if settings().webhook_keys:
            Thread(target=self._go, name=NAME, daemon=True).start()

    def end(self) -> None:
        """Take nothing more; what is in hand is delivered."""
        self._is_over.set()

    def _go(self) -> None:
        postman = Postman()
        while not self._is_over.is_set():
            if not self._took(postman):
                self._is_over.wait(TURN_SECONDS)
        postman.close()

    def _took(self, postman: Postman) -> bool:
        try:
            took = postman.turn() > 0
            self._said = ""
        except ServiceUnavailableError as exc:
            if str(exc) != self._said:
                logger.warning("webhooks not looked for", extra={"reason": str(exc)})
            self._said = str(exc)
            return False
        except Exception:
            # Without this thread nobody would be told any more.
            logger.exception("look for webhooks failed")
            return False
        return took


@once
def of_this_process() -> Round:
    """Return the one round of this process."""
    return Round()
