"""A real Prometheus with the files of `deploy/prometheus`, and its promtool."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.conftest import ROOT, free_port
from tests.test_end_to_end.conftest import wait_until

FILES = ROOT / "deploy" / "prometheus"


@dataclass(frozen=True)
class Prometheus:
    """A started server."""

    url: str

    def get(self, path: str, **params: str) -> Any:
        """Return what an API of it answers."""
        said = requests.get(f"{self.url}/api/v1/{path}", params=params, timeout=10).json()
        assert said["status"] == "success", said
        return said["data"]

    def values(self, expression: str) -> list[float]:
        """Return the values of an expression now; those that are no number are left out."""
        found = (float(each["value"][1]) for each in self.get("query", query=expression)["result"])
        return [value for value in found if value == value]  # noqa: PLR0124 - NaN is not itself


def program(name: str) -> str:
    """Return where one of its programs is; skip at home, and fail in CI, where it is not."""
    found = shutil.which(name)
    if found is None:
        message = f"there is no {name}: apt-get install --no-install-recommends prometheus"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    return found


@contextmanager
def started(folder: Path, target: str) -> Iterator[Prometheus]:
    """Run a server that scrapes `target` each second, on loopback."""
    port = free_port()
    configuration = yaml.safe_load((FILES / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["rule_files"] = [str(FILES / name) for name in configuration["rule_files"]]
    configuration["scrape_configs"][0]["static_configs"] = [{"targets": [target]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    command = [
        program("prometheus"),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        server = Prometheus(f"http://127.0.0.1:{port}")
        wait_until(lambda: _is_ready(server))
        yield server
    finally:
        process.terminate()
        process.wait(timeout=15)


def _is_ready(server: Prometheus) -> bool:
    try:
        return requests.get(f"{server.url}/-/ready", timeout=5).ok
    except requests.ConnectionError:
        return False
