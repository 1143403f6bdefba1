"""The process that looks at hostile uploads: one after the other, measuring itself.

It takes each as four bytes of length and the upload on stdin and answers with a line of JSON; how
it ends is part of the answer.
"""

import hashlib
import json
import os
import resource
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from chaos.hostile.looks import ANSWER, FAULT, REFUSED, Look, Trial
from model_store.errors import ImageError
from model_store.pictures import decoding, headers

# Enough for the largest picture; a decoder that asks for more is found by its refusal and not by
# what the kernel ends for lack of memory.
ADDRESS_SPACE_BYTES = 8 * 2**30
# The shorter side that the sample model is given, as a worker does.
SHORTER_SIDE = 256
STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
DESCRIPTORS = Path("/proc/self/fd")
# Resets the peak of resident memory. Source: proc(5), /proc/pid/clear_refs.
RESET_PEAK = "5"
PRINTED_CHARACTERS = 400


def main() -> None:
    """Look at uploads until stdin ends."""
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    max_pixels = int(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    while length := sys.stdin.buffer.read(4):
        upload = sys.stdin.buffer.read(struct.unpack("<I", length)[0])
        print(json.dumps(asdict(_trial(upload, max_pixels))), file=answers, flush=True)


def _trial(upload: bytes, max_pixels: int) -> Trial:
    printed, descriptors = os.fstat(2).st_size, _descriptors()
    header = _look(lambda: _header(upload, max_pixels))
    decoded = _look(lambda: _decoded(upload, max_pixels))
    return Trial(
        header,
        decoded,
        left=tuple(sorted(os.listdir())),
        descriptors=_descriptors() - descriptors,
        printed=_printed_since(printed),
    )


def _header(upload: bytes, max_pixels: int) -> tuple[str, str, tuple[int, int]]:
    found = headers.read_header(upload, max_pixels)
    return "", found.format, (found.width, found.height)


def _decoded(upload: bytes, max_pixels: int) -> tuple[str, str, tuple[int, int]]:
    image = decoding.decode(upload, max_pixels=max_pixels, shorter_side=SHORTER_SIDE)
    return hashlib.sha256(image.tobytes()).hexdigest()[:16], "", image.size


def _look(call: Callable[[], tuple[str, str, tuple[int, int]]]) -> Look:
    CLEAR_REFS.write_text(RESET_PEAK, encoding="ascii")
    before, begun = _kib("VmRSS"), time.process_time()
    verdict, what, format, size = _verdict(call)
    spent_ms = 1000 * (time.process_time() - begun)
    return Look(verdict, what, format, size, spent_ms, 1024 * (_kib("VmHWM") - before))


def _verdict(
    call: Callable[[], tuple[str, str, tuple[int, int]]],
) -> tuple[str, str, str, tuple[int, int]]:
    try:
        return ANSWER, *call()
    except ImageError as exc:
        return REFUSED, type(exc).__name__, "", (0, 0)
    except Exception as exc:  # noqa: BLE001 - whatever else comes is what is looked for
        return FAULT, f"{type(exc).__name__}: {exc} ({_place(exc)})", "", (0, 0)


def _place(exc: BaseException) -> str:
    trace = exc.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if trace is None:
        return "nowhere"
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}"


def _kib(name: str) -> int:
    for line in STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise LookupError(f"{STATUS} has no {name}")


def _descriptors() -> int:
    return len(list(DESCRIPTORS.iterdir()))


def _printed_since(offset: int) -> str:
    length = os.fstat(2).st_size - offset
    if not length:
        return ""
    return os.pread(2, min(length, PRINTED_CHARACTERS), offset).decode(errors="replace")


if __name__ == "__main__":
    main()
