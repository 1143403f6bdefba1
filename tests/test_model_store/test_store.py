"""The store's promises, on every kind of store."""

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
)


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


@pytest.mark.parametrize("path", ["saved_model.pb", "variables/variables.index"])
def test_a_flipped_byte_is_refused_by_name(
    store: ModelStore, files: Path, draft: ModelCard, path: str
) -> None:
    """No byte is loaded that was not published."""
    store.publish(files, draft)
    _overwrite(store, f"flowers/1/{path}", b"grapH")

    with pytest.raises(CorruptVersionError, match=f"flowers@1: file {path} has SHA-256"):
        store.fetch("flowers", 1)


@pytest.mark.parametrize("path", ["card.json", "card.json.sha256"])
def test_a_changed_card_is_refused(
    store: ModelStore, files: Path, draft: ModelCard, path: str
) -> None:
    """Even one blank more in the card, or in its digest, is noticed."""
    store.publish(files, draft)
    _overwrite(store, f"flowers/1/{path}", _bytes_of(store, f"flowers/1/{path}") + b" ")

    with pytest.raises(CorruptVersionError, match=r"file card\.json"):
        store.card("flowers", 1)


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


def test_a_store_that_cannot_be_reached_says_where(tmp_path: Path) -> None:
    """A file where the directory should be is a clear error."""
    (tmp_path / "models").write_text("")

    with pytest.raises(StoreUnavailableError, match="models"):
        ModelStore.open(str(tmp_path / "models"))


def _overwrite(store: ModelStore, path: str, content: bytes) -> None:
    import obstore

    obstore.put(store._objects, path, content)


def _bytes_of(store: ModelStore, path: str) -> bytes:
    import obstore

    return bytes(obstore.get(store._objects, path).bytes())
