"""A real nginx with the configuration that `docs/behind-a-proxy.md` shows, and TLS of its own."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT, free_port
from tests.test_end_to_end.conftest import wait_until

PREFIX = "/pictures"
PAGE = ROOT / "docs" / "behind-a-proxy.md"
AROUND = """
daemon off;
{user}
pid {folder}/pid;
error_log {folder}/errors;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/answers;
    fastcgi_temp_path {folder}/unused1;
    uwsgi_temp_path {folder}/unused2;
    scgi_temp_path {folder}/unused3;
    {servers}
}}
"""


@dataclass(frozen=True)
class Proxy:
    """A started nginx: the service's address through it, with TLS and without."""

    url: str
    plain_url: str
    certificate: Path


def program() -> str:
    """Return where nginx is installed; skip at home, and fail in CI, where it is not."""
    found = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        message = "there is no nginx: apt-get install nginx-light"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    return found


@contextmanager
def started(folder: Path, *, service_port: int, flower_port: int = 5555) -> Iterator[Proxy]:
    """Run nginx before a service of this machine, and its Flower."""
    executable = program()
    certificate, key = _certificate(folder)
    port, plain_port = free_port(), free_port()
    with_tls = (
        _snippet(service_port)
        .replace("127.0.0.1:5555", f"127.0.0.1:{flower_port}")
        .replace("listen 443", f"listen 127.0.0.1:{port}")
        .replace("/etc/ssl/petiole.pem", str(certificate))
        .replace("/etc/ssl/petiole.key", str(key))
    )
    lines = with_tls.replace(f":{port} ssl", f":{plain_port}").splitlines()
    plain = "\n".join(line for line in lines if "ssl_" not in line)
    user = "user root;" if os.geteuid() == 0 else ""  # else it cannot look into pytest's folders
    configuration = folder / "nginx.conf"
    configuration.write_text(
        AROUND.format(folder=folder, user=user, servers=f"{with_tls}\n{plain}")
    )
    process = subprocess.Popen([executable, "-c", configuration, "-e", folder / "errors"])
    try:
        wait_until(lambda: (folder / "pid").exists() or process.poll() is not None, seconds=10)
        assert process.poll() is None, (folder / "errors").read_text()
        addresses = f"https://127.0.0.1:{port}{PREFIX}", f"http://127.0.0.1:{plain_port}{PREFIX}"
        yield Proxy(*addresses, certificate)
    finally:
        process.terminate()
        process.wait(timeout=10)


def _snippet(service_port: int) -> str:
    """Return the page's configuration, for a service on another port."""
    _, _, rest = PAGE.read_text().partition("```nginx\n")
    return rest.partition("```")[0].replace("127.0.0.1:8000", f"127.0.0.1:{service_port}")


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate of 127.0.0.1 that signs itself."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    names = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    kind = ("-newkey", "rsa:2048", "-nodes", "-days", "2")
    command = ["openssl", "req", "-x509", *kind, *names, "-keyout", key, "-out", certificate]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key
