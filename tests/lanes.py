"""Two lanes side by side, as `make test` runs them: what waits for services, and what computes.

Tests of running services wait most of the time, so the others fill the gaps, with less priority:
a service that has to be quick is not held up by a training.
"""

import os

import pytest

SERVICES, ROOMS = "services", "rooms"
OF_SERVICES = {"end_to_end", "server"}
LESS_PRIORITY = 10


def lane_of(item: pytest.Item) -> str:
    """Return the lane of a test: that of services where real servers take part."""
    return SERVICES if OF_SERVICES & {mark.name for mark in item.iter_markers()} else ROOMS


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tell pytest-xdist the lanes; without it, as for a few tests, they mean nothing."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(lane_of(item)))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Give way to the other lane."""
    if "PYTEST_XDIST_WORKER" in os.environ and lane_of(item) == ROOMS:
        os.setpriority(os.PRIO_PROCESS, 0, LESS_PRIORITY)
