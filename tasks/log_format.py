"""One log format for every process: an event, its fields, and the ids of task and request."""

import logging
import logging.config

import structlog

from tasks import correlation
from tasks.settings import settings

PER_TASK_LOGGERS = ("celery.worker.strategy", "celery.app.trace")


class NotEnds(logging.Filter):
    """Drops what Celery says of the end of a task: the end of its job is logged, with its ids."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is none of these; their fields are in `data`."""
        told = getattr(record, "data", None)
        return told is None or bool(told.get("internal"))


def _add_correlation(
    _: logging.Logger, __: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Add the ids of the request at hand, unless the line is about another one."""
    if "request_id" not in event:
        found = correlation.current()
        event["request_id"], event["trace_id"] = found.request_id, found.trace_id
    for name in ("request_id", "trace_id"):
        if not event.get(name):
            event.pop(name, None)
    return event


SHARED_PROCESSORS = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    _add_correlation,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]


def configure(level: int | str = "INFO", file: str | None = None) -> None:
    """Send every log record of this process to stderr or a file, as text or as JSON lines.

    The level is a name or, as Celery says it, `logging`'s number. A worker and its children have
    one file: `celery multi`, whose workers have no stderr, would give each its own (`%I`).
    """
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "petiole": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": SHARED_PROCESSORS,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        _renderer(),
                    ],
                }
            },
            "filters": {"not_ends": {"()": NotEnds}},
            "handlers": {"log": {**_place(file), "formatter": "petiole"}},
            "root": {"handlers": ["log"], "level": level},
            # Two lines for each picture, which cost as much as a Redis command each, beside the
            # one of its job.
            "loggers": {
                name: {"level": "WARNING", "filters": ["not_ends"]} for name in PER_TASK_LOGGERS
            },
        }
    )


def _place(file: str | None) -> dict[str, str]:
    if not file:
        return {"class": "logging.StreamHandler"}
    return {
        "class": "logging.handlers.WatchedFileHandler",
        "filename": file.replace("%I", "").replace("%i", ""),
    }


def _renderer() -> structlog.typing.Processor:
    if settings().log_format == "json":
        return structlog.processors.JSONRenderer()
    return structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0)
