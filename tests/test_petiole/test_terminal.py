"""`petiole up` on a terminal, and the commands that look at the service that it runs."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.terminals import CTRL_C, Terminal
from tests.test_end_to_end.conftest import wait_until
from tests.test_petiole.conftest import settings_of

pytestmark = pytest.mark.end_to_end

PETIOLE = [sys.executable, "-m", "petiole"]
PARTS = ["redis", "worker", "downloader", "bulk", "api", "flower"]


@dataclass(frozen=True)
class Shown:
    """A service on a terminal, and what was on the screen when it was ready."""

    terminal: Terminal
    environment: dict[str, str]
    state: Path
    at_start: list[str]

    def run(self, *words: str, **further: str) -> subprocess.CompletedProcess[str]:
        """Run `petiole` in the service's folder."""
        return subprocess.run(
            [*PETIOLE, *words],
            cwd=self.state.parent,
            env=self.environment | further,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def note(self) -> dict[str, Any]:
        """Return what the service wrote about itself."""
        return dict(json.loads((self.state / "service.json").read_text()))


@pytest.fixture(scope="module")
def shown(
    tmp_path_factory: pytest.TempPathFactory,
    colour_store: str,
    original_environment: dict[str, str],
) -> Iterator[Shown]:
    """A service that is ready; in the end one Ctrl-C stops it, in one line."""
    state = tmp_path_factory.mktemp("terminal") / "var"
    environment = settings_of(state, colour_store, original_environment)
    terminal = Terminal([*PETIOLE, "up"], environment, state.parent)
    wait_until(lambda: any(line.startswith("╰") for line in terminal.lines))
    yield Shown(terminal, environment, state, terminal.lines)
    before = len(terminal.lines)
    terminal.press(CTRL_C)
    assert terminal.wait() == 0
    said = [line.removeprefix("^C") for line in terminal.lines[before:]]
    assert [line.split(";")[0] for line in said if line] == ["  ✓ stopped what waits is kept"]


def test_a_start_is_a_tick_for_each_part_and_a_box_at_the_end(shown: Shown) -> None:
    """Nothing that the parts log about a healthy start is shown."""
    ticks = [line.split()[1] for line in shown.at_start if "✓" in line]
    box = [index for index, line in enumerate(shown.at_start) if line.startswith("╭")]

    assert sorted(ticks) == sorted(PARTS)
    assert "─ ready after " in shown.at_start[box[0]]
    assert all(line.startswith(("│", "╰")) for line in shown.at_start[box[0] + 1 :])
    assert len(shown.at_start) <= 16
    assert any(f":{shown.environment['PETIOLE_API_PORT']}/docs/" in line for line in shown.at_start)


def test_every_part_has_a_log_although_nothing_of_it_is_shown(shown: Shown) -> None:
    """The files are in the state directory, our own among them."""
    logs = {path.stem: path.read_text() for path in (shown.state / "log").glob("*.log")}

    assert sorted(logs) == sorted([*PARTS, "petiole"])
    assert "models ready" in logs["worker"]
    assert "flower is ready" in logs["petiole"]


def test_a_part_that_ends_is_said_with_the_end_of_its_log_and_counted(shown: Shown) -> None:
    """The terminal says where the rest is; `status` has the new process and the restart."""
    os.kill(int(shown.note()["processes"]["flower"]), signal.SIGKILL)
    wait_until(lambda: "  · flower started again" in shown.terminal.lines)
    told = shown.terminal.lines[len(shown.at_start) :]
    wait_until(lambda: shown.note()["restarts"]["flower"])
    ended = shown.run("status", "--json")
    (flower,) = [part for part in json.loads(ended.stdout)["parts"] if part["name"] == "flower"]

    assert told[0].startswith("  ! flower was ended by SIGKILL; starting it again in 1 s")
    assert "      all of it: var/log/flower.log" in told
    assert (flower["restarts"], flower["process"]) == (1, shown.note()["processes"]["flower"])


def test_status_says_what_there_is(shown: Shown) -> None:
    """For people and for programs; ready is exit code 0."""
    ended = shown.run("status", "--json")
    found = json.loads(ended.stdout)
    for_people = shown.run("status")

    assert (ended.returncode, for_people.returncode) == (0, 0)
    assert (found["running"], found["ready"], found["missing"]) == (True, True, "")
    assert found["models"] == [{"name": "colours", "production": 1, "default": True}]
    assert found["jobs"] == {"waiting": 0, "running": 0}
    assert for_people.stdout.startswith("ready  1 child with colours@1 on ")


def test_open_opens_the_page_and_prints_its_address(shown: Shown, tmp_path: Path) -> None:
    """In the browser that the user has; without one the address is all."""
    address = f"http://127.0.0.1:{shown.environment['PETIOLE_API_PORT']}"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)
    opened = shown.run("open", BROWSER=f"{browser} %s")
    printed = shown.run("open", BROWSER="", DISPLAY="", WAYLAND_DISPLAY="")

    assert (opened.stdout, printed.stdout) == (f"{address}\n", f"{address}\n")
    assert (tmp_path / "opened").read_text() == f"{address}\n"


def test_logs_shows_the_end_of_a_log_and_goes_on(shown: Shown) -> None:
    """`-f` shows what comes later, until Ctrl-C; a wrong name gets the right ones."""
    wrong = shown.run("logs", "wroker")
    last = shown.run("logs", "petiole", "-n", "1")
    following = Terminal([*PETIOLE, "logs", "api", "-f", "-n", "1"], shown.environment, shown.state)
    wait_until(lambda: following.lines)
    with (shown.state / "log" / "api.log").open("a") as log:
        log.write("one line more\n")
    wait_until(lambda: "one line more" in following.lines)
    following.press(CTRL_C)

    assert following.wait() == 130
    assert last.stdout.count("\n") == 1
    assert (wrong.returncode, wrong.stderr.splitlines()) == (
        2,
        [
            "petiole logs: there is no part wroker; did you mean worker?",
            "  the parts:  api, bulk, downloader, flower, petiole, redis, worker",
        ],
    )


def test_doctor_looks_at_a_running_service(shown: Shown) -> None:
    """Its Redis, its clock and its rights are looked at; nothing is wrong."""
    ended = shown.run("doctor", "--json")
    says = [finding["says"] for finding in json.loads(ended.stdout)["findings"]]

    assert ended.returncode == 0, ended.stdout
    assert any(sentence.startswith("ready at http://127.0.0.1:") for sentence in says)
    assert {"agrees with that of Redis", "takes all that we write"} <= set(says)


def test_a_next_step_works_as_it_is_printed(shown: Shown) -> None:
    """In the same directory and environment, through a shell."""
    listed = shown.run("models", "list").stderr.splitlines()
    (more,) = [line.partition(":  ")[2] for line in listed if ":  " in line]
    (example,) = [line.split("try  ")[1] for line in shown.at_start if "  try  " in line]
    card, classified = through_a_shell(shown, more), through_a_shell(shown, example)

    assert (card.returncode, classified.returncode) == (0, 0), card.stderr + classified.stderr
    assert "colours@1" in card.stdout
    assert "colours@1, " in classified.stdout


def through_a_shell(shown: Shown, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a person would who copied it."""
    return subprocess.run(  # noqa: S602 - it is read by a person's shell as well
        command,
        shell=True,
        cwd=shown.state.parent,
        env=shown.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
