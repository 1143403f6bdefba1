"""Models in a worker's memory: swaps, refusals, and the memory bound, with real networks."""

from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest

from model_store import ModelStore, ModelStoreError, turns
from model_store.errors import CorruptVersionError
from model_store.settings import ModelSettings
from tasks.loaded_models import LoadedModels
from tests import colour_model, saturating


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """A store with two versions of `colours`, the first in production."""
    for _ in range(2):
        colour_model.publish(tmp_path / "models")
    return ModelStore.open(str(tmp_path / "models"))


def loaded(tmp_path: Path, **settings: object) -> LoadedModels:
    """Return an empty memory over the store of this test."""
    defaults = {
        "store_url": str(tmp_path / "models"),
        "cache_directory": tmp_path / "cache",
        "default_model": "colours",
    }
    return LoadedModels(ModelSettings(**{**defaults, **settings}), children=2)


def version_of(models: LoadedModels, reference: str = "colours") -> int:
    """Return the version that answers for a reference now."""
    return models.get(reference).card.version


def damage(tmp_path: Path, version: int, *, name: str = "colours") -> Path:
    """Flip one byte of a version's artifact."""
    (artifact,) = (tmp_path / "models" / name / str(version)).rglob("model.bin")
    content = bytearray(artifact.read_bytes())
    content[0] ^= 0xFF
    artifact.write_bytes(content)
    return artifact


def test_a_promoted_version_takes_over_at_the_next_refresh(
    store: ModelStore, tmp_path: Path
) -> None:
    """Not before: a picture never waits for a model that is being loaded."""
    models = loaded(tmp_path)
    before = version_of(models)
    store.set_alias("colours", "production", 2)
    meanwhile = version_of(models)
    changed = models.refresh()

    assert (before, meanwhile, changed) == (1, 1, True)
    assert version_of(models) == 2
    assert models.refresh() is False


def test_a_damaged_version_never_takes_over(store: ModelStore, tmp_path: Path) -> None:
    """The old one goes on answering, and the reason names the file."""
    models = loaded(tmp_path)
    models.get("colours")
    artifact = damage(tmp_path, 2)
    store.set_alias("colours", "production", 2)
    changed = models.refresh()

    assert (changed, version_of(models)) == (True, 1)
    assert artifact.name in models.refused["colours@2"]
    assert models.refresh() is False


def test_going_back_heals(store: ModelStore, tmp_path: Path) -> None:
    """After a refused promotion the old version is simply in service."""
    models = loaded(tmp_path)
    models.get("colours")
    damage(tmp_path, 2)
    store.set_alias("colours", "production", 2)
    models.refresh()
    store.set_alias("colours", "production", 1)

    assert models.refresh() is False
    assert version_of(models) == 1


def test_an_exact_version_stays_what_it_is(store: ModelStore, tmp_path: Path) -> None:
    """A promotion moves the name, not those who asked for a version."""
    models = loaded(tmp_path)
    versions = [version_of(models, f"colours@{n}") for n in (1, 2)]
    store.set_alias("colours", "production", 2)
    models.refresh()

    assert versions == [1, 2]
    assert version_of(models, "colours@1") == 1


def test_an_unreachable_store_is_no_reason_to_stop(store: ModelStore, tmp_path: Path) -> None:
    """What is in memory goes on answering."""
    models = loaded(tmp_path)
    models.get("colours")
    (tmp_path / "models").rename(tmp_path / "gone")

    assert models.refresh() is False
    assert version_of(models) == 1


def test_first_loads_take_turns_too(store: ModelStore, tmp_path: Path) -> None:
    """Children that begin together do not all measure and load on the same cores at once."""
    loaded(tmp_path).get("colours")  # what is imported is not what is waited for
    models = loaded(tmp_path)
    child = Thread(target=models.get, args=("colours",))
    with turns.alone(tmp_path / "cache"):
        child.start()
        child.join(timeout=1)
        meanwhile = models.loaded
    child.join(timeout=30)

    assert (meanwhile, len(models.loaded)) == ([], 1)


def test_an_unknown_model_is_an_error(store: ModelStore, tmp_path: Path) -> None:
    """It names the known ones."""
    with pytest.raises(ModelStoreError, match="colours"):
        loaded(tmp_path).get("cats")


def test_the_least_recently_used_model_is_dropped(store: ModelStore, tmp_path: Path) -> None:
    """The default one stays; a dropped one is loaded again when it is asked for."""
    colour_model.publish(tmp_path / "models", name="others")
    models = loaded(tmp_path, max_loaded_bytes=1)
    for reference in ("colours", "others", "colours@2"):
        models.get(reference)
    in_memory = [ref.partition(" ")[0] for ref in models.loaded]

    assert in_memory == ["colours@1", "colours@2"]
    assert models.get("others").card.name == "others"


def test_a_refused_version_does_not_come_back_by_the_door_of_memory(
    store: ModelStore, tmp_path: Path
) -> None:
    """A model that was dropped is loaded again as the version that answered before."""
    for _ in range(2):
        colour_model.publish(tmp_path / "models", name="others")
    models = loaded(tmp_path, max_loaded_bytes=1)
    models.get("others")
    damage(tmp_path, 2, name="others")
    store.promote("others", 2)
    models.refresh()
    models.get("colours@2")  # takes the place in memory

    assert not any(ref.startswith("others") for ref in models.loaded)
    assert version_of(models, "others") == 1
    assert "others@2" in models.refused


def test_a_new_child_goes_on_with_what_was_promoted_over(store: ModelStore, tmp_path: Path) -> None:
    """It has no version that answered before, but the store knows the former production."""
    damage(tmp_path, 2)
    store.promote("colours", 2)
    models = loaded(tmp_path)

    assert version_of(models) == 1
    assert "model.bin" in models.refused["colours@2"]


@pytest.mark.parametrize(
    ("moves", "answers"),
    [
        ([2, 1], "none"),
        ([2, 3, 2], 1),
        ([2, 1, 3], 1),
        ([2, 1, 2, 3], 2),
        ([2, 3, 1], "none"),
    ],
)
def test_a_version_that_was_rolled_back_does_not_come_back(
    store: ModelStore, tmp_path: Path, moves: list[int], answers: int | str
) -> None:
    """A new child falls back to what production was promoted over, never to what it replaced."""
    colour_model.publish(tmp_path / "models")
    for version in moves:
        store.promote("colours", version)
    damage(tmp_path, moves[-1])
    models = loaded(tmp_path)
    try:
        answered: int | str = version_of(models)
    except CorruptVersionError:
        answered = "none"

    assert answered == answers


def test_a_refused_version_is_not_loaded_for_every_picture(
    store: ModelStore, tmp_path: Path
) -> None:
    """Its reason is kept for half a minute, also for those who asked for exactly this one."""
    artifact = damage(tmp_path, 2)
    models = loaded(tmp_path)
    reasons = []
    for _ in range(2):
        with pytest.raises(ModelStoreError, match=r"model\.bin") as caught:
            models.get("colours@2")
        reasons.append(caught.value)
        artifact.unlink(missing_ok=True)

    assert reasons[0] is reasons[1]


def test_both_versions_answer_while_one_is_loaded(store: ModelStore, tmp_path: Path) -> None:
    """The old model object is still whole after the new one took over."""
    models = loaded(tmp_path)
    old = models.get("colours")
    store.set_alias("colours", "production", 2)
    models.refresh()
    images = np.full((1, 8, 8, 3), 200, np.uint8)

    assert old.predict(images) == pytest.approx(models.get("colours").predict(images))


def test_the_watch_goes_on_after_an_error(tmp_path: Path) -> None:
    """One look at the store that fails in a way nobody foresaw does not end all swaps."""
    looks, again = [], Event()

    def look() -> None:
        looks.append(1)
        if len(looks) == 1:
            raise RuntimeError("unforeseen")
        again.set()

    loaded(tmp_path).watch(look)

    assert again.wait(timeout=30)


def test_children_that_start_together_judge_a_variant_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One asks the variant on this kind of CPU; the others wait for their turn and read."""
    caplog.set_level("INFO", logger="model_store.fitness")
    store = ModelStore.open(str(tmp_path / "models"))
    saturating.publish(store, saturating.carefully)
    children = [loaded(tmp_path, default_model="saturating") for _ in range(4)]
    starts = [Thread(target=child.get, args=("saturating",)) for child in children]
    for start in starts:
        start.start()
    for start in starts:
        start.join()

    assert [record.message for record in caplog.records] == ["variant judged on this machine"]
    assert {child.judgements for child in children} == {children[0].judgements}
    assert [each.called for each in children[0].judgements] == ["saturating@1 openvino:int8"]
