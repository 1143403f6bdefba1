"""What a process can no longer do after it put its limits on, each limit by what it stops.

Every test has a process of its own try, because limits cannot be taken off again.
"""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from model_store.importers import confinement, landlock
from model_store.importers.confinement import MACHINES, REFUSED

ROOT = Path(__file__).parents[2]
HEADERS = {
    "x86_64": "x86_64-linux-gnu/asm/unistd_64.h",
    "aarch64": "asm-generic/unistd.h",
}
INCLUDED = Path("/usr/include")
OUTCOME = """
import ctypes, os, socket, subprocess, sys, threading
from pathlib import Path
from model_store.importers import confinement, landlock, whereabouts
from model_store.importers.confinement import Limits, Machine
from model_store.importers.whereabouts import Whereabouts

def outcome(what):
    try:
        what()
    except (OSError, MemoryError) as exc:
        print(type(exc).__name__)
    else:
        print("done")

def call(number, *values):
    ctypes.set_errno(0)
    ctypes.CDLL(None, use_errno=True).syscall(number, *values)
    print(ctypes.get_errno())

"""
linux = pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")
has_landlock = pytest.mark.skipif(
    landlock.version() < landlock.OLDEST, reason="this kernel has no Landlock"
)


def _tried(program: str, *arguments: object) -> list[str]:
    command = [sys.executable, "-c", OUTCOME + program, *map(str, arguments)]
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    return result.stdout.split() or [result.stderr]


@linux
def test_memory_files_processor_time_and_dumps_are_bounded(tmp_path: Path) -> None:
    """A dump of the memory would be a file as large as it."""
    program = """
import resource
assert confinement.put_on(Limits(memory_bytes=2**29, file_bytes=2**20, processor_seconds=7))
outcome(lambda: bytearray(2**30))
outcome(lambda: open(sys.argv[1], "wb").write(bytes(2**21)))
print(resource.getrlimit(resource.RLIMIT_CPU), resource.getrlimit(resource.RLIMIT_CORE))
"""
    expected = ["MemoryError", "OSError", "(7,", "7)", "(0,", "0)"]

    assert _tried(program, tmp_path / "large") == expected


@linux
def test_a_limit_that_is_lower_already_stays() -> None:
    """To raise it would be refused."""
    program = """
import resource
resource.setrlimit(resource.RLIMIT_CPU, (5, 5))
confinement.put_on(Limits())
print(resource.getrlimit(resource.RLIMIT_CPU)[0])
"""
    assert _tried(program) == ["5"]


@linux
def test_sockets_and_programs_are_refused_to_every_thread() -> None:
    """Also to one that a library began before."""
    program = """
begin = threading.Event()
thread = threading.Thread(target=lambda: begin.wait() and outcome(socket.socket))
thread.start()
assert confinement.put_on(Limits())
begin.set()
thread.join()
outcome(socket.socket)
outcome(lambda: subprocess.run(["true"]))
"""
    assert _tried(program) == ["PermissionError"] * 3


@linux
@pytest.mark.skipif(platform.machine() not in MACHINES, reason="no filter for this machine")
@pytest.mark.parametrize("name", REFUSED)
def test_each_call_is_refused(name: str) -> None:
    """With EACCES, 13, which none of them answers such arguments with."""
    number = MACHINES[platform.machine()].refused[REFUSED.index(name)]

    assert _tried(f"confinement.put_on(Limits()); call({number}, -1, 0, 0, 0, 0, 0)") == ["13"]


@linux
@pytest.mark.skipif(platform.machine() != "x86_64", reason="only there calls have other numbers")
def test_calls_by_their_other_numbers_are_refused() -> None:
    """`getpid` of x32, and of 32 bits: `mov eax, 20; int 0x80; ret`; -13 is EACCES."""
    program = """
import mmap
confinement.put_on(Limits())
call(0x40000000 + 39)
rights = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
place = mmap.mmap(-1, 4096, prot=rights)
place.write(bytes.fromhex("b814000000cd80c3"))
print(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(place)))())
"""
    assert _tried(program) == ["13", "-13"]


def test_a_machine_without_a_filter_is_told_so() -> None:
    """Only that a filter was set says that connections are refused."""
    assert not confinement.refuse_calls(None)
    # A machine's own number for the call that sets the filter; this one sets nothing.
    assert not confinement.refuse_calls(confinement.Machine(0, -1, ()))


@pytest.mark.parametrize("machine", MACHINES)
def test_the_numbers_are_those_of_the_kernel(machine: str) -> None:
    """`linux-libc-dev` brings the headers, those of ARM everywhere: they are the general ones."""
    header = INCLUDED / HEADERS[machine]
    if not header.exists():
        pytest.skip(f"no {header}")
    found = dict(re.findall(r"#define __NR_(\w+)\s+(\d+)", header.read_text()))
    given = MACHINES[machine]

    assert {name: int(found[name]) for name in REFUSED} == dict(
        zip(REFUSED, given.refused, strict=True)
    )
    assert int(found["seccomp"]) == given.seccomp
    calls = ("landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self")
    assert [found[name] for name in calls] == ["444", "445", "446"]


@pytest.mark.parametrize(("machine", "name"), [("x86_64", "X86_64"), ("aarch64", "AARCH64")])
def test_a_machine_has_the_kernel_s_number(machine: str, name: str) -> None:
    """That of the format of programs, with marks for 64 bits and little-endian."""
    header = INCLUDED / "linux" / "elf-em.h"
    if not header.exists():
        pytest.skip(f"no {header}")
    number = re.search(rf"#define EM_{name}\s+(\d+)", header.read_text())

    assert number is not None
    assert MACHINES[machine].audit == 0xC0000000 | int(number[1])


FILES = """
kept, other, secret = (Path(name) for name in sys.argv[1:4])
places = Whereabouts((sys.argv[4],), (sys.argv[1],))
assert landlock.keep_to(
    read=whereabouts.readable(places), write=whereabouts.writable(places)
)
"""


@has_landlock
def test_files_of_others_are_neither_read_nor_written(tmp_path: Path) -> None:
    """The model's folder is read alone; its own folder is written, and moved about in."""
    for name in ("kept", "other", "model"):
        (tmp_path / name).mkdir()
    (tmp_path / "other" / "secret").write_text("secret")
    (tmp_path / "model" / "m").write_text("model")
    program = f"""{FILES}
model = Path(sys.argv[4])
outcome(secret.read_text)
outcome(lambda: os.listdir(other))
outcome(lambda: os.truncate(secret, 0))
outcome(lambda: (other / "new").write_text(""))
outcome(lambda: (model / "m").write_text(""))
outcome(lambda: (model / "m").unlink())
outcome((model / "m").read_text)
outcome(lambda: (kept / "a").mkdir())
outcome(lambda: (kept / "a" / "b").write_text(""))
outcome(lambda: (kept / "a" / "b").rename(kept / "b"))
outcome(lambda: Path("/dev/null").write_text("x"))
"""
    places = [tmp_path / name for name in ("kept", "other", "other/secret", "model")]
    said = _tried(program, *places)

    # Before the third version (Linux 6.2) a file that one may not open can still be cut.
    cut = "PermissionError" if landlock.version() >= 3 else "done"
    refused = ["PermissionError"] * 2 + [cut] + ["PermissionError"] * 3
    assert said == refused + ["done"] * 5


@has_landlock
def test_other_processes_are_out_of_reach(tmp_path: Path) -> None:
    """Their variables may hold keys; a signal could end them."""
    program = f"""{FILES}
outcome(Path(f"/proc/{{os.getppid()}}/environ").read_text)
outcome(lambda: os.kill(os.getppid(), 0))
"""
    said = _tried(program, tmp_path, tmp_path, tmp_path, tmp_path)

    assert said == ["PermissionError", "PermissionError" if landlock.version() >= 6 else "done"]


@linux
@pytest.mark.skipif(platform.machine() not in MACHINES, reason="no filter for this machine")
@pytest.mark.parametrize("number", [444, 446])
def test_a_kernel_without_landlock_is_told_so(number: int) -> None:
    """As in a container whose own filter refuses its calls."""
    program = f"""
machine = confinement.MACHINES[{platform.machine()!r}]
assert confinement.refuse_calls(Machine(machine.audit, machine.seccomp, ({number},)))
print(landlock.keep_to(read=[], write=[]))
"""
    assert _tried(program) == ["False"]


def test_a_child_knows_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it needs of the environment is named."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("PETIOLE_API_KEYS", "secret")

    assert "secret" not in confinement.bare_environment().values()
    assert confinement.bare_environment()["PATH"] == os.environ["PATH"]
