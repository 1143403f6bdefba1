"""Keeps a process to the files that it is given (Linux' Landlock); it cannot be undone.

Source: `linux/landlock.h` of Linux, and its guide "Landlock: unprivileged access control".
"""

import ctypes
import os
import stat
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

# The same on all machines.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION, _PATH_BENEATH, _SET_NO_NEW_PRIVS = 1, 1, 38
# The first version (Linux 5.13) refuses every move from folder to folder, also where all is
# allowed, and TensorFlow moves what it saves. The second came with Linux 5.19.
OLDEST = 2
# How many rights on files a version knows; later ones know as many as the last.
_RIGHTS = {2: 14, 3: 15, 4: 15, 5: 16}
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE, _IOCTL = 1, 2, 4, 8, 1 << 14, 1 << 15
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
# From the sixth on: no signal and no abstract socket to processes outside.
_SCOPED_SINCE, _SCOPED = 6, 1 | 2


def version() -> int:
    """Return which version of Landlock the kernel has, 0 where there is none."""
    return max(0, _call(_CREATE_RULESET, None, 0, _ASK_VERSION)) if sys.platform == "linux" else 0


def keep_to(*, read: Iterable[Path], write: Iterable[Path]) -> bool:
    """Let this thread, and those that it starts, use only these; return whether that holds.

    A folder stands for all that is in it, and a link for what it leads to. What is not there is
    left out. What is open already stays open. Memory and environment of processes that are not
    kept so become unreadable, too.
    """
    found = version()
    if found < OLDEST:
        return False
    rights = 2 ** _RIGHTS.get(found, max(_RIGHTS.values())) - 1
    rules = struct.pack("QQQ", rights, 0, _SCOPED if found >= _SCOPED_SINCE else 0)
    # Older kernels know the first number alone.
    ruleset = _call(_CREATE_RULESET, rules, 24 if found >= _SCOPED_SINCE else 8, 0)
    if ruleset < 0:
        return False
    try:
        for path in read:
            _allow(ruleset, path, _READ)
        for path in write:
            _allow(ruleset, path, rights)
        ctypes.CDLL(None).prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return _call(_RESTRICT_SELF, ruleset, 0) == 0
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= _OF_FILES
        _call(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)


def _call(number: int, *values: int | bytes | None) -> int:
    return int(ctypes.CDLL(None, use_errno=True).syscall(number, *values))
