"""Job records as hashes of Redis."""

from dataclasses import fields, replace
from typing import Any

from tasks.job_stores.records import Job

_DEFAULTS = {field.name: field.default for field in fields(Job)}


def flat(job: Job, *, whole: bool = True) -> list[Any]:
    """Return names and values in turn, as HSET takes them; a new record needs no defaults."""
    names = [n for n in _DEFAULTS if whole or n == "state" or getattr(job, n) != _DEFAULTS[n]]
    return [part for name in names for part in (name, getattr(job, name))]


def paired(flat: list[str]) -> dict[str, str]:
    """Return what a script gives as names and values in turn."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


_WHOLE = (
    "top_k",
    "attempts",
    "fence",
    "postponed",
    "resent",
    "upload_bytes",
    "neighbours",
    "resent_after",
)
_BROKEN = (
    "accepted_at",
    "queued_since",
    "queued_ms",
    "download_ms",
    "deadline_seconds",
    "min_probability",
    "resent_at",
    "lost_since",
)
_READERS: dict[str, type[Any]] = {
    **dict.fromkeys(_DEFAULTS, str),
    **dict.fromkeys(_WHOLE, int),
    **dict.fromkeys(_BROKEN, float),
}


def with_known(job: Job, known: dict[str, str]) -> Job:
    """Return a started job with what is known of its answer, and nothing of what was known."""
    return replace(job, answer=known.get("answer", ""), behind=known.get("behind", ""))


def job_of(record: dict[str, str]) -> Job | None:
    """Return the job of a Redis hash; None for an empty one, a missing key."""
    if not record:
        return None
    return Job(**{n: _READERS[n](value) for n, value in record.items() if n in _READERS})
