"""The API does not start where anybody could use it, unless it is told so in so many words."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from api.settings import ApiSettings
from tests.conftest import ROOT, free_port

ELSEWHERE = "0.0.0.0"  # noqa: S104 - what is refused


@pytest.mark.parametrize(
    ("said", "required"),
    [
        ({}, False),
        ({"host": "::1"}, False),
        ({"host": "localhost"}, False),
        ({"host": ELSEWHERE}, True),
        ({"host": "petiole.example.org"}, True),
        ({"trusted_proxies": 1}, True),
        ({"trusted_proxies": 1, "require_keys": False}, False),
        ({"require_keys": True}, True),
        ({"host": ELSEWHERE, "insecure": True}, False),
        ({"host": ELSEWHERE, "insecure": True, "require_keys": True}, True),
    ],
)
def test_keys_are_required_as_soon_as_others_can_come(
    said: dict[str, object], required: bool
) -> None:
    """On loopback nothing changes; a proxy that is trusted brings others."""
    assert ApiSettings(**said).are_keys_required is required


def test_keys_cannot_be_switched_off_elsewhere_by_the_way() -> None:
    """The message names both settings."""
    with pytest.raises(ValidationError, match=r"REQUIRE_KEYS is false; .* PETIOLE_API_INSECURE"):
        ApiSettings(host=ELSEWHERE, require_keys=False)
    assert not ApiSettings(host=ELSEWHERE, require_keys=False, insecure=True).are_keys_required


@pytest.mark.server
def test_an_address_that_gunicorn_alone_was_told_is_looked_at(
    original_environment: dict[str, str],
) -> None:
    """Its options win over the settings, so the settings alone do not decide."""
    app = ["--config", "python:api.gunicorn_conf", "api:create_app()"]
    command = [sys.executable, "-m", "gunicorn", "--bind", f"{ELSEWHERE}:{free_port()}", *app]
    ended = subprocess.run(
        command,
        cwd=ROOT,
        env=original_environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 1
    assert f"the API would listen on {ELSEWHERE}; set it to true" in ended.stderr
