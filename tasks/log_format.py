"""One log format for every process: an event, its fields, and the task id when there is one."""

import logging
import logging.config

import structlog

from tasks.settings import settings

SHARED_PROCESSORS = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
]

PER_TASK_LOGGERS = ("celery.worker.strategy", "celery.app.trace")


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
            "handlers": {"log": {**_place(file), "formatter": "petiole"}},
            "root": {"handlers": ["log"], "level": level},
            # Two lines for each picture, which cost as much as a Redis command each; the
            # metrics count them, and a failure that was not foreseen is still an error line.
            "loggers": {name: {"level": "WARNING"} for name in PER_TASK_LOGGERS},
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
