"""What programs really send: each is run, and the picture arrives as it was."""

import base64
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

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

NODE = """
const fs = require("fs"), url = process.argv[2], bytes = fs.readFileSync("a.jpg")
const form = new FormData()
form.append("image", new Blob([bytes]), "a.jpg")
const stream = () => new Blob([bytes], {type: "image/jpg"}).stream()
const ways = [
  {body: form}, {body: bytes}, {body: new Blob([bytes], {type: "image/jpeg"})},
  {body: stream(), duplex: "half"}, {body: new URLSearchParams({image: bytes.toString("base64")})},
]
;(async () => {
  for (const way of ways) {
    const answer = await fetch(url, {method: "POST", ...way})
    if (answer.status != 202) throw new Error(await answer.text())
  }
})()
"""

JAVA = """
import java.net.URI; import java.net.http.*; import java.nio.file.Path;
class Send { public static void main(String[] a) throws Exception {
  var body = HttpRequest.BodyPublishers.ofFile(Path.of("a.jpg"));
  var request = HttpRequest.newBuilder(URI.create(a[0])).POST(body).build();
  var answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
  if (answer.statusCode() != 202) throw new Exception(answer.body());
} }
"""

SECONDS = 10
PYTHON: dict[str, Callable[[str], requests.Response | httpx2.Response]] = {
    "requests, files": lambda url: requests.post(url, files={"image": GREEN}, timeout=SECONDS),
    "requests, data": lambda url: requests.post(url, data=GREEN, timeout=SECONDS),
    "requests, chunked": lambda url: requests.post(url, data=iter([GREEN]), timeout=SECONDS),
    "requests, form": lambda url: requests.post(url, data={"image": TEXT}, timeout=SECONDS),
    "httpx, files": lambda url: httpx2.post(url, files={"image": GREEN}),
    "httpx, content": lambda url: httpx2.post(url, content=GREEN),
}


def _programs(url: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the commands, each with a name."""
    for name, flags in CURL.items():
        yield f"curl {name}", ["curl", "-sS", "--fail-with-body", *flags, url]
    yield "wget", ["wget", "-qO-", "--post-file=a.jpg", url]
    yield "node", ["node", "send.js", url]
    yield "java", ["java", "Send.java", url]


def _run(command: list[str], folder: Path) -> None:
    with (folder / "a.jpg").open("rb") as piped:
        ended = subprocess.run(
            command, cwd=folder, stdin=piped, capture_output=True, timeout=60, check=False
        )
    assert ended.returncode == 0, (command, ended)


def _arrived(folder: Path) -> int:
    """Return how many pictures arrived, after looking that each is as it was, and forget them."""
    files = [path for path in (folder / "uploads").rglob("*") if path.is_file()]
    assert {path.read_bytes() for path in files} == {GREEN}
    for path in files:
        path.unlink()
    return len(files)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the picture in every form, where programs run."""
    (tmp_path / "a.jpg").write_bytes(GREEN)
    (tmp_path / "a.txt").write_text(TEXT)
    (tmp_path / "a.json").write_text(f'{{"image": "{TEXT}"}}')
    (tmp_path / "send.js").write_text(NODE)
    (tmp_path / "Send.java").write_text(JAVA)
    return tmp_path


def test_what_programs_send_arrives_as_it_was(start: Start, folder: Path) -> None:
    """Those that are not installed here are left out; curl always is."""
    url = f"{start().url}/classify"
    counts = {}
    for name, command in _programs(url):
        if shutil.which(command[0]):
            _run(command, folder)
            counts[name] = _arrived(folder)

    assert counts == {name: 5 if name == "node" else 1 for name in counts}
    assert len(counts) >= len(CURL)


def test_what_libraries_send_arrives_as_it_was(start: Start, folder: Path) -> None:
    """Of Python; each in the ways that its documents show."""
    url = f"{start().url}/classify"

    for name, send in PYTHON.items():
        assert (name, send(url).status_code, _arrived(folder)) == (name, 202, 1)
