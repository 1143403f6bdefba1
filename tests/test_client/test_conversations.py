"""What is asked next, without a connection: answers and losses are given, and time goes by hand."""

import json
from typing import Any

import pytest

from petiole.client import BadPictureError, BusyError, UnexpectedAnswerError, UnreachableError
from petiole.client import conversations as talk
from petiole.client.patience import Patience
from petiole.client.pictures import Upload
from petiole.client.steps import Call, InterruptedConversationError, Lost, Reply

PENDING = {"task_id": "it", "state": "PENDING", "result_url": "/result/it"}
TIMINGS = dict.fromkeys(("queued", "download", "decode", "predict", "total"), 1.0)
LABEL = {"label": "red", "class_index": 0, "probability": 1.0}
DONE = {
    **{"task_id": "it", "state": "SUCCESS", "model": "colours", "model_version": 1},
    **{"runtime": "openvino", "filename": "a", "predictions": [LABEL], "timings_ms": TIMINGS},
}
REVOKED = {"task_id": "it", "state": "REVOKED", "model": "colours", "filename": "a"}
BUSY = {"type": "/problems#queue-full", "title": "Full", "status": 503, "detail": "full"}
BAD = {"type": "/problems#not-an-image", "title": "None", "status": 415, "detail": "none"}
LOST = Lost("gone")


class Service:
    """A service of which each answer is told beforehand; it notes when it was asked for what."""

    def __init__(self) -> None:
        """Begin at zero."""
        self.now = 0.0
        self.calls: list[Call] = []

    def patience(self, wait_seconds: float, *, retry_seconds: float = 30.0) -> Patience:
        """Return the time of a caller, by the service's clock."""
        return Patience(wait_seconds, retry_seconds=retry_seconds, clock=lambda: self.now)

    def hold(self, conversation: Any, *heard: Any) -> Any:
        """Hold a conversation; each answer takes as long as its wait, or what stands beside it."""
        told, call = iter(heard), next(conversation)
        try:
            while True:
                self.calls.append(call)
                answer = next(told)
                answer, takes = answer if isinstance(answer, tuple) else (answer, 0.0)
                self.now += call.pause_seconds + takes
                call = conversation.send(answer)
        except StopIteration as end:
            return end.value

    @property
    def methods(self) -> list[str]:
        """What was asked."""
        return [call.method for call in self.calls]


def reply(document: dict[str, Any], status: int = 200, **headers: str) -> Reply:
    """Return an answer as the service gives it."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, names, json.dumps(document).encode())


ORDER = talk.order(Upload(b"picture", "a"), {"top_k": "1"})


def test_a_lost_answer_is_asked_for_again_with_the_same_key() -> None:
    """After pauses that grow."""
    service = Service()
    task = service.hold(
        talk.classification(ORDER, service.patience(60)), LOST, LOST, LOST, reply(DONE)
    )

    assert task.best.label == "red"
    assert {call.headers["Idempotency-Key"] for call in service.calls} == {ORDER.key}
    pauses = [call.pause_seconds for call in service.calls]
    assert pauses[0] == 0 < pauses[1] < pauses[2] < pauses[3]


@pytest.mark.parametrize(
    "headers",
    [
        {"retry_after": "7"},
        {
            "retry_after": "Thu, 26 Nov 2026 06:00:07 GMT",
            "date": "Thu, 26 Nov 2026 06:00:00 GMT",
        },
    ],
)
def test_a_busy_service_is_asked_again_when_it_says(headers: dict[str, str]) -> None:
    """In seconds or as a date; never before, and not much later."""
    service = Service()
    busy = reply(BUSY, 503, **headers)
    service.hold(talk.classification(ORDER, service.patience(60)), busy, reply(DONE))

    assert 7 <= service.calls[1].pause_seconds <= 9


def test_a_service_that_is_busy_for_longer_than_the_wait_is_not_waited_for() -> None:
    """The error says when to come back."""
    service = Service()
    with pytest.raises(BusyError) as caught:
        service.hold(
            talk.submission(ORDER, service.patience(10)), reply(BUSY, 503, retry_after="20")
        )

    assert (caught.value.retry_after_seconds, service.now) == (20, 0)


def test_an_outage_is_borne_for_the_time_that_was_given() -> None:
    """Counted from its beginning; a proxy's 502 in between is part of it."""
    service = Service()
    proxy = Reply(502, {"content-type": "text/html"}, b"<html>")
    with pytest.raises(UnreachableError):
        service.hold(
            talk.classification(ORDER, service.patience(600, retry_seconds=10)), *[LOST, proxy] * 20
        )

    assert 6 < service.now <= 10


def test_a_service_that_was_never_met_is_not_waited_for() -> None:
    """Its address may be wrong."""
    service = Service()
    with pytest.raises(UnreachableError, match="refused"):
        service.hold(
            talk.classification(ORDER, service.patience(60)), Lost("refused", is_final=True)
        )


def test_a_task_that_failed_with_503_is_not_sent_again() -> None:
    """It is over, and the same key gives the same failure."""
    service = Service()
    failed = {**REVOKED, "state": "FAILURE", "error": BAD}
    with pytest.raises(BadPictureError) as caught:
        service.hold(talk.classification(ORDER, service.patience(60)), reply(failed, 503))

    assert caught.value.task_id == "it"


def test_waits_are_asked_for_in_pieces_until_the_callers_is_over() -> None:
    """No piece is longer than what is left, and none than a proxy bears."""
    service = Service()
    waits = [(reply(PENDING, 202), 20.0), (reply(PENDING, 202), 20.0), (reply(DONE), 3.0)]
    service.hold(talk.classification(ORDER, service.patience(45)), *waits)

    assert [call.wait_seconds for call in service.calls] == [20, 20, 5]
    assert service.methods == ["POST", "GET", "GET"]


def test_a_service_without_a_place_to_wait_is_not_asked_all_the_time() -> None:
    """It answers at once, and says after which pause to come back."""
    service = Service()
    early = reply(PENDING, 202, retry_after="1")
    service.hold(talk.result("it", service.patience(60)), early, early, early, (reply(DONE), 0.5))

    assert [call.pause_seconds for call in service.calls] == [0, 0, 1, 1]


def test_a_cancellation_whose_answer_is_lost_forgets_nothing() -> None:
    """A second DELETE would take the result of what the first one cancelled."""
    service = Service()
    heard = [reply(PENDING, 202), LOST, reply(REVOKED)]
    assert service.hold(talk.cancellation("it", service.patience(0)), *heard) is True

    assert service.methods == ["GET", "DELETE", "GET"]


def test_a_cancellation_that_comes_too_late_says_so() -> None:
    """The task ended between the two requests."""
    service = Service()
    heard = [reply(PENDING, 202), Reply(204, {}, b"")]

    assert service.hold(talk.cancellation("it", service.patience(0)), *heard) is False


def test_forgetting_ends_a_task_first() -> None:
    """Then there is something to forget."""
    service = Service()
    service.hold(
        talk.forgetting("it", service.patience(0)), LOST, reply(REVOKED), Reply(204, {}, b"")
    )

    assert service.methods == ["DELETE"] * 3


def test_an_interrupted_caller_leaves_nothing_behind() -> None:
    """Its id is asked for by the key, once more, and the task is forgotten."""
    service = Service()
    conversation = talk.classification(ORDER, service.patience(60))
    next(conversation)
    asked = [
        conversation.throw(InterruptedConversationError()),
        conversation.send(reply(PENDING, 202)),
        conversation.send(reply(REVOKED)),
    ]
    with pytest.raises(InterruptedConversationError):
        conversation.send(Reply(204, {}, b""))

    assert [call.method for call in asked] == ["POST", "DELETE", "DELETE"]
    assert asked[0].headers["Idempotency-Key"] == ORDER.key
    assert all(call.wait_seconds + call.answer_seconds <= 2 for call in asked)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Reply(200, {"content-type": "text/html; charset=utf-8"}, b"<html>"), "200 with text/html"),
        (Reply(308, {"location": "https://host/classify"}, b""), "leads to https://host/classify"),
        (reply({"state": "SUCCESS", "predictions": []}), "no Petiole service"),
        (reply({"other": 1}, 404), "404 with"),
    ],
)
def test_what_no_service_says_is_an_error(answer: Reply, said: str) -> None:
    """It names what came instead."""
    service = Service()
    with pytest.raises(UnexpectedAnswerError, match=said):
        service.hold(talk.result("it", service.patience(0)), answer)


def test_members_of_a_newer_service_are_ignored() -> None:
    """An older client goes on."""
    service = Service()
    newer = {**DONE, "verdict": "sure", "predictions": [{**LABEL, "why": "…"}]}

    assert service.hold(talk.result("it", service.patience(0)), reply(newer)).best.label == "red"
