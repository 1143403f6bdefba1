"""`petiole chaos` against a service that runs: bounded, asking first, and nothing is left."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import redis
from typer.testing import CliRunner

from petiole.cli import app
from tasks import addresses
from tests.conftest import free_port
from tests.test_end_to_end.conftest import RunningService, wait_until
from tests.test_petiole.conftest import Run, settings_of
from tests.test_petiole.test_up import launch

TURN_OF_THE_RECONCILER = "petiole:turn:reconciler"
OF_TIME = ("recovery ", "the API took ")
"""How promises of seconds begin, which a busy machine breaks."""

SOME = 20
"""More than are on their way at any moment before the spike."""

Ended = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory,
    colour_store: str,
    original_environment: dict[str, str],
) -> Iterator[RunningService]:
    """A service of two children, whose state is in `var` of its folder."""
    folder = tmp_path_factory.mktemp("chaos") / "folder"
    settings = {"PETIOLE_UP_CLASSIFY_CHILDREN": "2"}
    environment = settings_of(folder / "var", colour_store, original_environment) | settings
    started = launch(environment, folder)
    wait_until(lambda: "ready after" in started.log.read_text() or started.process.poll())
    yield started
    assert started.stop() == 0, started.log.read_text()[-3000:]


def words_of(service: RunningService, *words: str) -> tuple[list[str], dict[str, object]]:
    """Return the command, and how to run it in the folder of a service, told nothing of ports."""
    hidden = ("_PORT", "STATE_DIRECTORY", "STORE_URL")
    environment = {n: v for n, v in service.environment.items() if not n.endswith(hidden)}
    # A shell ignores Ctrl-C for what it starts in the background, such as these tests.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    options = {"cwd": service.log.parent, "env": environment, "preexec_fn": heard}
    return [sys.executable, "-m", "petiole", "chaos", *words], options


def chaos(service: RunningService, *words: str, **further: str) -> Ended:
    """Run `petiole chaos` until it ends, without a terminal."""
    command, options = words_of(service, *words)
    options["env"] |= further
    streams = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
    return subprocess.run(command, **streams, **options, timeout=90, check=False)


def left(service: RunningService) -> list[str]:
    """Return what is there of any picture: its message, its upload, its place, its result."""
    with redis.Redis.from_url(service.redis_url, decode_responses=True) as client:
        keys = [*client.keys("petiole:open:*"), *client.keys("petiole:document:*")]
        messages = client.lrange("classify", 0, -1)
    uploads = [file.name for file in (service.state / "uploads").rglob("*") if file.is_file()]
    return [*keys, *messages, *uploads]


@pytest.mark.end_to_end
@pytest.mark.parametrize(
    ("words", "done"),
    [
        (("worker-kill",), "killed: main process {worker}"),
        (("redis-pause", "--pause-seconds", "1"), "paused for 1 s"),
        (("lost-message",), "3 of 3 were sent again"),
        (("load-spike", "--pictures", "160"), "spike: 64 accepted, 0 refused"),
    ],
    ids=lambda words: words[0] if isinstance(words, tuple) else "",
)
def test_every_promise_is_kept(service: RunningService, words: tuple[str, ...], done: str) -> None:
    """Something was done, every picture was answered as in calm, and nothing of it is left."""
    done = done.format(worker=service.part("worker").pid)
    ended = chaos(service, *words, "--yes", "--json")
    row = json.loads(ended.stdout)

    assert [promise for promise in row["broken"] if not promise.startswith(OF_TIME)] == []
    assert ended.returncode == bool(row["broken"])
    assert done in ended.stderr
    assert row["accepted"] == row["answered"] > 0
    assert row["doubled"] <= row["may_be_doubled"]
    assert left(service) == []


@contextmanager
def no_reconciler(service: RunningService) -> Iterator[None]:
    """Let a process that does nothing have the turn to look for lost jobs."""
    with redis.Redis.from_url(service.redis_url) as client:
        client.set(TURN_OF_THE_RECONCILER, "nobody", ex=60)
        yield
        client.delete(TURN_OF_THE_RECONCILER)


@pytest.mark.end_to_end
def test_a_broken_promise_is_seen(service: RunningService) -> None:
    """Without a reconciler lost messages stay lost; the table says so, and the exit status."""
    with no_reconciler(service):
        ended = chaos(service, "lost-message", "--yes", "--seconds", "20")
    row = ended.stdout.splitlines()[2]

    assert ended.returncode == 1
    assert row.startswith("| lost-message |")
    assert row.endswith("| no |")
    assert "not kept: 3 lost\n" in ended.stdout
    assert "not kept: 3 lost messages were not sent again\n" in ended.stdout
    assert left(service) == []


@pytest.mark.end_to_end
def test_without_a_terminal_nobody_is_hurt_unasked(service: RunningService) -> None:
    """It says what it would do, and how a script says that it is meant."""
    worker = service.part("worker").pid
    ended = chaos(service, "worker-kill")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"main process ({worker}), which `petiole up` starts again" in " ".join(
        ended.stderr.split()
    )
    assert ended.stderr.endswith("there is no terminal to ask; --yes means go on\n")
    assert service.part("worker").pid == worker


@pytest.mark.end_to_end
def test_a_worker_that_nobody_starts_again_is_pointed_out(
    service: RunningService, tmp_path: Path
) -> None:
    """From elsewhere it cannot be seen who runs it."""
    addresses = {"REDIS_URL": service.redis_url, "PETIOLE_UP_STATE_DIRECTORY": str(tmp_path)}
    ended = chaos(service, "worker-kill", "--api", service.api, **addresses)

    assert ended.returncode == 2
    assert "NOTHING THAT IS KNOWN STARTS IT AGAIN" in " ".join(ended.stderr.split())


@pytest.mark.end_to_end
def test_no_is_an_answer(service: RunningService) -> None:
    """And the one that Enter gives, too."""
    command, options = words_of(service, "worker-kill")
    worker = service.part("worker").pid
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, stdin=theirs, stderr=subprocess.PIPE, **options) as asking:
        os.write(ours, b"\n")
        said = asking.communicate(timeout=30)[1].decode()
    os.close(ours)
    os.close(theirs)

    assert asking.returncode == 0
    assert said.endswith("Nothing was done.\n")
    assert service.part("worker").pid == worker


@pytest.mark.end_to_end
def test_an_interrupt_tidies_up(service: RunningService) -> None:
    """Ctrl-C in the middle of a spike: what is known is shown, and no picture stays."""
    command, options = words_of(service, "load-spike", "--yes")
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes, **options) as spike:
        assert spike.stderr is not None
        while "spike: " not in spike.stderr.readline():
            assert spike.poll() is None
        wait_until(lambda: len(left(service)) > SOME)
        spike.send_signal(signal.SIGINT)
        shown, said = spike.communicate(timeout=60)

    assert spike.returncode == 130
    assert "interrupted; no more is done" in said
    assert "| not counted |" in shown
    wait_until(lambda: left(service) == [])


@pytest.mark.end_to_end
@pytest.mark.parametrize(
    ("words", "elsewhere", "refusal"),
    [
        (("redis-pause",), {"REDIS_URL": "redis://127.0.0.1:{free}/0"}, "set REDIS_URL to the"),
        (
            ("lost-message",),
            {"REDIS_URL": "{redis}"},
            "knows no worker of that service; set REDIS_URL",
        ),
        (
            ("lost-message",),
            {"REDIS_URL": "{own}", "CELERY_BROKER_URL": "amqp://127.0.0.1:{free}//"},
            "the broker is not Redis",
        ),
    ],
    ids=["no Redis", "another Redis", "another broker"],
)
def test_what_cannot_be_done_is_refused(
    service: RunningService,
    redis_url: str,
    words: tuple[str, ...],
    elsewhere: dict[str, str],
    refusal: str,
) -> None:
    """Before anything is sent, in one line that says what to do."""
    places = {"free": free_port(), "redis": redis_url, "own": service.redis_url, "api": service.api}
    settings = {name: value.format(**places) for name, value in elsewhere.items()}
    ended = chaos(service, *words, "--api", service.api, "--yes", **settings)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("petiole chaos: ")
    assert refusal.format(**places) in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.end_to_end
@pytest.mark.parametrize(
    ("scenario", "without", "refusal"),
    [
        ("redis-pause", "-client|pause", "cannot be paused from here: it forbids what we need;"),
        ("lost-message", "-lrem", "no message can be taken from redis://…@127.0.0.1:"),
    ],
)
def test_missing_rights_are_told(
    service: RunningService, scenario: str, without: str, refusal: str
) -> None:
    """Before anything is sent, and without the password."""
    with redis.Redis.from_url(service.redis_url) as client:
        client.execute_command(
            "ACL", "SETUSER", "visitor", "on", ">secret", "~*", "&*", "+@all", without
        )
    visited = addresses.with_login(service.redis_url, "visitor", "secret")
    ended = chaos(service, scenario, "--api", service.api, "--yes", REDIS_URL=visited)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert refusal in ended.stderr
    assert "secret" not in ended.stderr


def test_a_service_that_is_not_ready_is_left_alone(run: Run) -> None:
    """It has enough to do."""
    ended = run("chaos", "load-spike", "--yes", "--api", f"http://127.0.0.1:{free_port()}/")

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1
    assert "/readyz gives no answer of Petiole (ConnectionError); start the service" in ended.stderr


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (("load-spike", "--pictures", "1001"), "1001 is outside of 100 to 1000"),
        (("worker-kill", "--seconds", "601"), "601 is outside of 20 to 600"),
        (("redis-pause", "--pause-seconds", "31"), "31.0 is outside of 1 to 30"),
    ],
)
def test_bounds_have_bounds(words: tuple[str, ...], refusal: str) -> None:
    """Value and limit are said, and nothing is done."""
    ended = CliRunner().invoke(app, ["chaos", *words])

    assert ended.exit_code == 2
    assert refusal in " ".join(ended.stderr.replace("│", " ").split())
