"""What the users of Redis may do, and what one that was stolen may not; on a real server."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from redis.exceptions import NoPermissionError
from typer.testing import CliRunner

from petiole.cli import app
from tasks import once, redis_checks, redis_users
from tasks.job_stores.kept import HIT, MISS
from tasks.redis_users import FLOWER, WEB, WORKER
from tests.conftest import ROOT
from tests.test_tasks import test_kept_answers as kept

pytestmark = pytest.mark.server

EVERYWHERE = (
    ("FLUSHALL",),
    ("FLUSHDB",),
    ("CONFIG", "GET", "*"),
    ("CONFIG", "SET", "maxmemory", "1"),
    ("ACL", "LIST"),
    ("ACL", "SETUSER", "web", "+@all"),
    ("CLIENT", "LIST"),
    ("CLIENT", "PAUSE", "1"),
    ("CLIENT", "KILL", "TYPE", "normal"),
    ("KEYS", "*"),
    ("SCAN", "0"),
    ("MONITOR",),
    ("SAVE",),
    ("SHUTDOWN", "NOSAVE"),
    ("REPLICAOF", "127.0.0.1", "1"),
    ("SCRIPT", "FLUSH"),
    ("SELECT", "1"),
    ("MODULE", "LIST"),
    ("GET", "another-program"),
    ("SET", "another-program", "1"),
    ("HGETALL", "petiole:keys"),
    ("XREVRANGE", "petiole:audit", "+", "-"),
    ("DEL", "petiole:audit"),
    ("DEL", "classify"),
)
CELERYS = ("PUBLISH", "/0.celery.pidbox", "{}")
FORBIDDEN = {
    WEB: (
        *EVERYWHERE,
        CELERYS,
        ("PSUBSCRIBE", "/0.celery.pidbox"),
        ("PUBLISH", "/0.celeryev/task.succeeded", "{}"),
        ("HSET", "petiole:key:x", "scopes", "admin"),
        ("DEL", "petiole:key:x"),
        ("SADD", "petiole:keys", "x"),
        ("RPOP", "classify"),
        ("BRPOP", "classify", "1"),
        ("LPUSH", "training", "{}"),
        ("SADD", "_kombu.binding.celery.pidbox", "x"),
        ("HDEL", "unacked", "x"),
    ),
    WORKER: (
        *EVERYWHERE,
        CELERYS,
        ("HGETALL", "petiole:key:x"),
        ("HSET", "petiole:key:x", "scopes", "admin"),
        ("SET", "petiole:limit:rate:x", "0"),
    ),
    FLOWER: (
        *EVERYWHERE,
        ("LPUSH", "classify", "{}"),
        ("LRANGE", "classify", "0", "-1"),
        ("SET", "celery-task-meta-x", "{}"),
        ("PUBLISH", "celery-task-meta-x", "{}"),
        ("PUBLISH", "petiole:finished", "x {}"),
        ("HGETALL", "petiole:job:x"),
        ("GET", "petiole:document:x"),
        ("HGETALL", "petiole:key:x"),
        ("SADD", "_kombu.binding.classify", "x"),
        ("HDEL", "unacked", "x"),
    ),
}
PAIRS = [(user, command) for user, commands in FORBIDDEN.items() for command in commands]


@pytest.fixture(autouse=True, scope="module")
def users(server: redis.Redis) -> None:
    """The users of the file, with their names as passwords."""
    for user in redis_users.users():
        server.execute_command(
            "ACL", "SETUSER", user.name, "reset", "on", f">{user.name}", *user.rules
        )


def port_of(server: redis.Redis) -> int:
    """Return where the server listens."""
    return int(server.connection_pool.connection_kwargs["port"])


def known_as(server: redis.Redis, user: str) -> redis.Redis:
    """Return a client of the server as one of its users."""
    return redis.Redis(port=port_of(server), username=user, password=user, decode_responses=True)


@pytest.fixture
def stolen(server: redis.Redis, request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    """What whoever has stolen the address of one part can do with it."""
    with known_as(server, request.param) as client:
        yield client


@pytest.mark.parametrize(("stolen", "command"), PAIRS, indirect=["stolen"])
def test_a_stolen_address_of_redis_may_not(stolen: redis.Redis, command: tuple[str, ...]) -> None:
    """Everything beyond its part: the server, keys, other programs, and orders to workers."""
    with pytest.raises(NoPermissionError):
        stolen.execute_command(*command)


@pytest.mark.parametrize("stolen", [WEB, WORKER, FLOWER], indirect=True)
def test_a_script_may_no_more_than_its_caller(server: redis.Redis, stolen: redis.Redis) -> None:
    """A script that is in the server already may be called, and its commands are judged."""
    server.set("another-program", "secret")
    digest = stolen.script_load("return redis.call('GET', KEYS[1])")

    with pytest.raises(redis.ResponseError, match="ermission"):
        stolen.evalsha(digest, 1, "another-program")


def test_flower_alone_sends_remote_commands(server: redis.Redis) -> None:
    """They are messages on a channel; other users are refused it, see above."""
    with known_as(server, FLOWER) as flower, server.pubsub() as workers:
        workers.psubscribe("/0.celery.pidbox")
        assert workers.get_message(timeout=5)["type"] == "psubscribe"

        assert flower.publish("/0.celery.pidbox", "{}") == 1


@pytest.mark.parametrize(("user", "answers_clients"), [(WEB, True), (WORKER, False)])
def test_the_users_may_all_that_is_needed(
    server: redis.Redis, user: str, answers_clients: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a start looks at is what the rules give, and no more than that."""
    queues = redis_users.OF_THE_WEB if answers_clients else redis_users.QUEUES
    use(f"redis://{user}:{user}@127.0.0.1:{port_of(server)}/0", monkeypatch)

    assert redis_checks.refusals(queues, answers_clients=answers_clients) == []


def test_the_web_gives_again_what_a_worker_has_found(server: redis.Redis) -> None:
    """As it does by default: an answer that is known ends a new picture of the same bytes."""
    web, worker = (
        kept.Opened(f"redis://{user}:{user}@127.0.0.1:{port_of(server)}/0").store()
        for user in (WEB, WORKER)
    )
    worker.announce_ready(kept.OWNER, "{}")
    asked = replace(kept.ask(), celery_result=("celery-task-meta-x", "<", ">"))
    before = web.recall(kept.new(), asked).outcome
    kept.answered(worker)

    assert (before, web.recall(kept.new(), asked).outcome) == (MISS, HIT)


def rules_of(user: str) -> tuple[str, ...]:
    """Return the rules of a user that name keys or channels, or are selectors."""
    (found,) = [each.rules for each in redis_users.users() if each.name == user]
    return tuple(rule for rule in found if rule.startswith(("~", "&", "%", "+h", "+z", "+l")))


@pytest.mark.parametrize(
    ("user", "rule"),
    [(user, rule) for user in (WEB, WORKER) for rule in rules_of(user)],
)
def test_a_right_that_is_missing_is_named_with_its_rule(
    server: redis.Redis, user: str, rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line, with the user and the command that gives it; nothing is carried out."""
    (all_rules,) = [each.rules for each in redis_users.users() if each.name == user]
    rest = [each for each in all_rules if each != rule]
    server.execute_command("ACL", "SETUSER", "narrow", "reset", "on", ">pw", *rest)
    use(f"redis://narrow:pw@127.0.0.1:{port_of(server)}/0", monkeypatch)
    queues = redis_users.OF_THE_WEB if user == WEB else redis_users.QUEUES
    (said,) = redis_checks.refusals(queues, answers_clients=user == WEB)

    assert "ACL SETUSER narrow " in said
    assert rule in said
    assert "\n" not in said


def use(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make `url` broker, result backend and job store of this process."""
    monkeypatch.setenv("CELERY_BROKER_URL", url)
    monkeypatch.setenv("CELERY_RESULT_BACKEND", url)
    monkeypatch.setenv("PETIOLE_TASKS_JOB_STORE_URL", url)
    once.begin_anew()


def test_the_shipped_file_is_what_the_code_says() -> None:
    """`petiole redis-users > deploy/redis/users.acl` writes it anew."""
    shipped = Path(ROOT, "deploy", "redis", "users.acl").read_text()

    said = CliRunner().invoke(app, ["redis-users"]).stdout

    assert said == shipped
    assert shipped.startswith("user default off\n")
