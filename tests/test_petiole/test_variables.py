"""A variable that looks like a setting and is none is never silently ignored."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.test_petiole.conftest import Run

TYPO, MEANT = "PETIOLE_TASKS_MAX_UPLOAD_BYTE", "PETIOLE_TASKS_MAX_UPLOAD_BYTES"
SAID = f"{TYPO} is no setting; did you mean {MEANT}?"

START_OF_A_PART = {
    "api": "import api; api.create_app()",
    "worker": "from tasks import signals; signals._configure_logging()",
    "trainer": "from petiole import training_worker as w; w._configure_logging()",
}


@pytest.mark.parametrize("words", [("up",), ("demo",), ("models", "list"), ("train",)])
def test_a_mistyped_setting_ends_every_command(run: Run, words: tuple[str, ...]) -> None:
    """In one line that says what was meant, as wrong usage, before anything is done."""
    ended = run(*words, **{TYPO: "1000"})

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"petiole: {SAID}\n"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("PETIOLE_API_PRT", "did you mean PETIOLE_API_PORT?"),
        ("PETIOLE_MODELS_STORE_ULR", "did you mean PETIOLE_MODELS_STORE_URL?"),
        ("PETIOLE_UP_CHILDREN", "did you mean PETIOLE_UP_CLASSIFY_CHILDREN?"),
        ("PETIOLE_TRAINING_DIR", "did you mean PETIOLE_TRAINING_DIRECTORY?"),
        ("petiole_api_prot", "did you mean PETIOLE_API_PORT?"),
        ("PETIOLE_API_QUUX", "docs/settings.md has them all"),
    ],
)
def test_the_line_names_the_setting_most_like_it(run: Run, name: str, hint: str) -> None:
    """Of whatever part it is; where none is alike, the page that has them all."""
    ended = run("models", "list", **{name: "1"})

    assert (ended.returncode, ended.stderr) == (2, f"petiole: {name} is no setting; {hint}\n")


def test_the_rest_of_our_names_is_said_and_no_more(run: Run) -> None:
    """It may be somebody else's, or its prefix is mistyped: the line tells."""
    ended = run("models", "list", PETIOLE_MODEL_STORE_URL="/elsewhere", PETIOLE_WORKER_HOST="::")

    assert ended.returncode == 0
    assert [line for line in ended.stderr.splitlines() if line.startswith("petiole: ")] == [
        "petiole: PETIOLE_MODEL_STORE_URL is no setting; did you mean PETIOLE_MODELS_STORE_URL?",
        "petiole: PETIOLE_WORKER_HOST is no setting; docs/settings.md has them all",
    ]


def test_help_is_given_whatever_is_set(run: Run) -> None:
    """Who made the mistake needs it."""
    assert run("models", "--help", **{TYPO: "1"}).returncode == 0


@pytest.mark.parametrize("part", START_OF_A_PART)
def test_a_part_that_is_started_by_itself_says_it_and_goes_on(
    environment: dict[str, str], part: str
) -> None:
    """One line in its log: what served yesterday must not stop today for a name."""
    ended = subprocess.run(
        [sys.executable, "-c", START_OF_A_PART[part]],
        cwd=ROOT,
        env=environment | {TYPO: "1000"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count(SAID) == 1
