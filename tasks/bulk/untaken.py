"""Whether somebody does bulks: what `/readyz` says of those that wait and nobody takes."""

from model_store import command_line
from tasks import readiness, stores
from tasks.errors import ServiceUnavailableError


def to_do() -> str:
    """Return what starts a worker of bulks."""
    return f"start one: {command_line.of_celery('worker', '-Q', 'bulk')}"


def warnings() -> tuple[str, ...]:
    """Return that bulks wait for nobody, or nothing; a store that is away is told elsewhere."""
    try:
        is_open = bool(stores.prompt_bulks().open_ids())
        is_taken = any(n.is_ready for n in readiness.bulk_children(stores.prompt_job_store()))
    except ServiceUnavailableError:
        return ()
    return (f"no worker takes bulk, and bulks wait; {to_do()}",) if is_open and not is_taken else ()
