"""How models are named."""

import pytest

from model_store import ModelReference
from model_store.errors import BadModelReferenceError


@pytest.mark.parametrize(
    ("text", "name", "selector", "version"),
    [
        ("imagenet", "imagenet", "production", None),
        ("imagenet@production", "imagenet", "production", None),
        ("imagenet@12", "imagenet", "12", 12),
        ("my-model.v2@blue_1", "my-model.v2", "blue_1", None),
    ],
)
def test_a_reference_names_a_version_or_an_alias(
    text: str, name: str, selector: str, version: int | None
) -> None:
    """A bare name means production; digits after the @ are a version."""
    reference = ModelReference.parse(text)

    assert (name, selector, version) == (reference.name, reference.selector, reference.version)


@pytest.mark.parametrize(
    "text", ["", "@1", "imagenet@", "a@b@c", "../secret", "A", "a/b", "é", "a" * 65, "a\n", "²"]
)
def test_other_forms_are_refused(text: str) -> None:
    """Nothing that could leave the store's folder, or that has two meanings, is a reference."""
    with pytest.raises(BadModelReferenceError, match="expected name, name@version or name@alias"):
        ModelReference.parse(text)
