"""What a Redis lets this process do, and what it cannot promise: for `/readyz` and the logs."""

import logging
from collections.abc import Collection, Iterable
from typing import Any, Final

import redis
from redis.exceptions import NoPermissionError

from tasks import addresses
from tasks.celery import app
from tasks.errors import ServiceUnavailableError
from tasks.job_stores.connection import connect
from tasks.job_stores.notices import FINISHED_CHANNEL
from tasks.job_stores.redis_upkeep import DOCUMENT, FORMAT, FORMAT_KEY, JOB
from tasks.once import once
from tasks.settings import settings

OLDEST_VERSION = (6, 2)  # kombu looks for messages of dead workers with `ZRANGE … BYSCORE`
BROKER, JOB_STORE = "broker", "job store"
CONTROL_EXCHANGE = "celery.pidbox"
CURES: Final = (
    (redis.OutOfMemoryError, "it is full; free memory or raise its maxmemory"),
    (redis.ReadOnlyError, "it is a read-only replica; name the primary in REDIS_URL"),
    (redis.AuthenticationError, "it does not know our name and password; correct REDIS_URL"),
    (redis.BusyLoadingError, "it is still reading its file; wait"),
)
CURES_BY_WORD: Final = (
    ("MISCONF", "it cannot write its file; free space on its disk"),
    ("NOREPLICAS", "it has too few replicas; start them or lower min-replicas-to-write"),
)

logger = logging.getLogger(__name__)


def cure(exc: BaseException) -> str:
    """Return the one thing to do about what a Redis answered."""
    for kind, sentence in CURES:
        if isinstance(exc, kind):
            return sentence
    text = str(exc)
    if isinstance(exc, NoPermissionError):
        return f"it forbids what we need; allow its user that with ACL SETUSER ({text})"
    return next((sentence for word, sentence in CURES_BY_WORD if word in text), text)


def refusals(queues: Collection[str], *, answers_clients: bool = False) -> list[str]:
    """Return why jobs of these queues could not be done, one sentence for each server.

    Records of a later release are such a reason, too. A process that answers clients also wakes
    those who wait, and tells workers of revocations.

    Raises:
        ServiceUnavailableError: a server does not answer.
    """
    found = [
        (name, refusal(url, _commands_of(name, url, queues, answers_clients)))
        for url, name in servers().items()
    ]
    formats = [(name, _later_format(url)) for url, name in servers().items() if JOB_STORE in name]
    refused = [(name, cure(answer)) for name, answer in found if answer]
    return [f"{name}: {why}" for name, why in (*refused, *formats) if why]


def _later_format(url: str) -> str:
    """Return what to do about records of a later release, which this one would misread."""
    try:
        number = _client(url).get(FORMAT_KEY)
    except redis.RedisError:
        return ""  # it is refused above, or away
    if number is None or int(number) <= FORMAT:
        return ""
    return (
        f"its records have format {number} ({FORMAT_KEY}) and this release reads up to {FORMAT}; "
        "start workers of the release that wrote them, or restore a backup made before it"
    )


def warnings() -> tuple[str, ...]:
    """Return what each server cannot promise, one sentence each; a server that is away has none.

    Each is also logged, once in a process.
    """
    found = doubts()
    for sentence in found:
        if sentence not in _said():
            _said().add(sentence)
            logger.warning("a promise is not kept", extra={"reason": sentence})
    return found


def doubts() -> tuple[str, ...]:
    """Return what each server cannot promise, as `warnings` does, without a word in the log."""
    return tuple(
        f"{name}: {doubt}" for url, name in servers().items() for doubt in _doubts(_info(url))
    )


@once
def _said() -> set[str]:
    return set()


def servers() -> dict[str, str]:
    """Return what each server is, by URL, as far as broker and job store are Redis."""
    first = str(app.conf.broker_url).split(";", maxsplit=1)[0]  # the rest are for failures
    broker_url = addresses.for_redis(first)
    store_url = settings().job_store_url
    if broker_url == store_url:
        names = {store_url: f"{BROKER} and {JOB_STORE}"}
    else:
        names = {broker_url: BROKER, store_url: JOB_STORE}
    return {url: name for url, name in names.items() if addresses.is_redis(url)}


@once
def _client(url: str) -> Any:
    return connect(url, patience_seconds=0.0)


def _commands_of(
    name: str, url: str, queues: Collection[str], answers_clients: bool
) -> list[tuple[str, ...]]:
    """Return the commands, with real keys, without which a server of that name is of no use."""
    commands: list[tuple[str, ...]] = []
    if BROKER in name:
        for queue in queues:
            commands += [("LPUSH", queue, ""), ("SADD", f"_kombu.binding.{queue}", "")]
        if answers_clients:
            database = _client(url).connection_pool.connection_kwargs.get("db", 0)
            commands += [("PUBLISH", f"/{database}.{CONTROL_EXCHANGE}", "")]
    if JOB_STORE in name:
        commands += [
            ("HSET", f"{JOB}probe", "state", ""),
            ("SET", f"{DOCUMENT}probe", ""),
            ("SCRIPT", "LOAD", "return 1"),
            ("EVALSHA", "0" * 40, "0"),
            ("PUBLISH", FINISHED_CHANNEL, ""),
        ]
        if answers_clients:
            commands += [("SUBSCRIBE", FINISHED_CHANNEL)]
    return commands


def refusal(url: str, commands: Iterable[tuple[str, ...]]) -> Exception | None:
    """Return the answer to the first command that the server would refuse.

    The commands are queued in a transaction that is thrown away: the server judges memory, disk,
    role and rights when it queues, and carries out nothing.
    """
    pool = _client(url).connection_pool
    try:
        connection = pool.get_connection()
        try:
            for command in (("MULTI",), *commands):
                connection.send_command(*command)
                connection.read_response()
        finally:
            # With it ends whatever transaction is open.
            connection.disconnect()
            pool.release(connection)
    except (redis.ResponseError, redis.BusyLoadingError, redis.AuthenticationError) as exc:
        return exc  # A full disk refuses even the PING of redis-py's own health check.
    except (redis.ConnectionError, redis.TimeoutError) as exc:
        message = f"Redis did not answer ({type(exc).__name__}); try again shortly"
        raise ServiceUnavailableError(message) from exc
    return None


def _info(url: str) -> dict[str, Any]:
    try:
        info: dict[str, Any] = _client(url).info()
    except NoPermissionError as exc:
        return {"forbidden": str(exc)}
    except redis.RedisError:
        return {}
    return info


def _doubts(info: dict[str, Any]) -> Iterable[str]:
    if "forbidden" in info:
        yield "it does not say what it can promise; allow its user INFO with ACL SETUSER"
    if info.get("aof_enabled") == 0:
        yield "jobs do not survive its restart; set appendonly yes"
    policy = info.get("maxmemory_policy", "noeviction")
    if info.get("maxmemory") and policy != "noeviction":
        yield f"it throws jobs away when it is full ({policy}); set maxmemory-policy noeviction"
    version = str(info.get("redis_version", ""))
    if version and tuple(map(int, version.split(".")[:2])) < OLDEST_VERSION:
        yield f"version {version} cannot give back messages of dead workers; use 6.2 or later"
