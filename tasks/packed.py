"""Compressed messages: no message of ours is, and none is unpacked.

kombu unpacks what says that it is compressed before anybody has looked at it, to whatever size it
has; a kilobyte can hold a gigabyte.
"""

from typing import Any

from kombu import compression
from kombu.exceptions import ContentDisallowed


def refuse() -> None:
    """Let kombu refuse every compressed message in this process, whichever broker it comes from."""
    for kind in compression.encoders():
        found: Any = compression.get_encoder(kind)  # a pair; its stub says otherwise
        encoder, _ = found
        compression.register(encoder, _refuse_one, kind)


def _refuse_one(_: bytes) -> bytes:
    raise ContentDisallowed("it is compressed, and no message is unpacked")
