"""The format of `var/`: one that is later is refused before anything starts."""

from pathlib import Path

import pytest

from petiole import state_format
from petiole.state_format import LaterFormatError
from tests.test_petiole.conftest import Run


def test_what_the_last_release_left_is_taken_over(tmp_path: Path) -> None:
    """It noted no format; from now on there is one, and it stays."""
    for _ in range(2):
        state_format.settle(tmp_path)

    assert (tmp_path / "format").read_text() == "1\n"


@pytest.mark.parametrize("found", ["2", "one"])
def test_a_later_format_is_left_alone(tmp_path: Path, found: str) -> None:
    """What is no number as well."""
    (tmp_path / "format").write_text(found)

    with pytest.raises(LaterFormatError):
        state_format.settle(tmp_path)
    assert (tmp_path / "format").read_text() == found


def test_up_says_so_in_a_line(run: Run, environment: dict[str, str]) -> None:
    """With the file, its format, what is read here and what to do; no part was started."""
    state = Path(environment["PETIOLE_UP_STATE_DIRECTORY"])
    state.mkdir()
    (state / "format").write_text("2\n")
    done = run("up")

    assert done.returncode == 1
    assert done.stderr.strip() == (
        f"petiole: {state}/format says format '2'; this release reads formats up to 1: start the "
        "release that wrote it, or name another folder in PETIOLE_UP_STATE_DIRECTORY"
    )
    assert not (state / "redis" / "appendonlydir").exists()
