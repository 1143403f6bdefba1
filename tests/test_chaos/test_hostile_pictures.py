"""A short part of `make fuzz`: hostile pictures do nothing; what they could do would be seen."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest

from chaos.hostile import guided, tally
from chaos.hostile.__main__ import corpus
from chaos.hostile.bombs import BOMBS
from chaos.hostile.cases import Case
from chaos.hostile.drawings import seeds
from chaos.hostile.looks import ANSWER, FAULT, REFUSED, Crash, Look, Trial, faults_of
from chaos.hostile.mutants import mutant
from chaos.hostile.pieces import pieces
from chaos.hostile.strangers import STRANGERS
from chaos.hostile.trials import Pair
from model_store.pictures.headers import ACCEPTED_FORMATS

SLICE, SEED = 200, 20
# Each took more than 2 s, or far more memory than its pixels, before it was bounded, or ended the
# process.
SWIFT_BOMBS = (
    "JPEG 10,000 progressive scans",
    "JPEG EXIF in small pieces",
    "JPEG filling bytes",
    "GIF a giant frame that is wiped out",
    "GIF a comment in pieces of a byte",
    "PNG chunks without end",
    "BMP a pixel a row, 40 megapixels",
    "AVIF 65,535 items",
    "HEIC 65,535 items",
    "HEIC an item whose type is no text",
    "TIFF raw tiles of 1 x 1",
)

HEADER = Look(ANSWER, "", "PNG", (48, 40), 1.0, 0)
DECODED = Look(ANSWER, "5ce9f62d9723bdac", "", (48, 40), 1.0, 0)
GOOD = Trial(HEADER, DECODED)
REFUSAL = Look(REFUSED, "TruncatedImageError", "", (0, 0), 1.0, 0)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """Two processes that look at hostile files."""
    with Pair() as pair:
        yield pair


@pytest.mark.parametrize("format", ACCEPTED_FORMATS)
def test_mutants_do_nothing(pair: Pair, format: str) -> None:
    """A typed error or the same answer twice; no time, no memory, no output, nothing left."""
    cases = [
        Case(f"{format} {SEED}-{n}", lambda n=n: mutant(format, n, seed=SEED)) for n in range(SLICE)
    ]
    found = tally.of(format, cases, pair)

    assert (found.tried, found.crashes, found.faults) == (SLICE, 0, {})


def test_seed_pictures_are_answered(pair: Pair) -> None:
    """Else their mutants would only be refused."""
    cases = [
        Case(f"{format} {n}", lambda upload=upload: upload, (ANSWER,))
        for format in ACCEPTED_FORMATS
        for n, upload in enumerate(seeds(format))
    ]
    found = tally.of("seeds", cases, pair)

    assert (found.answers, found.faults) == (len(cases), {})


@pytest.mark.parametrize("name", SWIFT_BOMBS)
def test_bombs_do_nothing(pair: Pair, name: str) -> None:
    """Two seconds of processor and the memory of their pixels, in the API and in the worker."""
    (bomb,) = [each for each in BOMBS if each.name == name]

    assert tally.of("bomb", [bomb], pair).faults == {}


def test_strangers_get_their_answer(pair: Pair) -> None:
    """HTML, archives, nothing: refused; a picture with something behind it: answered."""
    found = tally.of("strangers", STRANGERS, pair)

    assert (found.tried, found.crashes, found.faults) == (len(STRANGERS), 0, {})


@pytest.mark.parametrize("format", ACCEPTED_FORMATS)
def test_a_mutant_is_the_same_again(format: str) -> None:
    """By its format, number and seed; its pieces were found, and it is no seed picture."""
    first = [mutant(format, n, seed=3) for n in range(30)]

    assert first == [mutant(format, n, seed=3) for n in range(30)]
    assert first != [mutant(format, n, seed=4) for n in range(30)]
    assert sum(upload in seeds(format) for upload in first) < 5
    assert all(pieces(upload) for upload in seeds(format))


@pytest.mark.parametrize(
    ("first", "second", "fault"),
    [
        (GOOD, Crash("ended by signal 11"), "ended by signal 11"),
        (replace(GOOD, left=("a.tmp",)), GOOD, "left files"),
        (replace(GOOD, descriptors=1), GOOD, "left descriptors"),
        (GOOD, replace(GOOD, printed="libtiff: …"), "printed to stderr"),
        (
            replace(GOOD, header=replace(HEADER, cpu_ms=2001.0)),
            GOOD,
            "header: more than 2 s of CPU",
        ),
        (
            replace(GOOD, decoded=replace(DECODED, memory_bytes=2**28)),
            GOOD,
            "decode: more memory than its pixels explain",
        ),
        (
            GOOD,
            replace(GOOD, decoded=replace(DECODED, what="0")),
            "not the same twice: 5ce9f62d9723bdac and 0",
        ),
        (
            replace(GOOD, decoded=replace(DECODED, verdict=FAULT, what="KeyError: 262")),
            replace(GOOD, decoded=replace(DECODED, verdict=FAULT, what="KeyError: 262")),
            "decode: KeyError: 262",
        ),
        (
            replace(GOOD, header=REFUSAL),
            replace(GOOD, header=REFUSAL),
            "the header is TruncatedImageError, but decoding says 5ce9f62d9723bdac",
        ),
        (
            replace(GOOD, decoded=replace(REFUSAL, what="NotAnImageError")),
            replace(GOOD, decoded=replace(REFUSAL, what="NotAnImageError")),
            "the header passes, but decoding says NotAnImageError",
        ),
        (
            replace(GOOD, decoded=replace(DECODED, size=(40, 47))),
            replace(GOOD, decoded=replace(DECODED, size=(40, 47))),
            "decoded pixels of another size than the header's",
        ),
    ],
)
def test_each_fault_is_seen(first: Trial, second: Trial | Crash, fault: str) -> None:
    """And nothing else is said of it."""
    assert faults_of((first, second)) == [fault]
    assert faults_of((GOOD, GOOD)) == []


def test_a_process_that_dies_is_a_crash() -> None:
    """Its signal is told, and the next upload finds a new process."""
    upload = seeds("PNG")[0]
    with Pair() as pair:
        os.kill(pair.process_ids[0], signal.SIGSEGV)
        dead, alive = pair.outcomes(upload)
        again = pair.outcomes(upload)

    assert (dead, isinstance(alive, Trial)) == (Crash("ended by signal 11"), True)
    assert faults_of(again) == []


def test_a_wrong_code_is_counted_and_kept(pair: Pair, tmp_path) -> None:
    """With the bytes that caused it."""
    case = Case("a picture", lambda: seeds("GIF")[0], ("NotAnImageError",))
    found = tally.of("wrong", [case], pair, keep=tmp_path)

    assert found.faults == {"wrong code: answer": ["a picture"]}
    assert (tmp_path / "a picture").read_bytes() == seeds("GIF")[0]


@pytest.mark.skipif(not guided.is_available(), reason="atheris has no build for this machine")
def test_fuzzing_reaches_the_decoder() -> None:
    """New lines are found, and what was kept does nothing."""
    found = guided.fuzzed("BMP", seconds=3, seed=1)

    assert found.executions > guided.SEED_MUTANTS
    assert found.coverage > 100
    assert (found.tally.crashes, found.tally.faults) == (0, {})


def test_the_corpus_has_every_format() -> None:
    """A format that is accepted has mutants as soon as it is."""
    groups = corpus(1, seed=1)

    assert [next(groups).group for _ in ACCEPTED_FORMATS] == [
        f"{format} mutants" for format in ACCEPTED_FORMATS
    ]
    groups.close()
