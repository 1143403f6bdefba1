"""A trial's promotion is done when it is recorded as done, whatever is killed, and done once."""

import signal
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import pytest

from model_store import ModelCard, ModelStore, promotions, rollouts
from model_store.aliases import AliasChange
from model_store.rollouts import Rollout
from tests import killed_writers

NAME, OUTCOME = "flowers", "promoted: agreement 1.000"

CONCLUDE = """
from model_store import ModelStore

url, number, outcome = sys.argv[1:]
store = ModelStore.open(url)
begin()
print(store.conclude_rollout("flowers", int(number), outcome=outcome, promote=True))
"""

# What is written: production's first move, the verdict, `previous`, production's move, the end.
MOMENTS = killed_writers.moments(5)


@pytest.fixture
def shared(shared_url: str, files: Path, draft: ModelCard) -> ModelStore:
    """A store of each kind that processes can share: version 1 in production, 2 and 3 beside it."""
    store = ModelStore.open(shared_url, cache_directory=files.parent / "cache")
    for _ in range(3):
        store.publish(files, draft)
    return store


def begin(store: ModelStore, version: int = 2) -> Rollout:
    """Start a trial of a version."""
    return store.begin_rollout(NAME, Rollout("shadow", version, 100.0))


def conclude(store: ModelStore, rollout: Rollout, outcome: str = OUTCOME) -> bool:
    """End a trial with its version in production."""
    return store.conclude_rollout(NAME, rollout.number, outcome=outcome, promote=True)


def state(store: ModelStore) -> tuple[dict[str, int], list[int], str]:
    """Return the aliases, what production was until now, and how the last trial ended."""
    moves = [change.version for change in store.history(NAME)]
    return store.aliases(NAME), moves, store.last_rollout_outcome(NAME)


DONE = ({"previous": 1, "production": 2}, [1, 2], OUTCOME)


@pytest.mark.parametrize("moment", MOMENTS[:-1])
def test_a_promotion_that_was_killed_is_done_by_the_next_worker(
    shared: ModelStore, shared_url: str, moment: str
) -> None:
    """Until the end is written the trial runs, and nothing says that it was promoted."""
    rollout = begin(shared)
    worker = killed_writers.start(
        CONCLUDE, shared_url, str(rollout.number), OUTCOME, kill_at=moment
    )
    worker.communicate("go\n", timeout=60)

    assert (worker.returncode, shared.rollout(NAME)) == (-signal.SIGKILL, rollout)
    assert shared.last_rollout_outcome(NAME) == ""
    assert conclude(shared, rollout)
    assert (state(shared), shared.rollout(NAME)) == (DONE, None)


def test_a_worker_killed_after_its_last_write_has_promoted(
    shared: ModelStore, shared_url: str
) -> None:
    """The end is what makes it so, and nothing is missing by then."""
    rollout = begin(shared)
    arguments = (shared_url, str(rollout.number), OUTCOME)
    killed_writers.start(CONCLUDE, *arguments, kill_at=MOMENTS[-1]).communicate("go\n", timeout=60)

    assert (conclude(shared, rollout), state(shared)) == (False, DONE)


def test_of_many_workers_one_promotes(store: ModelStore, files: Path, draft: ModelCard) -> None:
    """Production moves once, and one of them is told that it did it."""
    for _ in range(2):
        store.publish(files, draft)
    rollout = begin(store)
    with ThreadPoolExecutor(8) as pool:
        concluded = list(pool.map(lambda _: conclude(store, rollout), range(8)))

    assert (sum(concluded), state(store)) == (1, DONE)


def test_the_first_verdict_holds(shared: ModelStore) -> None:
    """A worker that has seen other numbers ends with the promotion that was decided before."""
    rollout = begin(shared)
    _decide(shared, rollout)

    assert not shared.end_rollout(NAME, rollout.number, outcome="rolled back")
    assert state(shared) == DONE


def test_a_new_trial_does_not_lose_a_decided_promotion(shared: ModelStore) -> None:
    """It is done first, though its worker is gone."""
    _decide(shared, begin(shared))
    later = begin(shared, 3)

    assert shared.aliases(NAME) == {"previous": 1, "production": 2}
    assert shared.rollout(NAME) == later


def test_a_late_worker_does_not_undo_what_was_done_by_hand(shared: ModelStore) -> None:
    """Production that was moved since the verdict stays, and the outcome does not say promoted."""
    rollout = begin(shared)
    _decide(shared, rollout)
    shared.promote(NAME, 3)
    conclude(shared, rollout)

    aliases, _, outcome = state(shared)
    assert aliases == {"previous": 1, "production": 3}
    assert outcome.startswith("not promoted, production was moved to 3 by hand")


def test_a_verdict_on_what_is_production_already_keeps_previous(shared: ModelStore) -> None:
    """A gate that passes after a promotion by hand leaves a version to go back to."""
    rollout = begin(shared)
    shared.promote(NAME, 2)

    assert (conclude(shared, rollout), state(shared)) == (True, DONE)
    assert shared.rollback(NAME) == 1


def test_a_version_that_was_removed_is_not_promoted(shared: ModelStore) -> None:
    """A model whose production is not there would answer nobody."""
    rollout = begin(shared)
    shared.remove(NAME, 2)

    assert conclude(shared, rollout)
    assert shared.resolve(NAME) == (NAME, 1)
    assert shared.last_rollout_outcome(NAME).startswith("not promoted, the version was removed")


def test_a_trial_that_is_over_is_not_concluded(shared: ModelStore) -> None:
    """Nor one in whose place another one began."""
    first, second = begin(shared), begin(shared, 3)

    assert not conclude(shared, first)
    assert conclude(shared, second)
    assert (conclude(shared, second), shared.resolve(NAME)) == (False, (NAME, 3))


def test_promotions_by_hand_at_once_leave_a_whole_history(
    store: ModelStore, files: Path, draft: ModelCard
) -> None:
    """Each former version is the one that the history has before it."""
    for _ in range(9):
        store.publish(files, draft)
    with ThreadPoolExecutor(8) as pool:
        formers = list(pool.map(lambda version: store.promote(NAME, version), range(2, 10)))

    moves = [change.version for change in store.history(NAME)]
    assert sorted(moves) == list(range(1, 10))
    assert sorted(pairwise(moves)) == sorted(zip(formers, range(2, 10), strict=True))


@pytest.mark.parametrize(
    ("moves", "version", "former"),
    [
        ([1, 2], 2, 1),
        ([1, 2, 3], 2, 1),
        ([1, 2, 1], 1, None),
        ([1, 2, 3, 2], 2, 1),
        ([1, 2, 1, 3], 3, 1),
        ([1, 2, 1], 2, None),
        ([], 1, None),
    ],
)
def test_what_was_taken_back_was_promoted_over_by_nothing(
    moves: list[int], version: int, former: int | None
) -> None:
    """A version is promoted over the newest one before it that nobody went back from."""
    history = [AliasChange(moved_to, "") for moved_to in moves]

    assert promotions.promoted_over(history, version) == former


def _decide(store: ModelStore, rollout: Rollout) -> None:
    """Leave the store as a worker does that is killed right after its verdict."""
    move = promotions.begun(store._objects, NAME)
    rollouts.decide(store._objects, NAME, rollout, outcome=OUTCOME, production_move=move)
