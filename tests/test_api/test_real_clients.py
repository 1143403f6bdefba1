"""What programs really send: each is run, and the picture arrives as it was."""

import asyncio
import base64
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import aiohttp
import httpx2
import pytest
import requests

from tests.api_server import Start
from tests.conftest import picture

pytestmark = pytest.mark.server

GREEN = picture("green")
TEXT = base64.b64encode(GREEN).decode()

CURL = {
    "-F": ("-F", "image=@a.jpg"),
    "-F of base64": ("-F", "image=<a.txt"),
    "-F, chunked": ("-F", "image=@a.jpg", "-H", "Transfer-Encoding: chunked"),
    "-F, asking first": ("-F", "image=@a.jpg", "-H", "Expect: 100-continue"),
    "--data-binary": ("--data-binary", "@a.jpg"),
    "--data-urlencode": ("--data-urlencode", "image@a.txt"),
    "-d of JSON": ("-d", "@a.json"),
    "-T": ("-X", "POST", "-T", "a.jpg"),
    "-T -, chunked": ("-X", "POST", "-T", "-"),
}

PROGRAMS = Path(__file__).parents[1] / "programs"
MODULES = PROGRAMS / "node_modules"
NPM_CI = "npm ci --ignore-scripts --prefix tests/programs"


@dataclass(frozen=True)
class Program:
    """One of `tests/programs`, which prints a line for each way in which it has sent a picture."""

    command: tuple[str, ...]
    install: str = ""
    """What brings it, as CI does; empty where a machine may do without."""


SCRIPTS = {
    "fetch": Program(("node", "fetch.mjs"), "apt-get install nodejs"),
    "axios": Program(("node", "axios.mjs"), NPM_CI),
    "undici": Program(("node", "undici.mjs"), NPM_CI),
    "php": Program(("php", "send.php"), "apt-get install php-cli php-curl"),
    "java": Program(("java", "Send.java")),
}


async def _chunks() -> AsyncIterator[bytes]:
    yield GREEN


def _form() -> aiohttp.FormData:
    form = aiohttp.FormData()
    form.add_field("image", GREEN, filename="a.jpg", content_type="image/jpeg")
    return form


def _aiohttp(url: str, **sent: object) -> int:
    async def post() -> int:
        async with aiohttp.ClientSession() as session, session.post(url, **sent) as answer:
            return answer.status

    return asyncio.run(post())


def _requests(url: str, **sent: object) -> int:
    return requests.post(url, timeout=10, **sent).status_code


PYTHON: dict[str, Callable[[str], int]] = {
    "requests, files": lambda url: _requests(url, files={"image": GREEN}),
    "requests, data": lambda url: _requests(url, data=GREEN),
    "requests, chunked": lambda url: _requests(url, data=iter([GREEN])),
    "requests, form": lambda url: _requests(url, data={"image": TEXT}),
    "httpx, files": lambda url: httpx2.post(url, files={"image": GREEN}).status_code,
    "httpx, content": lambda url: httpx2.post(url, content=GREEN).status_code,
    "aiohttp, FormData": lambda url: _aiohttp(url, data=_form()),
    "aiohttp, a form of a file": lambda url: _aiohttp(url, data={"image": BytesIO(GREEN)}),
    "aiohttp, bytes": lambda url: _aiohttp(url, data=GREEN),
    "aiohttp, chunked": lambda url: _aiohttp(url, data=_chunks()),
    "aiohttp, asking first": lambda url: _aiohttp(url, data=GREEN, expect100=True),
    "aiohttp, json": lambda url: _aiohttp(url, json={"image": TEXT}),
    "aiohttp, form": lambda url: _aiohttp(url, data={"image": TEXT}),
}


def _run(command: list[str], folder: Path) -> list[str]:
    """Return the lines that a program prints, which must end well."""
    with (folder / "a.jpg").open("rb") as piped:
        ended = subprocess.run(
            command, cwd=folder, stdin=piped, capture_output=True, timeout=60, check=False
        )
    assert ended.returncode == 0, (command, ended)
    return ended.stdout.decode().splitlines()


def _arrived(folder: Path) -> int:
    """Return how many pictures arrived, after looking that each is as it was, and forget them."""
    files = [path for path in (folder / "uploads").rglob("*") if path.is_file()]
    assert {path.read_bytes() for path in files} == {GREEN}
    for path in files:
        path.unlink()
    return len(files)


def _require(program: Program) -> None:
    """Skip at home, and fail in CI, where a program is not that CI installs."""
    there = shutil.which(program.command[0]) and (program.install != NPM_CI or MODULES.exists())
    if not there:
        message = f"not installed: {program.install or program.command[0]}"
        in_ci = os.environ.get("CI") and program.install
        pytest.fail(message) if in_ci else pytest.skip(message)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the picture in every form, where programs run."""
    (tmp_path / "a.jpg").write_bytes(GREEN)
    (tmp_path / "a.txt").write_text(TEXT)
    (tmp_path / "a.json").write_text(f'{{"image": "{TEXT}"}}')
    return tmp_path


def test_what_curl_and_wget_send_arrives_as_it_was(start: Start, folder: Path) -> None:
    """In each way that their manuals name; a machine may do without wget."""
    url = f"{start().url}/classify"
    commands = [["curl", "-sS", "--fail-with-body", *flags, url] for flags in CURL.values()]
    if shutil.which("wget"):
        commands.append(["wget", "-qO-", "--post-file=a.jpg", url])

    for command in commands:
        _run(command, folder)
        assert (command, _arrived(folder)) == (command, 1)


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_programs_send_arrives_as_it_was(name: str, start: Start, folder: Path) -> None:
    """Of other languages, each in the ways that its documents show."""
    program = SCRIPTS[name]
    _require(program)
    runner, script = program.command
    url = f"{start().url}/classify"
    ways = _run([runner, str(PROGRAMS / script), url, "a.jpg"], folder)

    assert _arrived(folder) == len(ways) > 0


def test_what_libraries_send_arrives_as_it_was(start: Start, folder: Path) -> None:
    """Of Python; each in the ways that its documents show."""
    url = f"{start().url}/classify"

    for name, send in PYTHON.items():
        assert (name, send(url), _arrived(folder)) == (name, 202, 1)
