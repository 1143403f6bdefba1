"""Settings come from the environment and are checked."""

import pytest
from pydantic import ValidationError

from model_store.settings import ModelSettings, available_cores


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting comes from the shell or another test."""
    for name in ModelSettings.model_fields:
        monkeypatch.delenv(f"PETIOLE_MODELS_{name.upper()}", raising=False)


def test_the_defaults_work_on_a_laptop() -> None:
    """Without a variable set, the store is a directory beside the program."""
    settings = ModelSettings()

    assert (
        settings.store_url,
        settings.default_model,
        settings.runtime,
    ) == ("var/models", "imagenet", "auto")


def test_children_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads times children is the number of cores, but a child has at least one."""
    cores = available_cores()

    assert cores == ModelSettings().threads_of_child(1)
    assert ModelSettings().threads_of_child(10 * cores) == 1
    monkeypatch.setenv("PETIOLE_MODELS_INTRA_OP_THREADS", "3")
    assert ModelSettings().threads_of_child(2) == 3


def test_a_bad_value_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process stops with the name of the setting."""
    monkeypatch.setenv("PETIOLE_MODELS_INTRA_OP_THREADS", "-1")

    with pytest.raises(ValidationError, match="intra_op_threads"):
        ModelSettings()


def test_every_setting_is_described() -> None:
    """The documentation is held against these sentences."""
    fields = ModelSettings.model_fields.values()

    assert all(field.description for field in fields)
