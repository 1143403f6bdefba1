"""`petiole models` as a person and as a program use it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from model_store import ModelCard, ModelStore, Origin, serving
from model_store.settings import ModelSettings
from petiole.models_command import app
from tests import saturating

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
    assert {"models": [expected | {"foreign": []}]} == document


@pytest.mark.parametrize("kind", ["hub", "keras", "file"])
def test_what_came_from_elsewhere_is_marked(
    published: ModelStore, files: Path, draft: ModelCard, kind: str
) -> None:
    """In the list, in the version's card, and for programs; what was trained here is not."""
    published.publish(files, replace(draft, origin=Origin(kind, "a stranger's")))
    table = " ".join(runner.invoke(app, ["list"]).stdout.split())
    (listed,) = json.loads(runner.invoke(app, ["list", "--json"]).stdout)["models"]
    shown = [runner.invoke(app, ["show", f"flowers@{n}"]).stdout for n in (2, 3)]
    told = json.loads(runner.invoke(app, ["show", "flowers@3", "--json"]).stdout)

    assert "1, 2, 3* production" in table
    assert "* came from elsewhere" in table
    assert (listed["foreign"], told["foreign"]) == ([3], True)
    assert ["made elsewhere" in " ".join(each.split()) for each in shown] == [False, True]


def test_weights_that_are_known_are_told_from_others(
    published: ModelStore, files: Path, draft: ModelCard
) -> None:
    """What a package holds is compared with a digest of this release."""
    published.publish(files, replace(draft, origin=Origin("package", "weights 1.0")))
    shown = " ".join(runner.invoke(app, ["show", "flowers@3"]).stdout.split())
    (listed,) = json.loads(runner.invoke(app, ["list", "--json"]).stdout)["models"]

    assert "made elsewhere; its weights have the SHA-256 that this release expects" in shown
    assert listed["foreign"] == []


def test_int8_is_shown_as_it_was_judged_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing before it served here; then the figures, in the table and in the document."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", str(tmp_path / "store"))
    monkeypatch.setenv("PETIOLE_MODELS_CACHE_DIRECTORY", str(tmp_path / "cache"))
    store = ModelStore.of(ModelSettings())
    saturating.publish(store, saturating.carefully)
    before = runner.invoke(app, ["show", "saturating"]).stdout
    serving.load(store, "saturating")
    after = runner.invoke(app, ["show", "saturating"]).stdout
    document = json.loads(runner.invoke(app, ["show", "saturating", "--json"]).stdout)

    assert "On this kind of CPU" not in before
    assert (
        "On this kind of CPU openvino:int8 may serve: it answers here as where it was made" in after
    )
    assert [each["is_fit"] for each in document["judged_here"]] == [True]


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without anything, where the user stands and no setting points elsewhere."""
    monkeypatch.delenv("PETIOLE_MODELS_STORE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_empty_store_says_where_it_looked_and_what_to_do(empty_folder: Path) -> None:
    """The first thing a new user sees is the command that helps; the folder is not made."""
    listed = runner.invoke(app, ["list"])

    where = f"No models in {empty_folder}/var/models yet"
    assert listed.stdout == f"{where}\n"
    assert listed.stderr.endswith("petiole models install imagenet\n")
    assert list(empty_folder.iterdir()) == []


@pytest.mark.parametrize(
    "command", ["show x", "promote x@1", "rollback x", "verify x", "export x out", "remove x@1"]
)
def test_an_unknown_model_in_an_empty_store_says_where_it_looked(
    empty_folder: Path, command: str
) -> None:
    """Most often one stands in the wrong folder; nothing is made there."""
    refused = runner.invoke(app, command.split())

    assert f"no model 'x'; there are none in {empty_folder}/var/models yet" in refused.stderr
    assert (refused.exit_code, list(empty_folder.iterdir())) == (1, [])


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


def test_any_alias_can_be_moved(published: ModelStore) -> None:
    """Only moves of production change what `previous` means."""
    result = runner.invoke(app, ["promote", "flowers@2", "--alias", "blue"])

    assert result.stdout == "flowers@blue is now version 2\n"
    assert published.aliases("flowers") == {"blue": 2, "production": 1}


def test_a_promotion_is_rolled_back_and_its_history_shown(published: ModelStore) -> None:
    """One command, and `show` says what production was before."""
    runner.invoke(app, ["promote", "flowers@2"])
    result = runner.invoke(app, ["rollback", "flowers"])
    document = json.loads(runner.invoke(app, ["show", "flowers", "--json"]).stdout)

    expected = "flowers@production is now version 1; it was 2, which is flowers@previous now\n"
    assert expected == result.stdout
    assert [change["version"] for change in document["production_history"]] == [1, 2, 1]
    assert document["aliases"] == ["production"]


def test_removing_asks_unless_told_not_to(published: ModelStore) -> None:
    """Whatever is not yes keeps the version."""
    kept = runner.invoke(app, ["remove", "flowers@2"], input="n\n")
    before = published.versions("flowers")
    removed = runner.invoke(app, ["remove", "flowers@2", "--yes", "--json"])

    assert (kept.exit_code, before) == (1, (1, 2))
    assert json.loads(removed.stdout) == {"removed": "flowers@2"}
    assert published.versions("flowers") == (1,)


@pytest.mark.parametrize("columns", [80, 120])
def test_tables_fit_the_terminal(
    published: ModelStore, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No line is wider, and nothing is cut off."""
    monkeypatch.setenv("COLUMNS", str(columns))
    runner.invoke(app, ["promote", "flowers@2"])
    output = runner.invoke(app, ["show", "flowers"]).stdout + runner.invoke(app, ["list"]).stdout

    assert max(map(len, output.splitlines())) <= columns
    assert "…" not in output


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
        (["rollback", "flowers"], 1, "flowers has no 'previous'"),
        (["rollback", "flowers@1"], 2, "rollback needs a model's name alone"),
        (["remove", "flowers@1", "--yes"], 1, "flowers@1 is production"),
        (["remove", "flowers"], 2, "remove needs a version number, as in flowers@1"),
        (["publish", "nowhere", "--name", "x"], 1, "there is no nowhere; expected a SavedModel"),
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
