"""What a real server lets us do and can promise, without leaving a trace in it."""

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import redis

from tasks import once, redis_checks, redis_users, stores
from tasks.errors import ServiceUnavailableError
from tests.conftest import free_port
from tests.test_end_to_end.conftest import wait_until

pytestmark = pytest.mark.server

REFUSING = {
    "full": ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 1gb", "free memory or raise its"),
    "replica": ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "name the primary in REDIS_URL"),
    "replicas": (
        *("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0"),
        "lower min-replicas-to-write",
    ),
}
DENIED = [
    "-publish",
    "-subscribe",
    "-lpush",
    "-evalsha",
    "-script",
    "-multi",
    "resetchannels",
    "resetkeys",
]


def use(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `url` broker and job store of this process."""
    monkeypatch.setenv("CELERY_BROKER_URL", url)
    monkeypatch.setenv("PETIOLE_TASKS_JOB_STORE_URL", url)
    once.begin_anew()


@pytest.fixture(autouse=True)
def used(server: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of the server, which is broker and job store."""
    url = f"redis://127.0.0.1:{server.connection_pool.connection_kwargs['port']}/0"
    use(url, monkeypatch)
    return url


def test_a_server_that_takes_everything_is_left_as_it_was(server: redis.Redis) -> None:
    """The look changes nothing, however often it is made."""
    refusals = redis_checks.refusals(["classify"], answers_clients=True)

    assert refusals == []
    assert server.dbsize() == 0


def test_records_of_a_later_release_are_left_alone(server: redis.Redis) -> None:
    """No worker takes a message; one of this release, or of 0.1 that noted none, is let in."""
    stores.job_store().announce_ready("a", "{}")
    own = redis_checks.refusals(["classify"])
    server.set("petiole:format", 2)
    stores.job_store().announce_ready("a", "{}")
    later = redis_checks.refusals(["classify"])
    kept = server.get("petiole:format")
    server.flushall()

    assert (own, kept) == ([], "2")
    assert later == [
        "broker and job store: its records have format 2 (petiole:format) and this release reads up"
        " to 1; start workers of the release that wrote them, or restore a backup made before it"
    ]


@pytest.mark.parametrize("reason", REFUSING)
def test_a_server_that_refuses_is_named_with_the_cure(server: redis.Redis, reason: str) -> None:
    """With the one thing to do."""
    refuse, allow, cure = REFUSING[reason]
    server.execute_command(*refuse.split())
    refusals = redis_checks.refusals(["classify"], answers_clients=True)
    server.execute_command(*allow.split())

    assert len(refusals) == 1
    assert refusals[0].startswith("broker and job store: it ")
    assert cure in refusals[0]


def test_a_disk_that_takes_nothing_is_named(server: redis.Redis) -> None:
    """The server refuses to write what it could not keep."""
    in_the_way = Path(server.config_get("dir")["dir"], "dump.rdb")
    in_the_way.mkdir()
    server.config_set("save", "3600 1")
    server.bgsave()
    wait_until(lambda: server.info("persistence")["rdb_last_bgsave_status"] == "err")
    refusals = redis_checks.refusals(["classify"], answers_clients=True)
    in_the_way.rmdir()
    server.save()
    server.config_set("save", "")

    assert ["free space on its disk" in refusal for refusal in refusals] == [True]


@pytest.mark.parametrize("denied", DENIED)
def test_a_missing_right_is_named(
    server: redis.Redis, used: str, denied: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also the right to the transaction that the look is made of: nothing is carried out."""
    rights = ("on", ">pw", "~*", "&*", "+@all", denied)
    server.execute_command("ACL", "SETUSER", "app", "reset", *rights)
    use(used.replace("//", "//app:pw@"), monkeypatch)
    refusals = redis_checks.refusals(["classify"], answers_clients=True)

    assert refusals
    assert all("ACL SETUSER" in refusal for refusal in refusals)
    assert server.dbsize() == 0


def test_a_worker_needs_no_more_than_it_uses(
    server: redis.Redis, used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its user may be forbidden other queues, and what answers clients."""
    (rules,) = [each.rules for each in redis_users.users() if each.name == redis_users.WORKER]
    rights = [rule.replace("~training ", "") for rule in rules]
    server.execute_command("ACL", "SETUSER", "app", "reset", "on", ">pw", *rights)
    use(used.replace("//", "//app:pw@"), monkeypatch)

    assert redis_checks.refusals(["classify"]) == []
    assert redis_checks.refusals(["classify", "training"]) != []
    assert redis_checks.refusals(["classify"], answers_clients=True) != []


def test_a_server_that_is_away_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is no refusal, and warnings are left for later."""
    use(f"redis://127.0.0.1:{free_port()}/0", monkeypatch)

    assert redis_checks.warnings() == ()
    with pytest.raises(ServiceUnavailableError, match="did not answer"):
        redis_checks.refusals(["classify"], answers_clients=True)


def test_the_first_looks_of_many_threads_share_one_client() -> None:
    """A client that is made twice is thrown away once, and closes what is being read from."""
    threads = 8
    begin = Barrier(threads)

    def look(_: int) -> list[str]:
        begin.wait()
        return redis_checks.refusals(["classify"])

    with ThreadPoolExecutor(threads) as pool:
        for _ in range(40):
            once.begin_anew()
            assert list(pool.map(look, range(threads))) == [[]] * threads


def test_ours_promises_everything() -> None:
    """Its own append-only file, nothing thrown away, new enough."""
    assert redis_checks.warnings() == ()


@pytest.mark.parametrize(
    ("option", "kept", "lost", "sentence"),
    [
        ("appendonly", "yes", "no", "set appendonly yes"),
        ("maxmemory-policy", "noeviction", "allkeys-lru", "set maxmemory-policy noeviction"),
    ],
)
def test_what_a_server_cannot_promise_is_said_once(
    server: redis.Redis,
    caplog: pytest.LogCaptureFixture,
    option: str,
    kept: str,
    lost: str,
    sentence: str,
) -> None:
    """In one line; what `/readyz` lists is the same."""
    server.config_set(option, lost)
    with caplog.at_level(logging.WARNING, "tasks.redis_checks"):
        redis_checks.warnings()
        redis_checks.warnings()
    server.config_set(option, kept)

    (record,) = caplog.records
    assert record.reason.startswith("broker and job store: ")
    assert record.reason.endswith(sentence)


@pytest.mark.parametrize(("version", "doubts"), [("6.0.16", 1), ("6.2.0", 0), ("10.0.1", 0)])
def test_a_server_that_is_too_old_is_named(version: str, doubts: int) -> None:
    """What it lacks brings back the messages of dead workers."""
    found = list(redis_checks._doubts({"redis_version": version}))

    assert [f"version {version}" in sentence for sentence in found] == [True] * doubts
