"""`python -m tests.test_upgrades.recording COMMIT`: what a release leaves behind, byte for byte.

Its own API accepts pictures while no worker runs; what then is in Redis and in its stores is
written to `recorded.json`.
"""

import json
import subprocess
import sys
import tarfile
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import redis

from tests.conftest import ORIGINAL_ENVIRONMENT, ROOT, picture
from tests.started_parts import Place, place
from tests.test_bulk.conftest import zipped

RECORDED = Path(__file__).parent / "recorded.json"
COLOURS = {"red": "red", "lime": "green", "blue": "blue"}
"""Colours to draw with, and what `colours` answers."""
OPTIONS = {"red": "", "lime": "?top_k=2&priority=low", "blue": "?deadline=100000"}
NOWHERE = "http://127.0.0.1:9/nothing.jpg"
PUBLISH = (
    "import sys, pathlib; from tests import colour_model as m; m.publish(pathlib.Path(sys.argv[1]))"
)


@contextmanager
def checkout(commit: str) -> Iterator[Path | None]:
    """Lay the files of a commit out for the block; None where the history does not reach it."""
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode != 0:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=BytesIO(archive.stdout)) as tar:
            tar.extractall(folder, filter="data")
        yield Path(folder)


def record(code: Path, directory: Path) -> dict[str, Any]:
    """Return what the release in `code` leaves behind."""
    with place(directory, ORIGINAL_ENVIRONMENT, PETIOLE_API_REQUIRE_KEYS="true") as made:
        made.run_python(code, "-c", PUBLISH, str(directory / "models"))
        token = made.run_python(code, "-m", "petiole", "keys", "create", "ana").strip()
        made.start("api", code=code)
        _send(made, {"Authorization": f"Bearer {token}"})
        made.end("api")
        with redis.Redis.from_url(made.redis_url, decode_responses=True) as client:
            found = {name: _read(client, name) for name in sorted(client.keys("*"))}
        uploads = {
            file.name: b64encode(file.read_bytes()).decode()
            for file in sorted((directory / "uploads").iterdir())
        }
        card = (directory / "models" / "colours" / "1" / "card.json").read_text("utf-8")
    return {"token": token, "redis": found, "uploads": uploads, "card": card}


def _send(to: Place, headers: dict[str, str]) -> None:
    for colour, options in OPTIONS.items():
        own = headers | {"Idempotency-Key": colour}
        to.post(f"/classify{options}", picture(colour), headers=own).raise_for_status()
    form = headers | {"Content-Type": "application/x-www-form-urlencoded"}
    to.post("/classify", f"image_url={NOWHERE}".encode(), headers=form).raise_for_status()
    body = zipped({f"{colour}.jpg": picture(colour) for colour in COLOURS})
    own = headers | {"Content-Type": "application/zip"}
    to.post("/bulk", body, headers=own).raise_for_status()


def _read(client: Any, name: str) -> dict[str, Any]:
    kind = client.type(name)
    readers = {
        "hash": client.hgetall,
        "string": client.get,
        "list": lambda name: client.lrange(name, 0, -1),
        "set": lambda name: sorted(client.smembers(name)),
        "zset": lambda name: client.zrange(name, 0, -1, withscores=True),
        "stream": client.xrange,
    }
    return {"type": kind, "value": readers[kind](name)}


def write(client: Any, name: str, kind: str, value: Any) -> None:
    """Write a key as it was read."""
    writers = {
        "hash": lambda: client.hset(name, mapping=value),
        "string": lambda: client.set(name, value),
        "list": lambda: client.rpush(name, *value),
        "set": lambda: client.sadd(name, *value),
        "zset": lambda: client.zadd(name, dict(value)),
        "stream": lambda: [client.xadd(name, fields, id=id_) for id_, fields in value],
    }
    writers[kind]()


if __name__ == "__main__":
    with checkout(sys.argv[1]) as code, tempfile.TemporaryDirectory() as folder:
        if code is None:
            sys.exit(f"there is no commit {sys.argv[1]} here")
        RECORDED.write_text(json.dumps(record(code, Path(folder) / "place"), indent=1) + "\n")
