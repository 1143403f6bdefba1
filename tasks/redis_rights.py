"""What a process needs to be allowed in Redis, as commands that a look at its rights tries.

They are the rules of `redis_users` with real keys; nothing of it is carried out.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from tasks import redis_users
from tasks.redis_users import FINISHED, JOB_KEYS, READS, RESULTS, WRITES

JOB: Final = "petiole:job:*"
PROBE: Final = "probe"
_NONE = "get exists hgetall hkeys hlen hvals llen scard smembers zcard del lpop mget"
_ONE = (
    "hget hmget hexists lindex sismember zmscore zrank zscore set hdel lpush rpush rename sadd srem"
    " zrem expire incrby"
)
_TWO = (
    "lrange zrange zrangebyscore zrevrange setex hset hincrby hincrbyfloat ltrim zadd"
    " zremrangebyrank zremrangebyscore"
)
AFTER_THE_KEY: Final = {
    name: number for number, names in enumerate((_NONE, _ONE, _TWO)) for name in names.split()
}
"""How many words follow the key in each command."""


@dataclass(frozen=True)
class Need:
    """One command that is needed, with the rules that allow the command and its key or channel."""

    command: tuple[str, ...]
    right: str
    place: str = ""

    def rule(self, answer: str) -> str:
        """Return the rules that are missing, by what the server said (Redis and Valkey differ).

        Where a key is refused, the command may be allowed in parentheses alone, for other keys.
        """
        of_place = " key" in answer or "channel" in answer
        return f"{self.right} {self.place}" if self.place and of_place else self.right

    def said(self) -> str:
        """Return the command as it is shown."""
        name, *words = self.command
        return " ".join([name.upper(), *words[:1]])


TO_ASK: Final = Need(("multi",), "+multi")
"""What the look itself needs, and every process."""


def of_broker(queues: Collection[str], database: int, *, answers_clients: bool) -> list[Need]:
    """Return what messages of these queues need."""
    mailbox = _on(f"&/{database}.petiole.pidbox", "publish", "")
    if answers_clients:
        return [*(need for queue in queues for need in _of_queue(queue)), mailbox]
    keys = [
        _on("~unacked*", "hset", PROBE, "", key="unacked"),
        _on("~unacked*", "zadd", "1", "", key="unacked_index"),
        _on("~unacked*", "set", "", key="unacked_mutex"),
        _on("~_kombu.binding*", "sadd", ""),
        *(_on(f"~{queue}", "lpush", "") for queue in queues),
        *(_on(f"~{queue}", "brpop", "1") for queue in queues),
        _on("~*.pidbox", "lpush", "", key=f"{PROBE}.reply.celery.pidbox"),
    ]
    channels = [
        _on(f"&/{database}.celery.pidbox", "psubscribe"),
        _on(f"&/{database}.petiole.pidbox", "psubscribe"),
        _on(f"&/{database}.celeryev/*", "publish", ""),
    ]
    return [mailbox, *keys, *channels]


def of_flower(database: int) -> list[Need]:
    """Return what shows tasks and workers needs."""
    return [
        _on(f"&/{database}.celery.pidbox", "publish", ""),
        _on(f"&/{database}.celeryev/*", "psubscribe"),
        _on("~_kombu.binding.celeryev", "sadd", ""),
        _on("~*.reply.celery.pidbox", "brpop", "1"),
        _on(f"%R~{RESULTS}", "get"),
    ]


def _of_queue(queue: str) -> Iterator[Need]:
    yield _on(f"~{queue}", "lpush", "")
    yield _on(f"~_kombu.binding.{queue}", "sadd", "")
    yield _on(f"~_kombu.binding_permanent.{queue}", "sadd", "")


def of_job_store(*, answers_clients: bool, has_results: bool) -> list[Need]:
    """Return what job records need; Celery's results lie beside them or elsewhere."""
    keys = [*JOB_KEYS, *([RESULTS] if has_results else ())]
    keys = keys if answers_clients else [*keys, *redis_users.KEYS_OF_WORKERS]
    found = [_on(f"~{JOB}", command, *_values(command)) for command in (*READS, *WRITES)]
    found += [_on(f"~{key}", "get") for key in keys]
    found += [_on(f"&{RESULTS}", "publish", "")] if has_results else []
    found += [
        Need(("script", "load", "return 1"), "+script|load"),
        # A script may be given no key in the place of one.
        Need(("evalsha", "0" * 40, "1", ""), '"(+evalsha ~*)"'),
        Need(("xadd", "petiole:audit", "*", "", ""), "+xadd", "%W~petiole:audit"),
        _on(f"&{FINISHED}", "publish", ""),
    ]
    return [*found, *_of_the_web()] if answers_clients else found


def _of_the_web() -> Iterator[Need]:
    yield _on(f"&{FINISHED}", "subscribe")
    for key in redis_users.READ_BY_THE_WEB:
        yield _on(f"%R~{key}", "exists")
    for key in redis_users.KEYS_OF_THE_WEB:
        yield _on(f"~{key}", "get")


def _values(command: str) -> tuple[str, ...]:
    word = JOB.replace("*", PROBE) if command == "rename" else "1"
    return (word,) * AFTER_THE_KEY[command]


def _on(place: str, command: str, *values: str, key: str = "") -> Need:
    """Return the need of a command on the keys or channels that a rule names."""
    pattern = place.lstrip("%RW").removeprefix("~").removeprefix("&")
    is_pattern = command in ("psubscribe", "subscribe")
    first = key or (pattern if is_pattern else pattern.replace("*", PROBE))
    return Need((command, first, *values), f"+{command}", place)


def rules(needs: Iterable[tuple[Need, str]]) -> str:
    """Return all rules that are missing, each once, by what the server said to each need."""
    missing = [need.rule(answer) for need, answer in needs]
    return " ".join(dict.fromkeys(word for rule in missing for word in _words(rule)))


def _words(rule: str) -> list[str]:
    return [rule] if rule.startswith('"') else rule.split()
