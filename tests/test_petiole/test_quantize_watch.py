"""When int8 is due by itself, and the setting that lets it be."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from model_store import ModelStore
from model_store.rollouts import Rollout
from petiole import parts, quantize_watch
from petiole.settings import UpSettings
from tasks import stores
from tests import colour_model, saturating
from tests.test_petiole.test_rollout_commands import models


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    """A store with two versions of `colours`, neither in int8, which the settings name."""
    for _ in range(2):
        colour_model.publish(tmp_path)
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", str(tmp_path))
    return ModelStore.open(str(tmp_path))


def test_a_version_that_was_tried_is_left_alone(store: ModelStore) -> None:
    """For a week, however that went; another version is due."""
    before = quantize_watch.is_due(store, "colours")
    stores.findings().note_int8("colours@1", "it became colours@2")
    after = quantize_watch.is_due(store, "colours")
    store.promote("colours", 2)

    assert (before, after) == (True, False)
    assert quantize_watch.is_due(store, "colours")


def test_a_model_on_trial_is_left_alone(store: ModelStore) -> None:
    """Whatever tries it: one trial at a time."""
    store.begin_rollout("colours", Rollout("canary", 2, 10.0))

    assert not quantize_watch.is_due(store, "colours")


@pytest.mark.parametrize("has_fingerprint", [True, False])
def test_int8_that_serves_nowhere_is_made_anew(store: ModelStore, has_fingerprint: bool) -> None:
    """That of a version from before there were fingerprints; other int8 is left alone."""
    saturating.publish(store, saturating.carefully, has_fingerprint=has_fingerprint)

    assert quantize_watch.is_due(store, "saturating") is not has_fingerprint


def test_it_is_off_unless_it_is_wanted(tmp_path: Path) -> None:
    """Pictures are kept for nobody who has not said so; then one part more is started."""
    off, on = (UpSettings(state_directory=tmp_path, int8_from_traffic=n) for n in (0, 200))
    names = [[part.name for part in parts.plan(up, {}).parts] for up in (off, on)]
    (part,) = (part for part in parts.plan(on, {}).parts if part.name == "quantizer")

    assert UpSettings().int8_from_traffic == 0
    assert {*names[1]} - {*names[0]} == {"quantizer"}
    assert part.command[2:] == (
        *("petiole", "models", "quantize", "colours", "--from-traffic", "200", "--watch"),
    )


def test_too_few_are_refused_at_once() -> None:
    """Not by a part that is started again and again."""
    with pytest.raises(ValidationError, match="half of them judge int8, so 100 are needed"):
        UpSettings(int8_from_traffic=99)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--from-traffic", "99"),
        ("--from-traffic", "401"),
        ("--from-traffic", "100", "--images", "."),
        ("--images", ".", "--watch"),
    ],
)
def test_wrong_usage_collects_nothing(store: ModelStore, words: tuple[str, ...]) -> None:
    """It is told with exit code 2."""
    assert models("quantize", "colours", *words).exit_code == 2


def test_without_a_service_nothing_is_waited_for(store: ModelStore) -> None:
    """The line says what to do."""
    refused = models("quantize", "colours", "--from-traffic", "100")

    assert refused.exit_code == 1
    assert "no child of a classify worker is ready, so no pictures come" in refused.stderr


def test_what_is_on_trial_already_is_said(store: ModelStore) -> None:
    """Another trial would end the first."""
    store.begin_rollout("colours", Rollout("canary", 2, 10.0))
    refused = models("quantize", "colours", "--from-traffic", "100")

    assert refused.exit_code == 1
    assert "a canary of colours@2 runs, and a model has one trial at a time" in refused.stderr
