"""Every command says in one line, with exit code 1, that a store cannot be reached."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from petiole.cli import app
from tests.conftest import free_port
from tests.test_petiole.conftest import Run

COMMANDS = [
    ("list",),
    ("show", "colours"),
    ("promote", "colours@2"),
    ("rollback", "colours"),
    ("verify", "colours"),
    ("export", "colours", "somewhere"),
    ("remove", "colours@2", "--yes"),
    ("canary", "colours@2"),
    ("shadow", "colours@2"),
    ("end", "colours"),
    ("compare", "colours@1", "colours@2", "--images", str(Path(__file__).parent)),
    ("install", "imagenet"),
]


@pytest.fixture
def refusing_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket at an address where nobody listens."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", "s3://bucket/models")


@pytest.mark.usefixtures("refusing_bucket")
@pytest.mark.parametrize("words", COMMANDS, ids=[words[0] for words in COMMANDS])
def test_a_bucket_that_refuses_is_one_line(words: tuple[str, ...]) -> None:
    """Whatever was asked for; no traceback, and nothing on stdout."""
    ended = CliRunner().invoke(app, ["models", *words])

    assert (ended.exit_code, ended.stdout) == (1, ""), ended.output
    assert "petiole models: the model store cannot be used at " in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("variable", "url", "shown"),
    [
        ("REDIS_URL", "127.0.0.1:6379", "127.0.0.1:6379"),
        ("REDIS_URL", "http://me:sec@ret@host", "http://…@host"),
        ("REDIS_URL", "redis://host:port/0?password=secret", "redis://host:port/0?password=…"),
        ("CELERY_BROKER_URL", "redis://:secret@host/first", "redis://…@host/first"),
        ("PETIOLE_TASKS_JOB_STORE_URL", "https://host", "https://host"),
    ],
)
def test_an_impossible_address_of_redis_is_a_bad_setting(
    run: Run, variable: str, url: str, shown: str
) -> None:
    """One line that names the variable that was set, and the value without its password."""
    ended = run("models", "show", "colours", **{variable: url})

    assert ended.returncode == 2
    assert ended.stderr == (
        f"petiole: {variable} is {shown!r}: it is no address of Redis, such as"
        " redis://127.0.0.1:6379/0, rediss://… or unix:///path/to/socket\n"
    )


@pytest.mark.parametrize("password", ["p#ss", "p/ss", "12#34", "12/34", "12?34", "p%ss", "p[ss"])
def test_a_password_that_ends_the_address_is_refused_and_not_shown(run: Run, password: str) -> None:
    """One line that names the setting, and how it is written; its letters stay unsaid."""
    ended = run("models", "show", "colours", REDIS_URL=f"redis://web:{password}@127.0.0.1:1/0")

    assert ended.returncode == 2
    assert ended.stderr.startswith("petiole: REDIS_URL is 'redis://…@127.0.0.1:1/0': it is no ")
    assert ended.stderr.endswith("@ as %40, : as %3A and % as %25, or set REDIS_PASSWORD\n")
    assert password not in ended.stderr
