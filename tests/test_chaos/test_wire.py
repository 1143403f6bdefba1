"""The wire that can be cut: bytes wait, connections stay."""

import socket

import pytest

from chaos.wire import NOTHING_CAME, Wire


def test_a_cut_wire_holds_bytes_back_and_closes_nothing() -> None:
    """What was sent while it was cut arrives when it is whole again."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        wire = Wire(server.getsockname()[1])
        near = socket.create_connection(("127.0.0.1", wire.port), timeout=5)
        near.sendall(b"before")
        far, _ = server.accept()
        far.settimeout(0.3)
        before = far.recv(100)
        wire.cut()
        near.sendall(b"meanwhile")
        with pytest.raises(TimeoutError):
            far.recv(100)
        wire.mend()
        far.settimeout(5)
        after = far.recv(100)
        wire.close()
        near.close()
        far.close()

    assert (before, after) == (b"before", b"meanwhile")


def test_a_stranded_connection_waits_for_nothing() -> None:
    """Whatever else is asked on it is answered as ever, and so is a wait on a later one."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        wire = Wire(server.getsockname()[1])
        old = socket.create_connection(("127.0.0.1", wire.port), timeout=5)
        old.sendall(b"before")
        old_far, _ = server.accept()
        old_far.recv(100)
        wire.strand()
        old.sendall(b"BRPOP")
        nothing = old.recv(100)
        old.sendall(b"PING")
        asked = old_far.recv(100)
        new = socket.create_connection(("127.0.0.1", wire.port), timeout=5)
        new_far, _ = server.accept()
        new.sendall(b"BRPOP")
        waited = new_far.recv(100)
        wire.close()
        for each in (old, old_far, new, new_far):
            each.close()

    assert (nothing, asked, waited) == (NOTHING_CAME, b"PING", b"BRPOP")
