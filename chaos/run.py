"""One run of one scenario: what it may do to the service, and the moments that it notes."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic, sleep

import numpy as np
import requests

from chaos.faults import Faults
from chaos.layout import Layout
from chaos.pictures import Harm, Picture, drawn
from chaos.stack import Stack
from petiole.chaos import load
from petiole.chaos.journal import Journal

PER_SECOND = 12.0
CALM_SECONDS = 2.0
READY_SECONDS = 10.0
BURST = 40
ONE_WORKER = Layout()
REDIS, RABBITMQ = "redis", "rabbitmq"
BROKERS = (REDIS, RABBITMQ)


@dataclass
class Run:
    """What a scenario works with; it acts, and notes when it began to hurt and when it stopped."""

    stack: Stack
    rng: np.random.Generator
    journal: Journal[Picture] = field(default_factory=Journal)
    begun_at: float = 0.0
    healed_at: float = 0.0
    serves: bool = True
    """Whether the service is meant to classify at all in the end."""
    repeats: bool = False
    """Whether some pictures are sent more than once."""
    broken: list[str] = field(default_factory=list)
    """Promises of the scenario's own that were not kept."""

    def __post_init__(self) -> None:
        """Make the faults of this service, whose chance is the run's."""
        self.faults = Faults(self.stack, self.rng)
        # Senders draw in many threads, which one generator must not serve.
        self._pictures = iter(_pictures(np.random.default_rng(int(self.rng.integers(1 << 32)))))

    def repeat(self, times: int) -> None:
        """Send each picture so often from now on, one after the other."""
        self.repeats = True
        with self.journal.lock:
            self._pictures = (each for each in self._pictures for _ in range(times))

    def send(self, harm: Harm = Harm.NONE) -> str | None:
        """Send one new picture; return its task id when it was accepted."""
        with self.journal.lock:
            picture = next(self._pictures) if harm is Harm.NONE else drawn(self.rng, harm)
        return self.journal.send(self.stack.api, picture, data=picture.upload, kind="image/png")

    def send_bytes(self, upload: bytes, *, kind: str = "image/png") -> str | None:
        """Send something of which any typed end is right."""
        return self.journal.send(self.stack.api, None, data=upload, kind=kind)

    @contextmanager
    def load(self, per_second: float = PER_SECOND) -> Iterator[None]:
        """Send pictures at a steady rate; a moment of calm comes first and last."""
        with load.steady(self.send, per_second=per_second):
            self.calm()
            yield
            self.calm()

    @contextmanager
    def fault(self) -> Iterator[None]:
        """Note that something is wrong for the duration of the block."""
        self.begun_at = monotonic()
        say("fault")
        try:
            yield
        finally:
            self.healed_at = monotonic()
            say(f"healed after {self.healed_at - self.begun_at:.1f} s")

    def burst(self, count: int = BURST) -> list[str]:
        """Send so many pictures at once; return the ids of those that were accepted."""
        return [task_id for task_id in load.burst(self.send, count=count) if task_id]

    def calm(self, seconds: float = CALM_SECONDS) -> None:
        """Let time pass."""
        sleep(seconds)

    def expect(self, kept: bool, promise: str) -> None:
        """Write down a promise of this scenario that was not kept."""
        if not kept:
            say(f"broken: {promise}")
            self.broken.append(promise)

    def expect_unready(self, *, seconds: float = READY_SECONDS) -> None:
        """Wait for `/readyz` to say that the service cannot classify now, if that is promised."""
        if not self.stack.service.tells_readiness:
            self.calm()
            return
        said = self.waits_for(lambda: self.readiness() != requests.codes.ok, seconds=seconds)
        self.expect(said, f"`/readyz` says ready although nothing is classified for {seconds:g} s")

    def expect_answered(self, *, accepted_before: float, why: str) -> None:
        """Write it down when a job that was accepted before that moment has no end yet."""
        with self.journal.lock:
            jobs = self.journal.accepted.items()
            early = {task_id for task_id, job in jobs if job.at < accepted_before}
        waiting = early.intersection(self.journal.open())
        self.expect(not waiting, f"{len(waiting)} {why}")

    def readiness(self) -> int:
        """Return the status of `/readyz`."""
        response = self.journal.request("GET", f"{self.stack.api}/readyz")
        return 0 if response is None else response.status_code

    def waits_for(self, check: Callable[[], bool], *, seconds: float) -> bool:
        """Return whether `check()` becomes true in time."""
        deadline = monotonic() + seconds
        while monotonic() < deadline:
            if check():
                return True
            sleep(0.2)
        return False


@dataclass(frozen=True)
class Scenario:
    """One way to hurt the service, and what may come of it.

    Attributes:
        name: As on the command line.
        act: Does it; its docstring says what.
        layout: What is started.
        answers_within: Seconds after the load within which every accepted job must have ended.
        recovers_within: Seconds after the fault within which a job must be answered.
        loses_connections: Whether the API itself is restarted, so that it may refuse to be called.
        client_errors: Statuses of 4xx that its requests deserve.
        quick: Whether it belongs to the short selection.
        comparable: Whether a service of somebody else's can be hurt in the same way.
        brokers: Over which brokers it says something.
    """

    name: str
    act: Callable[[Run], None]
    layout: Layout = ONE_WORKER
    answers_within: float = 30.0
    recovers_within: float = 30.0
    loses_connections: bool = False
    client_errors: frozenset[int] = frozenset()
    quick: bool = False
    comparable: bool = False
    brokers: tuple[str, ...] = (REDIS,)

    @property
    def title(self) -> str:
        """What is done, in one sentence."""
        return (self.act.__doc__ or "").strip().splitlines()[0]


def say(line: str) -> None:
    """Tell the person at the terminal how far it is."""
    print(f"chaos: {line}", file=sys.stderr, flush=True)  # noqa: T201 - progress, not the table


def _pictures(rng: np.random.Generator) -> Iterator[Picture]:
    while True:
        yield drawn(rng)
