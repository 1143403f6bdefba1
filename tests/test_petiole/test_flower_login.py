"""The password that is made for Flower where nobody gave it one."""

from pathlib import Path

import pytest

from petiole import flower_login, parts, up
from petiole.settings import UpSettings


def test_flower_has_a_password_where_nobody_gave_it_one(tmp_path: Path) -> None:
    """Only who runs the service reads it; the same at the next start, another elsewhere."""
    made = [flower_login.made(tmp_path, {"FLOWER_BASIC_AUTH": ""}) for _ in range(2)]
    other = flower_login.made(tmp_path / "other", {})
    file = flower_login.file_of(tmp_path)
    password = file.read_text().strip()

    assert made == [{"FLOWER_BASIC_AUTH": f"petiole:{password}"}] * 2
    assert len(password) >= 24
    assert other != made[0]
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["FLOWER_BASIC_AUTH", "FLOWER_AUTH", "FLOWER_UNAUTHENTICATED_API"])
def test_who_says_who_may_is_not_overruled(name: str, tmp_path: Path) -> None:
    """A password of one's own, or none on purpose."""
    assert flower_login.made(tmp_path, {name: "true"}) == {}
    assert list(tmp_path.iterdir()) == []


def test_the_plan_has_it_and_the_welcome_says_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty variable is no password."""
    monkeypatch.setenv("FLOWER_BASIC_AUTH", "")
    settings = UpSettings(state_directory=tmp_path)
    plan = parts.plan(settings, {"FLOWER_BASIC_AUTH": ""})
    ((_, said),) = up._login(plan, settings)

    assert plan.environment["FLOWER_BASIC_AUTH"].startswith("petiole:")
    assert said.endswith("flower-password")
