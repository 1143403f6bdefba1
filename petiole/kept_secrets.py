"""Passwords that the service makes for itself, in files that their owner alone may read."""

import os
from pathlib import Path
from secrets import token_urlsafe


def kept(file: Path) -> str:
    """Return the password in a file; made when there is none, and the same from then on.

    Raises:
        OSError: the file cannot be written or read.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8") as text:
        password = text.read().strip()
        if not password:
            password = token_urlsafe(18)
            text.write(f"{password}\n")
    return password


def write(file: Path, text: str) -> None:
    """Write a file whole or not at all, for its owner's eyes alone.

    Raises:
        OSError: it cannot be written.
    """
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
    unfinished.replace(file)
