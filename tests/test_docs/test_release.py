"""A release has one number, wherever it is told."""

import re
import tomllib

from api.app import VERSION
from tests.conftest import ROOT


def test_every_place_tells_the_same_release() -> None:
    """The package, the OpenAPI, the images, and the first section of the changelog that has one."""
    package = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    image = re.search(r'image\.version="(.+?)"', (ROOT / "Dockerfile").read_text("utf-8"))
    changes = re.search(r"^## \[(\d.*?)\] - \d{4}-\d\d-\d\d$", _changelog(), re.MULTILINE)

    assert image
    assert changes
    assert {package, VERSION, image[1], changes[1]} == {package}


def test_each_release_is_told_once_and_what_comes_next_above_them() -> None:
    """As Keep a Changelog has it."""
    headings = re.findall(r"^## \[(.+?)\]", _changelog(), re.MULTILINE)

    assert headings[0] == "Unreleased"
    assert len(set(headings)) == len(headings)


def _changelog() -> str:
    return (ROOT / "CHANGELOG.md").read_text("utf-8")
