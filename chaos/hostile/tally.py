"""Counts what became of many hostile files, and keeps those that did what none may do."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from chaos.hostile.cases import Case
from chaos.hostile.looks import ANSWER, REFUSED, Crash, Outcome, Trial, faults_of
from chaos.hostile.trials import Pair


@dataclass
class Tally:
    """The counts of one group of files.

    Attributes:
        group: A format, or a kind of files.
        tried: How many files.
        answers: How many were decoded.
        errors: How many were refused, by the class of the error that a client is told of.
        crashes: How often a process ended or fell silent.
        slowest_ms: Processor time of the slowest look at one.
        memory_bytes: The most that looking at one took.
        faults: What must not be, and the names of the files that did it.
    """

    group: str
    tried: int = 0
    answers: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    crashes: int = 0
    slowest_ms: float = 0.0
    memory_bytes: int = 0
    faults: dict[str, list[str]] = field(default_factory=dict)

    def add(self, case: Case, outcomes: tuple[Outcome, Outcome]) -> list[str]:
        """Count one file; return its faults."""
        self.tried += 1
        measured = outcomes[0]
        if isinstance(measured, Trial):
            self._measure(measured)
        self.crashes += sum(isinstance(each, Crash) for each in outcomes)
        faults = faults_of(outcomes) + _unexpected(case, measured)
        for fault in faults:
            self.faults.setdefault(fault, []).append(case.name)
        return faults

    def _measure(self, trial: Trial) -> None:
        if trial.decoded.verdict == ANSWER:
            self.answers += 1
        elif trial.decoded.verdict == REFUSED:
            self.errors[trial.decoded.what] += 1
        self.slowest_ms = max(self.slowest_ms, *(look.cpu_ms for look in trial.looks))
        self.memory_bytes = max(self.memory_bytes, *(look.memory_bytes for look in trial.looks))


def of(group: str, cases: Iterable[Case], pair: Pair, *, keep: Path | None = None) -> Tally:
    """Return the counts of some files; those with a fault are written to `keep`."""
    tally = Tally(group)
    for case in cases:
        upload = case.build()
        faults = tally.add(case, pair.outcomes(upload))
        if faults and keep:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / case.name.replace("/", " ")).write_bytes(upload)
    return tally


def _unexpected(case: Case, outcome: Outcome) -> list[str]:
    if isinstance(outcome, Crash) or not case.expected:
        return []
    decoded = outcome.decoded
    became = ANSWER if decoded.verdict == ANSWER else decoded.what
    return [] if became in case.expected else [f"wrong code: {became}"]
