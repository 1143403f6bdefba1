"""The Makefile's own promises; what its targets do is tested where that code is."""

import re
import subprocess
from pathlib import Path


def make(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make without what a surrounding make hands down."""
    command = ["env", "-u", "MAKEFLAGS", "-u", "MAKELEVEL", "make", *arguments]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


def test_help_lists_every_target(root: Path) -> None:
    """`make` alone shows each target with a line about it."""
    makefile = (root / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    lines = make(root).stdout.splitlines()

    assert targets is not None
    assert targets[1].split() == [line.split()[1] for line in lines]
    assert all(len(line.split()) > len(["make", "target"]) for line in lines)


def test_an_unusable_python_gives_one_clear_line(root: Path, tmp_path: Path) -> None:
    """Who has no fitting Python reads what is needed and how to name another."""
    for name in ("Makefile", "pyproject.toml"):
        (tmp_path / name).write_text((root / name).read_text())
    (tmp_path / "requirements").mkdir()
    for name in ("bootstrap.lock", "dev.lock"):
        (tmp_path / "requirements" / name).touch()
    result = make(tmp_path, "setup", "PYTHON=false")

    assert result.returncode
    assert "needs Python 3.11, 3.12 or 3.13" in result.stderr
    assert not (tmp_path / ".venv").exists()
