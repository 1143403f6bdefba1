"""Telling clients of the end of their jobs, over HTTP to a real server on loopback."""

import json
import socket
from collections.abc import Callable
from time import monotonic, sleep
from uuid import uuid4

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tasks import once, signatures, stores, webhooks
from tasks.job_stores import SUCCESS, Job
from tasks.job_stores.webhooks import Load
from tests.conftest import free_port
from tests.test_tasks.test_job_stores import outcome

SECRETS = (
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
)


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback may be told, and not for long."""
    monkeypatch.setenv("PETIOLE_TASKS_WEBHOOK_SECRET", SECRETS[0])
    monkeypatch.setenv("PETIOLE_TASKS_WEBHOOK_ALLOW_NETWORKS", "127.0.0.1/32")
    monkeypatch.setenv("PETIOLE_TASKS_WEBHOOK_TOTAL_SECONDS", "1")


def promised(url: str) -> str:
    """End a job whose client wants to be told, and return its id."""
    job = Job(str(uuid4()), "m", 1, "f", 1.0, 1.0, lane="classify", webhook_url=url)
    stores.job_store().create(job)
    stores.job_store().finish(job.task_id, outcome(SUCCESS))
    return job.task_id


def answering(httpserver: HTTPServer, *answers: Response) -> list[Request]:
    """Let `/told` give these answers, the last one for ever; returns what it will be sent."""
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        request.get_data()
        seen.append(request)
        return answers[min(len(seen), len(answers)) - 1]

    httpserver.expect_request("/told", method="POST").respond_with_handler(answer)
    return seen


def reason_of_dead() -> str:
    """Return why the only one was given up."""
    (dead,) = stores.webhooks().dead()
    return dead.reason


def test_the_document_comes_signed(httpserver: HTTPServer) -> None:
    """With its kind, its moment, and an id that says which message it is."""
    seen = answering(httpserver, Response(status=204))
    task_id = promised(httpserver.url_for("/told"))
    webhooks.deliver_due()
    (request,) = seen
    body, sent_at = request.get_data(), int(request.headers["webhook-timestamp"])
    signed = signatures.headers(
        f"msg_{task_id}", body, at=sent_at, keys=signatures.keys_of(SECRETS[0])
    )

    assert (request.mimetype, json.loads(body)["type"]) == ("application/json", "task.succeeded")
    assert json.loads(body)["data"] == json.loads(outcome(SUCCESS).document)
    assert json.loads(body)["timestamp"].endswith("Z")
    assert {name: request.headers[name] for name in signed} == signed
    assert stores.webhooks().load() == Load(0, 0)


def test_two_secrets_sign_twice(httpserver: HTTPServer, monkeypatch) -> None:
    """A receiver that knows either of them takes it, while one replaces the other."""
    monkeypatch.setenv("PETIOLE_TASKS_WEBHOOK_SECRET", " ".join(SECRETS))
    seen = answering(httpserver, Response())
    promised(httpserver.url_for("/told"))
    webhooks.deliver_due()

    signatures_ = seen[0].headers["webhook-signature"].split(" ")
    assert [each.partition(",")[0] for each in signatures_] == ["v1", "v1"]


def test_a_refused_one_is_sent_again(httpserver: HTTPServer, monkeypatch) -> None:
    """The same message with the same bytes, later each time, until it is taken."""
    monkeypatch.setattr(webhooks, "PAUSES_SECONDS", (0.2, 0.4))
    seen = answering(httpserver, Response(status=500), Response(status=302), Response())
    promised(httpserver.url_for("/told"))
    waits = []
    for _ in range(3):
        webhooks.deliver_due()
        waits += [each.at - monotonic() for each in stores.webhooks().waiting()]
        sleep(0.5)

    assert len({(r.headers["webhook-id"], r.get_data()) for r in seen}) == 1
    assert (len(seen), len(waits)) == (3, 2)
    assert waits[1] - waits[0] > 0.1  # the second pause is longer than the first
    assert stores.webhooks().load() == Load(0, 0)


def test_a_receiver_says_when_it_wants_it(httpserver: HTTPServer) -> None:
    """`Retry-After` of a busy one is kept to."""
    answering(httpserver, Response(status=503, headers={"Retry-After": "600"}))
    promised(httpserver.url_for("/told"))
    before = stores.job_store().now()
    webhooks.deliver_due()
    (waiting,) = stores.webhooks().waiting()

    assert waiting.at - before >= 600
    assert waiting.reason == "it answered 503"


def test_a_receiver_that_is_gone_is_left_alone(httpserver: HTTPServer) -> None:
    """410 is final."""
    answering(httpserver, Response(status=410))
    promised(httpserver.url_for("/told"))
    webhooks.deliver_due()

    assert reason_of_dead() == "it answered 410"


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://169.254.169.254/", "http://[::1]/", "http://127.0.0.2/"]
)
def test_only_public_addresses_are_told(url: str) -> None:
    """By the same checks as downloads; nothing is connected to."""
    promised(url)
    webhooks.deliver_due()

    assert reason_of_dead() == "only public addresses may be told"


def silent() -> socket.socket:
    """Return a server that takes connections and says nothing."""
    return socket.create_server(("127.0.0.1", 0))


def test_one_that_does_not_answer_is_tried_again() -> None:
    """Nobody listens, or somebody listens and is silent: both within the time of a try."""
    with silent() as server:
        for port in (free_port(), server.getsockname()[1]):
            promised(f"http://127.0.0.1:{port}/told")
        begun = monotonic()
        webhooks.deliver_due()

    assert monotonic() - begun < 10
    reasons = {each.reason.partition(" (")[0] for each in stores.webhooks().waiting()}
    assert reasons == {"it did not answer within 1 s"}


def until(check: Callable[[], object]) -> None:
    """Wait for something, for ten seconds at most."""
    ends_at = monotonic() + 10
    while not check():
        assert monotonic() < ends_at
        sleep(0.02)


def test_a_silent_host_does_not_keep_the_others_waiting(httpserver: HTTPServer) -> None:
    """Forty for it are due first; it has some of the hands, and once it has failed, few."""
    seen = answering(httpserver, Response())
    postman = webhooks.Postman()
    with silent() as server:
        for _ in range(40):
            promised(f"http://127.0.0.1:{server.getsockname()[1]}/told")
        ids = {promised(httpserver.url_for("/told")) for _ in range(5)}
        ends_at = monotonic() + 10
        while len(seen) < len(ids) and monotonic() < ends_at:
            postman.turn()
            sleep(0.02)
        tried = [each for each in stores.webhooks().waiting() if each.reason]
        postman.close()

    assert {r.headers["webhook-id"].removeprefix("msg_") for r in seen} == ids
    assert len(tried) <= 2 * webhooks.HANDS


def test_a_round_delivers_until_it_is_ended(httpserver: HTTPServer) -> None:
    """What is promised meanwhile goes out within a moment; nothing does afterwards."""
    seen = answering(httpserver, Response())
    round_ = webhooks.of_this_process()
    round_.begin()
    promised(httpserver.url_for("/told"))
    until(lambda: seen)
    round_.end()
    sleep(2 * webhooks.TURN_SECONDS)
    promised(httpserver.url_for("/told"))
    sleep(2 * webhooks.TURN_SECONDS)

    assert len(seen) == 1


def test_without_a_secret_nothing_is_sent(httpserver: HTTPServer, monkeypatch) -> None:
    """What cannot be signed is not delivered."""
    monkeypatch.setenv("PETIOLE_TASKS_WEBHOOK_SECRET", "")
    once.begin_anew()
    seen = answering(httpserver, Response())
    webhooks.of_this_process().begin()
    promised(httpserver.url_for("/told"))
    sleep(2 * webhooks.TURN_SECONDS)

    assert seen == []
