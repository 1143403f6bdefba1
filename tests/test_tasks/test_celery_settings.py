"""Limits of Celery's that must fit each other."""

from tasks import working
from tasks.celery import app


def test_every_task_has_an_end_before_its_message_comes_back() -> None:
    """The soft limit first; the hard one is for code that hears no signal; then a stop's grace."""
    conf = app.conf
    longest = (
        conf.task_time_limit + working.LONGEST_PAUSE_SECONDS + conf.worker_soft_shutdown_timeout
    )

    assert 0 < conf.task_soft_time_limit < conf.task_time_limit
    assert longest < conf.broker_transport_options["visibility_timeout"]
