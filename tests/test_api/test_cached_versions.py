"""The same picture again where versions change: whatever answers says so, and is asked for anew."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from api import catalog
from model_store import ModelStore
from model_store.rollouts import Rollout
from tasks import loaded_models, once, trials
from tasks.shares import share_of
from tests import colour_model
from tests.test_api.test_caching import client, on, said, send

__all__ = ["client", "on"]


@pytest.fixture
def store(client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    """The first one is in production, and has answered."""
    for order in ((0, 1, 2), (1, 2, 0)):
        colour_model.publish(tmp_path, order=order)
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", str(tmp_path))
    monkeypatch.setattr(catalog, "REMEMBER_SECONDS", 0.0)
    once.begin_anew()
    assert said(send(client), send(client)) == ["miss", "hit"]
    return ModelStore.open(str(tmp_path))


def test_a_promotion_is_a_miss_and_a_rollback_a_hit(client: FlaskClient, store: ModelStore) -> None:
    """Each version has answers of its own."""
    store.promote("colours", 2)
    loaded_models.of_this_process().refresh()
    after = send(client), send(client)
    store.promote("colours", 1)
    loaded_models.of_this_process().refresh()
    back = send(client)

    assert said(*after, back) == ["miss", "hit", "hit"]
    assert [each.json["model_version"] for each in (*after, back)] == [2, 2, 1]


def test_nothing_is_kept_of_a_version_that_answers_for_another(
    client: FlaskClient, store: ModelStore
) -> None:
    """While a child has not followed yet, or could not load what was promoted."""
    store.promote("colours", 2)
    loaded_models.of_this_process().watch(lambda: None)  # it follows no more
    answers = send(client), send(client)

    assert said(*answers) == ["miss", "miss"]
    assert [each.json["model_version"] for each in answers] == [1, 1]


@pytest.mark.parametrize(("kind", "answers"), [("canary", {1, 2}), ("shadow", {1})])
def test_a_trial_sees_its_share(
    client: FlaskClient, store: ModelStore, kind: str, answers: set[int]
) -> None:
    """As many pictures as without a cache, by their task ids; the others are hits."""
    store.begin_rollout("colours", Rollout(kind, version=2, percent=30))
    trials.of_this_process().refresh()
    found = [send(client) for _ in range(40)]

    for each in found:
        is_in_share = share_of(each.json["task_id"]) < 30
        assert said(each) == ["miss" if is_in_share else "hit"]
    assert {each.json["model_version"] for each in found} == answers
