"""What one upload did to the process that looked at it, and which of that is a fault."""

from collections.abc import Iterator
from dataclasses import dataclass

from model_store.errors import NotAnImageError, TooManyPixelsError

ANSWER, REFUSED, FAULT = "answer", "refused", "fault"
CPU_LIMIT_MS = 2000.0
# What a decoder needs beside pixels: libavif's and libwebp's working memory of a small picture.
MEMORY_ALLOWANCE_BYTES = 64 * 2**20
# Pillow holds 4 bytes a pixel. The most is there for a WebP with alpha: libwebp's two canvases, its
# answer as bytes, the image, white paper, the one laid on the other, and that without alpha.
MEMORY_BYTES_A_PIXEL = 28
# Both tell what the header says, so the API's process must have said it before.
SAID_BY_HEADERS = frozenset({NotAnImageError.__name__, TooManyPixelsError.__name__})
# A JPEG may be decoded at an eighth of its size.
DRAFTED = "JPEG"


@dataclass(frozen=True)
class Look:
    """One call of the header check or of the decoder.

    Attributes:
        verdict: `answer`, `refused` or `fault`.
        what: The class of the error, and of a fault its message; of an answer its digest.
        format: As the header check calls it; empty when there was no answer, and of the decoder.
        size: Width and height in pixels; zeros when there was no answer.
        cpu_ms: Of all threads of the process.
        memory_bytes: By how much resident memory grew at its peak.
    """

    verdict: str
    what: str
    format: str
    size: tuple[int, int]
    cpu_ms: float
    memory_bytes: int


@dataclass(frozen=True)
class Trial:
    """What became of one upload in one process.

    Attributes:
        header: What the API would have told its client.
        decoded: What the worker would have had.
        left: Files that are there afterwards.
        descriptors: How many more are open afterwards.
        printed: What came to stderr.
    """

    header: Look
    decoded: Look
    left: tuple[str, ...] = ()
    descriptors: int = 0
    printed: str = ""

    @property
    def looks(self) -> tuple[Look, Look]:
        """Both calls, in their order."""
        return self.header, self.decoded


@dataclass(frozen=True)
class Crash:
    """The process ended, or did not answer."""

    how: str


Outcome = Trial | Crash


def faults_of(outcomes: tuple[Outcome, Outcome]) -> list[str]:
    """Return, in sentences, what must not be, in two processes whose free memory differs."""
    found: list[str] = []
    for outcome in outcomes:
        found += [outcome.how] if isinstance(outcome, Crash) else _faults_of_one(outcome)
    first, second = outcomes
    if isinstance(first, Trial):
        found += _excess(first)
    if isinstance(first, Trial) and isinstance(second, Trial):
        found += _differences(first.decoded, second.decoded)
    return list(dict.fromkeys(found))


def _excess(trial: Trial) -> Iterator[str]:
    for name, look in zip(("header", "decode"), trial.looks, strict=True):
        if look.cpu_ms > CPU_LIMIT_MS:
            yield f"{name}: more than {CPU_LIMIT_MS / 1000:g} s of CPU"
        if look.memory_bytes > _allowed_bytes(trial.header, look):
            yield f"{name}: more memory than its pixels explain"


def _differences(first: Look, second: Look) -> Iterator[str]:
    if (first.verdict, first.what) != (second.verdict, second.what):
        yield f"not the same twice: {first.what} and {second.what}"


def _faults_of_one(trial: Trial) -> Iterator[str]:
    for name, look in zip(("header", "decode"), trial.looks, strict=True):
        if look.verdict == FAULT:
            yield f"{name}: {look.what}"
    yield from _contradictions(trial.header, trial.decoded)
    if trial.left:
        yield "left files"
    if trial.descriptors > 0:
        yield "left descriptors"
    if trial.printed:
        yield "printed to stderr"


def _allowed_bytes(header: Look, look: Look) -> int:
    width, height = (0, 0) if look is header else header.size
    return MEMORY_ALLOWANCE_BYTES + MEMORY_BYTES_A_PIXEL * width * height


def _contradictions(header: Look, decoded: Look) -> Iterator[str]:
    """Say where the worker's word is another one than the API's."""
    if header.verdict == ANSWER and decoded.what in SAID_BY_HEADERS:
        yield f"the header passes, but decoding says {decoded.what}"
    if header.verdict == REFUSED and (decoded.verdict, decoded.what) != (REFUSED, header.what):
        yield f"the header is {header.what}, but decoding says {decoded.what}"
    if decoded.verdict == ANSWER and header.verdict == ANSWER and not _fits(header, decoded):
        yield "decoded pixels of another size than the header's"


def _fits(header: Look, decoded: Look) -> bool:
    # An orientation exchanges the sides.
    sides = list(zip(sorted(header.size), sorted(decoded.size), strict=True))
    if header.format == DRAFTED:
        return all(small <= large for large, small in sides)
    return all(small == large for large, small in sides)
