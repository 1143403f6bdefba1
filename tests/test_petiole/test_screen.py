"""What a terminal shows of the parts' logs while the service runs: errors, and each kind once."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from petiole.screen import Screen

ERRORS = {
    "our own": "2026-11-26T07:00:13.36Z [error    ] version refused [tasks.loaded_models] a=1",
    "our own, as JSON": '{"event": "version refused", "level": "error", "logger": "tasks"}',
    "gunicorn": "[2026-11-26 07:00:11 +0000] [4390] [CRITICAL] WORKER TIMEOUT (pid:12)",
    "Flower": "[E 261126 07:14:50 events:228] Failed to capture events: 'refused'",
}
NO_ERRORS = {
    "information": "2026-11-26T07:00:13.36Z [info     ] model loaded [model_store.serving] error=1",
    "a warning": "2026-11-26T07:00:13.36Z [warning  ] job put off [tasks.jobs] task_id=1",
    "information, as JSON": '{"event": "an error", "level": "info"}',
    "gunicorn": "[2026-11-26 07:00:11 +0000] [4390] [INFO] Booting worker with pid: 4390",
    "Redis": "11978:M 26 Nov 2026 06:46:16.931 # WARNING Memory overcommit must be enabled!",
    "a traceback": '  File "x.py", line 1, in <module>',
}


@pytest.fixture
def written() -> StringIO:
    """What is on the screen."""
    return StringIO()


@pytest.fixture
def screen(written: StringIO, tmp_path: Path) -> Screen:
    """A screen of 100 columns."""
    return Screen(Console(file=written, width=100), tmp_path)


@pytest.mark.parametrize("line", ERRORS.values(), ids=ERRORS)
def test_an_error_is_shown(screen: Screen, written: StringIO, line: str) -> None:
    """In the format of whatever part says it."""
    screen.write("worker", line)

    assert written.getvalue().startswith("  ! worker")


@pytest.mark.parametrize("line", NO_ERRORS.values(), ids=NO_ERRORS)
def test_all_else_is_left_to_the_log(screen: Screen, written: StringIO, line: str) -> None:
    """Also what Redis and Celery warn of at every healthy start."""
    screen.write("worker", line)

    assert written.getvalue() == ""


def test_one_kind_of_error_is_shown_once(screen: Screen, written: StringIO) -> None:
    """A store that is away is one line, whatever time and task; another part has its own."""
    for second in range(10):
        line = f"2026-11-26T07:00:{second}Z [error    ] store away [tasks.x] task_id={second}"
        screen.write("worker", line)
    screen.write("api", line)

    assert written.getvalue().count("store away") == 2


def test_names_with_brackets_are_shown_as_they_are(screen: Screen, written: StringIO) -> None:
    """A line of a log is text, whatever is in it."""
    screen.ended("worker", "worker ended with status 1", ["[/] [bold]"])

    assert "      [/] [bold]\n" in written.getvalue()
    assert "      all of it: " in written.getvalue()
