"""Gates that have to be sure, and guards of versions that were promoted; with real networks."""

from pathlib import Path

import pytest

from model_store import ModelStore
from model_store.rollouts import Gate, Guard, Rollout
from tasks import audit, loaded_models, stores, trials
from tasks.job_stores.findings import Findings, MemoryFindings, Recent, RedisFindings
from tasks.settings import TasksSettings
from tasks.verdicts import THE_GATE, THE_GUARD
from tests import colour_model
from tests.test_tasks.test_trials import begin, classify

ALIKE, DIFFERENT = (0, 1, 2), (1, 2, 0)
SURE = Gate(0.97, 5, max_slowdown=1000, sure_agreement=0.6, guard_percent=100)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    """Version 1 in production, version 2 the same network, version 3 with other labels."""
    for order in (ALIKE, ALIKE, DIFFERENT):
        colour_model.publish(tmp_path, order=order)
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", str(tmp_path))
    loaded_models.get("colours")
    return ModelStore.open(str(tmp_path))


def look() -> None:
    """Let this process see what production and trials are now."""
    loaded_models.of_this_process().refresh()
    trials.of_this_process().refresh()


def guarded(store: ModelStore, version: int, *, comparisons: int = 8) -> None:
    """Promote a version by hand, guarded by the first one on every picture."""
    store.promote("colours", version)
    guard = Guard(version, 0.97, comparisons)
    store.begin_rollout("colours", Rollout("shadow", 1, 100.0, guard=guard))
    look()


def test_what_was_promoted_is_guarded_by_what_was_before(store: ModelStore) -> None:
    """As the gate says; the former version sees the pictures besides and answers none."""
    begin(store, 2, kind="shadow", gate=SURE)
    classify(5)
    look()
    rollout = store.rollout("colours")
    documents = classify(3)

    assert (rollout.kind, rollout.version, rollout.percent) == ("shadow", 1, 100)
    assert rollout.guard == Guard(2, 0.97, 400)
    assert {document["model_version"] for document in documents} == {2}
    begun = stores.audit().latest(1)[0]
    assert (begun.what, begun.subject, begun.by) == (audit.TRIAL_BEGUN, "colours@2", THE_GATE)
    assert stores.findings().recent("colours", rollout.number) == Recent(3, 3)


def test_agreement_on_few_pictures_is_not_sure(store: ModelStore) -> None:
    """Five of five are surely 65 % (Wilson); the reason is kept, so nobody tries again at once."""
    gate = Gate(0.97, 5, max_slowdown=1000, sure_agreement=0.66, guard_percent=2)
    begin(store, 2, kind="shadow", gate=gate)
    classify(5)

    assert store.resolve("colours") == ("colours", 1)
    assert "rolled back: agreement 1.000" in store.last_rollout_outcome("colours")
    assert "rolled back" in stores.findings().int8("colours@1").outcome


def test_a_drop_of_agreement_takes_back(store: ModelStore) -> None:
    """The former version is production again; how it ended is told and kept."""
    guarded(store, 3)
    classify(4)
    look()
    (document,) = classify()

    assert store.resolve("colours") == ("colours", 1)
    assert document["model_version"] == 1
    assert store.last_rollout_outcome("colours").startswith(
        "taken back: agreement of version 3 with 1 is 0.000 on the last 2 pictures"
    )
    assert "taken back" in stores.findings().int8("colours@1").outcome


def test_a_guard_does_not_take_back_what_agrees(store: ModelStore) -> None:
    """However many pictures it sees, it remembers the last ones."""
    guarded(store, 2)
    classify(12)

    assert store.resolve("colours") == ("colours", 2)
    assert stores.findings().recent("colours", store.rollout("colours").number) == Recent(8, 8)


def test_a_guard_of_what_is_no_longer_production_ends(store: ModelStore) -> None:
    """It never takes back what somebody promoted by hand, however little that agrees."""
    guarded(store, 2)
    store.promote("colours", 3)
    look()
    classify(10)

    assert store.resolve("colours") == ("colours", 3)
    assert store.rollout("colours") is None
    assert store.last_rollout_outcome("colours") == ("over: production is 3, and 2 needs no guard")
    ended = stores.audit().latest(1)[0]
    assert (ended.what, ended.subject, ended.by) == (audit.TRIAL_ENDED, "colours@2", THE_GUARD)


@pytest.fixture(params=["memory", "redis"])
def findings(request: pytest.FixtureRequest) -> Findings:
    """Each implementation in turn."""
    if request.param == "memory":
        return MemoryFindings()
    return RedisFindings(TasksSettings(job_store_url=request.getfixturevalue("redis_url")))


def test_the_last_comparisons_count(findings: Findings) -> None:
    """Of each trial its own."""
    for agreed in (False, False, True, True, False, True):
        findings.note("colours", 7, agreed=agreed, most=4)

    assert findings.recent("colours", 7) == Recent(4, 3)
    assert findings.recent("colours", 8) == Recent(0, 0)


def test_what_became_of_int8_is_known_by_its_version(findings: Findings) -> None:
    """With its reason; of another version nothing is known."""
    findings.note_int8("colours@7", "it differs")

    assert findings.int8("colours@7").outcome == "it differs"
    assert findings.int8("colours@8") is None
