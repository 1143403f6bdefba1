"""Which share of all pictures a job is in: of a trial, of a collection."""

from hashlib import sha256


def share_of(task_id: str) -> float:
    """Return where in [0, 100) a task id falls, evenly and always the same."""
    return int.from_bytes(sha256(task_id.encode()).digest()[:8]) / 2**64 * 100
