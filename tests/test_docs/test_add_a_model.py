"""`docs/add-a-model.md`: its commands, in its order, on tiny models of the kinds it speaks of."""

import re
import shlex
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from model_store import ModelStore
from petiole.models_command import app

PAGE = Path(__file__).parents[2] / "docs" / "add-a-model.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COLOURS = {"red": "red", "green": "lime", "blue": "blue"}


def commands() -> list[list[str]]:
    """Return the page's commands as arguments of `petiole models`; `text` blocks need internet."""
    lines = "".join(BLOCK.findall(PAGE.read_text())).replace("\\\n", " ").splitlines()
    split = [shlex.split(line) for line in lines]
    assert all(words[:2] == ["petiole", "models"] for words in split)
    return [words[2:] for words in split]


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the files that the page names, and an empty store."""
    pytest.importorskip("tensorflow")
    from tests import tiny_sources

    tiny_sources.labels_file(tmp_path / "retrained_labels.txt")
    tiny_sources.frozen_graph(tmp_path / "retrained_graph.pb")
    tiny_sources.saved_model(tmp_path / "saved_flowers")
    tiny_sources.keras_file(tmp_path / "flowers.keras")
    tiny_sources.hub_module(tmp_path / "module")
    for label, colour in COLOURS.items():
        (tmp_path / "photos" / label).mkdir(parents=True)
        Image.new("RGB", (16, 12), colour).save(tmp_path / "photos" / label / "1.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", "store")
    return tmp_path


def test_the_walk_through_works(scratch: Path) -> None:
    """Every command succeeds, and the store is then as the page says."""
    runner = CliRunner()
    for arguments in commands():
        result = runner.invoke(app, arguments)
        assert result.exit_code == 0, (arguments, result.output)

    store = ModelStore.open(str(scratch / "store"))
    assert store.names() == ("flowers", "flowers-hub", "flowers-keras")
    assert (store.versions("flowers"), store.resolve("flowers")) == ((2,), ("flowers", 2))
    assert (scratch / "exported" / "1" / "saved_model.pb").is_file()
