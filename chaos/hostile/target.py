"""The process that a fuzzer guides: uploads that reach code which none reached before are kept.

`python -m chaos.hostile.target DIRECTORY FLAGS…`; the flags are libFuzzer's. Whatever is suspect is
written into the directory and judged afterwards by a process without instruments, as instruments
cost time and memory that are not the decoder's.
"""

import hashlib
import sys
import time
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["PIL", "model_store"]):
    from PIL import Image

    from chaos.hostile.child import SHORTER_SIDE
    from model_store.errors import ImageError
    from model_store.pictures import decoding, headers

    Image.init()

SUSPECT_SECONDS = 1.0
MAX_PIXELS = 4_000_000


class Target:
    """What is called with every upload."""

    def __init__(self, directory: Path) -> None:
        """Keep suspect uploads in a directory, one for each place at which they failed."""
        self._directory = directory
        self._seen: set[str] = set()

    def look(self, upload: bytes) -> None:
        """Check the header of an upload and decode it."""
        begun = time.process_time()
        for call in (self._header, self._decoded):
            try:
                call(upload)
            except ImageError:
                continue
            except Exception as exc:  # noqa: BLE001 - it is looked for, and judged later
                self._keep(f"{type(exc).__name__}-{_line(exc)}", upload)
        if time.process_time() - begun > SUSPECT_SECONDS:
            self._keep("slow", upload)

    def _header(self, upload: bytes) -> None:
        headers.read_header(upload, MAX_PIXELS)

    def _decoded(self, upload: bytes) -> None:
        decoding.decode(upload, max_pixels=MAX_PIXELS, shorter_side=SHORTER_SIDE)

    def _keep(self, why: str, upload: bytes) -> None:
        if why not in self._seen:
            self._seen.add(why)
            name = f"{why}-{hashlib.sha256(upload).hexdigest()[:8]}"
            (self._directory / name).write_bytes(upload)


def _line(exc: BaseException) -> int:
    trace = exc.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return trace.tb_lineno if trace else 0


def main() -> None:
    """Fuzz until the flags' time is over."""
    directory, *flags = sys.argv[1:]
    atheris.Setup([sys.argv[0], *flags], Target(Path(directory)).look)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
