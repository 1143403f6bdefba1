"""Whether somebody does bulks and explanations: what `/readyz` says of those that nobody takes."""

from model_store import command_line
from tasks import lanes, readiness, stores
from tasks.errors import ServiceUnavailableError


def to_do() -> str:
    """Return what starts a worker of bulks and explanations."""
    return f"start one: {command_line.of_celery('worker', '-Q', 'bulk,explain')}"


def warnings() -> tuple[str, ...]:
    """Return what waits for nobody, or nothing; a store that is away is told elsewhere."""
    try:
        return (*_of_bulks(), *_of_explanations())
    except ServiceUnavailableError:
        return ()


def _of_bulks() -> tuple[str, ...]:
    is_open = bool(stores.prompt_bulks().open_ids())
    is_taken = any(n.is_ready for n in readiness.bulk_children(stores.prompt_job_store()))
    return (f"no worker takes bulk, and bulks wait; {to_do()}",) if is_open and not is_taken else ()


def _of_explanations() -> tuple[str, ...]:
    store = stores.prompt_job_store()
    waits = bool(store.overdue(lanes.EXPLAIN, before=float("inf"), limit=1))
    if not waits or any(note.is_ready for note in readiness.explainers(store)):
        return ()
    return (f"no worker takes explain, and explanations wait; {to_do()}",)
