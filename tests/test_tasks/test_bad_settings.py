"""Every program that is given an impossible address ends in one line, before it starts anything."""

import os
import subprocess
import sys

import pytest

from petiole import parts
from petiole.settings import FlowerSettings
from tests.conftest import ROOT, free_port

SECRET = "hunter2"  # noqa: S105 - of nobody
IMPOSSIBLE = {
    "no scheme": ("REDIS_URL", "localhost:6379", "is no address of Redis, such as"),
    "an odd password": ("REDIS_URL", f"redis://me:{SECRET}#@127.0.0.1:1/0", "write # as %23"),
    "no such check": (
        "REDIS_URL",
        f"rediss://:{SECRET}@h/0?ssl_cert_reqs=perhaps",
        "its ssl_cert_reqs is none of required, optional, none",
    ),
    "no master": ("REDIS_URL", f"sentinel://:{SECRET}@h/0", "it names no master"),
    "no Redis": ("CELERY_BROKER_URL", f"amqp://me:{SECRET}@h//", "set REDIS_URL, such as"),
    "Sentinels of a broker": ("CELERY_BROKER_URL", "sentinel://h/0", "stand in REDIS_URL"),
    "redis-py's socket": ("CELERY_BROKER_URL", "unix:///s?db=1", "redis+socket:///s?virtual_host"),
    "no such backend": ("CELERY_RESULT_BACKEND", "htp://h", "no address of a result backend"),
    "no store": ("PETIOLE_TASKS_JOB_STORE_URL", "https://h", "is no address of Redis, such as"),
}
SETTINGS = (
    "from tasks import bad_settings, settings\n"
    "from tasks.celery_settings import CelerySettings\n"
    "with bad_settings.in_one_line(): settings.settings(), CelerySettings()"
)
PROGRAMS = {
    "api": parts.http_api(ROOT / "var" / "unused").command,
    "worker": parts.downloader(1).command,
    "flower": parts.flower(FlowerSettings(port=free_port())).command,
    "up": (sys.executable, "-m", "petiole", "up"),
}


def ended(command: tuple[str, ...], original: dict[str, str], **further: str) -> tuple[int, str]:
    """Return the exit status of a program and all that it said."""
    named = ("REDIS_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND")
    kept = {name: value for name, value in original.items() if name not in named}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=kept | {"PETIOLE_API_PORT": str(free_port())} | further,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_an_impossible_address_is_one_line(case: str, original_environment: dict[str, str]) -> None:
    """It names the setting, and what to write; not the password."""
    setting, url, advice = IMPOSSIBLE[case]
    command = (sys.executable, "-c", SETTINGS)
    status, said = ended(command, original_environment, **{setting: url})

    assert (status, said.count(os.linesep)) == (2, 1), said
    assert said.startswith(f"petiole: {setting} is ")
    assert advice in said
    assert SECRET not in said


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_says_it(program: str, original_environment: dict[str, str]) -> None:
    """Each alone, without another that would have looked before it."""
    setting, url, advice = IMPOSSIBLE["an odd password"]
    status, said = ended(PROGRAMS[program], original_environment, **{setting: url})

    assert (status, said.count(os.linesep)) == (2, 1), said
    assert said.startswith(f"petiole: {setting} is 'redis://…@127.0.0.1:1/0'")
    assert advice in said
