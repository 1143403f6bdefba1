"""What a card holds and what it refuses."""

import json
from dataclasses import replace

import pytest

from model_store import ModelCard
from model_store.errors import ModelFormatError


@pytest.fixture
def card(draft: ModelCard) -> ModelCard:
    """A finished card."""
    return replace(
        draft,
        version=3,
        created_at="2026-11-21T12:00:00+00:00",
        files={"saved_model.pb": "0" * 64},
        metrics={"top_1": 0.9},
        golden=("golden/landscape.png",),
    )


def test_a_card_survives_the_way_through_json(card: ModelCard) -> None:
    """Writing and reading a card loses nothing."""
    assert card == ModelCard.from_json(card.to_json())


def test_a_card_names_its_exact_version(card: ModelCard) -> None:
    """`ref` is what results carry."""
    assert card.ref == "flowers@3"


@pytest.mark.parametrize(
    ("field", "value", "place"),
    [
        ("labels", ["daisy", "daisy"], r"\$\.labels"),
        ("labels", ["daisy"], r"\$\.labels"),
        ("version", 0, r"\$\.version"),
        ("name", "../up", r"\$\.name"),
        ("files", {"../../etc/passwd": "0" * 64}, r"\$\.files"),
        ("files", {"/etc/passwd": "0" * 64}, r"\$\.files"),
        ("files", {"saved_model.pb": "beef"}, r"\$\.files"),
        ("golden", ["golden/../../passwd"], r"\$\.golden"),
        ("surprise", 1, r"\$"),
    ],
)
def test_a_card_that_breaks_the_schema_is_refused(
    card: ModelCard, field: str, value: object, place: str
) -> None:
    """The message says where the card is wrong, and no file of it can lie outside its folder."""
    text = json.dumps(json.loads(card.to_json()) | {field: value})

    with pytest.raises(ModelFormatError, match=place):
        ModelCard.from_json(text)


def test_a_card_of_a_later_release_is_refused_as_one(card: ModelCard) -> None:
    """It names the version, its format, what is read here, and what to do."""
    later = json.loads(card.to_json()) | {"schema_version": 2, "more": "that is not known yet"}

    with pytest.raises(ModelFormatError) as caught:
        ModelCard.from_json(json.dumps(later))

    assert str(caught.value) == (
        "card.json of flowers@3 has format 2; this release reads formats up to 1: bring in the "
        "release that wrote it, or name another version"
    )


def test_text_that_is_not_json_is_refused() -> None:
    """A damaged card is an error of the store, not of the JSON parser."""
    with pytest.raises(ModelFormatError, match="not JSON"):
        ModelCard.from_json("{")


def test_a_card_from_before_golden_pictures_can_be_read(card: ModelCard) -> None:
    """It has none, and its variants the float32 tolerance; workers refuse it and say why."""
    document = json.loads(card.to_json())
    del document["golden"], document["variants"][0]["tolerance"]
    old = ModelCard.from_json(json.dumps(document))

    assert (old.golden, old.variants[0].tolerance) == ((), 1e-3)
