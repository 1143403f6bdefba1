"""Limits that a process puts on itself before it opens a stranger's file; they cannot be undone.

Linux on x86-64 and ARM refuses new sockets and new programs to the whole process (seccomp). Memory,
processor time and the size of files that are written are bounded everywhere by resource limits.
"""

import ctypes
import errno
import os
import platform
import resource
import struct
import sys
from dataclasses import dataclass
from typing import Any

GIB = 2**30
_SET_NO_NEW_PRIVS, _SET_MODE_FILTER, _ALL_THREADS = 38, 1, 1
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000 | errno.EACCES
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _MACHINE = 0, 4
# Numbers of x86-64's second set of calls; none of them is needed.
_SECOND_SET = 0x40000000


# New connections and programs, and ways to the memory and the connections of other processes.
REFUSED = (
    "socket",
    "execve",
    "execveat",
    "ptrace",
    "io_uring_setup",
    "process_vm_readv",
    "process_vm_writev",
    "pidfd_getfd",
)


@dataclass(frozen=True)
class Machine:
    """Numbers of one kind of machine.

    Attributes:
        audit: Its own, as filters see it.
        seccomp: Of the call that sets a filter.
        refused: Of the calls of `REFUSED`, in that order.

    Source: `linux/audit.h`, `asm/unistd_64.h` and `asm-generic/unistd.h` of Linux.
    """

    audit: int
    seccomp: int
    refused: tuple[int, ...]


MACHINES = {
    "x86_64": Machine(0xC000003E, 317, (41, 59, 322, 101, 425, 310, 311, 438)),
    "aarch64": Machine(0xC00000B7, 277, (198, 221, 281, 117, 425, 270, 271, 438)),
}


@dataclass(frozen=True)
class Limits:
    """What one import may use.

    Attributes:
        memory_bytes: Of data that the process may have.
        processor_seconds: Of all its threads together.
        file_bytes: Of each file that it writes.
    """

    memory_bytes: int = 8 * GIB
    processor_seconds: int = 1800
    file_bytes: int = 8 * GIB


def put_on(limits: Limits) -> bool:
    """Put the limits on this process; return whether it cannot open connections any more."""
    for kind, most in (
        (resource.RLIMIT_DATA, limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.processor_seconds),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        _lower(kind, most)
    return refuse_calls(MACHINES.get(platform.machine()))


def _lower(kind: int, most: int) -> None:
    hard = resource.getrlimit(kind)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most))


def refuse_calls(machine: Machine | None) -> bool:
    """Refuse a machine's calls to all threads; return whether they are, for None they never are."""
    if machine is None or sys.platform != "linux":
        return False
    program = ctypes.create_string_buffer(_program(machine))
    header = ctypes.create_string_buffer(
        struct.pack("@HP", len(program.raw) // 8, ctypes.addressof(program))
    )
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    answer: Any = library.syscall(machine.seccomp, _SET_MODE_FILTER, _ALL_THREADS, header)
    return bool(answer == 0)


def _program(machine: Machine) -> bytes:
    """Return the filter: a system call of another machine, or one that is refused, fails."""
    steps = [
        _step(_LOAD, _MACHINE),
        _step(_EQUAL, machine.audit, on_true=1),
        _step(_RETURN, _REFUSE),
        _step(_LOAD, _NUMBER),
        _step(_AT_LEAST, _SECOND_SET, on_false=1),
        _step(_RETURN, _REFUSE),
    ]
    for number in machine.refused:
        steps += [_step(_EQUAL, number, on_false=1), _step(_RETURN, _REFUSE)]
    return b"".join([*steps, _step(_RETURN, _ALLOW)])


def _step(code: int, value: int, *, on_true: int = 0, on_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, on_true, on_false, value)


def bare_environment() -> dict[str, str]:
    """Return this process's variables without any that may hold a secret or a setting of ours."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "TFHUB_CACHE_DIR", "PYTHONPATH", "VIRTUAL_ENV")
    prefixes = ("LC_", "TF_", "OMP_", "ONEDNN_")
    return {
        name: value
        for name, value in os.environ.items()
        if name in kept or name.startswith(prefixes)
    }
