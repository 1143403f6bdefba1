"""What RabbitMQ answers where it has a queue of ours already, or its exchange, of another kind."""

from amqp.exceptions import PreconditionFailed

CURE = (
    "RabbitMQ has a queue or an exchange under one of our names already, of another kind: delete"
    " both once the queue is empty, or give CELERY_BROKER_URL a virtual host of its own"
)


def cure(exc: BaseException) -> str | None:
    """Return what to do about such an answer; None for any other error."""
    return f"{CURE} ({exc.reply_text})" if isinstance(exc, PreconditionFailed) else None
