"""The workers' consumer without its watchdog, for a control: it tells, and mends nothing."""

from tasks.consumer import EventBatchingConsumer


class UnwatchedConsumer(EventBatchingConsumer):
    """Believes that it takes messages as long as nothing says otherwise."""

    def _look(self) -> None:
        self._tell()
