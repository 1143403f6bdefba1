"""Sends uploads to two child processes and reads what they say; starts a new one after a crash.

What the second one's allocator hands out is filled with a pattern, so that an answer made of memory
that nobody wrote, which may be another client's picture, differs between them. The filling touches
memory that is never used, so only the first one is measured.
"""

import json
import os
import select
import struct
import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from chaos.hostile.looks import Crash, Look, Outcome, Trial
from model_store.pictures.headers import DEFAULT_MAX_PIXELS

ROOT = Path(__file__).parents[2]
CHILD = "chaos.hostile.child"
# So long may a child be silent; on a busy machine time passes without work.
SILENCE_SECONDS = 30.0
# What glibc fills fresh memory with; 0 fills nothing. Source: mallopt(3), M_PERTURB.
FILLINGS = (0, 170)


class Child(AbstractContextManager["Child"]):
    """One process in a directory of its own, which is started anew after a crash."""

    def __init__(self, filling: int, *, max_pixels: int) -> None:
        """Start it; `filling` is the byte of fresh memory."""
        self._filling, self._max_pixels = filling, max_pixels
        self._directory = tempfile.TemporaryDirectory(prefix="petiole-hostile-")
        self._work = Path(self._directory.name) / "work"
        self._work.mkdir()
        self._process = self._started()

    def __exit__(self, *_: object) -> None:
        """End it and take its directory away."""
        self._stop()
        self._directory.cleanup()

    @property
    def process_id(self) -> int:
        """The process that runs now."""
        return self._process.pid

    def send(self, upload: bytes) -> None:
        """Hand an upload over; its outcome is asked for with `outcome`."""
        pipe = self._process.stdin
        if pipe is None:
            raise RuntimeError("the child has no stdin")
        try:
            pipe.write(struct.pack("<I", len(upload)) + upload)
            pipe.flush()
        except BrokenPipeError:
            # It died before it had read everything; `outcome` finds it dead.
            return

    def outcome(self) -> Outcome:
        """Return what became of the upload that was sent last."""
        pipe = self._process.stdout
        if pipe is None:
            raise RuntimeError("the child has no stdout")
        ready, _, _ = select.select([pipe], [], [], SILENCE_SECONDS)
        line = pipe.readline() if ready else b""
        if line:
            return _trial(json.loads(line))
        how = self._stop() if ready else self._silenced()
        self._process = self._started()
        return Crash(how)

    def _started(self) -> "subprocess.Popen[bytes]":
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(self._work),
            "MALLOC_PERTURB_": str(self._filling),
        }
        # Warnings that are shown once only would be blamed on one upload alone.
        command = [sys.executable, "-X", "faulthandler", "-W", "always", "-m", CHILD]
        with (Path(self._directory.name) / "stderr").open("w+b") as stderr:
            return subprocess.Popen(  # noqa: S603 - our own program
                [*command, str(self._max_pixels)],
                cwd=self._work,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )

    def _silenced(self) -> str:
        self._process.kill()
        self._stop()
        return f"no answer within {SILENCE_SECONDS:g} s"

    def _stop(self) -> str:
        with self._process:
            if self._process.stdin:
                self._process.stdin.close()
        code = self._process.returncode
        return f"ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


class Pair(AbstractContextManager["Pair"]):
    """Two children that look at the same uploads."""

    def __init__(self, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> None:
        """Start both."""
        self._children = tuple(Child(each, max_pixels=max_pixels) for each in FILLINGS)

    def __exit__(self, *_: object) -> None:
        """End both."""
        for child in self._children:
            child.__exit__()

    @property
    def process_ids(self) -> tuple[int, ...]:
        """The processes that run now."""
        return tuple(child.process_id for child in self._children)

    def outcomes(self, upload: bytes) -> tuple[Outcome, Outcome]:
        """Return what became of an upload in each of them."""
        for child in self._children:
            child.send(upload)
        first, second = (child.outcome() for child in self._children)
        return first, second


def _trial(document: dict[str, Any]) -> Trial:
    header, decoded = (_look(document[name]) for name in ("header", "decoded"))
    further = {**document, "header": header, "decoded": decoded, "left": tuple(document["left"])}
    return Trial(**further)


def _look(document: dict[str, Any]) -> Look:
    width, height = document["size"]
    return Look(**{**document, "size": (width, height)})
