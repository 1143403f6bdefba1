"""The two ways to keep pictures and models, and the user's own folder that the document shows."""

import re
from pathlib import Path

import pytest

from tests import manifests
from tests.conftest import ROOT
from tests.manifests import Object

PAGE = ROOT / "docs" / "kubernetes.md"


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders that may be applied, with files of passwords beside them."""
    made = manifests.prepared(tmp_path_factory.mktemp("kubernetes"))
    (written,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return {
        "volume": made / "volume",
        "s3": made / "s3",
        "mine": manifests.overlay(made, "mine", written),
        "traced": manifests.overlay(made, "traced", written.replace("../keda", "../traces")),
    }


@pytest.fixture(scope="session")
def all_objects(folders: dict[str, Path]) -> dict[str, list[Object]]:
    """What each folder renders to."""
    return {name: manifests.rendered(folder) for name, folder in folders.items()}


@pytest.fixture(params=["volume", "s3", "mine", "traced"])
def objects(all_objects: dict[str, list[Object]], request: pytest.FixtureRequest) -> list[Object]:
    """The objects of one folder after the other."""
    return all_objects[request.param]
