"""The files that a page needs besides itself, read once and sent compressed to who can take it."""

import gzip
from dataclasses import dataclass
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path

from apiflask import APIBlueprint
from flask import Response, abort, request

from tasks.once import once

FOLDER = Path(__file__).parent / "static"
COMPRESSED = ("text/", "image/svg+xml")

blueprint = APIBlueprint("assets", __name__, enable_openapi=False)


@dataclass(frozen=True)
class Asset:
    """One file: its bytes as they are and compressed, its media type, and a name for both."""

    plain: bytes
    compressed: bytes
    kind: str
    etag: str


@blueprint.get("/static/<path:name>")
def static(name: str) -> Response:
    """Return one file; the browser asks each time whether it is still the same."""
    asset = _assets().get(name)
    if asset is None:
        abort(404, f"there is no file {name!r} here")
    is_compressed = bool(asset.compressed) and request.accept_encodings["gzip"] > 0
    response = Response(asset.compressed if is_compressed else asset.plain, mimetype=asset.kind)
    if is_compressed:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Cache-Control"] = "no-cache"
    response.vary.add("Accept-Encoding")
    response.set_etag(f"{asset.etag}-gzip" if is_compressed else asset.etag)
    response.make_conditional(request)
    return response


@once
def _assets() -> dict[str, Asset]:
    files = [file for file in FOLDER.rglob("*") if file.is_file()]
    return {file.relative_to(FOLDER).as_posix(): _read(file) for file in files}


def _read(file: Path) -> Asset:
    content = file.read_bytes()
    kind = guess_type(file.name)[0] or "text/plain"
    compressed = gzip.compress(content, mtime=0) if kind.startswith(COMPRESSED) else b""
    return Asset(content, compressed, kind, sha256(content).hexdigest()[:16])
