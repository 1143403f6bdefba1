"""`docs/settings.md` and `celeryconfig.py` against the code that reads the settings."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery.app.defaults import NAMESPACES, flatten
from pydantic_core import PydanticUndefined
from pydantic_settings import BaseSettings

from api.settings import ApiSettings
from model_store.settings import ModelSettings
from petiole.settings import UpSettings
from petiole.variables import READ_ELSEWHERE
from tasks.settings import TasksSettings
from training.settings import TrainingPlaces

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"
ROW = re.compile(r"^\| `(PETIOLE_\w+)` \| (.+?) \| (.+) \|$", re.MULTILINE)
FROM_ELSEWHERE = "what `REDIS_URL` says"
ALL_SETTINGS: list[type[BaseSettings]] = [
    *(ApiSettings, TasksSettings, ModelSettings),
    *(TrainingPlaces, UpSettings),
]

READ_OUTSIDE_THE_NAMESPACES = {
    # Read by RedisBackend.__init__ in celery/backends/redis.py with a plain `_get(...)`.
    "redis_backend_health_check_interval",
    # Celery's Redis page asks for it beside the two transport options; 5.7 itself reads only those.
    "visibility_timeout",
}


def written_default(default: object) -> str:
    """Return how the page writes a default."""
    if default is PydanticUndefined:
        return FROM_ELSEWHERE
    text = f"{default:g}" if isinstance(default, float) else str(default)
    return f"`{text}`" if text else "empty"


def rows_of(settings: type[BaseSettings]) -> Iterator[tuple[str, str, str]]:
    """Yield the rows that the page should have for a settings class."""
    prefix = settings.model_config["env_prefix"]
    for name, field in settings.model_fields.items():
        yield prefix + name.upper(), written_default(field.default), str(field.description)


@pytest.mark.parametrize("settings", ALL_SETTINGS)
def test_every_setting_is_on_the_page_as_the_code_has_it(settings: type[BaseSettings]) -> None:
    """Name, default and meaning of each field are in the page's table, in the code's order."""
    prefix = settings.model_config["env_prefix"]
    written = [row for row in ROW.findall(PAGE.read_text()) if row[0].startswith(prefix)]

    assert list(rows_of(settings)) == written


def test_the_page_has_no_setting_that_the_code_does_not_read() -> None:
    """A renamed or removed setting does not live on in the page."""
    known = {row[0] for settings in ALL_SETTINGS for row in rows_of(settings)}
    known |= READ_ELSEWHERE  # by Compose
    mentioned = set(re.findall(r"\bPETIOLE_[A-Z]+_[A-Z_]*[A-Z]\b", PAGE.read_text()))

    assert set() == mentioned - known


def test_every_name_in_celeryconfig_is_a_setting_of_celery() -> None:
    """Celery ignores a mistyped setting silently, so the names are compared here."""
    known = {name for name, _ in flatten(NAMESPACES)} | READ_OUTSIDE_THE_NAMESPACES
    config = vars(importlib.import_module("celeryconfig"))
    imported = {"os", "default_redis_url", "for_celery", "scheme_of"}
    imported |= {"bad_settings", "master_name"}
    names = {name for name in config if name.islower() and not name.startswith("_")}

    assert set() == names - known - imported
