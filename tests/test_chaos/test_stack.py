"""What the harness needs of a machine: it is made where it can be, else said and taken back."""

import os
from pathlib import Path

import pytest

from chaos.service import OURS
from chaos.stack import Layout, Stack, StackError

REFUSES = "#!/bin/sh\necho refused >&2; exit 32\n"
LOOKS = '#!/bin/sh\nfor place; do :; done\ntest -d "$place"\n'
"""A program in the place of `mount` that wants the folder which that would want."""


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """One with a small disk of its own, that nothing has started of."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return Stack(tmp_path, Layout(disk_mib=1), OURS)


def mount(tmp_path: Path, script: str) -> None:
    """Put a program in the place of `mount`."""
    program = tmp_path / "bin" / "mount"
    program.write_text(script)
    program.chmod(0o755)


def test_a_disk_has_a_place(stack: Stack, tmp_path: Path) -> None:
    """Where the server's file will be."""
    mount(tmp_path, LOOKS)
    stack._mount()

    assert stack.disk.is_dir()


def test_a_machine_that_allows_none_is_said_and_nothing_is_taken_back(
    stack: Stack, tmp_path: Path
) -> None:
    """Not what was never there."""
    mount(tmp_path, REFUSES)
    with pytest.raises(StackError, match=r"allows no disk of its own: refused"):
        stack._mount()
    stack._unmount()
