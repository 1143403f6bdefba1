"""Which parts of a starting service are ready, asked again and again until all of them are."""

from collections.abc import Callable, Mapping

from petiole import parts, probes
from petiole.output import Output
from petiole.parts import Plan
from petiole.probes import Readiness
from tasks import addresses
from tasks.settings import master_name

REDIS = "redis"


class RedisStart:
    """The start of the embedded server, without which the others would only complain."""

    what = REDIS
    not_ready = (REDIS,)

    def __init__(self, plan: Plan, output: Output) -> None:
        """Ask nothing yet."""
        self._url, self._output = plan.redis_url, output

    def missing(self) -> str:
        """Return why it does not answer; empty once it does."""
        self._output.waiting(self.not_ready, "")
        reason = probes.no_redis_at(self._url)
        if not reason:
            self._output.ready(REDIS, "")
        return reason


class Start:
    """The start of all parts; whoever is told of them hears of each one as it becomes ready."""

    what = "the service"

    def __init__(self, plan: Plan, output: Output) -> None:
        """Ask nothing yet."""
        self._plan, self._output = plan, output
        self._waiting = [part.name for part in plan.parts if part.name != REDIS]
        self._found = Readiness("nobody was asked")

    def of_redis(self) -> RedisStart:
        """Return the start of the embedded server alone."""
        return RedisStart(self._plan, self._output)

    @property
    def not_ready(self) -> tuple[str, ...]:
        """The parts that were not ready when they were asked last."""
        return tuple(self._waiting)

    def missing(self) -> str:
        """Ask each part that was not ready; return why the first is not, or nothing."""
        before, self._found = self._found, probes.readiness_of(self._plan.api_url)
        found = self._found
        reasons = {name: QUESTIONS[name](self._plan, found) for name in self._waiting}
        if found.ready_children > before.ready_children:
            # The others are as good as ready, too; one that is late is not waited for.
            reasons["worker"] = reasons.get("worker") or "missing: the other children"
        for name in [name for name in self._waiting if not reasons[name]]:
            self._waiting.remove(name)
            detail = DETAILS[name](found) if name in DETAILS else ""
            self._output.ready(name, detail)
        reason = next((reasons[name] for name in self._waiting), "")
        self._output.waiting(self._waiting, reason)
        return reason


def _no_worker(_plan: Plan, found: Readiness) -> str:
    return "" if found.checks.get("worker") == "ok" else found.missing


def _no_downloader(_plan: Plan, found: Readiness) -> str:
    return "" if found.downloaders else found.missing or "missing: a download worker"


def _no_bulk(_plan: Plan, found: Readiness) -> str:
    return "" if found.bulk_children else found.missing or "missing: a bulk worker"


def _no_trainer(plan: Plan, found: Readiness) -> str:
    """Ask the workers themselves, as a training worker announces itself nowhere else."""
    if found.missing:
        return found.missing
    # Imported here: most services have no training worker.
    from celery import Celery  # noqa: PLC0415
    from kombu.exceptions import KombuError  # noqa: PLC0415

    broker = addresses.for_celery(plan.broker_url)
    app = Celery("petiole-start", broker=broker, set_as_current=False)
    app.conf.broker_transport_options = {"master_name": master_name() or None}
    try:
        answers = app.control.inspect(timeout=1.0).active_queues() or {}
    except (KombuError, OSError) as exc:
        return f"missing: a training worker ({exc})"
    finally:
        app.close()
    queues = {queue["name"] for taken in answers.values() for queue in taken}
    return "" if "training" in queues else "missing: a training worker"


def _no_api(_plan: Plan, found: Readiness) -> str:
    """Return what keeps the API from answering, apart from the workers."""
    others = [outcome for name, outcome in found.checks.items() if name != "worker"]
    return "" if found.answered and set(others) == {"ok"} else found.missing


def _no_flower(plan: Plan, _found: Readiness) -> str:
    return probes.no_answer_of(f"{plan.flower_url}/healthcheck")


def _children(found: Readiness) -> str:
    """Return how many children there are, and with which models; a late one is not waited for."""
    number = found.ready_children
    children = "1 child" if number == 1 else f"{number} children"
    return ", ".join((children, *found.models)) if number else ""


QUESTIONS: Mapping[str, Callable[[Plan, Readiness], str]] = {
    "worker": _no_worker,
    "downloader": _no_downloader,
    parts.BULK: _no_bulk,
    "trainer": _no_trainer,
    parts.API: _no_api,
    "flower": _no_flower,
}
"""For each part the question why it is not ready."""

DETAILS: Mapping[str, Callable[[Readiness], str]] = {"worker": _children}
