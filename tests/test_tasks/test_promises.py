"""Promises to tell of an end: one contract, on every store; made with the end, or never."""

from collections import Counter
from dataclasses import replace
from time import sleep
from uuid import uuid4

import pytest
import redis

from tasks import signatures
from tasks.job_stores import FAILURE, REVOKED, SUCCESS, Job, JobStore
from tasks.job_stores.memory import MemoryJobStore
from tasks.job_stores.redis import RedisJobStore
from tasks.job_stores.webhooks import NEVER, Load, RedisWebhooks, Webhooks
from tasks.settings import TasksSettings
from tests.test_tasks.test_job_stores import outcome

URL = "http://127.0.0.1:9/told"
COMMANDS_BEFORE = 48
"""To accept, claim, end and look at a job, as counted before there were webhooks."""
LIMITS = {"webhook_give_up_seconds": 100, "webhook_dead_ttl_seconds": 1000}


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> JobStore:
    """Each job store in turn, empty."""
    if request.param == "memory":
        return MemoryJobStore(TasksSettings(**LIMITS))
    url = request.getfixturevalue("redis_url")
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return RedisJobStore(TasksSettings(job_store_url=url, **LIMITS), patience_seconds=1.0)


@pytest.fixture
def webhooks(store: JobStore) -> Webhooks:
    """The promises beside it."""
    if isinstance(store, MemoryJobStore):
        return store.webhooks
    return RedisWebhooks(store._settings)


def created(store: JobStore, url: str = URL) -> str:
    """Record a job whose client wants to be told, and return its id."""
    job = Job(str(uuid4()), "m", 1, "f", 1.0, 1.0, lane="classify", webhook_url=url)
    store.create(job)
    return job.task_id


def ended(store: JobStore) -> str:
    """Record such a job and end it."""
    task_id = created(store)
    store.finish(task_id, outcome())
    return task_id


@pytest.mark.parametrize("state", [SUCCESS, FAILURE, REVOKED])
def test_an_end_makes_a_promise(store: JobStore, webhooks: Webhooks, state: str) -> None:
    """Whatever end it is, once, with the document; nobody is told of other jobs."""
    task_id, silent = created(store), created(store, url="")
    before = webhooks.load()
    for each in (task_id, silent):
        store.finish(each, outcome(state))
        store.finish(each, outcome(SUCCESS))
    (promise,) = webhooks.take(10, seconds=5.0)

    assert (before, webhooks.load()) == (Load(0, 0), Load(1, 0))
    assert (promise.task_id, promise.url, promise.attempts) == (task_id, URL, 1)
    assert promise.document == outcome(state).document


def test_a_cancelled_job_makes_one_too(store: JobStore, webhooks: Webhooks) -> None:
    """It is an end as well."""
    store.revoke(created(store), outcome(REVOKED))

    assert webhooks.load() == Load(1, 0)


def test_a_promise_is_in_one_hand(store: JobStore, webhooks: Webhooks) -> None:
    """Until its time there is over; who was too slow changes nothing then."""
    ended(store)
    (first,) = webhooks.take(10, seconds=0.3)
    meanwhile = webhooks.take(10, seconds=5.0)
    sleep(0.4)
    (second,) = webhooks.take(10, seconds=5.0)
    webhooks.put_off(first, seconds=NEVER, reason="too late")
    webhooks.put_back(first, seconds=0.0)

    assert meanwhile == []
    assert (first.attempts, second.attempts) == (1, 2)
    assert webhooks.load() == Load(1, 0)
    assert webhooks.take(10, seconds=5.0) == []


def test_a_kept_promise_is_forgotten(store: JobStore, webhooks: Webhooks) -> None:
    """And counted."""
    ended(store)
    for promise in webhooks.take(10, seconds=5.0):
        webhooks.keep(promise)

    assert webhooks.load() == Load(0, 0)
    assert store.counts()["webhook|delivered"] == 1


def test_a_promise_is_put_off_until_its_time_is_over(store: JobStore, webhooks: Webhooks) -> None:
    """Due again later; dead once it would be due after the last moment, with the last reason."""
    task_id = ended(store)
    (promise,) = webhooks.take(10, seconds=5.0)
    soon = webhooks.put_off(promise, seconds=0.1, reason="it answered 500")
    early = webhooks.take(10, seconds=5.0)
    sleep(0.2)
    (again,) = webhooks.take(10, seconds=5.0)
    later = webhooks.put_off(again, seconds=101.0, reason="it answered 503")
    (dead,) = webhooks.dead()

    assert (soon, early, later) == (True, [], False)
    assert (again.attempts, again.reason) == (2, "it answered 500")
    assert (dead.task_id, dead.attempts, dead.reason) == (task_id, 2, "it answered 503")
    assert webhooks.load() == Load(0, 1)


def test_what_nobody_takes_is_late(store: JobStore, webhooks: Webhooks) -> None:
    """Since it is due; what somebody has, or will try again, is not."""
    before = webhooks.late_seconds()
    ended(store)
    sleep(0.1)
    late = webhooks.late_seconds()
    (promise,) = webhooks.take(10, seconds=60.0)
    in_hand = webhooks.late_seconds()
    webhooks.put_off(promise, seconds=50.0, reason="it answered 500")

    assert (before, in_hand, webhooks.late_seconds()) == (0.0, 0.0, 0.0)
    assert late >= 0.1


def test_a_dead_one_is_sent_again(store: JobStore, webhooks: Webhooks) -> None:
    """At once, and as patiently as the first time; only a dead one is."""
    task_id = ended(store)
    waiting = webhooks.send_again(task_id)
    (promise,) = webhooks.take(10, seconds=5.0)
    webhooks.put_off(promise, seconds=NEVER, reason="gone")
    revived = [webhooks.send_again(task_id), webhooks.send_again(task_id)]
    (again,) = webhooks.take(10, seconds=5.0)

    assert (waiting, revived) == (False, [True, False])
    assert (again.attempts, again.document) == (1, promise.document)
    assert again.since > promise.since
    assert again.ended_at == promise.ended_at


def test_what_was_not_tried_does_not_count(store: JobStore, webhooks: Webhooks) -> None:
    """There was no free hand: it comes back as it was."""
    ended(store)
    (promise,) = webhooks.take(10, seconds=5.0)
    webhooks.put_back(promise, seconds=0.0)
    (again,) = webhooks.take(10, seconds=5.0)

    assert again.attempts == 1


@pytest.mark.parametrize("is_dead", [False, True])
def test_a_forgotten_result_is_told_to_nobody(
    store: JobStore, webhooks: Webhooks, is_dead: bool
) -> None:
    """Its client had it deleted."""
    task_id = ended(store)
    if is_dead:
        webhooks.put_off(webhooks.take(1, seconds=5.0)[0], seconds=NEVER, reason="gone")
    store.forget(task_id)

    assert (webhooks.waiting(), webhooks.dead(), webhooks.load()) == ([], [], Load(0, 0))


def calls(client: redis.Redis) -> Counter[str]:
    """Return how often each command was carried out so far, also by scripts."""
    return Counter({name: each["calls"] for name, each in client.info("commandstats").items()})


@pytest.mark.parametrize(("url", "more"), [("", 0), (URL, 5)])
def test_a_job_without_a_webhook_costs_nothing_more(redis_url: str, url: str, more: int) -> None:
    """Accepting, claiming, ending, asking and forgetting take what they took before."""
    store = RedisJobStore(TasksSettings(job_store_url=redis_url), patience_seconds=1.0)
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        for _ in range(2):  # the second time every script is known to the server
            before = calls(client)
            task_id = created(store, url)
            store.claim(task_id, stage="classify", owner="me")
            store.finish(task_id, replace(outcome(), counts={"jobs": 1}))
            store.view(task_id)
        done = calls(client) - before

    assert done.total() == COMMANDS_BEFORE + more


def test_every_promise_has_an_end(redis_url: str) -> None:
    """Also those that nobody can deliver."""
    settings = TasksSettings(job_store_url=redis_url, **LIMITS)
    store, webhooks = RedisJobStore(settings, patience_seconds=1.0), RedisWebhooks(settings)
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        ended(store)
        dead = ended(store)
        for promise in webhooks.take(10, seconds=5.0):
            if promise.task_id == dead:
                webhooks.put_off(promise, seconds=NEVER, reason="gone")
        lives = {key: client.ttl(key) for key in client.scan_iter("petiole:webhook*")}

    assert len(lives) == 4
    assert all(0 < seconds <= 1100 for seconds in lives.values())


def test_signatures_are_those_of_the_convention() -> None:
    """The example that its libraries for all languages are tested with."""
    keys = signatures.keys_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    signed = signatures.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", body, at=1614265330, keys=keys)

    assert signed == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize("secret", ["x", "whsec_", "whsec_YWJj", "whsec_%%%", f"whsec_{'A' * 400}"])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    """Without repeating it: it ends up in logs."""
    with pytest.raises(ValueError, match="whsec_ and the base64 of 24 to 64") as caught:
        signatures.keys_of(secret)

    assert secret not in str(caught.value).replace("whsec_ and", "")
