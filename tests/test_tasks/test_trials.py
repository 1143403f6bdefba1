"""Canary, shadow and the gate, with real networks in this process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest

from model_store import ModelStore
from model_store.rollouts import Gate, Rollout
from tasks import loaded_models, statistics, stores, submission, trials
from tasks.submission import Asked
from tests import colour_model
from tests.conftest import picture

ALIKE, DIFFERENT = (0, 1, 2), (1, 2, 0)
ROOT_USER, NOBODY = 0, 65_534


@pytest.fixture
def models() -> Iterator[Path]:
    """Version 1 in production, version 2 the same network, version 3 with other labels."""
    with TemporaryDirectory() as directory:
        # Unlike pytest's own directories it can be reached by any user, see `without_writing`.
        Path(directory).chmod(0o755)
        for order in (ALIKE, ALIKE, DIFFERENT):
            colour_model.publish(Path(directory), order=order)
        yield Path(directory)


@pytest.fixture
def store(models: Path, monkeypatch: pytest.MonkeyPatch) -> ModelStore:
    """These models in a process that has answered with `colours`, and knows nothing else."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", str(models))
    loaded_models.get("colours")
    return ModelStore.open(str(models))


@contextmanager
def without_writing(directory: Path) -> Iterator[None]:
    """Read like anybody and write to nothing of it, as a worker in a container does."""
    modes = {path: path.stat().st_mode for path in [directory, *directory.rglob("*")]}
    for path in modes:
        path.chmod(0o555 if path.is_dir() else 0o444)
    user = os.geteuid()
    if user == ROOT_USER:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        for path, mode in modes.items():
            path.chmod(mode)


def begin(store: ModelStore, version: int, **options: object) -> Rollout:
    """Start a trial and let this process see it."""
    defaults = {"kind": "canary", "percent": 100.0}
    rollout = store.begin_rollout("colours", Rollout(version=version, **{**defaults, **options}))
    trials.of_this_process().refresh()
    return rollout


def classify(n: int = 1, model: str = "colours") -> list[dict]:
    """Classify red pictures and return their documents."""
    import json

    answers = [
        submission.submit_upload(
            picture("red"), filename="r", asked=Asked(model, top_k=1), wait_seconds=5
        )
        for _ in range(n)
    ]
    return [json.loads(answer.document) for answer in answers]


def seen(rollout: Rollout) -> statistics.TrialTotals:
    """Return what was counted for a trial."""
    return statistics.trial_totals(stores.job_store().counts(), "colours", rollout)


def test_a_canary_answers_its_share(store: ModelStore) -> None:
    """By hash of the task id: the same id always falls on the same side."""
    begin(store, 2, percent=30.0)
    documents = classify(60)
    by_hash = [trials.share_of(d["task_id"]) < 30.0 for d in documents]

    assert [d["model_version"] == 2 for d in documents] == by_hash
    assert 0 < sum(by_hash) < 60


def test_shares_are_even() -> None:
    """A thousand random ids, a share of 10 %: within five standard deviations."""
    hits = sum(trials.share_of(str(uuid4())) < 10 for _ in range(1000))

    # Binomial: mean 100, standard deviation sqrt(1000 * 0.1 * 0.9) = 9.5
    assert abs(hits - 100) < 48


def test_a_shadow_never_answers_but_is_compared(store: ModelStore) -> None:
    """The client sees production; the counts see both."""
    rollout = begin(store, 3, kind="shadow")
    documents = classify(5)

    assert {d["model_version"] for d in documents} == {1}
    assert (seen(rollout).compared, seen(rollout).agreed) == (5, 0)


def test_an_exact_version_is_in_no_trial(store: ModelStore) -> None:
    """Who asked for version 1 gets version 1."""
    rollout = begin(store, 2)

    assert classify(model="colours@1")[0]["model_version"] == 1
    assert seen(rollout).compared == 0


def test_the_gate_promotes_what_agrees(store: ModelStore) -> None:
    """After as many comparisons as it wants, and the former version stays as `previous`."""
    begin(store, 2, gate=Gate(agreement=0.97, comparisons=10, max_slowdown=1000))
    classify(9)
    before = store.resolve("colours")
    classify(1)

    assert before == ("colours", 1)
    assert store.resolve("colours") == ("colours", 2)
    assert store.resolve("colours@previous") == ("colours", 1)
    assert store.last_rollout_outcome("colours").startswith("promoted")


def test_a_worker_that_may_not_write_leaves_the_verdict_to_one_that_may(
    store: ModelStore, models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every comparison counts, and is said once to wait; the verdict is then carried out."""
    classify()  # What is imported late is there before the user changes.
    rollout = begin(store, 2, gate=Gate(agreement=0.97, comparisons=3, max_slowdown=1000))
    with without_writing(models):
        classify(5)
    compared, before = seen(rollout).compared, store.resolve("colours")
    ended = trials.judge_all()

    assert (compared, before) == (5, ("colours", 1))
    assert [r.message for r in caplog.records if r.levelname != "INFO"] == [
        "verdict left to others"
    ]
    assert ended["colours"].startswith("promoted: agreement 1.000 on 5 pictures")
    assert store.resolve("colours") == ("colours", 2)


def test_a_judge_leaves_what_is_not_due(store: ModelStore, models: Path) -> None:
    """A trial with too few comparisons, or without a gate, goes on."""
    colour_model.publish(models, name="shades")
    store.begin_rollout("shades", Rollout("canary", 1, 10.0))
    begin(store, 2, gate=Gate(agreement=0.97, comparisons=3))
    classify(2)

    assert trials.judge_all() == {}
    assert store.names_on_trial() == ("colours", "shades")


def test_the_gate_rolls_back_what_differs(store: ModelStore) -> None:
    """Production stays, the trial is over, and its outcome says by how much it differed."""
    begin(store, 3, gate=Gate(agreement=0.97, comparisons=5, max_slowdown=1000))
    classify(5)
    trials.of_this_process().refresh()
    later = classify(3)

    assert store.resolve("colours") == ("colours", 1)
    assert "rolled back: agreement 0.000" in store.last_rollout_outcome("colours")
    assert {d["model_version"] for d in later} == {1}


def test_a_canary_that_breaks_costs_nobody_an_answer(store: ModelStore) -> None:
    """Production answers in its place, and the error is counted."""
    rollout = begin(store, 2)
    candidate = loaded_models.of_this_process().held("colours", 2)
    candidate.artifact._request = None
    (document,) = classify()

    assert (document["state"], document["model_version"]) == ("SUCCESS", 1)
    assert seen(rollout).errors >= 1


def test_a_candidate_that_cannot_be_loaded_is_counted(store: ModelStore, models: Path) -> None:
    """Its share is not silently ignored: the reason is kept, the unserved pictures counted."""
    (artifact,) = (models / "colours" / "2").rglob("model.bin")
    artifact.write_bytes(b"")
    rollout = begin(store, 2)
    (document,) = classify()

    assert document["model_version"] == 1
    assert seen(rollout).unserved == 1
    assert "colours@2" in loaded_models.of_this_process().refused


def test_a_model_that_nobody_asked_for_yet_is_followed(store: ModelStore, models: Path) -> None:
    """Its production and its candidate are loaded: asking for them is the trial's own job."""
    for order in (ALIKE, DIFFERENT):
        colour_model.publish(models, name="shades", order=order)
    rollout = store.begin_rollout("shades", Rollout("canary", 2, 100.0))
    changed = trials.of_this_process().refresh()

    assert changed
    assert trials.of_this_process().numbers == {"shades": rollout.number}
    assert {m.partition(" ")[0] for m in loaded_models.of_this_process().loaded} == {
        *("colours@1", "shades@1", "shades@2")
    }
    assert classify(model="shades")[0]["model_version"] == 2


def test_a_trial_that_ended_is_followed_no_more(store: ModelStore) -> None:
    """Also one of a model that nobody asks for."""
    rollout = begin(store, 2)
    store.end_rollout("colours", rollout.number, outcome="ended by hand")

    assert trials.of_this_process().refresh()
    assert trials.of_this_process().numbers == {}


def test_a_production_that_cannot_be_loaded_is_refused_and_told(
    store: ModelStore, models: Path
) -> None:
    """The look at the other models goes on, and the reason is kept."""
    for _ in range(2):
        colour_model.publish(models, name="shades")
    (artifact,) = (models / "shades" / "1").rglob("model.bin")
    artifact.write_bytes(b"")
    store.begin_rollout("shades", Rollout("canary", 2, 100.0))
    begin(store, 2)

    assert set(trials.of_this_process().numbers) == {"colours", "shades"}
    assert "shades@1" in loaded_models.of_this_process().refused


def test_only_one_of_many_ends_a_trial(store: ModelStore) -> None:
    """Workers that judge at the same time agree on one verdict."""
    rollout = begin(store, 2)
    ended = [store.end_rollout("colours", rollout.number, outcome=str(i)) for i in range(3)]

    assert ended == [True, False, False]
    assert store.last_rollout_outcome("colours") == "0"
