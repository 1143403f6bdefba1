"""Typos and wrong usage: one line that says what may be meant."""

import sys

import pytest

from petiole import cli, usage
from tests.test_petiole.conftest import Run


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["staus"], "petiole: there is no command staus; did you mean status?"),
        (["instal"], "petiole: there is no command instal; did you mean models install?"),
        (["up", "--verbos"], "petiole up: there is no --verbos; did you mean --verbose?"),
        (["models", "lst"], "petiole models: there is no command lst; did you mean list?"),
        (
            ["train", "--imge_dir"],
            "petiole train: there is no --imge_dir; did you mean --image_dir or ",
        ),
        (["label_image", "--tpo_k=2"], "petiole label_image: there is no --tpo_k; did you mean"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_typo_gets_a_suggestion(
    words: list[str],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In one line, and as wrong usage."""
    monkeypatch.setattr(sys, "argv", ["petiole", *words])
    with pytest.raises(SystemExit) as ended:
        sys.exit(usage.run(cli.app))
    said = capsys.readouterr()

    assert (ended.value.code, said.out, said.err.count("\n")) == (2, "", 1)
    assert said.err.startswith(line)


def test_other_wrong_usage_says_where_help_is(run: Run) -> None:
    """The command that is named works as it is printed."""
    ended = run("models", "show")

    assert ended.returncode == 2
    assert ended.stderr.startswith("petiole models show: missing argument REF; `")
    assert ended.stderr.endswith(" -m petiole models show --help` says more\n")


def test_the_version_is_told(run: Run) -> None:
    """As every program does it."""
    assert run("--version").stdout.startswith("petiole 0.")


def test_the_shell_completes_commands(run: Run) -> None:
    """What bash asks with the variables that its completion sets."""
    asked = {"_PETIOLE_COMPLETE": "complete_bash", "COMP_WORDS": "petiole sta", "COMP_CWORD": "1"}

    assert run(**asked).stdout.split() == ["status"]
