"""The Celery app of the workers; its settings are in `celeryconfig.py`.

The task modules are loaded by workers only (`include`), so a process that publishes
imports neither NumPy nor a runtime.
"""

import os

# One BLAS thread: a forked child must not inherit a thread pool, and the cores belong to
# the runtime.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

from tasks import packed

packed.refuse()
TRANSPORT_ALIASES |= dict.fromkeys(("redis", "rediss"), "tasks.broker:Transport")
TRANSPORT_ALIASES["sentinel"] = "tasks.broker:SentinelTransport"

app = Celery(
    "petiole",
    task_cls="tasks.base:JobTask",
    include=[
        "tasks.classify",
        "tasks.classify_picture",
        "tasks.download",
        "tasks.bulk.work",
        "tasks.explaining.work",
        "tasks.signals",
    ],
)
app.config_from_object("celeryconfig")
