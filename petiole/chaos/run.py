"""One run against an installation: what it sends, within its bounds, and the moments it notes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import InitVar, dataclass, field
from itertools import count, cycle
from time import monotonic, sleep

import typer

from petiole.chaos import golden, load
from petiole.chaos.errors import RefusedError
from petiole.chaos.findings import THROUGHPUT_SHARE, Span
from petiole.chaos.golden import Golden, Sent
from petiole.chaos.journal import Journal

TWICE = 2
BURST = 24
"""Pictures sent at once before and after the fault, to see how many are answered in a second."""

FURTHER_BURSTS = 2
SENDERS = 16
MOST_PER_SECOND = 8.0
CALM_SECONDS = 1.0
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Asked:
    """What the user asks for: where, with which model, and the bounds of it."""

    api: str
    model: str
    most_pictures: int
    most_seconds: float


@dataclass(frozen=True)
class Fault:
    """One way to hurt an installation, ready to be done.

    Attributes:
        name: As on the command line.
        does: What exactly will be done, and to which addresses.
        others: What other clients will notice of it.
        act: Does it.
        usual_seconds: How long it takes where nothing goes wrong.
        recovers_within: Seconds after the fault within which a picture must be answered, besides
            what one waits in calm.
        answers_within: Seconds after the fault until a picture without an answer is lost.
        large: Sides of large pictures that it needs, in pixels.
        client_errors: Statuses of 4xx that its requests deserve.
    """

    name: str
    does: str
    others: str
    act: Callable[["Run"], None]
    usual_seconds: float
    recovers_within: float
    answers_within: float = 60.0
    large: tuple[int, ...] = ()
    client_errors: frozenset[int] = frozenset()


@dataclass
class Run:
    """What a fault works with."""

    api: str
    asked: Asked
    recovers_within: float
    large: InitVar[Sequence[int]] = ()
    journal: Journal[Sent] = field(default_factory=Journal)
    begun_at: float = 0.0
    healed_at: float = 0.0
    redone: int = 0
    """How many executions may be doubled because of what was done."""
    rate: float = 0.0
    """Pictures answered in a second in calm."""
    broken: list[str] = field(default_factory=list)
    """Promises of the fault's own that were not kept."""
    remarks: list[str] = field(default_factory=list)
    """What is worth knowing besides."""
    answers: Golden = field(default_factory=lambda: Golden({}, golden.TOLERANCE, 0))

    def __post_init__(self, large: Sequence[int]) -> None:
        """Draw the pictures, and begin to count time."""
        self.uploads = [*golden.drawn(), *map(golden.large, large)]
        self.deadline = monotonic() + self.asked.most_seconds
        self.watcher = load.Watcher(self.journal, self.api)
        self._ids = count()
        self._numbers = cycle(range(len(self.uploads)))
        self._left = self.asked.most_pictures

    @property
    def span(self) -> Span:
        """When something was wrong."""
        return Span(self.begun_at, self.healed_at)

    def left(self, *, kept: int = BURST) -> int:
        """Return how many pictures may still be sent, besides those kept for the end."""
        return max(0, self._left - kept)

    def send(self, number: int | None = None, *, kept: int = BURST) -> str | None:
        """Send the next picture, or the one of this number; return its id if it was accepted.

        Nothing is sent once only `kept` ones may still be.
        """
        with self.journal.lock:
            if not self.left(kept=kept):
                return None
            self._left -= 1
            chosen = next(self._numbers) if number is None else number
            sent = Sent(chosen, f"chaos-{next(self._ids)}.png")
        image = (sent.filename, self.uploads[chosen], "image/png")
        model = {"model": self.asked.model} if self.asked.model else {}
        # Workers are what is hurt; the same few pictures come again and again.
        anew = {"Cache-Control": "no-cache"}
        return self.journal.send(self.api, sent, files={"image": image}, params=model, headers=anew)

    def learn(self) -> None:
        """See in calm what the answer to each picture is.

        Raises:
            RefusedError: there is none, or none that stays the same.
        """
        for number in range(len(self.uploads)):
            ids = [self.send(number) for _ in range(TWICE)]
            self.watcher.wait_for(filter(None, ids), until=self.deadline)
        found = [(self.journal.accepted[i], end) for i, end in self.journal.ends.items()]
        answered = [
            (job.picture, job.at, end)
            for job, end in found
            if end.state == "SUCCESS" and job.picture is not None
        ]
        if not answered:
            raise RefusedError(f"no picture was answered in calm: {self._last_error()}")
        self.answers = golden.learnt((sent, end.document) for sent, _, end in answered)
        self._numbers = cycle(n for n in self.answers.numbers if n < golden.HUES)
        slowest = max(end.at - at for _, at, end in answered)
        self.recovers_within += slowest
        if self.answers.alike:
            self.remarks.append(
                f"{self.answers.alike} pairs of pictures have the same answer: a mix-up of them is"
                " seen by the file's name only"
            )
        say(
            f"calm: {len(self.answers.numbers)} pictures answered by"
            f" {', '.join(self.answers.versions)}, {slowest * 1000:.0f} ms at most"
        )

    def _last_error(self) -> str:
        errors = [attempt.error for attempt in self.journal.attempts if attempt.error]
        return errors[-1] if errors else f"not within {self.asked.most_seconds:g} s"

    def measure(self) -> float:
        """Return how many pictures of a burst are answered in a second."""
        begun = monotonic()
        task_ids = [i for i in self.burst(BURST, kept=0) if i]
        self.watcher.wait_for(task_ids, until=self.deadline)
        return len(set(task_ids).intersection(self.journal.ends)) / (monotonic() - begun)

    def measure_again(self) -> float:
        """Return the best rate of a few bursts: a busy machine slows one down, a lost child all."""
        rate = self.measure()
        for _ in range(FURTHER_BURSTS):
            if rate >= THROUGHPUT_SHARE * self.rate or self.left(kept=0) < BURST:
                break
            rate = max(rate, self.measure())
        return rate

    def burst(self, count: int, *, number: int | None = None, kept: int = BURST) -> list[str]:
        """Send so many pictures at once; return the ids of those that were accepted."""
        sent = load.burst(lambda: self.send(number, kept=kept), count=count, senders=SENDERS)
        return [task_id for task_id in sent if task_id]

    @contextmanager
    def load(self) -> Iterator[None]:
        """Send pictures at a modest rate; a moment of calm comes first and last."""
        per_second = max(1.0, min(self.rate / 2, MOST_PER_SECOND))
        say(f"load: {per_second:.0f} pictures a second")
        with load.steady(self.send, per_second=per_second):
            self.calm()
            yield
            self.calm()

    @contextmanager
    def fault(self) -> Iterator[None]:
        """Note that something is wrong for the duration of the block."""
        self.begun_at = self.healed_at = monotonic()
        try:
            yield
        finally:
            self.healed_at = monotonic()

    def calm(self, seconds: float = CALM_SECONDS) -> None:
        """Let time pass, as far as there is any left."""
        sleep(max(0.0, min(seconds, self.deadline - monotonic())))

    def waits_for(self, check: Callable[[], bool], *, seconds: float) -> bool:
        """Return whether `check()` becomes true in time."""
        until = min(monotonic() + seconds, self.deadline)
        while not check():
            if monotonic() > until:
                return False
            sleep(POLL_SECONDS)
        return True

    def expect(self, kept: bool, promise: str) -> None:
        """Write down a promise of this fault that was not kept."""
        if not kept:
            self.broken.append(promise)


def say(line: str) -> None:
    """Tell the person at the terminal how far it is."""
    typer.echo(f"  {line}", err=True)
