"""The stores of this process, opened once from the settings, after any fork."""

import logging

from tasks.at_rest.keyring import Keyring
from tasks.audit import MemoryTrail, RedisTrail, Trail
from tasks.bulk.memory_bulks import MemoryBulks
from tasks.bulk.records import BulkStore
from tasks.bulk.redis_bulks import RedisBulks
from tasks.errors import ServiceUnavailableError
from tasks.explaining.memory_keeping import MemoryKeeping
from tasks.explaining.records import Keeping
from tasks.explaining.redis_keeping import RedisKeeping
from tasks.image_store import ImageStore
from tasks.job_stores import OVER, JobStore
from tasks.job_stores.collections import Collections
from tasks.job_stores.findings import Findings, MemoryFindings, RedisFindings
from tasks.job_stores.memory import MemoryJobStore
from tasks.job_stores.quarantine import MemoryQuarantine, Quarantine, RedisQuarantine
from tasks.job_stores.redis import RedisJobStore
from tasks.job_stores.sight import Lookout, MemoryLookout, RedisLookout
from tasks.job_stores.webhooks import RedisWebhooks, Webhooks
from tasks.keys.limits import Ledger, MemoryLedger, RedisLedger
from tasks.keys.records import KeyStore
from tasks.keys.stores import MemoryKeys, RedisKeys
from tasks.once import once
from tasks.settings import settings

WORKER_PATIENCE_SECONDS = 30.0
"""A worker holds a finished picture: it waits out a restart of Redis rather than lose it."""


logger = logging.getLogger(__name__)


def are_in_memory() -> bool:
    """Tell whether this process alone sees its job records."""
    return settings().job_store_url == "memory://"


@once
def job_store() -> JobStore:
    """Return the job store that `PETIOLE_TASKS_JOB_STORE_URL` names, with a worker's patience."""
    return _open(patience_seconds=WORKER_PATIENCE_SECONDS)


@once
def prompt_job_store() -> JobStore:
    """Return the same store for a process whose clients wait: it gives up at once."""
    if are_in_memory():
        return job_store()
    return _open(patience_seconds=0.0)


def _open(*, patience_seconds: float) -> JobStore:
    if are_in_memory():
        return MemoryJobStore(settings())
    return RedisJobStore(settings(), patience_seconds=patience_seconds)


@once
def bulks() -> BulkStore:
    """Return the bulks beside the job records, with a worker's patience."""
    return _open_bulks(patience_seconds=WORKER_PATIENCE_SECONDS)


@once
def prompt_bulks() -> BulkStore:
    """Return the same for a process whose clients wait."""
    if settings().job_store_url == "memory://":
        return bulks()
    return _open_bulks(patience_seconds=0.0)


def _open_bulks(*, patience_seconds: float) -> BulkStore:
    if settings().job_store_url == "memory://":
        return MemoryBulks(settings(), job_store())
    return RedisBulks(settings(), patience_seconds=patience_seconds)


@once
def keeping() -> Keeping:
    """Return what is noted for explanations, beside the job records."""
    return MemoryKeeping() if are_in_memory() else RedisKeeping(settings())


@once
def image_store() -> ImageStore:
    """Return the image store that `PETIOLE_TASKS_IMAGE_STORE_URL` names."""
    return ImageStore.open(settings().image_store_url, keyring())


@once
def keyring() -> Keyring:
    """Return the keys that encrypt what lies in the image store; none where it is plain."""
    return Keyring(settings().image_store_keys)


@once
def quarantine() -> Quarantine:
    """Return the quarantine beside the job store."""
    if are_in_memory():
        return MemoryQuarantine(settings())
    return RedisQuarantine(settings())


@once
def keys() -> KeyStore:
    """Return the API keys beside the job records."""
    return MemoryKeys() if are_in_memory() else RedisKeys(settings())


@once
def audit() -> Trail:
    """Return where it is written down who did what, beside the job records."""
    return MemoryTrail() if are_in_memory() else RedisTrail(settings())


@once
def limits() -> Ledger:
    """Return what counts how much each key has asked for."""
    if not are_in_memory():
        return RedisLedger(settings())
    return MemoryLedger(_is_open)


def _is_open(task_id: str) -> bool:
    job = prompt_job_store().get(task_id)
    return job is not None and job.state not in OVER


@once
def collections() -> Collections:
    """Return who asks for pixels; others than this process do, so it is never in memory."""
    return Collections(settings())


@once
def findings() -> Findings:
    """Return what was found out lately, beside the job store."""
    return MemoryFindings() if are_in_memory() else RedisFindings(settings())


@once
def lookout() -> Lookout:
    """Return who looks at the whole job store at once."""
    store = prompt_job_store()
    if isinstance(store, MemoryJobStore):
        return MemoryLookout(store)
    return RedisLookout(settings())


@once
def webhooks() -> Webhooks:
    """Return the promises beside the job records to tell of their end."""
    store = job_store()
    return store.webhooks if isinstance(store, MemoryJobStore) else RedisWebhooks(settings())


def drop_upload(task_id: str) -> None:
    """Delete an upload; one whose store is away is swept once that is back."""
    try:
        image_store().delete(task_id)
    except ServiceUnavailableError as exc:
        logger.warning("upload not deleted", extra={"task_id": task_id, "reason": str(exc)})
