"""What a client is told and promised of one job: place, estimate, deadline, key, forgetting."""

from threading import Barrier
from time import monotonic, sleep

import pytest
import redis

from tasks import lanes
from tasks.errors import ReusedKeyError
from tasks.job_stores import REVOKED, SUCCESS, JobStore
from tasks.job_stores.redis import RedisJobStore
from tasks.settings import TasksSettings
from tests.test_tasks.test_admission import bounded, finished, in_parallel, new_job
from tests.test_tasks.test_job_stores import outcome, store  # noqa: F401 - the fixture

LOW = lanes.lane("classify", lanes.LOW)


def test_a_job_knows_its_place(store: JobStore) -> None:  # noqa: F811
    """How many are before it, and once five have left in a burst, when it will be over."""
    accepted = [store.create(new_job(str(n))) for n in range(20)]
    before = store.view("19")
    moments = []
    for n in range(8):
        sleep(0.05)
        finished(store, str(n))
        moments.append(monotonic())
    after = store.view("19")

    assert [each.place.ahead for each in accepted] == list(range(20))
    assert (before.place.ahead, before.place.seconds) == (19, None)
    assert after.place.ahead == 11
    # Seven intervals were seen, and twelve are left.
    assert after.place.seconds == pytest.approx(12 * (moments[-1] - moments[0]) / 7, rel=0.3)


def test_a_pause_is_not_a_slow_service(store: JobStore) -> None:  # noqa: F811
    """Time in which nothing waited says nothing about the rate, nor does a stall."""
    for burst in range(2):
        for n in range(8):
            store.create(new_job(f"{burst} {n}"))
        for n in range(8):
            finished(store, f"{burst} {n}")
        sleep(1.5)
    for n in range(2):
        store.create(new_job(f"last {n}"))

    assert store.view("last 1").place.seconds < 0.5


def test_nobody_knows_when_nothing_leaves(store: JobStore) -> None:  # noqa: F811
    """All workers are gone, and pictures wait: an estimate would be a guess."""
    for n in range(9):
        store.create(new_job(str(n)))
    for n in range(8):
        finished(store, str(n))
    known = store.view("8").place.seconds
    if isinstance(store, RedisJobStore):
        store._client.hincrbyfloat("petiole:drain:classify", "at", -60)
    else:
        store._drains["classify"].at -= 60

    assert known is not None
    assert store.view("8").place.seconds is None


def test_low_priority_is_behind_all_others(store: JobStore) -> None:  # noqa: F811
    """Whenever they come."""
    low = store.create(new_job("low", lane=LOW, priority="low"))
    store.create(new_job("normal"))

    assert (low.place.ahead, store.view("low").place.ahead) == (0, 1)
    assert store.view("normal").place.ahead == 0
    assert store.load().waiting[LOW] == store.load().waiting["classify"] == 1


def test_open_work_is_what_waits_and_what_is_begun(store: JobStore) -> None:  # noqa: F811
    """By queue, whatever its priority; what is over, or lost its record, is no work."""
    for n in range(4):
        store.create(new_job(str(n), lane=LOW if n else "classify"))
    store.claim("1", stage="classify")
    finished(store, "2")
    store.create(new_job("address", lane="downloads"))
    work = store.work()

    assert {queue: each.open_jobs for queue, each in work.items()} == {
        **{"classify": 3, "downloads": 1, "bulk": 0, "explain": 0}
    }
    assert work["classify"].waiting == {lanes.NORMAL: 1, lanes.LOW: 1}
    assert (work["classify"].running, work["bulk"].oldest_seconds) == (1, 0.0)


def test_the_oldest_waiting_job_has_an_age(store: JobStore) -> None:  # noqa: F811
    """Since it was queued; one that is put off is not due yet, and has none."""
    store.create(new_job("old"))
    store.create(new_job("put off", lane="downloads"))
    claimed = store.claim("put off", stage="download")
    store.postpone(claimed, seconds=60.0)
    sleep(0.3)
    store.create(new_job("young"))
    ages = {queue: each.oldest_seconds for queue, each in store.work().items()}

    assert ages["classify"] >= 0.3
    assert ages["downloads"] == 0.0


def test_what_is_started_or_over_has_no_place(store: JobStore) -> None:  # noqa: F811
    """Nor has what never was."""
    store.create(new_job("a"))
    store.claim("a", stage="classify")
    started = store.view("a")
    store.finish("a", outcome(SUCCESS))
    over = store.view("a")

    assert (started.job.state, started.place, started.document) == ("STARTED", None, None)
    assert over.document == outcome(SUCCESS).document
    assert store.view("never").job is None


def test_a_late_job_is_not_started(store: JobStore) -> None:  # noqa: F811
    """Its deadline passed while it waited: it comes back as it is, and is among the late ones."""
    store.create(new_job("late", deadline_seconds=0.05))
    store.create(new_job("patient", deadline_seconds=100.0))
    sleep(0.1)
    late, patient = (store.claim(name, stage="classify") for name in ("late", "patient"))
    listed = store.late(before=store.now(), limit=10)
    store.revoke("late", outcome(REVOKED))

    assert (late.state, patient.state, listed) == ("RETRY", "STARTED", ["late"])
    assert store.late(before=store.now(), limit=10) == []


def test_a_key_is_one_job(store: JobStore) -> None:  # noqa: F811
    """Sent again it is the first one; with another request it is refused, wherever it is found."""
    first = store.create(new_job("a", key="k"), digest="d")
    second = store.create(new_job("b", key="k"), digest="d")

    assert (first.task_id, second.task_id, store.get("b")) == ("a", "a", None)
    assert store.earlier("k", digest="d") == "a"
    assert store.earlier("other", digest="d") is None
    for reuse in (
        lambda: store.earlier("k", digest="x"),
        lambda: store.create(new_job("c", key="k"), digest="x"),
    ):
        with pytest.raises(ReusedKeyError):
            reuse()


def test_a_full_service_still_knows_its_keys(store: JobStore) -> None:  # noqa: F811
    """A repetition takes no place."""
    bounded(store, max_open_jobs=1)
    store.create(new_job("a", key="k"), digest="d")

    assert store.create(new_job("b", key="k"), digest="d").task_id == "a"


def test_a_withdrawn_job_frees_its_key(store: JobStore) -> None:  # noqa: F811
    """Unless another request was given it meanwhile: what was promised to that one is kept."""
    store.create(new_job("a", key="k"), digest="d")
    freed = store.discard("a")
    store.create(new_job("b", key="k"), digest="d")
    store.earlier("k", digest="d")
    kept = store.discard("b")

    assert (freed, kept, store.get("a")) == (True, False, None)
    assert store.get("b").state == "PENDING"


def test_a_key_in_many_processes_is_one_job(redis_url: str) -> None:
    """At the same moment, over stores of their own."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
    settings, start = TasksSettings(job_store_url=redis_url), Barrier(10)
    made = [RedisJobStore(settings, patience_seconds=1.0) for _ in range(10)]
    given: list[str] = []

    def send(n: int) -> None:
        start.wait()
        given.append(made[n].create(new_job(str(n), key="k"), digest="d").task_id)

    in_parallel(send, 10)

    assert (len(given), len(set(given)), made[0].load().open_jobs) == (10, 1, 1)


def test_what_is_over_is_forgotten_once(store: JobStore) -> None:  # noqa: F811
    """The document goes, the state stays; what is not over stays whole."""
    store.create(new_job("a", image_url="http://somewhere"))
    early = store.forget("a")
    finished(store, "a")
    forgotten = [store.forget("a") for _ in range(2)]
    job = store.get("a")

    assert (early, forgotten, store.forget("never")) == (False, [True, False], False)
    assert (job.state, job.filename, job.image_url) == (SUCCESS, "", "")
    assert store.document("a") is None
