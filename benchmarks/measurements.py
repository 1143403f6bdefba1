"""What `make bench` measures, before it is written down."""

import statistics
from dataclasses import dataclass, field

from benchmarks.bare_loop import LoopResult


@dataclass(frozen=True)
class LoadResult:
    """What wrk saw: finished and failed requests, seconds, and the latency's percentiles."""

    finished: int
    failed: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Finished pictures a second."""
        return self.finished / self.seconds


@dataclass
class Measurements:
    """All rounds of one run."""

    runtime: str
    ready_seconds: float
    bare: list[LoopResult] = field(default_factory=list)
    load: dict[int, list[LoadResult]] = field(default_factory=dict)
    cpu_ms: dict[str, list[float]] = field(default_factory=dict)
    pss_mib: dict[str, tuple[int, float]] = field(default_factory=dict)
    recovery_seconds: list[float] = field(default_factory=list)

    def ratio(self, connections: int) -> float:
        """Return the median over rounds of service rate by bare rate."""
        pairs = zip(self.load[connections], self.bare, strict=True)
        return statistics.median(load.rate / bare.rate for load, bare in pairs)
