"""Hosts of this test's own: network namespaces on one bridge, each with an address.

Nothing of the machine's own network is touched; an interface can be taken down as a cable is.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

NETWORK = "10.77.0"


@dataclass(frozen=True)
class Host:
    """One namespace, reached at its address from the others."""

    name: str
    address: str

    def command(self, *words: str) -> list[str]:
        """Return a command that runs on this host."""
        return ["ip", "netns", "exec", self.name, *words]

    def cut_off(self) -> None:
        """Pull its cable."""
        _run("-n", self.name, "link", "set", "net", "down")

    def reconnect(self) -> None:
        """Put it back."""
        _run("-n", self.name, "link", "set", "net", "up")


def why_there_are_none() -> str:
    """Return why this machine allows no namespaces; empty where it does."""
    name = f"petiole-{os.getpid()}-try"
    try:
        _run("netns", "add", name)
    except FileNotFoundError:
        return "the command `ip` is missing (Debian: iproute2)"
    except subprocess.CalledProcessError as exc:
        return f"network namespaces are not allowed here: {exc.stderr.strip()}"
    _run("netns", "del", name)
    return ""


@contextmanager
def hosts(count: int) -> Iterator[list[Host]]:
    """Give so many hosts; the first one carries the bridge that joins them."""
    made = [
        Host(f"petiole-{os.getpid()}-{number}", f"{NETWORK}.{number}")
        for number in range(1, count + 1)
    ]
    try:
        for host in made:
            _run("netns", "add", host.name)
            _run("-n", host.name, "link", "set", "lo", "up")
        _run("-n", made[0].name, "link", "add", "bridge", "type", "bridge")
        _run("-n", made[0].name, "addr", "add", f"{made[0].address}/24", "dev", "bridge")
        _run("-n", made[0].name, "link", "set", "bridge", "up")
        for number, host in enumerate(made[1:], start=2):
            _join(made[0], host, port=f"port{number}")
        yield made
    finally:
        for host in made:
            with suppress(subprocess.CalledProcessError):
                _run("netns", "del", host.name)


def _join(hub: Host, host: Host, *, port: str) -> None:
    ends = ("type", "veth", "peer", "name", "net", "netns", host.name)
    _run("-n", hub.name, "link", "add", port, *ends)
    _run("-n", hub.name, "link", "set", port, "master", "bridge", "up")
    _run("-n", host.name, "addr", "add", f"{host.address}/24", "dev", "net")
    _run("-n", host.name, "link", "set", "net", "up")


def _run(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
