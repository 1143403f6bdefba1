"""Pictures, workers and the autoscaler through time: exactly, or in ticks for a large day.

`exact` follows each picture, so queueing theory can check it. `in_ticks` follows how many there
are, a second at a time: a day with 1,000 workers takes seconds. Both ask the same autoscaler.
"""

import heapq
from dataclasses import dataclass

import numpy as np

from benchmarks.autoscaler import Autoscaler


@dataclass(frozen=True)
class Workers:
    """What one pod is: `children` that take `service_seconds` for a picture, after its start."""

    children: int
    service_seconds: float
    start_seconds: float

    @property
    def per_second(self) -> float:
        """Pictures that one pod does in a second at most."""
        return self.children / self.service_seconds


@dataclass(frozen=True)
class Outcome:
    """How long pictures waited before their work began, and how many pods there were.

    Attributes:
        waits: Seconds, `[N]`: of each picture, or of all that came in one tick.
        weights: Pictures that each of `waits` stands for, `[N]`.
        pods: Ready pods at the end of each second, `[T]`.
    """

    waits: np.ndarray
    weights: np.ndarray
    pods: np.ndarray

    @property
    def mean_wait_seconds(self) -> float:
        """The average over pictures."""
        return float(np.average(self.waits, weights=self.weights))

    def wait_quantile_seconds(self, share: float = 0.95) -> float:
        """Return what `share` of the pictures waited at most."""
        order = np.argsort(self.waits)
        reached = np.cumsum(self.weights[order]) >= share * self.weights.sum()
        return float(self.waits[order][int(np.argmax(reached))])


class _Pods:
    """Pods that are wished for, some of which still start."""

    def __init__(self, start_seconds: float, ready: int) -> None:
        self._start_seconds, self.ready, self._starting = start_seconds, ready, list[float]()

    def at(self, now: float, wished: int) -> int:
        """Return how many are ready; the youngest go first."""
        self._starting = [at for at in self._starting if at > now or self._become_ready()]
        more = wished - self.ready - len(self._starting)
        self._starting += [now + self._start_seconds] * max(0, more)
        for _ in range(-more):
            if self._starting:
                self._starting.pop()
            else:
                self.ready -= 1
        return self.ready

    def _become_ready(self) -> bool:
        self.ready += 1
        return False


def exact(
    arrivals: np.ndarray,
    services: np.ndarray,
    workers: Workers,
    scaler: Autoscaler | None = None,
    *,
    pods: int = 0,
) -> Outcome:
    """Follow each picture, first come first served; without a scaler there are always `pods`.

    Args:
        arrivals: Seconds, ascending, `[N]`.
        services: Seconds of work of each, `[N]`.
        workers: What one pod is; how long a picture takes is in `services`.
        scaler: Asked once a second.
        pods: Ready at the start.
    """
    line, waits = _Line(workers, scaler, pods), np.empty(len(arrivals))
    for n, (at, work) in enumerate(zip(arrivals.tolist(), services.tolist(), strict=True)):
        line.forward(at)
        line.take(n, at, work)
    line.drain()
    for n, wait in line.waited:
        waits[n] = wait
    return Outcome(waits, np.ones(len(arrivals)), np.array(line.seen))


class _Line:
    """Who waits and who is worked on, moved forward second by second."""

    def __init__(self, workers: Workers, scaler: Autoscaler | None, pods: int) -> None:
        self._workers, self._scaler = workers, scaler
        self._pods = _Pods(workers.start_seconds, pods)
        self._children = pods * workers.children
        self._waiting: list[tuple[float, int, float]] = []  # a heap by arrival
        self._ends: list[float] = []
        self._tick = 0.0
        self.waited: list[tuple[int, float]] = []
        self.seen: list[int] = []

    def take(self, number: int, at: float, work: float) -> None:
        """Let a picture come."""
        heapq.heappush(self._waiting, (at, number, work))
        self._begin(at)

    def forward(self, now: float) -> None:
        """Let time go on to `now`: work ends, the next begins, and pods come and go."""
        while self._tick <= now or (self._ends and self._ends[0] <= now):
            if self._ends and self._ends[0] < self._tick:
                self._begin(heapq.heappop(self._ends))
            elif self._tick <= now:
                self._ask()
            else:
                self._begin(heapq.heappop(self._ends))

    def drain(self) -> None:
        """Go on until nobody waits."""
        while self._waiting:
            self.forward(self._tick)

    def _ask(self) -> None:
        if self._scaler is not None:
            wished = self._scaler.look(self._tick, len(self._waiting) + len(self._ends))
            ready = self._pods.at(self._tick, wished)
            self._children = ready * self._workers.children
        self.seen.append(self._pods.ready)
        self._begin(self._tick)
        self._tick += 1.0

    def _begin(self, now: float) -> None:
        while self._waiting and len(self._ends) < self._children:
            came, number, work = heapq.heappop(self._waiting)
            self.waited.append((number, now - came))
            heapq.heappush(self._ends, now + work)


def in_ticks(
    per_second: np.ndarray, workers: Workers, scaler: Autoscaler, rng: np.random.Generator
) -> Outcome:
    """Follow how many wait, a second at a time.

    What a picture waits inside of its second is left out: see `queueing`, for as many children as
    are ready.

    Args:
        per_second: Pictures that come in each second, `[T]`.
        workers: What one pod is.
        scaler: Asked once a second.
        rng: For how many are worked on at the moment of the question.
    """
    line = _Pods(workers.start_seconds, scaler.pods)
    done, pods, backlog, running = list[float](), list[int](), 0.0, 0.0
    for now, count in enumerate(per_second.tolist()):
        pods.append(line.at(float(now), scaler.look(float(now), _whole(backlog + running))))
        done.append(min(backlog + count, line.ready * workers.per_second))
        running = min(line.ready * workers.children, _running(done[-1], workers, rng))
        backlog += count - done[-1]
    waits = _waits(np.cumsum(per_second), np.cumsum(done))
    return Outcome(waits, per_second.astype(float), np.array(pods))


def _whole(jobs: float) -> float:
    """Return whole jobs: a part of one is one."""
    return float(np.ceil(jobs - 1e-9))


def _running(done: float, workers: Workers, rng: np.random.Generator) -> float:
    """Return how many are worked on at one moment of a second in which so many are done.

    On average as many as Little's law says; the count of a moment is Poisson's where nobody waits,
    and the autoscaler acts on moments. A part of that is in the count of the second already.
    """
    mean, known = done * workers.service_seconds, min(1.0, workers.service_seconds)
    return mean * known + float(rng.poisson(mean * (1 - known)))


def _waits(came: np.ndarray, done: np.ndarray) -> np.ndarray:
    """Return how many seconds after its own each second's last picture was begun, `[T]`."""
    ends = np.searchsorted(done, came - 1e-6)
    return (ends - np.arange(len(came))).clip(min=0).astype(float)


def day(peak_per_second: float, rng: np.random.Generator, *, bursts: int = 6) -> np.ndarray:
    """Return the pictures that come in each second of a day, `[86400]`.

    A cosine from a tenth of the peak at four in the night to the peak twelve hours later, with
    bursts of a minute that double it, at random times; the counts are Poisson's.
    """
    seconds = np.arange(86_400)
    low, high = 0.1 * peak_per_second, peak_per_second
    mean = low + (high - low) * (1 - np.cos(2 * np.pi * (seconds / 86_400 - 4 / 24))) / 2
    for start in rng.integers(0, 86_340, bursts):
        mean[start : start + 60] *= 2
    return rng.poisson(mean)
