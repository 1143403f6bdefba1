"""What `petiole up` refuses at once, in one line, before it starts anything."""

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from petiole import probes
from tests.conftest import free_port, picture
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


def test_every_taken_port_is_named_at_once(run: Run, environment: dict[str, str]) -> None:
    """In one line, with a call that starts the service on free ones."""
    names = ("PETIOLE_API_PORT", "FLOWER_PORT")
    with ExitStack() as stack:
        for name in names:
            address = ("127.0.0.1", int(environment[name]))
            stack.enter_context(socket.create_server(address))
        ended = run("up")
    call = ended.stderr.partition("it starts with: ")[2].split()
    instead = dict(word.split("=") for word in call if "=" in word)

    assert (ended.returncode, ended.stderr.count("\n")) == (1, 1)
    assert ended.stderr.startswith(
        f"petiole: port {environment['PETIOLE_API_PORT']} for api and"
        f" port {environment['FLOWER_PORT']} for flower are taken; "
    )
    assert sorted(instead) == sorted(names)
    assert all(probes.port_is_free(int(port)) for port in instead.values())
    assert call[-3:] == ["-m", "petiole", "up"]


def test_an_address_that_celery_cannot_use_is_one_line(run: Run) -> None:
    """Not a worker that keeps ending: the line names the variable and what it takes."""
    ended = run("up", CELERY_BROKER_URL="http://127.0.0.1/")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("petiole: CELERY_BROKER_URL is 'http://127.0.0.1/': ")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_store_without_the_model_is_said_before_anything_starts(
    run: Run, command: str, environment: dict[str, str]
) -> None:
    """The line names the store and the command that installs the model."""
    ended = run(command, PETIOLE_MODELS_DEFAULT_MODEL="imagenet")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert environment["PETIOLE_MODELS_STORE_URL"] in ended.stderr
    assert "-m petiole models install imagenet`" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_a_demo_of_what_is_no_file_starts_nothing(run: Run, tmp_path: Path) -> None:
    """Each one is a line; it is wrong usage, and the good ones are not classified either."""
    (tmp_path / "good.jpg").write_bytes(picture())
    (tmp_path / "bad.jpg").write_text("no picture")
    ended = run("demo", "nope.jpg", "good.jpg", "bad.jpg", str(tmp_path), cwd=tmp_path)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines() == [
        "petiole demo: nope.jpg does not exist",
        "petiole demo: bad.jpg cannot be classified: the upload of 10 bytes is not a picture;"
        " accepted are JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF, HEIC",
        f"petiole demo: {tmp_path} is a folder; name the pictures in it",
    ]


def test_an_address_of_a_picture_is_named_as_it_was_written(run: Run) -> None:
    """The line says that files are taken, and who takes addresses."""
    ended = run("demo", "https://example.com//x.jpg")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "petiole demo: https://example.com//x.jpg is an address, and demo takes files; save it"
        " first, or let a running service fetch it (GET /classify?image_url=ADDRESS)\n"
    )


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_setting_of_any_part_is_looked_at_first(run: Run, command: str) -> None:
    """Not by a worker that keeps ending: the line names the setting, and nothing starts."""
    ended = run(command, PETIOLE_TASKS_MAX_PIXELS="many")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("petiole: PETIOLE_TASKS_MAX_PIXELS is 'many': ")
    assert ended.stderr.count("\n") == 1


def test_a_state_directory_that_cannot_be_made_is_one_line(run: Run, tmp_path: Path) -> None:
    """The line names the setting, the folder and the reason."""
    (tmp_path / "file").touch()
    ended = run("up", PETIOLE_UP_STATE_DIRECTORY=str(tmp_path / "file"))

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"petiole: PETIOLE_UP_STATE_DIRECTORY is {tmp_path}/file, which cannot be written to:"
        " Not a directory\n"
    )


def test_a_file_in_the_place_of_the_logs_is_one_line(run: Run, tmp_path: Path) -> None:
    """As that of whoever wrote the output there; it is left as it is."""
    (tmp_path / "log").write_text("mine")
    ended = run("up", PETIOLE_UP_STATE_DIRECTORY=str(tmp_path))

    assert (ended.returncode, (tmp_path / "log").read_text()) == (1, "mine")
    assert ended.stderr.startswith(f"petiole: no logs can be kept in {tmp_path}/log: File exists; ")


@pytest.mark.parametrize("command", ["up", "demo"])
def test_a_directory_without_models_stays_as_it_is(run: Run, command: str, tmp_path: Path) -> None:
    """Run in the wrong directory it says where it looked, and leaves no `var` there."""
    ended = run(command, cwd=tmp_path, PETIOLE_MODELS_STORE_URL="var/models")

    assert ended.returncode == 1
    assert f"the model store {tmp_path}/var/models does not exist" in ended.stderr
    assert list(tmp_path.iterdir()) == []
