"""How much one client may ask for, as HTTP says it: 429, `Retry-After`, `RateLimit`.

Source: draft-ietf-httpapi-ratelimit-headers-10.
"""

from dataclasses import replace
from ipaddress import ip_address, ip_network
from math import ceil

from flask import Response, g, request

from api.errors import TooManyRequestsError
from api.settings import is_loopback, settings
from tasks import stores
from tasks.keys import ownership
from tasks.keys.limits import (
    BYTES,
    OPEN_JOBS,
    REQUESTS,
    Bounds,
    Limiter,
    MemoryLedger,
    Sent,
    Verdict,
)
from tasks.keys.records import ApiKey
from tasks.once import once

SINGLE = frozenset(
    {
        "classify.classify",
        "compatible.classify_url",
        "compatible.predict",
        "open_inference.infer",
        "tensorflow_serving.classify",
        "tensorflow_serving.predict",
    }
)
"""What makes a task of its own of a picture; those of several pictures say so with `further`."""
IPV6 = 6
MANY = frozenset({"bulk.bulk"})
GUESSES = Bounds(requests_per_second=10.0)
"""Wrong keys that one address may show to one process."""

WORDS = {
    REQUESTS: "{0.requests_per_second:g} requests may be sent in a second",
    OPEN_JOBS: "{0.open_jobs} pictures may wait or be worked on at a time",
    BYTES: "{0.bytes_per_day} bytes may be sent in a day (UTC)",
}


def count(key: ApiKey) -> None:
    """Count the current request of a key, with those of the other key of its name.

    Raises:
        TooManyRequestsError: it is over a limit of this key.
    """
    own = key.limits.own
    _count(key.owner, key.owner, replace(_bounds(), **own) if own else _bounds())


def count_address() -> None:
    """Count the current request of whoever needs no key, by address; this machine's not at all.

    Raises:
        TooManyRequestsError: it is over a limit.
    """
    if not is_loopback(request.remote_addr or "127.0.0.1"):
        _count(f"address {_network()}", "", _bounds())


def further(n: int) -> tuple[str, ...]:
    """Count `n` more pictures of the current request; return the ids that their tasks will have.

    They are no requests, and their bytes are counted with it. Empty where nobody is counted.

    Raises:
        TooManyRequestsError: they are over a limit.
    """
    if "counted" not in g:
        return ("",) * n
    subject, owner = g.counted
    ids = tuple(ownership.new_id(owner) for _ in range(n))
    for task_id in ids:
        _refuse(_limiter().admit_further(subject, g.bounds, Sent(0, task_id)))
    return ids


def refuse_guessers() -> None:
    """Refuse to look a key up for an address that has shown too many wrong ones.

    Raises:
        TooManyRequestsError: it has.
    """
    refused, seconds = _guesses().take(_network(), GUESSES, n=0, sent=None)
    if refused:
        detail = f"{GUESSES.requests_per_second:g} wrong keys may be shown in a second"
        raise TooManyRequestsError(detail, retry_after_seconds=max(1, ceil(seconds)))


def count_guess() -> None:
    """Count a wrong key, by the address that shows it."""
    _guesses().take(_network(), GUESSES, n=1, sent=None)


def say(response: Response) -> Response:
    """Tell a client that is counted how much it may, and how much of that is left."""
    if verdict := g.get("verdict"):
        bounds, seconds = g.bounds, verdict.retry_after_seconds or 1
        policies = [f'"{REQUESTS}";q={bounds.burst:g};w=2'] if bounds.requests_per_second else []
        if bounds.bytes_per_day:
            policies.append(f'"{BYTES}";q={bounds.bytes_per_day};qu="content-bytes";w=86400')
        if policies:
            name = verdict.refused or REQUESTS
            response.headers["RateLimit-Policy"] = ", ".join(policies)
            response.headers["RateLimit"] = f'"{name}";r={verdict.remaining};t={seconds}'
    return response


def _count(subject: str, owner: str, bounds: Bounds) -> None:
    g.bounds, sent = bounds, None
    if request.endpoint in SINGLE:
        g.task_id, g.counted = ownership.new_id(owner), (subject, owner)
        sent = Sent(request.content_length or 0, g.task_id)
    elif request.endpoint in MANY:
        sent = Sent(request.content_length or 0)
    g.verdict = _limiter().admit(subject, bounds, sent)
    _refuse(g.verdict)


def _refuse(verdict: Verdict) -> None:
    if verdict.refused:
        said = WORDS[verdict.refused].format(g.bounds)
        seconds = verdict.retry_after_seconds
        raise TooManyRequestsError(f"{said}; try again in {seconds} s", retry_after_seconds=seconds)


def _network() -> str:
    """Return the address of the client; of an IPv6 one the half that its provider gave it."""
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return ""
    kept = 64 if address.version == IPV6 else 32
    return str(ip_network((address, kept), strict=False))


@once
def _bounds() -> Bounds:
    said = settings()
    return Bounds(said.requests_per_second, said.open_jobs, said.bytes_per_day)


@once
def _limiter() -> Limiter:
    return Limiter(stores.limits())


@once
def _guesses() -> MemoryLedger:
    return MemoryLedger()
