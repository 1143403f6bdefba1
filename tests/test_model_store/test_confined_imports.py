"""A stranger's file is opened in a child that has no network, and bounded memory and time."""

import json
import os
import platform
import shutil
import site
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType

import pytest

from model_store import importers
from model_store.errors import ImportOptionError, ModelFormatError
from model_store.importers import ImportOptions, child, confined, landlock, whereabouts
from model_store.importers.confinement import MACHINES, Limits
from tests import tiny_onnx

ROOT = Path(__file__).parents[2]


@pytest.fixture
def options(tmp_path: Path) -> ImportOptions:
    """Options that fit the tiny classifier."""
    (tmp_path / "given.txt").write_text("red\ngreen\nblue\n")
    full = (255.0, 255.0, 255.0)
    return ImportOptions("x", str(tmp_path / "given.txt"), mean=(0.0, 0.0, 0.0), scale=full)


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


@pytest.mark.skipif(landlock.version() < landlock.OLDEST, reason="this kernel has no Landlock")
@pytest.mark.parametrize("name", ["saved_model", "ir.xml"])
def test_links_that_lead_out_of_the_folder_are_not_followed(
    name: str, sources: ModuleType, options: ImportOptions, tmp_path: Path
) -> None:
    """The cache of a hub is made of them; the refusal says how to copy what they lead to."""
    import openvino

    made, linked = tmp_path / "made", tmp_path / "linked"
    sources.saved_model(made)
    network = openvino.Core().read_model(tiny_onnx.write(tmp_path / "m.onnx"))
    openvino.save_model(network, made / "ir.xml")
    linked.mkdir()
    for entry in made.iterdir():
        (linked / entry.name).symlink_to(entry)
    (linked / "ir.xml").unlink()
    shutil.copy(made / "ir.xml", linked)

    source = str(linked / name if name == "ir.xml" else linked)
    with pytest.raises(ModelFormatError, match=r"ermission.*; an import reads .* \(cp -rL follows"):
        importers.import_model(source, options, tmp_path / "out", report=lambda _: None)


def test_a_link_to_a_model_and_labels_elsewhere_are_read(
    options: ImportOptions, tmp_path: Path
) -> None:
    """What the user names is what the user means."""
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    tiny_onnx.write(tmp_path / "there" / "m.onnx")
    link = tmp_path / "here" / "link.onnx"
    link.symlink_to(tmp_path / "there" / "m.onnx")
    card = importers.import_model(str(link), options, tmp_path / "out", report=lambda _: None)

    assert card.labels == ("red", "green", "blue")


def test_an_import_writes_nowhere_else(
    options: ImportOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither in the home nor in the folder for temporary files anything is left."""
    for name in ("home", "temporary", "model"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    source = str(tiny_onnx.write(tmp_path / "model" / "m.onnx"))
    importers.import_model(source, options, tmp_path / "out", report=lambda _: None)

    assert list((tmp_path / "home").iterdir()) + list((tmp_path / "temporary").iterdir()) == []
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["m.onnx"]


def test_a_file_that_needs_too_much_memory_is_refused(
    options: ImportOptions, tmp_path: Path
) -> None:
    """Labels of 4 GiB, which take no place on the disk."""
    source = str(tiny_onnx.write(tmp_path / "m.onnx"))
    (tmp_path / "given.txt").touch()
    os.truncate(tmp_path / "given.txt", 2**32)

    with pytest.raises(ModelFormatError, match="it needs more memory than an import may use"):
        confined.draft(
            source,
            options,
            tmp_path / "out",
            report=lambda _: None,
            limits=Limits(memory_bytes=2**31),
        )


CUSTOMS = """
import json, os, sys
from pathlib import Path
place = Path(__file__).parent
flags = {"safe_path": sys.flags.safe_path}
(place / "found.json").write_text(json.dumps(dict(os.environ) | flags))

def told(event, values):
    if event == "open" and str(values[0]).endswith("given.txt"):
        os.write(1, b"what a library prints\\n")

sys.addaudithook(told)
"""


def test_a_child_starts_bare_and_what_libraries_print_is_no_answer(
    options: ImportOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No secrets, no home, no modules from where one stands. Python itself tells, as it starts."""
    (tmp_path / "customs").mkdir()
    (tmp_path / "customs" / "sitecustomize.py").write_text(CUSTOMS)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'customs'}{os.pathsep}{ROOT}")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    source = str(tiny_onnx.write(tmp_path / "m.onnx"))
    card = importers.import_model(source, options, tmp_path / "out", report=lambda _: None)

    found = json.loads((tmp_path / "customs" / "found.json").read_text())
    assert card.labels == ("red", "green", "blue")
    assert "secret" not in found.values()
    assert found["HOME"] == found["TMPDIR"] != os.environ.get("HOME")
    assert found["PYTHONUSERBASE"] == site.getuserbase()
    assert found["safe_path"] is True


def test_a_child_that_dies_before_it_listens_is_told_by_its_end(
    options: ImportOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request is longer than what a pipe holds, so that writing it fails."""
    (tmp_path / "sitecustomize.py").write_text("import os; os._exit(3)")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    source = str(tiny_onnx.write(tmp_path / "m.onnx"))

    with pytest.raises(ModelFormatError, match=r"ended its process \(exit code 3\)"):
        importers.import_model(
            source,
            replace(options, licence="free" * 2**16),
            tmp_path / "out",
            report=lambda _: None,
        )


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("no JSON", r"ended its process \(signal 9\)"),
        ("[]", r"ended its process \(signal 9\)"),
        ('{"card": {"labels": 3}}', r"ended its process \(signal 9\)"),
        ('{"error": "__doc__", "message": "harm"}', "^harm$"),
    ],
)
def test_a_child_that_was_taken_over_is_not_believed_nor_waited_for(
    said: str,
    sentence: str,
    options: ImportOptions,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Only documents of a known form count, and only errors of the store are raised."""
    (tmp_path / "sitecustomize.py").write_text(f"""
import os, time
os.write(1, {said!r}.encode() + b"\\n")
time.sleep(600)
""")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    source = str(tiny_onnx.write(tmp_path / "m.onnx"))

    with pytest.raises(ModelFormatError, match=sentence):
        confined.draft(
            source, options, tmp_path / "out", report=lambda _: None, deadline_seconds=30
        )


@pytest.mark.skipif(platform.machine() not in MACHINES, reason="no filter for this machine")
def test_a_system_that_cannot_confine_says_so_once(options: ImportOptions, tmp_path: Path) -> None:
    """A filter refuses the calls that would set Landlock's rules and the next filter."""
    machine = MACHINES[platform.machine()]
    program = f"""
from model_store.importers import child, confinement
refused = (444, {machine.seccomp})
confinement.refuse_calls(confinement.Machine({machine.audit}, {machine.seccomp}, refused))
child.main()
"""
    source = str(tiny_onnx.write(tmp_path / "m.onnx"))
    places = whereabouts.of_import(source, options, write=(tmp_path / "out",))
    request = {
        "source": source,
        "options": asdict(options),
        "directory": str(tmp_path / "out"),
        "limits": asdict(Limits()),
        "places": asdict(places),
    }
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    said = [json.loads(line).get("report") for line in result.stdout.splitlines()]
    assert [said.count(child.NO_LANDLOCK), said.count(child.NO_SECCOMP)] == [1, 1]


@pytest.mark.parametrize(
    ("source", "read", "fetched"),
    [
        ("hub:{}/module", ["{}/module"], False),
        ("{}/module/m.onnx", ["{}/module"], False),
        ("https://example.org/module/1", [], True),
        ("hub:https://example.org/module/1", [], True),
    ],
)
def test_only_what_is_fetched_may_change_the_cache(
    source: str, read: list[str], fetched: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one module could change what is published from another."""
    (tmp_path / "module").mkdir()
    (tmp_path / "module" / "m.onnx").touch()
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "cache"))
    options = ImportOptions("x", str(tmp_path / "l.txt"))
    places = whereabouts.of_import(source.format(tmp_path), options, write=(tmp_path / "out",))

    assert set(places.read) == {str(tmp_path / "l.txt"), *(name.format(tmp_path) for name in read)}
    cache = [str(tmp_path / "cache")] if fetched else []
    assert list(places.write) == [str(tmp_path / "out"), *cache]
