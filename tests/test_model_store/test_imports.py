"""What importing costs: the API process must stay light, and fast runtimes free of TensorFlow."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"numpy", "tensorflow", "keras", "openvino", "ai_edge_litert"}
LIGHT_MODULES = ("model_store", "model_store.pictures.headers", "model_store.settings")


def _loaded(program: str, **environment: str) -> set[str]:
    """Return which heavy libraries a fresh interpreter has loaded after `program`."""
    report = f"{program}\nimport sys\nprint(*{HEAVY} & sys.modules.keys())"
    result = subprocess.run(
        [sys.executable, "-c", report],
        cwd=Path(__file__).parents[2],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(result.stdout.split())


@pytest.mark.parametrize(
    "module", [*LIGHT_MODULES, "petiole.models_command", "petiole.chaos.conduct"]
)
def test_what_the_api_uses_loads_nothing_heavy(module: str) -> None:
    """Neither NumPy nor a runtime comes with cards, errors, headers and the store."""
    assert set() == _loaded(f"import {module}")


@pytest.mark.parametrize("runtime", ["openvino", "litert"])
def test_a_fast_runtime_does_not_load_tensorflow(runtime: str) -> None:
    """A worker that runs it is ready in a second and stays small."""
    loaded = _loaded(f"from model_store import runtimes, serving; runtimes.find('{runtime}')")

    assert set() == loaded & {"tensorflow", "keras"}


def test_openvino_does_not_report_to_its_maker(tmp_path: Path) -> None:
    """Importing it writes an identifier into the home directory and sends it, unless stopped."""
    _loaded("from model_store import runtimes; runtimes.find('openvino')", HOME=str(tmp_path))

    assert list(tmp_path.iterdir()) == []


def test_quantizing_writes_nothing_elsewhere_and_says_nothing(
    tmp_path: Path, tiny_saved_model: Path
) -> None:
    """NNCF would report to its maker, too, and draws bars on stdout, where documents go."""
    program = (
        "import numpy; from pathlib import Path; from model_store import runtimes;"
        f"images = numpy.zeros((2, 32, 32, 3), 'uint8'); place = Path({str(tmp_path)!r}) / 'made';"
        f"runtimes.find('openvino').quantize(Path({str(tiny_saved_model)!r}), place, images)"
    )

    assert set() == _loaded(program, HOME=str(tmp_path)) - HEAVY
    assert [path.name for path in tmp_path.iterdir()] == ["made"]
    assert {"model.bin", "model.xml"} == {path.name for path in (tmp_path / "made").iterdir()}
