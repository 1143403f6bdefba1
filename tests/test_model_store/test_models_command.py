"""`petiole models` as a person and as a program use it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from model_store import ModelCard, ModelStore
from petiole.models_command import app

runner = CliRunner()


@pytest.fixture
def published(
    tmp_path: Path, files: Path, draft: ModelCard, monkeypatch: pytest.MonkeyPatch
) -> ModelStore:
    """A directory store with two versions of `flowers`, which the settings point to."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", str(tmp_path / "store"))
    store = ModelStore.open(str(tmp_path / "store"))
    for _ in range(2):
        store.publish(files, draft)
    return store


def test_models_are_listed(published: ModelStore) -> None:
    """The table and the document say the same."""
    table = runner.invoke(app, ["list"])
    document = json.loads(runner.invoke(app, ["list", "--json"]).stdout)

    assert "flowers" in table.stdout
    expected = {"name": "flowers", "versions": [1, 2], "aliases": {"production": 1}}
    assert {"models": [expected]} == document


def test_an_empty_store_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first thing a new user sees is the command that helps."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", str(tmp_path / "store"))

    assert "petiole models install imagenet" in runner.invoke(app, ["list"]).stdout


def test_a_card_is_shown(published: ModelStore) -> None:
    """The table names the version, the document is the card."""
    table = runner.invoke(app, ["show", "flowers"])
    document = json.loads(runner.invoke(app, ["show", "flowers@2", "--json"]).stdout)

    assert "flowers@1" in table.stdout
    assert "tensorflow" in table.stdout
    assert (document["name"], document["version"]) == ("flowers", 2)


def test_a_version_is_promoted(published: ModelStore) -> None:
    """After it the bare name means the promoted version."""
    result = runner.invoke(app, ["promote", "flowers@2", "--json"])

    assert json.loads(result.stdout)["former"] == 1
    assert published.resolve("flowers") == ("flowers", 2)


def test_a_version_is_verified(published: ModelStore) -> None:
    """All of its files are read again."""
    result = runner.invoke(app, ["verify", "flowers", "--json"])

    assert json.loads(result.stdout) == {"model": "flowers@1", "verified_files": 2}


def test_a_damaged_version_fails_to_verify(published: ModelStore, tmp_path: Path) -> None:
    """One line on stderr names the file; the exit code is 1."""
    (tmp_path / "store/flowers/1/saved_model.pb").write_bytes(b"grapH")

    result = runner.invoke(app, ["verify", "flowers"])

    assert (result.exit_code, result.stdout) == (1, "")
    assert "file saved_model.pb has SHA-256" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["show", "roses"], 1, "no model 'roses'; this store has: flowers"),
        (["show", "flowers@9"], 1, "flowers has no '9'; it has: 1, 2, production"),
        (["show", "../up"], 2, "expected name, name@version or name@alias"),
        (["promote", "flowers"], 2, "promote needs a version number, as in flowers@1"),
        (["install", "keras:VGG15"], 2, "Keras Applications have no 'VGG15'"),
    ],
)
def test_mistakes_are_one_clear_line(
    published: ModelStore, arguments: list[str], code: int, message: str
) -> None:
    """Exit code 2 is wrong usage, 1 is anything else."""
    result = runner.invoke(app, arguments)

    assert (code, "") == (result.exit_code, result.stdout)
    assert message in result.stderr
    assert "Traceback" not in result.stderr
