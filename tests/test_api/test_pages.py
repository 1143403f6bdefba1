"""What a browser gets: pages in one style, files that are sent once, and no script from outside."""

import gzip
import re
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from PIL import Image

from api import assets
from api.advice import ADVICE
from api.pages import all_problems

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
VENDOR = assets.FOLDER / "vendor"
STATIC = sorted(p.relative_to(assets.FOLDER).as_posix() for p in assets.FOLDER.rglob("*.*"))


def routes(client: FlaskClient) -> list[str]:
    """Return a path for every route that answers a GET, and one that there is not."""
    values = {"<name>": "colours", "<version>": "1", "<path:name>": "page.css"}
    rules = [r.rule for r in client.application.url_map.iter_rules() if "GET" in (r.methods or ())]
    filled = [re.sub(r"<[^>]+>", lambda found: values.get(found[0], "x"), rule) for rule in rules]
    return [*filled, "/docs", "/nowhere"]


def drawn() -> BytesIO:
    """Return one picture as a file."""
    stream = BytesIO()
    Image.new("RGB", (8, 8), (250, 20, 20)).save(stream, "PNG")
    stream.seek(0)
    return stream


def test_a_form_without_script_leads_to_the_page_of_its_result(client: FlaskClient) -> None:
    """A browser that runs no script posts the form, and reads the labels on a page."""
    form = {"image": (drawn(), "<b>red.png")}
    sent = client.post("/classify?wait=10", data=form, headers=BROWSER)
    page = client.get(sent.headers["Location"], headers=BROWSER)

    assert sent.status_code == 303
    assert (page.status_code, page.mimetype) == (200, "text/html")
    text = page.get_data(as_text=True)
    assert re.search(r"<h1>red</h1>", text)
    assert "&lt;b&gt;red.png" in text
    assert "http-equiv" not in text


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/models", 200, "colours"),
        ("/models/colours", 200, "colours@1"),
        ("/models/none", 404, "There is no such model"),
        ("/result/no-such-id", 404, "nobody was given this one here"),
        ("/nowhere", 404, "Not Found"),
        ("/classify", 400, "No picture was sent"),
        ("/problems", 200, "What to do"),
        ("/", 200, "Drop pictures here"),
    ],
)
def test_a_browser_reads_pages(client: FlaskClient, path: str, status: int, words: str) -> None:
    """Each is in the page's style, under its strict policy, and says that it depends on Accept."""
    page = client.get(path, headers=BROWSER)

    assert (page.status_code, page.mimetype) == (status, "text/html")
    assert words in page.get_data(as_text=True)
    assert "default-src 'none'; script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "Accept" in page.headers["Vary"]


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/problem+json"])
@pytest.mark.parametrize("path", ["/models", "/models/colours", "/result/none", "/nowhere"])
def test_a_program_reads_json(client: FlaskClient, path: str, accept: str | None) -> None:
    """Whoever does not ask for HTML gets what it got before there were pages."""
    answer = client.get(path, headers={"Accept": accept} if accept else {})

    assert answer.is_json
    assert "Accept" in answer.headers["Vary"]


def test_whatever_is_html_is_guarded(client: FlaskClient) -> None:
    """Every route that there is, redirects and errors too: policy, no frames, no sniffing."""
    answers = {path: client.get(path, headers=BROWSER) for path in routes(client)}
    pages = {path: page for path, page in answers.items() if page.mimetype == "text/html"}

    assert {"/", "/admin", "/docs", "/docs/", "/login", "/models/colours/1", "/problems"} < set(
        pages
    )
    for path, page in pages.items():
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy, path
        assert "frame-ancestors 'none'" in policy, path
        assert "script-src 'unsafe-inline'" not in policy, path
        assert "https:" not in policy, path
        assert page.headers["X-Frame-Options"] == "DENY", path
        assert page.headers["Referrer-Policy"] == "same-origin", path
    assert {"nosniff"} == {page.headers["X-Content-Type-Options"] for page in answers.values()}


def test_the_documents_ask_nobody_elsewhere(client: FlaskClient) -> None:
    """Swagger UI shows the badge of a public validator, unless it is told of none."""
    assert '"validatorUrl": null' in client.get("/docs/").text


def test_a_page_has_no_script_and_no_style_of_its_own(client: FlaskClient) -> None:
    """The policy forbids them, so that one that stood in a page would silently do nothing."""
    for path in ("/", "/models", "/problems", "/nowhere"):
        text = client.get(path, headers=BROWSER).get_data(as_text=True)
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text)
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//(?!127\.0\.0\.1)", text)


@pytest.mark.parametrize("name", STATIC)
def test_every_file_is_sent_once(client: FlaskClient, name: str) -> None:
    """Compressed where the browser takes that, and not again while it is the same."""
    plain = client.get(f"/static/{name}", headers={"Accept-Encoding": "identity"})
    packed = client.get(f"/static/{name}", headers={"Accept-Encoding": "gzip"})
    again = client.get(f"/static/{name}", headers={"If-None-Match": plain.headers["ETag"]})

    assert plain.data == (assets.FOLDER / name).read_bytes()
    is_packed = packed.headers.get("Content-Encoding") == "gzip"
    assert (gzip.decompress(packed.data) if is_packed else packed.data) == plain.data
    assert is_packed == (not name.endswith(".jpg"))
    assert (again.status_code, again.data) == (304, b"")


def test_the_page_is_light(client: FlaskClient) -> None:
    """At most 150 kB until the page stands, with every file it may load by itself."""
    names = [name for name in STATIC if name.endswith((".js", ".css", "thumbnail.jpg", ".svg"))]
    paths = ["/", *(f"/static/{name}" for name in names)]
    sizes = [len(client.get(path, headers={"Accept-Encoding": "gzip"}).data) for path in paths]

    assert sum(sizes) <= 150_000


def test_files_of_others_are_as_they_were_published() -> None:
    """Their hashes are recorded, and each has its licence beside it."""
    for line in (VENDOR / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert sha256((VENDOR / name).read_bytes()).hexdigest() == digest
        licence = VENDOR / f"{name.split('.')[0]}.LICENSE.md"
        assert "MIT License" in licence.read_text()
    recorded = {line.split()[1] for line in (VENDOR / "SHA256SUMS").read_text().splitlines()}
    assert recorded == {file.name for file in VENDOR.iterdir() if file.suffix in {".css", ".js"}}


def test_nothing_outside_the_folder_is_sent(client: FlaskClient) -> None:
    """However its name is spelled."""
    for name in ("../app.py", "%2e%2e/app.py", "..%2fapp.py", "vendor"):
        assert client.get(f"/static/{name}").status_code == 404


def test_every_problem_says_what_to_do(client: FlaskClient) -> None:
    """On the table for people, and in the list that the page reads."""
    slugs = [problem.slug for problem in all_problems()]
    listed = client.get("/problems", headers={"Accept": "application/json"}).json

    assert set(slugs) == set(ADVICE)
    assert [row["type"] for row in listed] == [f"/problems#{slug}" for slug in slugs]
    assert all(row["advice"].endswith(".") and row["title"] for row in listed)


def test_the_samples_are_pictures_that_may_be_given_away() -> None:
    """Small, and each named with its source on the page."""
    for file in Path(assets.FOLDER / "samples").glob("*.jpg"):
        with Image.open(file) as picture:
            assert max(picture.size) <= 480
