"""Whether somebody tells clients of the ends of their jobs: for `/readyz`, and for operators."""

from model_store import command_line
from tasks import readiness, stores
from tasks.errors import ServiceUnavailableError
from tasks.job_stores.webhooks import Webhooks

NOBODY_SECONDS = 5.0
LATE_SECONDS = 30.0
"""Where somebody delivers, one try of another client's webhook may hold a hand for 15 s."""


def warnings() -> tuple[str, ...]:
    """Return why webhooks that are due are not delivered, and what to do, one sentence each.

    None while the job store is away: `/readyz` says that.
    """
    try:
        return _warnings(stores.webhooks())
    except ServiceUnavailableError:
        return ()


def to_do() -> str:
    """Return what to do where no worker takes downloads."""
    worker = command_line.of_celery("worker", "-Q", "downloads", "--pool", "threads")
    return f"start one: {worker}"


def _warnings(webhooks: Webhooks) -> tuple[str, ...]:
    late_seconds = webhooks.late_seconds()
    if late_seconds < NOBODY_SECONDS:
        return ()
    due = f"{webhooks.load().due} to be told, the first since {late_seconds:.0f} s"
    if not any(note.is_ready for note in readiness.downloaders(stores.prompt_job_store())):
        return (f"webhooks: no worker takes downloads, so none is delivered ({due}); {to_do()}",)
    if late_seconds < LATE_SECONDS:
        return ()
    look = "see its log, and that it has PETIOLE_TASKS_WEBHOOK_SECRET"
    return (f"webhooks: the worker that takes downloads delivers them late ({due}); {look}",)
