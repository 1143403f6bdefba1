"""A Redis whose certificate is of another authority than the setting names."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import brokers
from tests.conftest import ROOT
from tests.test_end_to_end.conftest import environment_for

pytestmark = pytest.mark.server


def test_a_certificate_of_another_authority_is_one_line(
    tmp_path: Path, colour_store: str, original_environment: dict[str, str]
) -> None:
    """Nothing is started that would ask for it again and again."""
    other = tmp_path / "other"
    for folder in (other, tmp_path / "own"):
        folder.mkdir()
    authority, *_ = brokers.certificates(other)
    with brokers.tls(tmp_path / "own") as broker:
        url, _, _ = broker.settings["REDIS_URL"].partition("&")
        environment = environment_for(tmp_path / "state", original_environment) | {
            "PETIOLE_MODELS_STORE_URL": colour_store,
            "PETIOLE_MODELS_DEFAULT_MODEL": "colours",
            **broker.settings,
            "REDIS_URL": f"{url}&ssl_ca_certs={authority}",
        }
        command = [sys.executable, "-m", "petiole", "up"]
        ended = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )

    assert (ended.returncode, ended.stdout) == (1, ""), ended
    assert ended.stderr == (
        "petiole: broker and job store: its certificate is not of the CA that ssl_ca_certs in"
        " REDIS_URL names; name the right one\n"
    )
