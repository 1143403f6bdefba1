"""One contract, run on every job store: in memory and on a real Redis-compatible server."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from time import monotonic, sleep, time
from typing import Any
from uuid import uuid4

import pytest
import redis

from tasks.envelopes import OWN, Envelope
from tasks.errors import ServiceUnavailableError
from tasks.job_stores import FAILURE, REVOKED, SUCCESS, CeleryResult, Job, JobStore, Outcome, Take
from tasks.job_stores.memory import MemoryJobStore
from tasks.job_stores.redis import RedisJobStore
from tasks.settings import TasksSettings
from tests.conftest import free_port


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest) -> JobStore:
    """Each implementation in turn, empty."""
    if request.param == "memory":
        return MemoryJobStore(TasksSettings())
    url = request.getfixturevalue("redis_url")
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return RedisJobStore(TasksSettings(job_store_url=url), patience_seconds=1.0)


@pytest.fixture
def job(store: JobStore) -> Job:
    """A recorded job that waits for a worker."""
    job = Job(
        task_id=str(uuid4()),
        model="colours",
        top_k=3,
        filename="ros\u00e9.jpg",
        accepted_at=1000.25,
        queued_since=1000.25,
        min_probability=0.25,
        neighbours=3,
    )
    store.create(job)
    return job


def outcome(state: str = SUCCESS, **counts: float) -> Outcome:
    """Return an end with the given counts."""
    return Outcome(state, f'{{"state": "{state}"}}', counts)


def test_a_record_comes_back_as_it_was_written(store: JobStore, job: Job) -> None:
    """Every field keeps its type and value."""
    assert store.get(job.task_id) == job


def test_an_unknown_job_is_nothing(store: JobStore) -> None:
    """No call makes a record of an id that was never created."""
    store.mark_retry("nope")

    assert store.get("nope") is None
    assert store.document("nope") is None
    assert store.claim("nope", stage="classify") is None
    assert store.revoke("nope", outcome(REVOKED)) is None
    assert not store.finish("nope", outcome())


def test_a_discarded_job_never_was(store: JobStore, job: Job) -> None:
    """What could not be published leaves no trace."""
    store.discard(job.task_id)

    assert store.get(job.task_id) is None


@pytest.mark.parametrize("lives_seconds", [None, 600_000])
def test_celerys_result_is_kept_as_long_as_the_document(
    redis_url: str, lives_seconds: int | None
) -> None:
    """A client that reads it there is told for as long as one that asks the API."""
    settings = TasksSettings(job_store_url=redis_url, result_ttl_seconds=70)
    store, task_id, now = RedisJobStore(settings, patience_seconds=1.0), str(uuid4()), time()
    store.create(Job(task_id, "colours", 1, "rose.jpg", accepted_at=now, queued_since=now))
    result = CeleryResult(f"celery-task-meta-{task_id}", "{}")
    store.finish(task_id, replace(outcome(), celery_result=result, lives_seconds=lives_seconds))

    with redis.Redis.from_url(redis_url) as client:
        document, celerys = client.ttl(f"petiole:document:{task_id}"), client.ttl(result.key)
    assert document == pytest.approx(lives_seconds or 70, abs=5)
    assert celerys == pytest.approx(document, abs=1)


def test_each_claim_counts_its_stage(store: JobStore, job: Job) -> None:
    """Attempts of the download do not use up those of the classification."""
    store.claim(job.task_id, stage="download")
    first = store.claim(job.task_id, stage="classify")
    second = store.claim(job.task_id, stage="classify")

    assert [first.attempts, second.attempts] == [1, 2]
    assert store.get(job.task_id).state == "STARTED"


def test_what_a_download_found_is_kept(store: JobStore, job: Job) -> None:
    """The next stage sees the upload's key and the times."""
    claimed = store.claim(job.task_id, stage="download")
    assert store.requeue(replace(claimed, download_ms=12.5, queued_since=1001.0))
    again = store.claim(job.task_id, stage="classify")

    assert (again.download_ms, again.queued_since) == (12.5, 1001.0)


def test_a_late_download_does_not_raise_the_dead(store: JobStore, job: Job) -> None:
    """The same message came twice: the second download finds the job over, or gone."""
    claimed = store.claim(job.task_id, stage="download")
    store.finish(job.task_id, outcome(SUCCESS, jobs=1))

    assert not store.requeue(claimed)
    assert not store.requeue(replace(claimed, task_id="gone"))
    assert store.get(job.task_id).state == SUCCESS
    assert store.get("gone") is None
    assert not store.finish(job.task_id, outcome(FAILURE, jobs=1))


def test_only_the_first_end_counts(store: JobStore, job: Job) -> None:
    """A terminal state never changes, and nothing is counted twice."""
    ended = [store.finish(job.task_id, outcome(SUCCESS, a=1)) for _ in range(2)]
    late_failure = store.finish(job.task_id, outcome(FAILURE, b=1))

    assert (ended, late_failure) == ([True, False], False)
    assert store.get(job.task_id).state == SUCCESS
    assert store.document(job.task_id) == outcome().document
    assert store.counts() == {"a": 1.0}


def test_counts_add_up(store: JobStore, job: Job) -> None:
    """Those of ends are whole, others may be broken."""
    other = replace(job, task_id=str(uuid4()))
    store.create(other)
    store.finish(job.task_id, outcome(SUCCESS, jobs=1))
    store.finish(other.task_id, outcome(FAILURE, jobs=1))
    store.count({"seconds": 0.75})
    store.count({"seconds": 1.0, "trials": 1})

    assert store.counts() == pytest.approx({"jobs": 2.0, "seconds": 1.75, "trials": 1.0})


def test_a_job_over_cannot_be_claimed(store: JobStore, job: Job) -> None:
    """A message that comes twice does no work the second time."""
    store.finish(job.task_id, outcome())

    assert store.claim(job.task_id, stage="classify") is None


@pytest.mark.parametrize(
    ("prepare", "before"),
    [
        (lambda store, task_id: None, "PENDING"),
        (lambda store, task_id: store.mark_retry(task_id), "RETRY"),
        (lambda store, task_id: store.claim(task_id, stage="classify"), "STARTED"),
        (lambda store, task_id: store.finish(task_id, outcome()), "SUCCESS"),
    ],
)
def test_only_what_has_not_started_is_revoked(
    store: JobStore, job: Job, prepare: Callable[[JobStore, str], object], before: str
) -> None:
    """The answer is the state before; STARTED and SUCCESS stay as they are."""
    prepare(store, job.task_id)
    revocable = before in {"PENDING", "RETRY"}

    assert store.revoke(job.task_id, outcome(REVOKED)) == before
    assert store.get(job.task_id).state == (REVOKED if revocable else before)


def test_a_started_job_is_revoked_on_request(store: JobStore, job: Job) -> None:
    """A training may be stopped on its way; one that is over may not."""
    store.claim(job.task_id, stage="train")

    assert store.revoke(job.task_id, outcome(REVOKED), started=True) == "STARTED"
    assert store.revoke(job.task_id, outcome(REVOKED), started=True) == "REVOKED"


def test_progress_is_kept_while_a_job_runs(store: JobStore, job: Job) -> None:
    """Not before it has started and not when it is over."""
    store.note_progress(job.task_id, "early")
    store.claim(job.task_id, stage="train")
    before = store.get(job.task_id)
    store.note_progress(job.task_id, "half")
    during = store.get(job.task_id)
    store.finish(job.task_id, outcome())
    store.note_progress(job.task_id, "late")
    after = store.get(job.task_id)

    assert [each.progress for each in (before, during, after)] == ["", "half", "half"]


def test_a_document_lives_as_long_as_its_outcome_says(redis_url: str) -> None:
    """That of a training longer than those of pictures; the record outlives both."""
    store = RedisJobStore(TasksSettings(job_store_url=redis_url), patience_seconds=1.0)
    for task_id, lives_seconds in (("brief", None), ("long", 600_000)):
        now = time()
        store.create(Job(task_id, "m", 1, "f", accepted_at=now, queued_since=now))
        store.finish(task_id, replace(outcome(), lives_seconds=lives_seconds))

    with redis.Redis.from_url(redis_url) as client:
        documents, records = (
            [client.ttl(f"petiole:{kind}:{task_id}") for task_id in ("brief", "long")]
            for kind in ("document", "job")
        )
    assert documents == [pytest.approx(3600, abs=60), pytest.approx(600_000, abs=60)]
    assert all(record > document for record, document in zip(records, documents, strict=True))


def test_one_of_many_revokers_wins(store: JobStore, job: Job) -> None:
    """Claim and revocation at the same moment: exactly one of them happens."""
    results: list[object] = []
    threads = [
        threading.Thread(target=lambda: results.append(store.revoke(job.task_id, outcome(REVOKED))))
        for _ in range(4)
    ] + [
        threading.Thread(target=lambda: results.append(store.claim(job.task_id, stage="classify")))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    revoked = results.count("PENDING")
    claimed = sum(isinstance(result, Job) for result in results)
    assert revoked + claimed == 1


def test_a_waiter_wakes_when_the_job_ends(store: JobStore, job: Job) -> None:
    """Long before its own limit."""
    timer = threading.Timer(0.2, store.finish, args=(job.task_id, outcome()))
    started = monotonic()
    with store.watching(job.task_id) as watch:
        timer.start()
        document = watch.wait(seconds=20)
    timer.join()

    assert document == outcome().document
    assert monotonic() - started < 10


def test_a_waiter_gives_up_in_the_end(store: JobStore, job: Job) -> None:
    """The wait is bounded."""
    with store.watching(job.task_id) as watch:
        assert watch.wait(seconds=0.05) is None


def test_a_waiter_that_missed_the_notice_looks_itself(store: JobStore, job: Job) -> None:
    """The job ended before the watch began; the look-up of each second finds it."""
    store.finish(job.task_id, outcome())
    with store.watching(job.task_id) as watch:
        assert watch.wait(seconds=10) == outcome().document


def test_a_notice_that_was_lost_is_no_loss(store: JobStore, job: Job) -> None:
    """Others have waited for long already; the look-up of each second finds this end, too."""
    with store.watching("another job") as earlier:
        earlier.wait(seconds=0.3)
        store.finish(job.task_id, outcome())
        with store.watching(job.task_id) as watch:
            assert watch.wait(seconds=10) == outcome().document


def test_readiness_runs_out_and_can_be_withdrawn(store: JobStore) -> None:
    """A process that dies without a word is gone after its time to live."""
    store._settings = TasksSettings(
        job_store_url=store._settings.job_store_url, ready_ttl_seconds=3
    )
    store.announce_ready("a", "1")
    store.announce_ready("b", "2")
    store.withdraw_ready("b")
    early = store.ready()
    sleep(3.1)

    assert (early, store.ready()) == ({"a": "1"}, {})


def test_every_key_in_redis_has_an_end(redis_url: str) -> None:
    """Records, documents and readiness expire; only the fixed-size sums stay."""
    store = RedisJobStore(TasksSettings(job_store_url=redis_url), patience_seconds=1.0)
    client = redis.Redis.from_url(redis_url, decode_responses=True)
    client.flushdb()
    for state in (None, SUCCESS):
        job = Job(str(uuid4()), "m", 1, "f", accepted_at=0.0, queued_since=0.0)
        store.create(job)
        if state:
            store.finish(job.task_id, outcome(state, jobs=1))
    store.announce_ready("a", "1")
    lasting = {key for key in client.scan_iter() if client.ttl(key) < 0}
    client.close()

    assert lasting == {"petiole:counts", "petiole:format", "petiole:ready-members"}


def test_a_server_that_is_not_there_is_said_at_once() -> None:
    """An impatient store answers with an error of ours, not with a hang."""
    url = f"redis://127.0.0.1:{free_port()}/0"
    store = RedisJobStore(TasksSettings(job_store_url=url), patience_seconds=0.0)

    with pytest.raises(ServiceUnavailableError, match="did not answer"):
        store.get("x")


def test_a_server_that_refuses_is_unavailable(server: redis.Redis) -> None:
    """As one that is read-only after a failover: the API answers 503, and no traceback."""
    port = server.connection_pool.connection_kwargs["port"]
    settings = TasksSettings(job_store_url=f"redis://127.0.0.1:{port}/0")
    store = RedisJobStore(settings, patience_seconds=0.0)
    server.execute_command("REPLICAOF", "127.0.0.1", "1")
    with pytest.raises(ServiceUnavailableError, match="ReadOnlyError"):
        store.create(Job("x", "m", 1, "f", accepted_at=1.0, queued_since=1.0))
    server.execute_command("REPLICAOF", "NO", "ONE")


def test_with_an_end_the_next_new_job_is_started(redis_url: str) -> None:
    """As a claim does it; what was started before, is late, unknown or a program's is left."""
    store = RedisJobStore(TasksSettings(job_store_url=redis_url), patience_seconds=1.0)
    take = Take(("classify", "classify:low"), stage="classify", owner="me")
    client = redis.Redis.from_url(redis_url, decode_responses=True)
    client.flushdb()

    def queued(lane: str = "classify", **fields: Any) -> str:
        made = Job(str(uuid4()), "colours", 3, "a.jpg", time(), time(), lane=lane, **fields)
        headers = {"id": made.task_id} | ({} if fields.get("key") else OWN)
        store.create(made, Envelope(lane, json.dumps({"headers": headers})))
        return made.task_id

    def end_and_take() -> str:
        _, taken = store.finish_and_take(queued("elsewhere"), outcome(), take)
        return taken.task_id if taken else ""

    low, first, second = queued("classify:low"), queued(), queued()
    in_turn = [end_and_take() for _ in range(4)]
    job = store.get(first)
    left = {"late": queued(deadline_seconds=0.01), "begun": queued(), "over": queued()}
    queued(key="of another program")
    sleep(0.02)
    store.claim(left["begun"], stage="classify", owner="another")
    store.finish(left["over"], outcome())
    client.rpush("classify", json.dumps({"headers": {"id": str(uuid4())}}), "no message")
    taken = []
    while message := client.lindex("classify", -1):
        taken.append(end_and_take())
        assert client.rpop("classify") == message

    assert in_turn == [first, second, low, ""]
    assert job is not None
    assert (job.state, job.owner, job.attempts, job.fence) == ("STARTED", "me", 1, 1)
    assert store.held() == {**dict.fromkeys((low, first, second), "me"), left["begun"]: "another"}
    assert taken == [""] * 6
