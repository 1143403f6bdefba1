"""Every conversation with the service, without a connection: what to ask, when to ask again.

`synchronous.py` and `asynchronous.py` make the calls; all that is decided is decided here.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from urllib.parse import quote
from uuid import uuid4

from petiole.client import errors, replies
from petiole.client.answers import (
    AcceptedTask,
    ClassifiedTask,
    ExplainedTask,
    FailedTask,
    RevokedTask,
    Task,
    TrainedTask,
)
from petiole.client.errors import (
    ExpiredResultError,
    NotFinishedError,
    PetioleError,
    RevokedError,
    UnexpectedAnswerError,
)
from petiole.client.patience import Patience
from petiole.client.pictures import Address, Upload
from petiole.client.steps import (
    Call,
    Conversation,
    InterruptedConversationError,
    Lost,
    Reply,
)

POLL_SECONDS = 20.0
"""The longest wait that is asked for at once: some proxies end a connection silent for 30 s."""

EARLY_SECONDS = 1.0
"""An answer that comes sooner, without an end, says that the service has no place to wait."""

POLL_AGAIN_SECONDS = 1.0
FORGOTTEN, SUCCESSFUL = 204, 200


@dataclass(frozen=True)
class Order:
    """A picture that is to be classified, how, and what the request is called."""

    picture: Upload | Address
    parameters: Mapping[str, str]
    key: str

    def call(self, *, wait_seconds: float) -> Call:
        """Return the request; the same key makes it the same task however often it is sent."""
        return Call(
            "POST",
            "/classify",
            self.parameters,
            {"Idempotency-Key": self.key},
            self.picture,
            wait_seconds=wait_seconds,
        )


def order(picture: Upload | Address, parameters: Mapping[str, str]) -> Order:
    """Return the order of a picture; `idempotency_key` is among the parameters, or is made."""
    others = {name: value for name, value in parameters.items() if name != "idempotency_key"}
    return Order(picture, others, parameters.get("idempotency_key") or uuid4().hex)


def submission(asked: Order, patience: Patience) -> Conversation[AcceptedTask]:
    """Have a picture accepted.

    Raises:
        PetioleError: it was not, or its key is that of a task that is over and failed.
    """
    task = replies.task_of((yield from _answered(asked.call(wait_seconds=0.0), patience)))
    if not isinstance(task, AcceptedTask):
        raise UnexpectedAnswerError(f"a picture that was sent without a wait is {task.state}")
    return task


def classification(asked: Order, patience: Patience) -> Conversation[ClassifiedTask]:
    """Have a picture accepted and classified; withdraw it when the caller goes away.

    Raises:
        PetioleError: it was not accepted, it failed, or it is not finished in time.
    """
    try:
        reply = yield from _answered(asked.call(wait_seconds=POLL_SECONDS), patience)
        task = yield from _finished(replies.task_of(reply), patience)
    except InterruptedConversationError:
        yield from _withdrawal(asked, patience)
        raise
    if not isinstance(task, ClassifiedTask):
        raise UnexpectedAnswerError(f"task {task.task_id} is no classification")
    return task


def result(task_id: str, patience: Patience) -> Conversation[ClassifiedTask | TrainedTask]:
    """Return what became of a task, as soon as it is over.

    Raises:
        PetioleError: it failed or was revoked, it is not over in time, or there is none.
    """
    task = yield from _looked_up(task_id, patience)
    finished = yield from _finished(task, patience)
    if isinstance(finished, ExplainedTask):
        raise UnexpectedAnswerError(f"task {task_id} is an explanation; ask for it with `explain`")
    return finished


def explanation(task_id: str, label: str, patience: Patience) -> Conversation[ExplainedTask]:
    """Have a label of a kept picture explained, by default its best one, and wait for that.

    Raises:
        PetioleError: the picture is not kept, the label unknown, or it is not made in time.
    """
    asked = {"label": label} if label else {}
    call = Call("POST", _explanation_of(task_id), asked, wait_seconds=POLL_SECONDS)
    task = replies.task_of((yield from _answered(call, patience)))
    # Its own id belongs to no key: who may ask for the picture may ask for what explains it.
    finished = yield from _finished(task, patience, replace(call, method="GET"))
    if not isinstance(finished, ExplainedTask):
        raise UnexpectedAnswerError(f"task {finished.task_id} is no explanation")
    return finished


def heat_map(explained: ExplainedTask, label: str, patience: Patience) -> Conversation[bytes]:
    """Return the map of an explanation over its picture, as a PNG.

    Raises:
        PetioleError: it is no longer kept.
    """
    asked = {"label": label} if label else {}
    call = Call("GET", f"{_explanation_of(explained.picture)}.png", asked)
    reply = yield from _answered(call, patience)
    if reply.status != SUCCESSFUL:
        raise replies.failure(reply)
    return reply.body


def cancellation(task_id: str, patience: Patience) -> Conversation[bool]:
    """Cancel a task that is not over; returns whether that came in time.

    A task that is over is left as it is, but for one that ends within the same moment: the service
    takes what reaches it then as the wish to forget the result.

    Raises:
        UnknownTaskError, ExpiredResultError: there is no such task, or it is long over.
    """
    lost_answer = False
    trouble, pause_seconds = patience.trouble(), 0.0
    while True:
        task = yield from _looked_up(task_id, patience)
        if not isinstance(task, AcceptedTask):
            return lost_answer and isinstance(task, RevokedTask)
        heard = yield replace(_ending_call(task_id), pause_seconds=pause_seconds)
        if isinstance(heard, Reply) and not replies.may_heal(heard):
            return heard.status != FORGOTTEN and isinstance(replies.task_of(heard), RevokedTask)
        # Sent twice it would forget what it cancelled, so it is looked at in between.
        lost_answer |= isinstance(heard, Lost)
        pause_seconds = trouble.pause_seconds(heard)


def forgetting(task_id: str, patience: Patience) -> Conversation[None]:
    """Have the service forget a task with its picture and its result; one that runs ends.

    Raises:
        UnknownTaskError: there is no such task.
    """
    for _ in ("ends it if it runs", "forgets it"):
        reply = yield from _answered(_ending_call(task_id), patience)
        if reply.status == FORGOTTEN:
            return
        try:
            replies.task_of(reply)
        except ExpiredResultError:
            return


def _withdrawal(asked: Order, patience: Patience) -> Conversation[None]:
    """End what nobody can ask for any more: the caller has gone, and nobody else knows the id."""
    last = patience.last()
    # Nobody is left who could be told, and a result that stays expires.
    with suppress(PetioleError):
        task = replies.task_of((yield from _answered(asked.call(wait_seconds=0.0), last)))
        yield from forgetting(task.task_id, last)


def _finished(
    task: Task, patience: Patience, look: Call | None = None
) -> Conversation[ClassifiedTask | ExplainedTask | TrainedTask]:
    """Return what became of a task; `look` asks for that, by default by the id of the task."""
    look, pause_seconds = look or _result_call(task.task_id), 0.0
    while isinstance(task, AcceptedTask):
        if patience.left <= pause_seconds:
            how_far = _how_far(task, patience.wait_seconds)
            raise NotFinishedError(f"{how_far}; ask again for {look.path}", task=task)
        task, pause_seconds = yield from _waited_for(look, pause_seconds, patience)
    if isinstance(task, FailedTask):
        raise errors.of_problem(task.error, task_id=task.task_id)
    if isinstance(task, RevokedTask):
        why = f" for its {task.reason}" if task.reason else ""
        raise RevokedError(f"task {task.task_id} was revoked{why}", task=task)
    return task


def _waited_for(
    look: Call, pause_seconds: float, patience: Patience
) -> Conversation[tuple[Task, float]]:
    """Return a task as it is after one wait, and the pause that the service wants then.

    A service that has no place for one more to wait answers at once.
    """
    asks_at = patience.clock() + pause_seconds
    call = replace(look, pause_seconds=pause_seconds, wait_seconds=POLL_SECONDS)
    reply = yield from _answered(call, patience)
    if patience.clock() - asks_at >= EARLY_SECONDS:
        return replies.task_of(reply), 0.0
    return replies.task_of(reply), replies.retry_after(reply) or POLL_AGAIN_SECONDS


def _looked_up(task_id: str, patience: Patience) -> Conversation[Task]:
    return replies.task_of((yield from _answered(_result_call(task_id), patience)))


def _result_call(task_id: str) -> Call:
    return Call("GET", _path_of(task_id))


def _ending_call(task_id: str) -> Call:
    return Call("DELETE", _path_of(task_id))


def _explanation_of(task_id: str) -> str:
    return f"{_path_of(task_id)}/explanation"


def _path_of(task_id: str) -> str:
    return f"/result/{quote(task_id, safe='')}"


def _answered(call: Call, patience: Patience) -> Conversation[Reply]:
    """Return the answer to a call that may be sent any number of times.

    Raises:
        PetioleError: there is none, or none but that the service is busy, for too long.
    """
    trouble, pause_seconds = patience.trouble(), call.pause_seconds
    while True:
        heard = yield replace(
            call,
            pause_seconds=pause_seconds,
            wait_seconds=max(0.0, min(call.wait_seconds, patience.left - pause_seconds)),
            answer_seconds=patience.answer_seconds,
        )
        if isinstance(heard, Reply) and not replies.may_heal(heard):
            return heard
        pause_seconds = trouble.pause_seconds(heard)


def _how_far(task: AcceptedTask, waited_seconds: float) -> str:
    said = [f"not finished after {waited_seconds:g} s"]
    if task.ahead is not None:
        said.append(f"{task.ahead} ahead")
    if task.estimate_seconds is not None:
        said.append(f"about {task.estimate_seconds:.0f} s left")
    return ", ".join(said)
