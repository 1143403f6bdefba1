"""A real Prometheus that scrapes a real service: every panel and rule has something to say."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import doubting_model, prometheus
from tests.conftest import ORIGINAL_ENVIRONMENT, ROOT, picture
from tests.prometheus import FILES, Prometheus
from tests.test_end_to_end.conftest import wait_until
from tests.test_workers.conftest import Stage, worker

pytestmark = pytest.mark.end_to_end

DASHBOARDS = sorted((ROOT / "deploy" / "grafana").glob("*.json"))
QUIET = {"Versions that children refuse", "Trials: agreement"}
"""Panels of what does not happen in a service that is well and tries nothing."""


@pytest.fixture(scope="module")
def original_environment() -> dict[str, str]:
    """The environment with the cache on."""
    return {**ORIGINAL_ENVIRONMENT, "PETIOLE_TASKS_CACHE_TTL_SECONDS": "600"}


@pytest.fixture(scope="module")
def colour_store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a model store with a version that has verdicts."""
    directory = tmp_path_factory.mktemp("doubting")
    doubting_model.publish(directory)
    return str(directory)


@dataclass
class Watched:
    """A service that is sent pictures, and the Prometheus that watches it."""

    stage: Stage
    prometheus: Prometheus
    sent: list[int] = field(default_factory=list)

    def send(self) -> None:
        """Send one of each: good, known, broken, refused."""
        self.sent.append(len(self.sent))
        good, broken = picture(size=(64, 40 + len(self.sent))), picture(size=(400, 300))[:700]
        for image in (good, picture(), broken, b"no"):
            self.stage.accepted(1, image, "?model=doubting&wait=10")

    def values(self, expression: str) -> list[float]:
        """Return the values of an expression of a dashboard."""
        return self.prometheus.values(expression.replace("$job", "petiole").replace("$model", ".*"))


@pytest.fixture(scope="module")
def watched(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A service of one worker, with what is no message in its queue, and a Prometheus."""
    target = stage.api_url.removeprefix("http://")
    environment = {"PETIOLE_MODELS_DEFAULT_MODEL": "doubting"}
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("prometheus")
        server = stack.enter_context(prometheus.started(folder, target))
        stack.enter_context(stage.running(worker("--concurrency", "1"), **environment))
        wait_until(lambda: stage.get("/readyz").ok)
        stage.redis.lpush("classify", "no message")
        made = Watched(stage, server)
        made.send()
        yield made


def panels(file: Path) -> dict[str, list[str]]:
    """Return the expressions of each panel."""
    found = json.loads(file.read_text())["panels"]
    return {panel["title"]: [target["expr"] for target in panel["targets"]] for panel in found}


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_every_panel_shows_something(watched: Watched, file: Path) -> None:
    """Once some pictures were sent; no expression of it is refused."""

    def empty() -> set[str]:
        watched.send()
        shown = {t: [watched.values(each) for each in all_] for t, all_ in panels(file).items()}
        return {title for title, values in shown.items() if not any(values)}

    wait_until(lambda: empty() <= QUIET)


def test_every_metric_that_is_asked_for_is_there(watched: Watched) -> None:
    """In `/metrics` of a real service: a name that was changed here is changed everywhere."""
    text = watched.stage.get("/metrics").text
    there = set(re.findall(r"^# TYPE (petiole_\w+)", text, re.MULTILINE))
    asked = "".join(file.read_text() for file in [*FILES.iterdir(), *DASHBOARDS])
    names = set(re.findall(r"(?<!\w)petiole_[a-z_]+", asked)) - {"petiole_"}

    assert {re.sub(r"_(bucket|count|sum)$", "", name) for name in names} <= there


def test_every_rule_is_evaluated(watched: Watched) -> None:
    """None is refused by the server, and each that records has recorded something."""
    wait_until(lambda: watched.values("petiole:verdicts:rate1h"))
    groups = watched.prometheus.get("rules")["groups"]
    said = [rule for group in groups for rule in group["rules"]]

    assert {rule["lastError"] for rule in said if "lastError" in rule} <= {""}
    assert {rule["health"] for rule in said} == {"ok"}
    recorded = [rule["name"] for rule in said if rule["type"] == "recording"]
    assert [name for name in recorded if not watched.values(name)] == []


def test_what_should_fire_does_and_nothing_else(watched: Watched) -> None:
    """What lay in the queue is no message."""

    def firing() -> set[str]:
        alerts = watched.prometheus.get("alerts")["alerts"]
        return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}

    wait_until(firing)
    assert firing() == {"PetioleForgedMessages"}


def test_numbers_are_those_that_were_sent(watched: Watched) -> None:
    """Accepted pictures, as Prometheus has them: three of each four are."""
    watched.send()
    expected = 3.0 * len(watched.sent)

    assert wait_until(lambda: watched.values("sum(petiole_accepted_total)") == [expected])
