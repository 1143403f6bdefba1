"""Worker processes without the key that encrypts what this process writes, as `/readyz` warns."""

from tasks import readiness, stores
from tasks.at_rest.keyring import SETTING
from tasks.errors import ServiceUnavailableError
from tasks.readiness import CONSUMER


def warnings() -> tuple[str, ...]:
    """Return how many worker processes cannot read pictures that this one stores, if any."""
    key = stores.keyring().first
    try:
        said = readiness.notes(stores.prompt_job_store()) if key else []
    except ServiceUnavailableError:
        # That is said by a check of its own.
        return ()
    processes = [note for note in said if note.queue != CONSUMER]
    n = sum(not note.reads(key) for note in processes)
    if not n:
        return ()
    return (
        f"{n} of {len(processes)} worker processes do not have the key {key} of {SETTING}, and put"
        " every picture off; start them anew with it",
    )
