"""`docs/operations.md`: its metrics, alerts, commands and addresses, against what there is."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from flask.testing import FlaskClient
from prometheus_client import REGISTRY

from api import create_app
from api.service_series import ServiceCollector
from petiole.cli import app
from tasks import once
from tests.brokers import KINDS
from tests.prometheus import FILES, program
from tests.test_docs.test_settings import ALL_SETTINGS, rows_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()
PARAGRAPHS = dict(re.findall(r"^### (\w+)\n\n(.*?)(?=^#{2,3} |\Z)", PAGE, re.MULTILINE | re.DOTALL))
TEXT = re.sub(r"^```.*?^```", "", PAGE, flags=re.MULTILINE | re.DOTALL)
CODES = [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", TEXT)]
SECTIONS = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
TOTAL = {"counter": "_total"}


@pytest.fixture
def client(colour_store: str, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A client of a fresh API in eager mode."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", colour_store)
    return create_app().test_client()


def families() -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Yield name, labels and meaning of every series of an API."""
    for family in ServiceCollector().collect():
        name = family.name + TOTAL.get(family.type, "")
        yield name, tuple(family._labelnames), family.documentation
    for each in [*REGISTRY._collector_to_names]:
        if str(getattr(each, "_name", "")).startswith("petiole_"):
            name = each._name + TOTAL.get(each._type, "")
            yield name, tuple(each._labelnames), each._documentation


def test_the_table_has_every_series_and_no_other(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With its labels, and the words that Prometheus is told."""
    monkeypatch.setenv("PETIOLE_TASKS_IMAGE_STORE_URL", str(tmp_path))
    once.begin_anew()
    assert client.get("/metrics").status_code == 200
    rows = re.findall(r"^\| `((?:petiole|celery)_\w+)` \| (.*?) ?\| (.*) \|$", PAGE, re.MULTILINE)
    written = {name: (tuple(re.findall(r"`(\w+)`", labels)), what) for name, labels, what in rows}

    assert written == {name: (labels, what) for name, labels, what in families()}


def test_each_alert_has_a_paragraph_and_each_paragraph_an_alert() -> None:
    """That says what it means, where to look and what to do, in this order."""
    groups = yaml.safe_load((FILES / "alerts.yml").read_text())["groups"]
    alerts = [rule["alert"] for group in groups for rule in group["rules"]]

    assert alerts == [*PARAGRAPHS]
    for name, text in PARAGRAPHS.items():
        means, look, do = text.strip().split("\n\n")
        assert (name, look[:10], do[:8]) == (name, "**Look**: ", "**Do**: ")
        assert len(means) > 40


@pytest.mark.parametrize("section", SECTIONS)
def test_each_section_names_the_tests_that_check_it(section: str) -> None:
    """Which are there."""
    named = re.findall(r"`(tests/[\w/]+\.py)`", SECTIONS[section])

    assert named
    assert [file for file in named if not (ROOT / file).is_file()] == []


def test_programs_on_the_page_are_there() -> None:
    """Those that measure what it says, and those that break things."""
    programs = set(re.findall(r"python -m ([\w.]+)", PAGE))

    assert {"benchmarks.trace", "benchmarks.trace_costs", "benchmarks.scaling", "chaos"} <= programs
    assert [name for name in programs if find_spec(name) is None] == []


def test_brokers_on_the_page_are_those_that_tests_start() -> None:
    """Each by the name that its tests have."""
    rows = re.findall(
        r"^\| (?:Redis|Rabbit).*\| `(\w+)`[^|]*\|$", SECTIONS["Brokers"], re.MULTILINE
    )

    assert sorted({*rows}) == sorted(KINDS)


def test_commands_on_the_page_are_there() -> None:
    """With their options, those of `petiole` as it is."""
    commands = [code for code in CODES if code.startswith("petiole ")]
    for command in commands:
        group: Any = typer.main.get_command(app)
        for word in command.split()[1:]:
            if hasattr(group, "commands"):
                assert word in group.commands, command
                group = group.commands[word]
            elif word.startswith("-"):
                assert word in [o for p in group.params for o in p.opts], command

    assert len(commands) > 20


def test_addresses_on_the_page_are_there(client: FlaskClient) -> None:
    """As its lines for `curl` name them."""
    paths = set(re.findall(r"curl (?:-X DELETE )?http://127\.0\.0\.1:8000(/[\w/-]*)", PAGE))
    rules = client.application.url_map.bind("localhost")

    assert {"/metrics/open-work", "/readyz", "/admin"} <= paths
    for path in paths:
        assert rules.match(path.replace("ID", "x"), method=None if "ID" not in path else "DELETE")


def test_panels_on_the_page_are_there() -> None:
    """By their titles, in one of the dashboards."""
    boards = [json.loads(file.read_text()) for file in (ROOT / "deploy/grafana").glob("*.json")]
    titles = {panel["title"] for board in boards for panel in board["panels"]}
    text = " ".join(PAGE.split())
    named = {
        title
        for told in re.findall(r"panels? ((?:\*[^*]+\*(?: and )?)+)", text)
        for title in re.findall(r"\*([^*]+)\*", told)
    }

    assert named <= titles
    assert len(named) > 5


def test_settings_on_the_page_are_there() -> None:
    """By their names."""
    known = {name for settings in ALL_SETTINGS for name, _, _ in rows_of(settings)}

    named = {code for code in CODES if re.fullmatch(r"PETIOLE_\w+", code)}

    assert named <= known
    assert len(named) > 10


def test_the_pages_checks_find_nothing_wrong() -> None:
    """Those of promtool, run as they are written."""
    program("promtool")
    lines = re.findall(r"^promtool .*$", PAGE, re.MULTILINE)
    said = [subprocess.run(shlex.split(line), cwd=ROOT, check=False).returncode for line in lines]

    assert said == [0, 0]
