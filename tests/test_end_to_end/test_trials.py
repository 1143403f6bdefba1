"""Canary, shadow and gate as an operator uses them: the command line beside a running service."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_store import ModelStore
from tests import colour_model
from tests.conftest import ROOT, picture
from tests.test_end_to_end.conftest import RunningService, colour_service, wait_until

pytestmark = pytest.mark.end_to_end

ALIKE, DIFFERENT = (0, 1, 2), (1, 2, 0)
PRODUCTION, AGREES, DISAGREES, BROKEN = 1, 2, 3, 4


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of `colours`: production, one that agrees, one that does not, one damaged."""
    directory = tmp_path_factory.mktemp("trial-models")
    for order in (ALIKE, ALIKE, DIFFERENT, ALIKE):
        colour_model.publish(directory, order=order)
    (artifact,) = (directory / "colours" / str(BROKEN)).rglob("model.bin")
    artifact.write_bytes(b"damaged")
    return directory


@pytest.fixture(scope="module")
def service(
    directory: Path,
    tmp_path_factory: pytest.TempPathFactory,
    original_environment: dict[str, str],
) -> Iterator[RunningService]:
    """A service that classifies with `colours`."""
    state = tmp_path_factory.mktemp("trial-state")
    with colour_service(str(directory), state, original_environment) as running:
        yield running


@pytest.fixture(scope="module")
def red(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A red picture."""
    path = tmp_path_factory.mktemp("picture") / "red.jpg"
    path.write_bytes(picture("red"))
    return path


def petiole(service: RunningService, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `petiole models …` as a user beside the service does."""
    return subprocess.run(
        [sys.executable, "-m", "petiole", "models", *words],
        cwd=ROOT,
        env={**service.environment, "REDIS_URL": service.redis_url},
        capture_output=True,
        text=True,
        check=False,
    )


def versions(service: RunningService, red: Path, n: int) -> Counter[int]:
    """Classify a picture n times and count the versions that answered."""
    return Counter(service.classify(red, wait=30).json()["model_version"] for _ in range(n))


def test_a_canary_takes_its_share_and_shows_its_figures(service: RunningService, red: Path) -> None:
    """From the moment the command returns; `show` and `/metrics` have what was seen."""
    begun = petiole(service, "canary", f"colours@{DISAGREES}", "--percent", "50")
    answered = versions(service, red, 40)
    shown = petiole(service, "show", "colours").stdout
    metrics = service.get("/metrics").text
    ended = petiole(service, "end", "colours")

    assert (begun.returncode, ended.returncode) == (0, 0)
    # Binomial, n = 40, p = 0.5: mean 20, standard deviation 3.2; four of them on each side.
    assert 7 <= answered[DISAGREES] <= 33
    assert answered[DISAGREES] + answered[PRODUCTION] == 40
    assert f"canary of colours@{DISAGREES} on 50 %" in shown
    assert "0.000" in shown
    assert f'kind="canary",measure="compared",model="colours",number="1",version="{DISAGREES}"' in (
        metrics
    )


def test_a_share_that_cannot_be_honoured_is_an_error(service: RunningService, red: Path) -> None:
    """The command fails with the reason, and the trial is taken back."""
    refused = petiole(service, "canary", f"colours@{BROKEN}", "--percent", "10")

    assert refused.returncode == 1
    assert "model.bin" in refused.stderr
    assert service.get("/models").json()["models"][0]["rollout"] is None
    assert set(versions(service, red, 10)) == {PRODUCTION}


def test_a_model_that_nobody_asked_for_can_be_tried(
    service: RunningService, directory: Path, red: Path
) -> None:
    """The children load it for the trial; the command does not wait for somebody's picture."""
    for order in (ALIKE, DIFFERENT):
        colour_model.publish(directory, name="shades", order=order)
    begun = petiole(service, "canary", "shades@2", "--percent", "100")
    answer = service.classify(red, wait=30, model="shades").json()
    ended = petiole(service, "end", "shades@2")

    assert (begun.returncode, ended.returncode) == (0, 0), begun.stderr
    assert answer["model_version"] == 2


@pytest.mark.parametrize(
    ("version", "promoted"), [(DISAGREES, False), (AGREES, True)], ids=["rolled back", "promoted"]
)
def test_the_gate_decides_by_itself(
    service: RunningService, directory: Path, red: Path, version: int, promoted: bool
) -> None:
    """After the stated number of comparisons, by the stated agreement."""
    words = ("--percent", "100", "--promote-if-agreement", "0.97", "--for", "20")
    petiole(service, "shadow", f"colours@{version}", *words, "--max-slowdown", "100")
    before = versions(service, red, 25)
    store = ModelStore.open(str(directory))
    outcome = wait_until(lambda: store.last_rollout_outcome("colours"))
    expected = version if promoted else PRODUCTION
    wait_until(lambda: set(versions(service, red, 6)) == {expected})

    assert set(before) <= {PRODUCTION, expected}
    assert outcome.startswith("promoted" if promoted else "rolled back")


def test_rollback_is_one_command(service: RunningService, red: Path) -> None:
    """After the promotion of the last test, or of any other."""
    petiole(service, "promote", f"colours@{AGREES}")
    wait_until(lambda: set(versions(service, red, 4)) == {AGREES})
    answer = petiole(service, "rollback", "colours", "--json")
    wait_until(lambda: set(versions(service, red, 4)) == {PRODUCTION})

    assert json.loads(answer.stdout)["version"] == PRODUCTION


@pytest.mark.parametrize(
    "words",
    [
        ("canary", "colours"),
        ("canary", f"colours@{PRODUCTION}"),
        ("canary", "colours@2", "--percent", "0"),
        ("canary", "colours@2", "--percent", "101"),
        ("shadow", "colours@2", "--promote-if-agreement", "1.5"),
        ("end", "colours"),
    ],
)
def test_wrong_usage_is_said_with_exit_code_2(
    service: RunningService, words: tuple[str, ...]
) -> None:
    """An impossible share or a version that makes no sense is never silently ignored."""
    assert petiole(service, *words).returncode == 2
