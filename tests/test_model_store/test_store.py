"""The store's promises, on every kind of store."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from model_store import ModelCard, ModelStore, publishing
from model_store.errors import (
    BadModelReferenceError,
    CorruptVersionError,
    ModelFormatError,
    StoreUnavailableError,
    UnknownModelError,
    UnknownVersionError,
    VersionInUseError,
)
from model_store.objects import PATIENT
from model_store.settings import ModelSettings
from tests.conftest import free_port


def test_the_first_version_becomes_production(
    store: ModelStore, files: Path, draft: ModelCard
) -> None:
    """One publish is enough to be able to serve a model by its bare name."""
    published = store.publish(files, draft)

    assert store.resolve("flowers") == ("flowers", 1)
    assert published == store.card("flowers", 1)
    assert (store.names(), store.versions("flowers")) == (("flowers",), (1,))


def test_a_later_version_waits_to_be_promoted(
    store: ModelStore, files: Path, draft: ModelCard
) -> None:
    """Publishing does not change what is served."""
    store.publish(files, draft)
    second = store.publish(files, draft)

    assert second.version == 2
    assert store.resolve("flowers@production") == ("flowers", 1)
    assert store.resolve("flowers@2") == ("flowers", 2)


def test_an_alias_moves_and_keeps_its_history(
    store: ModelStore, files: Path, draft: ModelCard
) -> None:
    """The history begins with the version that was production without being promoted."""
    for _ in range(2):
        store.publish(files, draft)
    store.set_alias("flowers", "production", 2)
    store.set_alias("flowers", "blue", 1)
    store.set_alias("flowers", "production", 1)

    assert store.aliases("flowers") == {"blue": 1, "production": 1}
    assert [change.version for change in store.history("flowers")] == [1, 2, 1]


def test_promoting_remembers_what_was_production(
    store: ModelStore, files: Path, draft: ModelCard
) -> None:
    """`previous` is what a rollback goes to; promoting the same version twice keeps it."""
    for _ in range(3):
        store.publish(files, draft)

    assert [store.promote("flowers", version) for version in (2, 3, 3)] == [1, 2, 3]
    assert store.aliases("flowers") == {"previous": 2, "production": 3}
    assert [change.version for change in store.history("flowers", "previous")] == [1, 2]


def test_a_rollback_moves_at_once_and_for_everyone(
    shared_url: str, files: Path, draft: ModelCard, tmp_path: Path
) -> None:
    """Another instance of the store sees it; rolling back twice returns to where it was."""
    store, other = (ModelStore.open(shared_url, cache_directory=tmp_path) for _ in range(2))
    for _ in range(2):
        store.publish(files, draft)
    store.promote("flowers", 2)

    assert other.resolve("flowers") == ("flowers", 2)
    assert (store.rollback("flowers"), other.resolve("flowers")) == (1, ("flowers", 1))
    assert (other.rollback("flowers"), store.resolve("flowers")) == (2, ("flowers", 2))


def test_without_a_promotion_there_is_nothing_to_go_back_to(
    store: ModelStore, files: Path, draft: ModelCard
) -> None:
    """The first version has nothing before it."""
    store.publish(files, draft)

    with pytest.raises(UnknownVersionError, match="no 'previous'"):
        store.rollback("flowers")


def test_a_removed_version_is_gone_and_its_number_stays_used(
    store: ModelStore, files: Path, draft: ModelCard
) -> None:
    """Of its files only the claim is left, so that no later version can take its number."""
    for _ in range(2):
        store.publish(files, draft)
    store.remove("flowers", 2)

    assert store.versions("flowers") == (1,)
    assert store._objects.tree("flowers/2") == ["flowers/2/claim"]
    assert store.publish(files, draft).version == 3


def test_a_version_that_an_alias_needs_is_not_removed(
    store: ModelStore, files: Path, draft: ModelCard
) -> None:
    """The message names the aliases."""
    store.publish(files, draft)
    store.set_alias("flowers", "blue", 1)

    with pytest.raises(VersionInUseError, match="flowers@1 is blue and production"):
        store.remove("flowers", 1)


@pytest.mark.parametrize("alias", ["7", "", "a@b", "a/b"])
def test_an_alias_is_a_word(store: ModelStore, files: Path, draft: ModelCard, alias: str) -> None:
    """A number would hide the version of the same number."""
    store.publish(files, draft)

    with pytest.raises(BadModelReferenceError, match="expected a word"):
        store.set_alias("flowers", alias, 1)


def test_an_unknown_model_is_answered_with_the_known_ones(
    store: ModelStore, files: Path, draft: ModelCard
) -> None:
    """Whoever mistypes a name sees the right one."""
    store.publish(files, draft)

    with pytest.raises(UnknownModelError, match="'flours'; this store has: flowers"):
        store.resolve("flours")


@pytest.mark.parametrize("reference", ["flowers@2", "flowers@blue"])
def test_an_unknown_version_is_answered_with_the_known_ones(
    store: ModelStore, files: Path, draft: ModelCard, reference: str
) -> None:
    """Versions and aliases are both named."""
    store.publish(files, draft)

    with pytest.raises(UnknownVersionError, match="it has: 1, production"):
        store.resolve(reference)


def test_an_alias_cannot_point_to_nothing(store: ModelStore, files: Path, draft: ModelCard) -> None:
    """Only a visible version can be promoted."""
    store.publish(files, draft)

    with pytest.raises(UnknownVersionError):
        store.set_alias("flowers", "production", 2)


def test_publishers_at_once_get_a_version_each(
    store: ModelStore, files: Path, draft: ModelCard
) -> None:
    """No version is overwritten, and every one of them verifies."""
    with ThreadPoolExecutor(8) as pool:
        cards = list(pool.map(lambda _: store.publish(files, draft), range(8)))

    assert list(range(1, 9)) == sorted(card.version for card in cards)
    assert tuple(range(1, 9)) == store.versions("flowers")


def test_a_killed_publisher_leaves_nothing_visible(
    store: ModelStore, files: Path, draft: ModelCard
) -> None:
    """Without its card a version does not exist, and its number is not given out again."""
    claimed = publishing.claim(store._objects, "flowers")

    assert (claimed, (), ()) == (1, store.versions("flowers"), store.names())
    assert store.publish(files, draft).version == 2
    assert store.resolve("flowers") == ("flowers", 2)


def test_a_bad_card_is_refused_before_anything_is_written(
    store: ModelStore, files: Path, draft: ModelCard
) -> None:
    """Two equal labels could not be told apart in an answer."""
    with pytest.raises(ModelFormatError, match=r"\$\.labels"):
        store.publish(files, replace(draft, labels=("daisy", "daisy")))

    assert publishing.claimed_versions(store._objects, "flowers") == []


def test_a_variant_without_its_artifact_is_refused(
    store: ModelStore, files: Path, draft: ModelCard
) -> None:
    """A card cannot promise a file that was not published."""
    missing = replace(draft.variants[0], runtime="openvino", path="openvino/float32/model.xml")

    with pytest.raises(ModelFormatError, match=r"needs openvino/float32/model\.xml"):
        store.publish(files, replace(draft, variants=(missing,)))


def test_fetched_files_are_the_published_ones(
    store: ModelStore, files: Path, draft: ModelCard
) -> None:
    """What a runtime loads lies in a local directory, in TensorFlow Serving's layout."""
    store.publish(files, draft)

    directory = store.fetch("flowers", 1)

    assert (directory / "saved_model.pb").read_bytes() == b"graph"
    assert (directory / "variables" / "variables.index").read_bytes() == b"weights"


def test_one_flipped_byte_in_any_file_is_refused_by_name(
    store: ModelStore, files: Path, draft: ModelCard
) -> None:
    """No byte is loaded that was not published, be it of the model, its card or the digest."""
    card = store.publish(files, draft)
    for path in (*card.files, "card.json", "card.json.sha256"):
        original = store._objects.read(f"flowers/1/{path}")
        store._objects.write(f"flowers/1/{path}", bytes([original[0] ^ 1]) + original[1:])

        with pytest.raises(CorruptVersionError, match=f"file {path.removesuffix('.sha256')} has"):
            store.fetch("flowers", 1)

        store._objects.write(f"flowers/1/{path}", original)
    assert store.fetch("flowers", 1).is_dir()


def test_a_missing_file_is_refused_by_name(tmp_path: Path, files: Path, draft: ModelCard) -> None:
    """A version that lost a file is as bad as one with a wrong byte."""
    store = ModelStore.open(str(tmp_path / "store"))
    store.publish(files, draft)
    (tmp_path / "store" / "flowers" / "1" / "saved_model.pb").unlink()

    with pytest.raises(CorruptVersionError, match=r"saved_model\.pb cannot be read"):
        store.fetch("flowers", 1)


def test_a_damaged_copy_in_the_cache_is_fetched_again(
    tmp_path: Path, files: Path, draft: ModelCard
) -> None:
    """Only the store's own bytes can make a version unusable."""
    store = ModelStore.open("memory:", cache_directory=tmp_path / "cache")
    card = store.publish(files, draft)
    copy = store.fetch("flowers", 1)
    (copy / "saved_model.pb").write_bytes(b"grapH")

    assert (store.verify(card) / "saved_model.pb").read_bytes() == b"graph"


@pytest.mark.parametrize("before", ["missing", "damaged"])
def test_a_finished_copy_is_never_taken_away(
    tmp_path: Path, files: Path, draft: ModelCard, before: str
) -> None:
    """Of several that fetch a version at once the first puts it there; the rest read that one."""
    (files / "weights.bin").write_bytes(bytes(3_000_000))
    store = ModelStore.open("memory:", cache_directory=tmp_path / "cache")
    card = store.publish(files, draft)
    found = []
    for _ in range(5):
        copy = store.verify(card)
        if before == "missing":
            shutil.rmtree(copy)
        else:
            (copy / "saved_model.pb").write_bytes(b"grapH")
        with ThreadPoolExecutor(4) as pool:
            copies = pool.map(lambda _: (store.verify(card) / "weights.bin").stat(), range(4))
        found.append(len({file.st_ino for file in copies}))

    assert found == [1] * 5
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]


def test_a_store_that_cannot_be_reached_says_where(tmp_path: Path) -> None:
    """A file where the directory should be is a clear error."""
    (tmp_path / "models").write_text("")

    with pytest.raises(StoreUnavailableError, match="models"):
        ModelStore.open(str(tmp_path / "models"))


def test_a_bucket_that_cannot_be_reached_fails_soon(
    bucket_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One clear error within seconds; a worker that starts must not hang for minutes."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    started = time.monotonic()

    with pytest.raises(StoreUnavailableError, match="the model store cannot be used at /"):
        ModelStore.open(bucket_url, cache_directory=tmp_path).names()
    assert time.monotonic() - started < 6


def test_a_bucket_that_says_nothing_fails_soon(silent_bucket_url: str, tmp_path: Path) -> None:
    """Its server takes the call; without limits that held the caller for three minutes."""
    started = time.monotonic()

    with pytest.raises(StoreUnavailableError, match="the model store cannot be used at /"):
        ModelStore.open(silent_bucket_url, cache_directory=tmp_path).names()
    assert time.monotonic() - started < 30 + PATIENT.silence_seconds


def test_looking_makes_no_directory(tmp_path: Path) -> None:
    """A missing store is an empty one; the first version that is published makes it."""
    store = ModelStore.open(str(tmp_path / "var" / "models"))

    assert (store.names(), store.versions("flowers"), store.aliases("flowers")) == ((), (), {})
    assert (store.rollout("flowers"), store.history("flowers")) == (None, ())
    with pytest.raises(UnknownModelError, match=f"there are none in {tmp_path}/var/models yet"):
        store.resolve("flowers")
    assert list(tmp_path.iterdir()) == []


def test_what_another_process_publishes_is_seen(
    tmp_path: Path, files: Path, draft: ModelCard
) -> None:
    """Also by a store that was opened before its directory was there."""
    early = ModelStore.open(str(tmp_path / "models"))
    before = early.names()
    ModelStore.open(str(tmp_path / "models")).publish(files, draft)

    assert (before, early.names()) == ((), ("flowers",))


def test_a_store_says_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path depends on where one stands, so it is told in full."""
    monkeypatch.chdir(tmp_path)
    settings = ModelSettings(store_url="var/models")

    assert str(tmp_path / "var" / "models") == ModelStore.of(settings).place
    assert ModelStore.open("s3://bucket/path").place == "s3://bucket/path"
