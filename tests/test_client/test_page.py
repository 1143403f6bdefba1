"""`docs/client.md` is run, and has every error."""

import inspect
import re
import shutil
from pathlib import Path

import pytest

from petiole import client
from petiole.client.errors import BY_SLUG, PetioleError, ProblemError
from tests.conftest import ROOT, picture
from tests.test_end_to_end.conftest import SAMPLE, RunningService

PAGE = (ROOT / "docs" / "client.md").read_text()
PROGRAM = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
ROWS = re.findall(r"^\| `(\w+Error)`.*? \| (`.*?`) \| ", PAGE, re.MULTILINE)


@pytest.mark.end_to_end
def test_the_pages_program_runs(
    service: RunningService,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """All of it, against a service whose model knows three colours."""
    (tmp_path / "photos").mkdir()
    shutil.copy(SAMPLE, tmp_path / "coffee.jpg")
    (tmp_path / "photos" / "snail.jpg").write_bytes(picture("green"))
    (tmp_path / "photos" / "unfinished.jpg").write_bytes(b"cut off")
    monkeypatch.chdir(tmp_path)
    exec(PROGRAM.replace("http://127.0.0.1:8000", service.api), {})  # noqa: S102 - our own page
    lines = capsys.readouterr().out.splitlines()

    assert lines[0].startswith("Prediction(label='")
    assert lines[2:4] == [
        f"photos/snail.jpg green {lines[2].split()[-1]}",
        "photos/unfinished.jpg the upload of 7 bytes is not a picture; accepted are JPEG, PNG,"
        " WEBP, GIF, BMP, TIFF, AVIF, HEIC",
    ]
    assert lines[-2] == "1 green"
    assert lines[-1].startswith("not-an-image - the upload of 10 bytes is not a picture; ")


def test_the_page_has_every_error_with_its_slugs() -> None:
    """The table is that of the code."""
    written = {name: set(re.findall(r"`([\w-]+)`", slugs)) for name, slugs in ROWS}
    kinds = {kind for _, kind in inspect.getmembers(client, inspect.isclass)}
    errors = {kind for kind in kinds if issubclass(kind, PetioleError)}

    assert written.keys() == {kind.__name__ for kind in errors - {PetioleError, ProblemError}}
    assert {slug: BY_SLUG[slug].__name__ for slug in BY_SLUG} == {
        slug: name for name, slugs in written.items() for slug in slugs if slug in BY_SLUG
    }
