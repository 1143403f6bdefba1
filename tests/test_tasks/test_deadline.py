"""The wall-clock limit on connections, with real sockets."""

import socket
from collections.abc import Iterator

import pytest

from tasks.deadline import Deadline

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """Both ends of a connection; reading one gives up after ten seconds."""
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    with ours, theirs:
        yield ours, theirs


def test_a_connection_is_cut_when_the_time_is_over(ends: Ends) -> None:
    """Whoever waits for a byte at that moment wakes up."""
    ours, _ = ends
    with Deadline(0.05) as deadline:
        deadline.watch(ours)
        received = ours.recv(1)

    assert (received, deadline.passed) == (b"", True)


def test_a_connection_that_comes_too_late_is_cut_at_once(ends: Ends) -> None:
    """As one that a redirect opens after the end."""
    ours, _ = ends
    deadline = Deadline(0.0)
    deadline.watch(ours)

    assert ours.recv(1) == b""


def test_what_is_over_in_time_is_left_alone(ends: Ends) -> None:
    """The timer is disarmed, and the connection stays usable."""
    ours, theirs = ends
    with Deadline(60.0) as deadline:
        deadline.watch(ours)
    theirs.send(b"x")

    assert (ours.recv(1), deadline.passed) == (b"x", False)
    assert not deadline._timer.is_alive() or deadline._timer.finished.is_set()


def test_a_closed_connection_is_no_error(ends: Ends) -> None:
    """The download may end in the same moment."""
    ours, _ = ends
    ours.close()
    deadline = Deadline(0.0)
    deadline.watch(ours)

    assert deadline.passed
