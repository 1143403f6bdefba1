"""Fuzzing that is guided by coverage: what reaches new lines of a decoder is changed further.

atheris watches the Python part of Pillow and our own code, not the C libraries below; those are
reached through the mutants. It has no build but for Linux on x86-64.
"""

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chaos.hostile import tally
from chaos.hostile.cases import Case
from chaos.hostile.drawings import seeds
from chaos.hostile.mutants import mutant
from chaos.hostile.tally import Tally
from chaos.hostile.trials import ROOT, Pair

TARGET = "chaos.hostile.target"
SEED_MUTANTS = 100
MOST_BYTES = 65_536
MEMORY_MIB = 4096
SILENCE_SECONDS = 60
# What loading Pillow with instruments, and the last upload, may take.
START_SECONDS = 120
_EXECUTIONS = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
_COVERAGE = re.compile(r"cov: (\d+)")


@dataclass(frozen=True)
class Guided:
    """What fuzzing one format found.

    Attributes:
        tally: Of everything that was kept: what reached new lines, and what was suspect.
        executions: How many uploads were tried.
        coverage: Places in the code that were reached.
    """

    tally: Tally
    executions: int
    coverage: int


def is_available() -> bool:
    """Tell whether atheris is installed; it is where it has a build."""
    return importlib.util.find_spec("atheris") is not None


def fuzzed(format: str, *, seconds: float, seed: int, keep: Path | None = None) -> Guided:
    """Fuzz the decoder of a format for so long, and judge what that has found."""
    with tempfile.TemporaryDirectory(prefix="petiole-guided-") as directory, Pair() as pair:
        corpus, suspects = Path(directory) / "corpus", Path(directory) / "suspects"
        corpus.mkdir()
        suspects.mkdir()
        _sow(format, corpus, seed)
        said = _run(corpus, suspects, seconds=seconds, seed=seed)
        found = tally.of(format, _cases(format, suspects, corpus), pair, keep=keep)
    return Guided(found, _last(_EXECUTIONS, said), _last(_COVERAGE, said))


def _sow(format: str, corpus: Path, seed: int) -> None:
    uploads = [*seeds(format), *(mutant(format, n, seed=seed) for n in range(SEED_MUTANTS))]
    for number, upload in enumerate(uploads):
        (corpus / str(number)).write_bytes(upload)


def _run(corpus: Path, suspects: Path, *, seconds: float, seed: int) -> str:
    """Return what the fuzzer said; what made it crash it has written to `suspects`."""
    flags = (
        *(f"-max_total_time={max(1, round(seconds))}", f"-seed={seed}", f"-max_len={MOST_BYTES}"),
        *(f"-rss_limit_mb={MEMORY_MIB}", f"-timeout={SILENCE_SECONDS}"),
        *(f"-artifact_prefix={suspects}/", "-print_final_stats=1", str(corpus)),
    )
    finished = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-m", TARGET, str(suspects), *flags],
        cwd=suspects.parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), *_given_paths()))},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=seconds + START_SECONDS,
        check=False,
    )
    return finished.stderr.decode(errors="replace")


def _given_paths() -> list[str]:
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]


def _cases(format: str, *directories: Path) -> Iterator[Case]:
    for directory in directories:
        for path in sorted(directory.iterdir()):
            yield Case(f"{format} {path.name[:40]}", path.read_bytes)


def _last(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.findall(text)
    return int(found[-1]) if found else 0
