"""Who may do what in Redis: a user for each kind of process, with the rights that it uses.

The rules are those of Redis 7 and Valkey (ACL with selectors in parentheses); channels hold for
database 0 or the one that is named. A script may do what its caller may: each command in it is
checked as well, so that `EVALSHA` may name any key.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

WEB, WORKER, FLOWER, OPERATOR = "web", "worker", "flower", "operator"
NAMES: Final = (WEB, WORKER, FLOWER, OPERATOR)

_CONNECTION = (
    "ping client|setname client|setinfo multi exec discard time info script|load script|exists"
)
_READS = (
    "get mget exists hget hmget hgetall hexists hkeys hlen hvals llen lindex lrange scard sismember"
    " smembers zcard zmscore zrange zrangebyscore zrank zrevrange zscore"
)
_WRITES = (
    "set setex del expire incrby hset hdel hincrby hincrbyfloat lpush lpop rpush ltrim rename sadd"
    " srem zadd zrem zremrangebyrank zremrangebyscore"
)
_JOB_KEYS = (
    "job:* ready:* ready-members turn:* document:* idempotency:* discarded:* counts quarantine"
    " quarantined:* open:* started open-bytes deadlines drain:* failed trainings answer:*"
    " answering:* answers answer-bytes kept explanations:* bulk:* pack:* bulks webhook:*"
    " webhooks-due webhooks-dead format"
)
READS: Final = tuple(_READS.split())
WRITES: Final = tuple(_WRITES.split())
JOB_KEYS: Final = tuple(f"petiole:{each}" for each in _JOB_KEYS.split())
KEYS_OF_WORKERS: Final = tuple(
    f"petiole:{each}:*" for each in ("guarded", "int8", "collecting", "collected")
)
KEYS_OF_THE_WEB: Final = ("petiole:limit:*", "petiole:key-uses")
READ_BY_THE_WEB: Final = ("petiole:key:*", "petiole:collecting:*")
OF_MESSAGES: Final = ("watch", "unwatch", "brpop", "rpop", "pexpire")
RESULTS: Final = "celery-task-meta-*"
FINISHED: Final = "petiole:finished"
AUDIT: Final = "(+xadd %W~petiole:audit)"
SCRIPTS: Final = "(+evalsha ~*)"
OTHER_PRIORITIES: Final = "??[369]"
"""What kombu puts behind a queue's name: two control characters and a number."""

OF_THE_WEB: Final = ("classify", "downloads", "bulk", "explain")
QUEUES: Final = (*OF_THE_WEB, "training")


@dataclass(frozen=True)
class User:
    """One user: its name and its rules, as `ACL SETUSER` takes them."""

    name: str
    rules: tuple[str, ...]


def users(database: int = 0) -> tuple[User, ...]:
    """Return every user, for the database that the addresses of the parts name."""
    return (
        User(WEB, (*_may(_CONNECTION.split(), READS, WRITES), *_web(database))),
        User(WORKER, (*_may(_CONNECTION.split(), READS, WRITES, OF_MESSAGES), *_worker(database))),
        User(FLOWER, (*_may(_CONNECTION.split()), *_flower(database))),
        User(OPERATOR, ("~*", "&*", "+@all")),
    )


def _web(database: int) -> tuple[str, ...]:
    """What a client may ask for; keys of the API are read, and nobody is made one."""
    bindings = [f"~_kombu.binding{kind}.{q}" for kind in ("", "_permanent") for q in OF_THE_WEB]
    return (
        *(f"~{key}" for key in (*JOB_KEYS, *KEYS_OF_THE_WEB, RESULTS)),
        *(f"%R~{key}" for key in READ_BY_THE_WEB),
        *bindings,
        *("+publish", "+subscribe", "+unsubscribe"),
        *(f"&{FINISHED}", f"&{RESULTS}", f"&/{database}.petiole.pidbox"),
        f"(+lpush +lrange +llen +exists {_lists(OF_THE_WEB)})",
        f"(+llen +exists {_lists(QUEUES)})",
        *(AUDIT, SCRIPTS),
    )


def _worker(database: int) -> tuple[str, ...]:
    """What is done with jobs and messages; remote commands are heard, and sent to nobody."""
    own, celerys = f"&/{database}.petiole.pidbox", f"&/{database}.celery.pidbox"
    return (
        *(f"~{key}" for key in (*JOB_KEYS, *KEYS_OF_WORKERS, RESULTS)),
        *("~_kombu.binding*", "~unacked*"),
        *("+publish", "+subscribe", "+unsubscribe", "+psubscribe", "+punsubscribe"),
        *(f"&{FINISHED}", f"&{RESULTS}", f"&/{database}.celeryev/*", own),
        f"(+psubscribe {celerys})",
        f"(+brpop +rpop +lpush +rpush +lrange +llen +exists {_lists(QUEUES)})",
        f"(+brpop +rpop +lpush +llen +exists +del {_lists(('*.pidbox',))})",
        *(AUDIT, SCRIPTS),
    )


def _flower(database: int) -> tuple[str, ...]:
    """What shows tasks and workers, and the commands that end them."""
    tables = [
        f"~_kombu.binding{kind}.{exchange}"
        for kind in ("", "_permanent")
        for exchange in ("celeryev", "reply.celery.pidbox")
    ]
    return (
        *("+sadd", "+srem", "+smembers", "+zadd", "+exists", *tables, "~_kombu.binding_deadlines"),
        f"(+brpop +rpop +llen +exists +del {_lists(('celeryev.*', '*.reply.celery.pidbox'))})",
        f"(+publish &/{database}.celery.pidbox)",
        f"(+psubscribe +punsubscribe &/{database}.celeryev/*)",
        f"(+get +mget +subscribe +unsubscribe %R~{RESULTS} &{RESULTS})",
        f"(+llen +exists {_lists(QUEUES)})",
        SCRIPTS,
    )


def _may(*commands: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"+{name}" for some in commands for name in some)


def _lists(queues: tuple[str, ...]) -> str:
    """Return the rules for the lists of queues, one for each priority."""
    return " ".join(f"~{queue} ~{queue}{OTHER_PRIORITIES}" for queue in queues)


def file_text(passwords: Mapping[str, str], *, database: int = 0) -> str:
    """Return the file that `aclfile` names: it lets in these users and nobody else."""
    return _file({name: hash_of(password) for name, password in passwords.items()}, database)


def template(database: int = 0) -> str:
    """Return the same with `@NAME@` in the place of the hash of each password."""
    return _file({name: f"@{name}@" for name in NAMES}, database)


def _file(hashes: Mapping[str, str], database: int) -> str:
    lines = [
        f"user {user.name} on #{hashes[user.name]} {' '.join(user.rules)}"
        for user in users(database)
    ]
    return "\n".join(["user default off", *lines, ""])


def hash_of(password: str) -> str:
    """Return what Redis keeps of a password."""
    return sha256(password.encode()).hexdigest()
