"""What `petiole up` refuses at once, in one line, before it starts anything."""

from pathlib import Path

import pytest

from tests.conftest import free_port
from tests.test_petiole.conftest import Run


def test_a_bad_flower_port_is_one_line(run: Run) -> None:
    """The line names the setting and the value."""
    ended = run("up", FLOWER_PORT="99999")

    assert ended.returncode == 2
    assert ended.stderr.startswith("petiole: FLOWER_PORT is '99999': ")
    assert ended.stderr.count("\n") == 1


def test_one_port_for_two_parts_is_one_line(run: Run) -> None:
    """The line names both settings."""
    port = str(free_port())
    ended = run("up", FLOWER_PORT=port, PETIOLE_API_PORT=port)

    assert ended.returncode == 1
    assert ended.stderr == (
        f"petiole: PETIOLE_API_PORT and FLOWER_PORT are both {port};"
        " set one of them to another port\n"
    )


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_store_without_the_model_is_said_before_anything_starts(
    run: Run, command: str, environment: dict[str, str]
) -> None:
    """The line names the store and the command that installs the model."""
    ended = run(command, PETIOLE_MODELS_DEFAULT_MODEL="imagenet")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert environment["PETIOLE_MODELS_STORE_URL"] in ended.stderr
    assert "run `petiole models install imagenet`" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_directory_without_models_stays_as_it_is(run: Run, tmp_path: Path) -> None:
    """Run in the wrong directory it says where it looked, and leaves no `var` there."""
    ended = run("up", cwd=tmp_path, PETIOLE_MODELS_STORE_URL="var/models")

    assert ended.returncode == 1
    assert f"the model store {tmp_path}/var/models does not exist" in ended.stderr
    assert list(tmp_path.iterdir()) == []
