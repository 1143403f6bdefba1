"""Messages that somebody forged who reaches Redis: refused, counted, and nothing ends over them."""

import base64
import bz2
import json
import lzma
import os
import pickle
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from tests.test_end_to_end.conftest import wait_until
from tests.test_workers.conftest import Stage, worker

pytestmark = pytest.mark.end_to_end

CONTROL = "/0.celery.pidbox"
"""Channel of the server's on which workers hear remote commands."""

PLACE = {"exchange": "classify", "routing_key": "classify"}
PROPERTIES = {"delivery_tag": "tag", "delivery_info": PLACE, "body_encoding": "base64"}
HEADERS = {"task": "classify", "id": "forged", "lang": "py"}


class Code:
    """What runs a command in whoever unpickles it."""

    def __init__(self, trace: Path) -> None:
        """Leave `trace` behind."""
        self._trace = trace

    def __reduce__(self) -> Any:
        """Return the call that unpickling is."""
        return os.mkdir, (str(self._trace),)


def raw(body: Any = (["forged"], {}, {}), **others: Any) -> str:
    """Return a message as it lies in Redis, with some members replaced."""
    packed = body if isinstance(body, bytes) else json.dumps(body).encode()
    whole = {
        "body": base64.b64encode(packed).decode(),
        "headers": HEADERS,
        "properties": PROPERTIES,
        "content-type": "application/json",
        "content-encoding": "utf-8",
    }
    return json.dumps(whole | {name.replace("_", "-"): value for name, value in others.items()})


UNREADABLE = [
    *("no JSON", b"\xff\xfe", "[" * 100_000, "[]", "{}", "null", "7", '"text"'),
    *(raw(properties=value) for value in ({}, [], PROPERTIES | {"delivery_tag": ["t"]})),
    *(raw(properties=PROPERTIES | {"delivery_info": value}) for value in (None, [], {})),
    *(raw(properties=PROPERTIES | {"body_encoding": value}) for value in ("rot13", 7)),
    *(raw(headers=["x"]), json.dumps(json.loads(raw()) | {"body": "A"})),
    json.dumps(json.loads(raw()) | {"body": 7}),
]
MALFORMED = [
    *(raw(body) for body in ({"a": 1}, [[], {}], [7, 8, 9], [["x"], {}, 7], 7, None, "text")),
    *(raw(headers=HEADERS | {"id": value}) for value in (None, [1], {}, 7, "")),
    *(raw(headers=HEADERS | {"task": value}) for value in (["classify"], {}, 7)),
    *(raw(headers=HEADERS | {"retries": value}) for value in ("x", [], 1.5)),
    *(raw(headers=HEADERS | {"eta": value}) for value in ("yesterday", 7)),
    *(raw(headers=HEADERS | {"expires": value}) for value in ("never", [7])),
    *(raw(headers=HEADERS | {"timelimit": value}) for value in ("x", 7, ["x"], [None])),
    *(raw(headers=HEADERS | {"compression": value}) for value in ("zip", "zap", ["gzip"])),
    *(raw(headers=value) for value in (None, {}, {"task": None})),
    *(raw(b"\xff\xfe"), raw(b"[" * 100_000)),
]
BOMB_MIB = 128
PACKERS = {"gzip": zlib.compressobj, "bzip2": bz2.BZ2Compressor, "lzma": lzma.LZMACompressor}
UNKNOWN = [raw(headers=HEADERS | {"task": name}) for name in ("os.system", "celery.none", "")]
FOREIGN_TYPES = (
    *("application/x-python-serialize", "pickle", "application/x-yaml", "yaml"),
    *("application/x-msgpack", "msgpack"),
)


@pytest.fixture(scope="module")
def process(stage: Stage) -> Iterator[psutil.Process]:
    """One worker for all of them."""
    with stage.working(worker()) as process:
        yield process


def refused(stage: Stage) -> dict[str, float]:
    """Return how many messages were refused for each reason, as Prometheus is told."""
    series = re.findall(
        r'^petiole_refused_messages_total\{reason="(.*)"\} (.*)$', stage.get("/metrics").text, re.M
    )
    return {reason: float(amount) for reason, amount in series}


@pytest.mark.parametrize(
    ("reason", "messages"),
    [("unreadable", UNREADABLE), ("malformed", MALFORMED), ("unknown task", UNKNOWN)],
)
def test_what_nobody_can_do_is_counted_and_ends_nothing(
    stage: Stage, process: psutil.Process, reason: str, messages: list[str | bytes]
) -> None:
    """The same worker, and the same child, classify the next picture; nothing is left over."""
    children = [child.pid for child in process.children(recursive=True)]
    before = refused(stage).get(reason, 0)
    for message in messages:
        stage.redis.lpush("classify", message)
    stage.answered(stage.accepted(1), seconds=20)

    assert refused(stage)[reason] - before == len(messages)
    assert wait_until(lambda: stage.redis.hlen("unacked") == 0)
    assert children == [child.pid for child in process.children(recursive=True)]


@pytest.mark.parametrize("content_type", FOREIGN_TYPES)
def test_other_content_than_json_is_not_looked_into(
    stage: Stage, process: psutil.Process, tmp_path: Path, content_type: str
) -> None:
    """A pickle that runs code where it is loaded leaves no trace; nor does YAML that calls."""
    trace = tmp_path / "trace"
    body = pickle.dumps(Code(trace))
    if "yaml" in content_type:
        body = f'!!python/object/apply:os.mkdir ["{trace}"]'.encode()
    before = refused(stage).get("content", 0)
    stage.redis.lpush("classify", raw(body, content_type=content_type))
    stage.redis.publish(CONTROL, raw(body, content_type=content_type, headers={}))
    stage.answered(stage.accepted(1), seconds=20)

    assert wait_until(lambda: refused(stage)["content"] - before == 2)
    assert not trace.exists()
    assert process.is_running()


def most_bytes(process: psutil.Process) -> int:
    """Return the largest memory that a process has had at any moment."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.findall(r"^VmHWM:\s+(\d+) kB$", status, re.M)[0]) * 1024


@pytest.mark.parametrize("kind", sorted(PACKERS))
def test_a_message_that_is_a_bomb_is_not_unpacked(
    stage: Stage, process: psutil.Process, kind: str
) -> None:
    """Neither in the queue nor as a remote command; a job under its id ends, and memory stays."""
    bomb = PACKERS[kind]()
    packed = b"".join([*(bomb.compress(bytes(2**20)) for _ in range(BOMB_MIB)), bomb.flush()])
    before, memory = refused(stage).get("content", 0), most_bytes(process)
    stage.redis.lpush("classify", raw(packed, headers=HEADERS | {"compression": kind}))
    stage.redis.publish(CONTROL, raw(packed, headers={"compression": kind}))
    stage.answered(stage.accepted(1), seconds=20)

    assert len(packed) < 2**20
    assert wait_until(lambda: refused(stage)["content"] - before == 2)
    assert most_bytes(process) - memory < BOMB_MIB * 2**20 / 2


@pytest.mark.parametrize(
    "command",
    [{}, [], 7, "text", {"method": "rm"}, {"method": 7}, {"method": "shutdown", "arguments": 7}],
)
def test_a_remote_command_that_is_none_ends_nothing(
    stage: Stage, process: psutil.Process, command: Any
) -> None:
    """What is no command is no end of whoever hears it."""
    stage.redis.publish(CONTROL, raw(command, headers={}))
    stage.redis.publish(CONTROL, str(uuid4()))
    stage.answered(stage.accepted(1), seconds=20)

    assert process.is_running()
