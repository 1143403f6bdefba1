"""What is shipped: its licences, its bills of materials, and what is known against it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from supply import audit, bill, files, licences, shipped, sizes, table
from tests.conftest import free_port

SMALL = ("bootstrap.lock",)


def test_the_tables_of_licences_are_current() -> None:
    """Of what the locks pin now; `make licences` writes them anew."""
    current = f"<!-- licences: begin -->\n{table.tables()}\n<!-- licences: end -->"

    assert current in table.DOCUMENT.read_text()


def test_no_licence_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not say under which it is needs a reason in writing."""
    written = "the clauses of its licence", "metadata", "classifier"
    rows = [row.split(" | ") for row in table.tables().splitlines() if row.count(" | ") == 4][1:]
    stated = [row[0].strip("| ") for row in rows[1:] if row[4].strip(" |") not in written]
    monkeypatch.delitem(licences.STATED, "namex")  # type: ignore[arg-type]

    assert stated == sorted(licences.STATED | {"namex": ()})
    assert not [row for row in rows if "unknown" in row[3].lower()]
    with pytest.raises(licences.UnknownLicenceError, match="namex"):
        licences.licence_of("namex")


def test_no_file_of_others_is_left_out(root: Path) -> None:
    """Pictures, fonts, weights, texts and what is minified; and nothing is listed that is gone."""
    sums = (root / "api" / "static" / "vendor" / "SHA256SUMS").read_text().split()

    assert files.unlisted() == []
    assert all(files.paths(each) for each in files.FILES)
    assert sums[0] in files.paths(files.FILES[0]).values()


def test_packages_hold_what_is_said(root: Path) -> None:
    """The table says what the wheels of some hold of others; those are among the packages."""
    names = {package.name for image in shipped.LOCKS for package in shipped.packages(image)}

    assert {each.package for each in files.WITHIN} <= names


@pytest.mark.parametrize("image", sorted(shipped.LOCKS))
def test_a_bill_names_all_that_is_in_an_image(root: Path, image: str) -> None:
    """Each package that its lock has for Linux, with version and licence, and each file."""
    told = json.loads(bill.bill(image, "0.1.0"))
    parts = [part for part in told["components"] if part["type"] != "container"]
    lock = (root / "requirements" / shipped.LOCKS[image]).read_text()
    everywhere = re.findall(r"^([\w.-]+==\S+) \\$", lock, re.MULTILINE)
    base = f"python:{next(p['version'] for p in told['components'] if p['name'] == 'python')}"

    assert set(everywhere) <= {part["bom-ref"] for part in parts}
    assert {path for each in files.FILES for path in files.paths(each)} <= {
        p["name"] for p in parts
    }
    assert all(part["licenses"] for part in parts)
    assert f"FROM {base} AS base" in (root / "Dockerfile").read_text()
    assert {"colorama", "async-timeout"}.isdisjoint(part["name"] for part in parts)


def weak(package: str) -> dict[str, Any]:
    """Return what a database knows of a package, in the form of OSV."""
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "999"}]}]
    affected = [{"package": {"name": package, "ecosystem": "PyPI"}, "ranges": ranges}]
    return {"vulns": [{"id": "OSV-1", "summary": "drawn", "affected": affected}]}


def database(server: HTTPServer, package: str) -> tuple[str, ...]:
    """Let a server on loopback know one weakness; returns the options that ask it."""

    def answer(request: Request) -> Response:
        asked = request.get_json(force=True)["package"]["name"]
        return Response(json.dumps(weak(package) if asked == package else {}))

    server.expect_request("/query", method="POST").respond_with_handler(answer)
    return "--vulnerability-service", "osv", "--osv-url", server.url_for("/query")


@pytest.mark.parametrize(("package", "status"), [("pluggy", audit.KNOWN), ("x", audit.NONE_KNOWN)])
def test_a_known_weakness_is_told(httpserver: HTTPServer, package: str, status: int) -> None:
    """A line with what mends it, and status 1; else one that all were looked up."""
    found = audit.audit(database(httpserver, package), names=SMALL)

    assert found.status == status, found.lines
    assert len(found.lines) == 1
    assert "pluggy" in found.lines[0] or "no weakness is known" in found.lines[0]


def test_no_database_is_not_no_weakness() -> None:
    """One line, and a status of its own."""
    options = ("--vulnerability-service", "osv", "--osv-url", f"http://127.0.0.1:{free_port()}/")
    found = audit.audit(options, names=SMALL)

    assert found.status == audit.NO_DATABASE
    assert len(found.lines) == 1
    assert "no database can be reached" in found.lines[0]


def test_what_was_not_looked_up_is_not_without_weakness() -> None:
    """pip-audit ends with 0 where a mirror has no database, and skips every package."""
    reason = {"skip_reason": "Dependency not found on PyPI and could not be audited"}
    found = audit.judged([{"name": "a", **reason}, {"name": "b", "version": "1", "vulns": []}])

    assert audit.OF_IMAGES == ("api.lock", "worker.lock", "traces.lock")
    assert (found.status, found.lines[0][:24]) == (audit.NO_DATABASE, "audit: 1 of 2 packages a")


def test_the_sizes_are_those_of_the_images_packages() -> None:
    """Each package counts with its bytecode; the document has a row for each image."""
    written = table.DOCUMENT.read_text()

    assert sizes.package_bytes("pillow") > 5_000_000
    assert sizes.package_bytes("tensorflow") > 100 * sizes.package_bytes("flask")
    for image in shipped.LOCKS:
        assert f"| {image} | {len(shipped.packages(image))} | " in written
    with pytest.raises(sizes.NotInstalledError, match="no-such-package is not installed"):
        sizes.package_bytes("no-such-package")
