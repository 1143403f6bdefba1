"""A command that is printed works where it is printed, however the program was called."""

import sys
from pathlib import Path

import pytest

from model_store import command_line


@pytest.fixture
def bin_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A virtual environment's programs, in a folder below the current one and not on `PATH`."""
    folder = tmp_path / ".venv" / "bin"
    folder.mkdir(parents=True)
    for name in ("petiole", "python"):
        (folder / name).touch(mode=0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin")
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    return folder


def test_it_is_called_by_its_path(bin_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative to the current folder where that is above it."""
    monkeypatch.setattr(sys, "argv", [".venv/bin/petiole", "up"])

    assert command_line.command("up") == ".venv/bin/petiole up"
    monkeypatch.chdir("/")
    monkeypatch.setattr(sys, "argv", [str(bin_ / "petiole"), "up"])
    monkeypatch.chdir("/usr")
    assert command_line.command("up") == f"{bin_}/petiole up"


def test_it_is_called_by_its_name_where_the_shell_finds_it(
    bin_: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in an activated environment."""
    monkeypatch.setenv("PATH", f"/usr/bin:{bin_}")
    monkeypatch.setattr(sys, "argv", [str(bin_ / "petiole")])

    assert command_line.command("models", "show", "a b") == "petiole models show 'a b'"


def test_it_is_called_as_a_module(bin_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `python -m petiole`, which another checkout may have been made for."""
    monkeypatch.setattr(sys, "argv", [str(bin_.parent / "x" / "petiole" / "__main__.py")])

    assert command_line.command("up", A="1") == "A=1 .venv/bin/python -m petiole up"


def test_another_program_names_the_one_beside_its_interpreter(
    bin_: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such as a worker; without the program it is the module."""
    monkeypatch.setattr(sys, "argv", ["/somewhere/celery"])

    assert command_line.called_as() == ".venv/bin/petiole"
    (bin_ / "petiole").unlink()
    assert command_line.called_as() == ".venv/bin/python -m petiole"


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("shwo", "; did you mean models show?"),
        ("lst", "; did you mean list?"),
        ("xyzzy", ""),
    ],
)
def test_a_typo_means_what_is_alike(word: str, meant: str) -> None:
    """A command of several words is meant by its last one."""
    assert command_line.did_you_mean(word, ["list", "models show"]) == meant
