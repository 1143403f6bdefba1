"""The workers' app with Celery's own task class: `celery -A chaos.unsafe worker`, for a control."""

from tasks.celery import app

app.task_cls = "celery.app.task:Task"

__all__ = ["app"]
