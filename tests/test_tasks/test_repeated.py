"""A broker that is away is said once, and in one line."""

import logging
from collections.abc import Iterator

import pytest

from tasks.repeated import Unrepeated, WithoutTraceback


@pytest.fixture
def heard() -> Iterator[logging.Logger]:
    """A logger of its own with both filters."""
    logger = logging.getLogger("tests.of.repeated")
    filters = (Unrepeated(), WithoutTraceback())
    for each in filters:
        logger.addFilter(each)
    yield logger
    for each in filters:
        logger.removeFilter(each)


def test_tries_are_one_line(heard: logging.Logger, caplog: pytest.LogCaptureFixture) -> None:
    """Of all that Celery counts and waits for in between; another reason is another line."""
    for n in range(1, 5):
        heard.error("Cannot connect to h: %s.\nTrying again in %s.00 s (%s/None)\n", "no", 2 * n, n)
    heard.error("Cannot connect to h: %s.\nTrying again in %s.00 s (%s/None)\n", "not you", 2, 5)

    assert caplog.messages == [
        "Cannot connect to h: no. Trying again in 2.00 s (1/None)",
        "Cannot connect to h: not you. Trying again in 2.00 s (5/None)",
    ]


@pytest.mark.parametrize(
    ("error", "is_shown"), [(ConnectionError("away"), 0), (ValueError("x"), 1)]
)
def test_a_lost_connection_has_no_traceback(
    heard: logging.Logger, caplog: pytest.LogCaptureFixture, error: Exception, is_shown: int
) -> None:
    """Any other error keeps its own."""
    heard.error("not acknowledged", exc_info=error)

    assert caplog.text.count("\n") - 1 == is_shown
