"""What importing the client costs: none of what the service needs."""

import subprocess
import sys

from tests.conftest import ROOT

NEEDED = {
    *("petiole", "httpx2", "httpcore2", "h11", "anyio", "idna", "truststore"),
    "typing_extensions",
    *("backports", "brotli"),  # of what is looked for and used where it is installed
}

PROGRAM = """
import sys
from petiole.client import AsyncClient, Client
Client("http://127.0.0.1:9"), AsyncClient("http://127.0.0.1:9")
tops = {name.partition(".")[0] for name in sys.modules}
print(*sorted(top for top in tops if top not in sys.stdlib_module_names and top[0] != "_"))
"""


def test_the_client_needs_httpx2_and_nothing_else() -> None:
    """No Flask, no Celery, no NumPy, no TensorFlow, no Pillow, no typer."""
    loaded = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{PROGRAM}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.split()

    assert set(loaded) - {"sitecustomize", "site"} <= NEEDED


def test_the_command_line_starts_without_the_client() -> None:
    """`petiole --help` does not wait for what only `petiole classify` needs."""
    program = "import sys, petiole.cli; print('httpx2' in sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert loaded.stdout == "False\n"
