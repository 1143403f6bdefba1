"""`deploy/prometheus` and `deploy/grafana`: what they say, without a service."""

import json
import re
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks import problems
from tests.prometheus import FILES, program
from tests.test_ops.conftest import ROOT

DASHBOARDS = sorted((ROOT / "deploy" / "grafana").glob("*.json"))


def rules(file: str) -> list[dict[str, Any]]:
    """Return the rules of a file."""
    groups = yaml.safe_load((FILES / file).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules("alerts.yml")}


def promtool(*words: str) -> subprocess.CompletedProcess[str]:
    """Run promtool among the files."""
    command = [program("promtool"), *words]
    return subprocess.run(
        command, cwd=FILES, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    "words",
    [
        ("check", "config", "prometheus.yml"),
        ("check", "rules", "--lint-fatal", "alerts.yml", "recording.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
)
def test_promtool_finds_nothing_wrong(words: tuple[str, ...]) -> None:
    """Neither in the files, nor in when alerts fire and when they do not."""
    said = promtool(*words)

    assert said.returncode == 0, said.stdout + said.stderr


def test_each_alert_is_seen_firing_and_quiet() -> None:
    """In the tests that promtool runs."""
    fires: set[str] = set()
    quiet: set[str] = set()
    for each in yaml.safe_load((FILES / "alerts_test.yml").read_text())["tests"]:
        for test in each["alert_rule_test"]:
            (fires if test["exp_alerts"] else quiet).add(test["alertname"])

    assert fires == quiet == set(ALERTS)


def test_service_failures_are_those_that_are_no_fault_of_a_picture() -> None:
    """The errors in the rule are all that a job can fail with whose status is 5xx."""
    (listed,) = re.findall(r'error=~"(.*?)"', ALERTS["PetioleServiceFailures"]["expr"])
    refusals = {"queue-full"}
    of_training = {problem.slug for problem in problems.OF_TRAINING}
    expected = {p.slug for p in problems.every() if p.status >= 500} - refusals - of_training

    assert set(listed.split("|")) == expected


def test_each_alert_says_how_bad_it_is_and_leads_to_its_paragraph() -> None:
    """With words for people."""
    for name, rule in ALERTS.items():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"].keys() == {"summary", "runbook"}
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{name.lower()}"


def expressions(file: Path) -> list[str]:
    """Return all expressions of a dashboard."""
    panels = json.loads(file.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_dashboards_are_read_by_promtool(file: Path, tmp_path: Path) -> None:
    """Each expression is PromQL, and what is recorded for it is in the rules."""
    read = [text.replace("$job", "petiole").replace("$model", ".*") for text in expressions(file)]
    groups = [
        {
            "name": "dashboard",
            "rules": [{"record": f"panel:{n}", "expr": text} for n, text in enumerate(read)],
        }
    ]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": groups}))
    said = promtool("check", "rules", str(tmp_path / "rules.yml"))
    recorded = {rule["record"] for rule in rules("recording.yml")}

    assert said.returncode == 0, said.stdout + said.stderr
    assert {name for text in read for name in re.findall(r"petiole:\w+:\w+", text)} <= recorded


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_panels_have_their_places(file: Path) -> None:
    """No two of them share one, none is outside, and each says what it shows."""
    board = json.loads(file.read_text())
    places = [panel["gridPos"] for panel in board["panels"]]

    assert len({panel["id"] for panel in board["panels"]}) == len(places)
    assert [p["title"] for p in board["panels"] if not (p["title"] and p["targets"])] == []
    assert max(place["x"] + place["w"] for place in places) <= 24
    assert [pair for pair in combinations(places, 2) if _overlap(*pair)] == []
    assert {p["datasource"]["uid"] for p in board["panels"]} == {"${datasource}"}


def _overlap(a: dict[str, int], b: dict[str, int]) -> bool:
    beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
    return not (beside or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"])


def test_every_file_of_prometheus_is_tested() -> None:
    """A new one is met here first."""
    assert {path.name for path in FILES.iterdir()} == {
        *("prometheus.yml", "recording.yml", "alerts.yml", "alerts_test.yml")
    }
