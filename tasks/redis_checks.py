"""What a Redis lets this process do, and what it cannot promise: for `/readyz` and the logs."""

import logging
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import redis
from redis.exceptions import NoPermissionError

from tasks import addresses, celery_results, redis_rights
from tasks.celery import app
from tasks.errors import ServiceUnavailableError
from tasks.job_stores.connection import connect
from tasks.job_stores.redis_upkeep import FORMAT, FORMAT_KEY
from tasks.once import once
from tasks.redis_rights import Need
from tasks.settings import settings

OLDEST_VERSION = (6, 2)  # kombu looks for messages of dead workers with `ZRANGE … BYSCORE`
BROKER, JOB_STORE = "broker", "job store"
BAD_CERTIFICATE = "CERTIFICATE_VERIFY_FAILED"
CURES: Final = (
    (redis.OutOfMemoryError, "it is full; free memory or raise its maxmemory"),
    (redis.ReadOnlyError, "it is a read-only replica; name the primary in REDIS_URL"),
    (
        redis.AuthenticationError,
        "it does not know our name and password; correct REDIS_URL, in which % is written %25",
    ),
    (redis.BusyLoadingError, "it is still reading its file; wait"),
)
REFUSED: Final = (redis.ResponseError, redis.BusyLoadingError, redis.AuthenticationError)
CURES_BY_WORD: Final = (
    ("MISCONF", "it cannot write its file; free space on its disk"),
    (
        BAD_CERTIFICATE,
        "its certificate is not of the CA that ssl_ca_certs in REDIS_URL names; name the right one",
    ),
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
        (name, _why_not(url, _needs(name, url, queues, answers_clients)))
        for url, name in servers().items()
    ]
    formats = [(name, _later_format(url)) for url, name in servers().items() if JOB_STORE in name]
    return [f"{name}: {why}" for name, why in (*found, *formats) if why]


def missing_rights(queues: Collection[str]) -> list[str]:
    """Return what a user that is every part at once lacks, or that a server does not know it.

    Raises:
        ServiceUnavailableError: a server does not answer.
    """
    found = []
    for url, name in servers().items():
        needs = [
            *_needs(name, url, queues, answers_clients=False),
            *_needs(name, url, queues, answers_clients=True),
            *(redis_rights.of_flower(_database(url)) if BROKER in name else ()),
        ]
        answers = _answers(url, [need.command for need in needs])
        if any(map(_is_for_good, answers)):
            found.append(f"{name}: {_what_to_do(url, needs, answers)}")
    return found


def _is_for_good(answer: Exception | None) -> bool:
    is_refused = isinstance(answer, (NoPermissionError, redis.AuthenticationError))
    return is_refused or BAD_CERTIFICATE in str(answer)


def _why_not(url: str, needs: Sequence[Need]) -> str:
    """Return what is to be done so that a server takes all of it; nothing when it does."""
    return _what_to_do(url, needs, _answers(url, [need.command for need in needs]))


def _what_to_do(url: str, needs: Sequence[Need], answers: Sequence[Exception | None]) -> str:
    asked = [redis_rights.TO_ASK, *needs]
    refused = [(need, each) for need, each in zip(asked, answers, strict=True) if each]
    others = [each for _, each in refused if not isinstance(each, NoPermissionError)]
    if not refused or others:
        return cure(others[0]) if others else ""
    user = _client(url).connection_pool.connection_kwargs.get("username") or "default"
    rules = redis_rights.rules((need, str(each)) for need, each in refused)
    more = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
    return (
        f"it forbids its user {user!r} what we need ({refused[0][0].said()}{more});"
        f" allow it with ACL SETUSER {user} {rules}"
    )


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


def memory() -> dict[str, tuple[float, float]]:
    """Return used and allowed bytes of each server that says so; 0 allowed is without a limit."""
    said = {name: _info(url) for url, name in servers().items()}
    return {
        name: (float(info["used_memory"]), float(info["maxmemory"]))
        for name, info in said.items()
        if "used_memory" in info
    }


@once
def _said() -> set[str]:
    return set()


def servers() -> dict[str, str]:
    """Return what each server is, by URL, as far as broker and job store are Redis."""
    store_url = settings().job_store_url
    first = str(app.conf.broker_url).split(";", maxsplit=1)[0]  # the rest are for failures
    broker_url = addresses.for_redis(first)
    if addresses.are_one(str(app.conf.broker_url), store_url):
        names = {store_url: f"{BROKER} and {JOB_STORE}"}
    else:
        names = {broker_url: BROKER, store_url: JOB_STORE}
    return {url: name for url, name in names.items() if addresses.is_redis(url)}


@once
def _client(url: str) -> Any:
    return connect(url, patience_seconds=0.0)


def _needs(name: str, url: str, queues: Collection[str], answers_clients: bool) -> list[Need]:
    """Return the commands, with real keys, without which a server of that name is of no use."""
    needs: list[Need] = []
    if BROKER in name:
        needs += redis_rights.of_broker(queues, _database(url), answers_clients=answers_clients)
    if JOB_STORE in name:
        beside = celery_results.are_written_with_the_record()
        needs += redis_rights.of_job_store(answers_clients=answers_clients, has_results=beside)
    return needs


def _database(url: str) -> int:
    return int(_client(url).connection_pool.connection_kwargs.get("db", 0))


def refusal(url: str, commands: Sequence[tuple[str, ...]]) -> Exception | None:
    """Return the answer to the first command that the server would refuse."""
    return next(filter(None, _answers(url, commands)), None)


def _answers(url: str, commands: Sequence[tuple[str, ...]]) -> list[Exception | None]:
    """Return what the server answers to `MULTI`, and would answer to each command, if it refuses.

    The commands are queued in a transaction that is thrown away: the server judges memory, disk,
    role and rights when it queues, and carries out nothing.
    """
    pool = _client(url).connection_pool
    try:
        connection = pool.get_connection()
        try:
            connection.send_command("MULTI")
            if begun := _answer(connection):
                # Without a transaction they would be carried out.
                return [begun, *([None] * len(commands))]
            connection.send_packed_command(connection.pack_commands(commands))
            return [None, *(_answer(connection) for _ in commands)]
        finally:
            # With it ends whatever transaction is open.
            connection.disconnect()
            pool.release(connection)
    except REFUSED as exc:
        # A full disk refuses even the PING of redis-py's own health check.
        return [exc, *([None] * len(commands))]
    except (redis.ConnectionError, redis.TimeoutError) as exc:
        if BAD_CERTIFICATE in str(exc):
            return [exc, *([None] * len(commands))]
        message = f"Redis did not answer ({type(exc).__name__}); try again shortly"
        raise ServiceUnavailableError(message) from exc


def _answer(connection: Any) -> Exception | None:
    try:
        connection.read_response()
    except REFUSED as exc:
        return exc
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
