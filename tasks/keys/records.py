"""What an API key is, how its secret is made and checked, and the interface of every store of them.

The secret is 256 random bits, told once; of it the SHA-256 is kept. A slow hash would add nothing:
nobody tries 2^256 secrets.
"""

import hmac
import re
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_hex, token_urlsafe
from time import time
from typing import Any, Final, Protocol

from tasks.errors import TasksError

CLASSIFY, BULK, TRAIN, MODELS, ADMIN = "classify", "bulk", "train", "models", "admin"
SCOPES: Final = (CLASSIFY, BULK, TRAIN, MODELS, ADMIN)
OF_CLIENTS: Final = (CLASSIFY, BULK, MODELS)
"""What a key may that is made without a word about it."""

MOST_ACTIVE: Final = 2
"""Keys of one name at the same time: the one that is in use, and the one that follows it."""

TOKEN = re.compile(r"ptl_([0-9a-f]{12})\.([A-Za-z0-9_-]{43})")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
SECRET_BYTES = 32
NEVER: Final = 0.0
_NOBODYS = sha256(b"").hexdigest()


class KeyNotMadeError(TasksError):
    """A key of this name cannot be made; the message says why."""


@dataclass(frozen=True)
class Limits:
    """What a key may beside others, as in `Bounds`; None is what the service lets every key."""

    requests_per_second: float | None = None
    open_jobs: int | None = None
    bytes_per_day: int | None = None

    @property
    def own(self) -> dict[str, Any]:
        """Those that are the key's own, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}


NO_LIMITS: Final = Limits()


@dataclass(frozen=True)
class ApiKey:
    """A key as it is kept; times are seconds since the epoch, and 0 is never.

    Attributes:
        key_id: What it is called in lists and in logs; no secret.
        name: Whose it is; at most two keys of a name are active.
        owner: What binds tasks to who made them; the keys of one name share it while one of them is
            active, so that the key that follows another reads that one's results.
        digest: SHA-256 of the secret, in hexadecimal digits.
        scopes: What it may, of `SCOPES`.
        used_at: When it was last used, to the minute.
        limits: What it may instead of what the service lets every key.
    """

    key_id: str
    name: str
    owner: str
    digest: str
    scopes: tuple[str, ...]
    created_at: float
    expires_at: float = NEVER
    used_at: float = NEVER
    limits: Limits = NO_LIMITS

    def is_expired(self, now: float) -> bool:
        """Tell whether its time is over."""
        return self.expires_at != NEVER and self.expires_at <= now


def new(
    name: str,
    scopes: tuple[str, ...],
    *,
    expires_at: float = NEVER,
    limits: Limits = NO_LIMITS,
) -> tuple[ApiKey, str]:
    """Return a key that is not kept yet, and its token, which nobody can tell again.

    Raises:
        KeyNotMadeError: the name or a scope is none.
    """
    if not NAME.fullmatch(name):
        detail = "a name has 1 to 64 letters, digits, or . _ @ -, and begins with one of the first"
        raise KeyNotMadeError(f"{name!r} is no name of a key: {detail}")
    if unknown := [each for each in scopes if each not in SCOPES]:
        known = ", ".join(SCOPES)
        raise KeyNotMadeError(f"{unknown[0]!r} is no scope; the scopes are: {known}")
    key_id, secret = token_hex(6), token_urlsafe(SECRET_BYTES)
    owner, digest = token_hex(16), digest_of(secret)
    key = ApiKey(key_id, name, owner, digest, scopes, time(), expires_at, limits=limits)
    return key, f"ptl_{key_id}.{secret}"


def digest_of(secret: str) -> str:
    """Return what is kept of a secret."""
    return sha256(secret.encode()).hexdigest()


def is_of(key: ApiKey | None, secret: str) -> bool:
    """Tell whether a secret is that of a key, in the same time whatever it is."""
    is_same = hmac.compare_digest(digest_of(secret), key.digest if key else _NOBODYS)
    return is_same and key is not None


class KeyStore(Protocol):
    """Keeps keys; every method may raise `ServiceUnavailableError`."""

    def create(self, key: ApiKey) -> ApiKey:
        """Keep a new key; it comes back with the owner that active keys of its name have.

        Raises:
            KeyNotMadeError: two keys of this name are active already.
        """

    def put_back(self, key: ApiKey) -> bool:
        """Keep a key of a backup as it is; False, and nothing changed, where one has its id."""

    def get(self, key_id: str) -> ApiKey | None:
        """Return a key, expired or not, or None when there is none or it was revoked."""

    def all(self) -> list[ApiKey]:
        """Return every key that was not revoked, the oldest first."""

    def revoke(self, key_id: str) -> bool:
        """Forget a key; tells whether there was one."""

    def touch(self, key_id: str, *, at: float) -> None:
        """Note that a key was used, unless it was revoked."""


def too_many(name: str) -> KeyNotMadeError:
    """Return what is said when a name has as many active keys as it may."""
    return KeyNotMadeError(
        f"{name} has {MOST_ACTIVE} active keys, the most that one name may have; revoke one first"
    )
