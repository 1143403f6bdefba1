"""The commands of `docs/add-a-runtime.md`, run as a reader would run them."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "add-a-runtime.md").read_text()
FILE = re.compile(r"^```\w+ (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the files of the page."""
    directory = tmp_path_factory.mktemp("add-a-runtime")
    for name, text in FILE.findall(PAGE):
        (directory / name).write_text(text)
    return directory


def _run(commands: list[str], place: Path) -> str:
    """Return what one shell prints that runs all of the commands; an error ends it."""
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    result = subprocess.run(
        ["bash", "-euc", "\n".join(commands)],
        cwd=place,
        env={**os.environ, "PATH": programs, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_commands_print_what_the_page_shows(place: Path) -> None:
    """Every line under a command is printed, in that order; nothing of ours is changed for it."""
    pytest.importorskip("tensorflow")
    lines = [line for block in CONSOLE.findall(PAGE) for line in block.splitlines()]
    commands = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    expected = [line for line in lines if not line.startswith("$ ")]

    printed = _run(commands, place)
    assert re.search(".*".join(map(re.escape, expected)), printed, re.DOTALL), printed
