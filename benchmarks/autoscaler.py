"""KEDA's loop and that of the HorizontalPodAutoscaler behind it, as pure arithmetic over time.

KEDA alone goes from no pod to one and back, at each poll; between one and the most the autoscaler
decides, at each sync. Sources: "Scaling Deployments" of KEDA's documentation (activation,
cooldown), and "Horizontal Pod Autoscaling" of Kubernetes' (algorithm, tolerance, behaviour).
"""

from collections import deque
from dataclasses import dataclass, field
from math import ceil


@dataclass(frozen=True)
class Rules:
    """What `deploy/kubernetes/keda/scaled.yaml` says of the workers, and Kubernetes' defaults.

    Attributes:
        target: Open jobs that one pod stands for.
        most: Pods that there may be.
        fewest: Pods that always are.
        poll_seconds: Between KEDA's looks.
        cooldown_seconds: Without work until the last pod goes.
        sync_seconds: Between the autoscaler's decisions.
        tolerance: How far the load may be off before it decides anything.
        factor: By which pods may be multiplied in one sync.
        step: Pods that may be added in one sync, where that is more.
        stabilization_seconds: The highest wish of so long a time is what is scaled down to.
    """

    target: float = 1.4
    most: int = 1000
    fewest: int = 0
    poll_seconds: float = 5.0
    cooldown_seconds: float = 300.0
    sync_seconds: float = 15.0
    tolerance: float = 0.1
    factor: float = 2.0
    step: int = 4
    stabilization_seconds: float = 300.0


@dataclass
class Autoscaler:
    """How many pods are wished for, told about the open work as time goes on."""

    rules: Rules
    pods: int = 0
    _last_work: float = 0.0
    _next_poll: float = 0.0
    _next_sync: float = 0.0
    _wishes: deque[tuple[float, int]] = field(default_factory=deque)

    def look(self, now: float, open_jobs: float) -> int:
        """Return the pods that are wished for at `now` (seconds); call it as time goes on."""
        if now >= self._next_poll:
            self._next_poll = now + self.rules.poll_seconds
            self._poll(now, open_jobs)
        if now >= self._next_sync and self.pods:
            self._next_sync = now + self.rules.sync_seconds
            self._sync(now, open_jobs)
        return self.pods

    def _poll(self, now: float, open_jobs: float) -> None:
        if open_jobs > 0:
            self._last_work = now
            self.pods = max(self.pods, 1)
        elif now - self._last_work >= self.rules.cooldown_seconds:
            self.pods = self.rules.fewest
            self._wishes.clear()
        self.pods = max(self.pods, self.rules.fewest)

    def _sync(self, now: float, open_jobs: float) -> None:
        wish = self._stabilized(now, self._wished(open_jobs))
        highest = max(int(self.pods * self.rules.factor), self.pods + self.rules.step)
        self.pods = max(1, self.rules.fewest, min(wish, highest, self.rules.most))

    def _wished(self, open_jobs: float) -> int:
        """Return the pods for this load; those there are, where it is close to what is meant."""
        if abs(open_jobs / (self.pods * self.rules.target) - 1) <= self.rules.tolerance:
            return self.pods
        return max(1, ceil(open_jobs / self.rules.target))

    def _stabilized(self, now: float, wish: int) -> int:
        """Return the wish, or the highest of the window where it is lower than what there is."""
        self._wishes.append((now, wish))
        while self._wishes[0][0] < now - self.rules.stabilization_seconds:
            self._wishes.popleft()
        highest = max(pods for _, pods in self._wishes)
        return max(wish, min(self.pods, highest))
