"""A stranger's file is opened in a child that has no network, and bounded memory and time."""

import subprocess
import sys
from pathlib import Path

import pytest

from model_store import importers
from model_store.errors import ImportOptionError, ModelFormatError
from model_store.importers import ImportOptions, confined, confinement
from model_store.importers.confinement import Limits
from tests import tiny_onnx

ROOT = Path(__file__).parents[2]
TRIES = """
import socket, subprocess, sys
from model_store.importers import confinement
from model_store.importers.confinement import Limits

def outcome(what):
    try:
        what()
    except (OSError, MemoryError) as exc:
        return type(exc).__name__
    return "done"

assert confinement.put_on(Limits(memory_bytes=2**29, file_bytes=2**20))
print(outcome(socket.socket))
print(outcome(lambda: subprocess.run(["true"])))
print(outcome(lambda: bytearray(2**30)))
print(outcome(lambda: open(sys.argv[1], "wb").write(bytes(2**21))))
"""


@pytest.fixture
def options(tmp_path: Path) -> ImportOptions:
    """Options that fit the tiny classifier."""
    (tmp_path / "given.txt").write_text("red\ngreen\nblue\n")
    full = (255.0, 255.0, 255.0)
    return ImportOptions("x", str(tmp_path / "given.txt"), mean=(0.0, 0.0, 0.0), scale=full)


@pytest.mark.skipif(sys.platform != "linux", reason="seccomp is Linux's")
def test_sockets_programs_memory_and_large_files_are_refused(tmp_path: Path) -> None:
    """Each limit by what it stops."""
    command = [sys.executable, "-c", TRIES]
    result = subprocess.run(
        [*command, str(tmp_path / "large")], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert result.stdout.split() == [
        "PermissionError",
        "PermissionError",
        "MemoryError",
        "OSError",
    ], result.stderr


def test_a_child_reports_drafts_and_refuses_like_its_parent_would(
    options: ImportOptions, tmp_path: Path
) -> None:
    """Sentences, card and errors come back as they are raised here."""
    source = str(tiny_onnx.write(tmp_path / "m.onnx"))
    said: list[str] = []
    card = importers.import_model(source, options, tmp_path / "out", report=said.append)

    assert card == importers.draft(source, options, tmp_path / "again", report=lambda _: None)
    assert said[-1] == "It gives probabilities"
    several = str(tiny_onnx.write(tmp_path / "n.onnx", outputs=("kind", "size")))
    with pytest.raises(ImportOptionError, match="--output-layer NAME"):
        importers.import_model(several, options, tmp_path / "other", report=lambda _: None)


@pytest.mark.parametrize(
    ("limits", "deadline_seconds", "sentence"),
    [
        (Limits(processor_seconds=0), 60.0, "ended its process (signal 9)"),
        (Limits(), 0.01, "took more than 0.01 seconds and was ended"),
    ],
)
def test_a_child_that_takes_too_long_is_ended(
    limits: Limits,
    deadline_seconds: float,
    sentence: str,
    options: ImportOptions,
    tmp_path: Path,
) -> None:
    """Its own processor time and the parent's patience are bounded."""
    source = str(tiny_onnx.write(tmp_path / "m.onnx"))
    with pytest.raises(ModelFormatError) as caught:
        confined.draft(
            source,
            options,
            tmp_path / "out",
            report=lambda _: None,
            limits=limits,
            deadline_seconds=deadline_seconds,
        )
    assert sentence in str(caught.value)


def test_a_child_knows_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it needs of the environment is named."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("PETIOLE_API_KEYS", "secret")

    assert "secret" not in confinement.bare_environment().values()
