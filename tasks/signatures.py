"""Signatures of webhooks, by the Standard Webhooks convention (standardwebhooks.com, 1.0.0).

Its libraries, which exist for many languages, verify them.
"""

import base64
import binascii
import hmac
from hashlib import sha256

HEADERS = ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
PREFIX = "whsec_"
KEY_BYTES = range(24, 65)
WHAT_IT_IS = f"{PREFIX} and the base64 of {KEY_BYTES[0]} to {KEY_BYTES[-1]} random bytes"


def keys_of(secret: str) -> tuple[bytes, ...]:
    """Return the keys of a secret: none of an empty one, several of those that replace each other.

    Raises:
        ValueError: it is no such secret; the message does not repeat it.
    """
    return tuple(map(_key, secret.split()))


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as exc:
        raise ValueError(f"it is not {WHAT_IT_IS}") from exc
    if not secret.startswith(PREFIX) or len(key) not in KEY_BYTES:
        raise ValueError(f"it is not {WHAT_IT_IS}")
    return key


def headers(message_id: str, body: bytes, *, at: int, keys: tuple[bytes, ...]) -> dict[str, str]:
    """Return the headers that say which message this is, sent when, and that it is ours.

    `at` is in seconds since the epoch; there is a signature for each key.
    """
    signed = f"{message_id}.{at}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(key, signed, sha256)).decode() for key in keys)
    listed = " ".join(f"v1,{signature}" for signature in signatures)
    return {ID: message_id, TIMESTAMP: str(at), SIGNATURE: listed}
