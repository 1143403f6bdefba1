"""`docs/security.md` names tests that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "security.md"


def test_every_wall_has_its_test() -> None:
    """Each row of the table ends with the names of tests, and the suite has them."""
    rows = PAGE.read_text().partition("| attack |")[2].splitlines()[2:]
    walls = [row for row in rows if row.startswith("| ")]
    named = [re.findall(r"`(test_\w+)`", row) for row in walls]
    code = "".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))

    assert len(walls) > 20
    assert all(named)
    assert [each for names in named for each in names if f"def {each}(" not in code] == []
