"""Answers that are given again, in both job stores: what is kept, how long, and what goes."""

import time
from uuid import uuid4

import pytest
import redis

from tasks.errors import ReusedKeyError
from tasks.job_stores import FAILURE, SUCCESS, Ask, Job, JobStore, Kept, Outcome
from tasks.job_stores.collections import Collection, Collections
from tasks.job_stores.kept import EARLIER, ENTRY_BYTES, HIT, MISS, UNWANTED
from tasks.job_stores.kept_scripts import ANSWER, ANSWER_SIZES, ANSWERS
from tasks.job_stores.memory import MemoryJobStore
from tasks.job_stores.redis import RedisJobStore
from tasks.job_stores.redis_upkeep import JOB
from tasks.job_stores.webhooks import RedisWebhooks
from tasks.settings import TasksSettings

MODEL, FOUND = '"model": "colours"', '"predictions": []'
KEY = "k" * 64
OWNER = "classify:here:1"


class Opened:
    """One implementation, opened with further settings."""

    def __init__(self, url: str) -> None:
        """Open it there; `memory://` is a new one each time."""
        self.url = url

    def store(self, **settings: int) -> JobStore:
        """Return the store; answers are given again for an hour where nothing else is said."""
        chosen = TasksSettings(job_store_url=self.url, **{"cache_ttl_seconds": 3600, **settings})
        if self.url == "memory://":
            return MemoryJobStore(chosen)
        return RedisJobStore(chosen, patience_seconds=1.0)


@pytest.fixture(params=["memory", "redis"])
def opened(request: pytest.FixtureRequest) -> Opened:
    """Each implementation in turn, empty."""
    if request.param == "memory":
        return Opened("memory://")
    url = request.getfixturevalue("redis_url")
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return Opened(url)


@pytest.fixture
def store(opened: Opened) -> JobStore:
    """A store in which the owner of all jobs is alive."""
    store = opened.store()
    store.announce_ready(OWNER, "{}")
    return store


def new(key: str = KEY, **more: object) -> Job:
    """Return a new job of a picture whose answer depends on `key`."""
    now = time.time()
    fields = {"answer_key": key, "lane": "classify", **more}
    return Job(str(uuid4()), "colours", 3, "rosé.jpg", now, now, **fields)


def ask(digest: str = "") -> Ask:
    """Return a question for the answer of a job."""
    parts = ('{"mine": 1, ', ", ", ', "timings": 0')
    result = ("celery-result", "<", ">")
    return Ask("colours", parts, result, {"known": 1}, missed="missed", digest=digest)


def started(store: JobStore, job: Job, *, stage: str = "classify") -> Job:
    """Write a job and start it."""
    store.create(job)
    claimed = store.claim(job.task_id, stage=stage, owner=OWNER)
    assert claimed
    return claimed


def answered(store: JobStore, key: str = KEY, *, found: str = FOUND, warnings: str = "") -> Job:
    """End a new job with an answer that is kept."""
    job = started(store, new(key))
    kept = Kept(key, MODEL, found, warnings)
    store.finish(job.task_id, Outcome(SUCCESS, '{"state": "SUCCESS"}', {}, kept=kept))
    return job


def test_an_answer_ends_a_new_job_at_once(store: JobStore) -> None:
    """With a document of its own, and counted; what is not known is counted too."""
    job, another = new(), new("other")
    answered(store, warnings=', "warnings": ["cut off"]')
    told, missed = store.recall(job, ask()), store.recall(another, ask())

    document = (
        '{"mine": 1, "model": "colours", "predictions": [], "timings": 0, "warnings": ["cut off"]}'
    )
    assert (told.outcome, told.document, missed.outcome) == (HIT, document, MISS)
    assert store.document(job.task_id) == document
    assert store.get(job.task_id).state == SUCCESS
    assert (store.get(another.task_id), store.load().open_jobs) == (None, 0)
    assert {"known": 1, "missed": 1}.items() <= store.counts().items()


def test_its_age_is_told(store: JobStore) -> None:
    """In seconds since it was made."""
    answered(store)
    time.sleep(0.05)

    assert 0.04 < store.recall(new(), ask()).age_seconds < 30


def test_an_answer_has_a_time_to_live(opened: Opened) -> None:
    """After that the picture is predicted again."""
    store = opened.store(cache_ttl_seconds=1)
    answered(store)
    before = store.recall(new(), ask()).outcome
    time.sleep(1.1)

    assert (before, store.recall(new(), ask()).outcome) == (HIT, MISS)


def test_the_oldest_answers_make_room(opened: Opened) -> None:
    """Together they take no more bytes than is allowed."""
    most = 3 * (ENTRY_BYTES + 200)
    store = opened.store(cache_max_bytes=most)
    for n in range(5):
        answered(store, str(n), found=f'"predictions": "{"x" * 100}"')

    kept = [store.recall(new(str(n)), ask()).outcome == HIT for n in range(5)]
    assert kept == [False, False, True, True, True]
    assert store.kept_answers()[0] == 3
    assert 0 < store.kept_answers()[1] <= most


def test_a_new_answer_of_the_same_picture_takes_the_place_of_the_old(store: JobStore) -> None:
    """It is there once, and counted once."""
    answered(store)
    once = store.kept_answers()
    answered(store)

    assert store.kept_answers() == once


def test_what_is_forgotten_by_its_client_is_not_given_again(store: JobStore) -> None:
    """The answer goes with the result that it was made for, and with no other."""
    source, later = answered(store), new()
    store.recall(later, ask())
    store.forget(later.task_id)
    of_another = store.recall(new(), ask()).outcome
    store.forget(source.task_id)

    assert (of_another, store.recall(new(), ask()).outcome) == (HIT, MISS)
    assert store.kept_answers() == (0, 0)
    assert store.get(source.task_id).answer_key == ""


def test_a_failure_is_not_given_again(store: JobStore) -> None:
    """Whoever sends the picture again may have better luck."""
    job = started(store, new())
    store.finish(job.task_id, Outcome(FAILURE, "{}", {}))

    assert store.recall(new(), ask()).outcome == MISS


def test_an_end_that_came_too_late_leaves_no_answer(store: JobStore) -> None:
    """What was cancelled is over, whatever its process says."""
    job = started(store, new())
    store.revoke(job.task_id, Outcome("REVOKED", "{}", {}), started=True)
    store.finish(job.task_id, Outcome(SUCCESS, "{}", {}, kept=Kept(KEY, MODEL, FOUND)))

    assert store.recall(new(), ask()).outcome == MISS


def test_a_request_that_is_sent_again_is_one_job(store: JobStore) -> None:
    """Also where the first one was over at once."""
    answered(store)
    first, second = new(key=KEY), new(key=KEY)
    first, second = (Job(**{**vars(job), "key": "mine"}) for job in (first, second))
    store.recall(first, ask("same"))
    again = store.recall(second, ask("same"))

    assert (again.outcome, again.task_id) == (EARLIER, first.task_id)
    assert store.get(second.task_id) is None
    with pytest.raises(ReusedKeyError):
        store.recall(second, ask("another"))


def test_who_waits_for_a_webhook_is_told(opened: Opened) -> None:
    """The promise is made with the end; of a job that is taken back nobody is told."""
    store = opened.store()
    answered(store)
    webhooks = (
        store.webhooks
        if isinstance(store, MemoryJobStore)
        else RedisWebhooks(TasksSettings(job_store_url=opened.url))
    )
    job, taken_back = (new(webhook_url="https://example.org/") for _ in range(2))
    store.recall(job, ask())
    store.recall(taken_back, ask())
    store.discard(taken_back.task_id)

    assert (store.get(taken_back.task_id), store.document(taken_back.task_id)) == (None, None)
    assert [each.task_id for each in webhooks.take(9, seconds=9)] == [job.task_id]


def test_nothing_is_given_again_while_pictures_of_the_model_are_collected(redis_url: str) -> None:
    """Each of them counts there; they are no miss either."""
    store = Opened(redis_url).store()
    answered(store)
    collections = Collections(TasksSettings(job_store_url=redis_url))
    collection = Collection("c", "colours", 1, wanted=10, percent=100)
    collections.begin(collection)
    meanwhile = store.recall(new(), ask()).outcome
    collections.close(collection)

    assert (meanwhile, store.recall(new(), ask()).outcome) == (UNWANTED, HIT)


def test_what_was_taken_back_or_comes_too_late_is_not_done(redis_url: str) -> None:
    """Its client has heard that there is no job."""
    store = Opened(redis_url).store()
    answered(store)
    job = new()
    store.discard(job.task_id)

    assert store.recall(job, ask()).outcome == UNWANTED
    assert store.get(job.task_id) is None


def test_celerys_result_is_there_with_the_document(redis_url: str) -> None:
    """`AsyncResult` reads the same as the client."""
    store = Opened(redis_url).store()
    answered(store)
    document = store.recall(new(), ask()).document
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        assert client.get("celery-result") == f"<{document}>"
        assert 0 < client.ttl("celery-result") <= TasksSettings().result_ttl_seconds


def test_the_estimate_of_an_answers_size_is_fair(redis_url: str) -> None:
    """Neither much more nor much less than Redis says that it takes."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        client.flushdb()
        store = Opened(redis_url).store()
        for n in range(200):
            answered(store, f"{n:064}", found=f'"predictions": "{"x" * 500}"')
        keys = [*client.keys(f"{ANSWER}*"), ANSWERS, ANSWER_SIZES]
        used = sum(client.memory_usage(key, samples=0) for key in keys)
        answers, estimated = store.kept_answers()

    assert answers == 200
    assert 0.8 < estimated / used < 1.5


def test_where_the_cache_is_off_nothing_of_it_is_written(redis_url: str) -> None:
    """A job without a key costs and leaves nothing."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        client.flushdb()
        store = Opened(redis_url).store()
        job = started(store, new(""))
        store.finish(job.task_id, Outcome(SUCCESS, "{}", {}))

        assert not client.keys("petiole:answer*")
        assert "answer_key" not in client.hgetall(JOB + job.task_id)
