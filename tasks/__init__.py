"""The work: the Celery app, the task bodies, the job records, worker start-up.

`celery -A tasks …` finds the app here; importing this package loads nothing heavy.
"""

from tasks.celery import app

__all__ = ["app"]
