"""An internet in one namespace: each address leads to the canary, each name to the resolver."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.hosts import Host, hosts, why_there_are_none
from tests.internet.canary import RESOLVER
from tests.internet.resolver import Zone
from tests.origins import certified

OF_NAMESPACES = Path("/etc/netns")
"""`ip netns exec` lays the files of `/etc/netns/NAME` over those of `/etc`."""


@dataclass(frozen=True)
class World:
    """The namespace, and the folder with the canary's notes and its certificate."""

    host: Host
    folder: Path

    def called(self) -> list[tuple[str, int]]:
        """Return the addresses and ports that were connected to, and forget them."""
        return [(note["called"], int(note["port"])) for note in self._noted() if "called" in note]

    def questions(self) -> list[tuple[str, str]]:
        """Return the names and kinds that the resolver was asked for, and forget them."""
        return [(note["name"], note["kind"]) for note in self._noted() if "name" in note]

    def _noted(self) -> list[dict[str, str]]:
        notes = self.folder / "notes"
        lines = notes.read_text().splitlines()
        os.truncate(notes, 0)
        return [json.loads(line) for line in lines]

    @contextmanager
    def asking(self, environment: Mapping[str, str]) -> Iterator["Asker"]:
        """Run a process that asks addresses there."""
        command = (sys.executable, "-m", "tests.internet.asking", self.folder / "certificate.pem")
        with _running(self.host, command, environment) as process:
            yield Asker(process)


@dataclass(frozen=True)
class Asker:
    """The worker's functions, in the namespace."""

    process: "subprocess.Popen[str]"

    def ask(self, kind: str, urls: Sequence[str]) -> dict[str, str]:
        """Return what became of each address."""
        return {url: self._one(kind, url) for url in urls}

    def _one(self, kind: str, url: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{json.dumps([kind, url])}\n")
        self.process.stdin.flush()
        return str(json.loads(self.process.stdout.readline()))


@contextmanager
def internet(folder: Path, zone: Zone, *, certificate_of: str) -> Iterator[World]:
    """Give a namespace in which everything leads to the canary; nothing of it leads out."""
    if reason := why_there_are_none():
        pytest.fail(reason) if "missing" in reason and os.environ.get("CI") else pytest.skip(reason)
    certified(folder, certificate_of)
    (folder / "zone").write_text(json.dumps(zone))
    with ExitStack() as stack:
        (host,) = stack.enter_context(hosts(1))
        stack.enter_context(_resolving(host))
        for family, everything in (("-4", "0.0.0.0/0"), ("-6", "::/0")):
            words = ("ip", family, "route", "add", "local", everything, "dev", "lo")
            subprocess.run(host.command(*words), check=True, capture_output=True)
        command = (sys.executable, "-m", "tests.internet.canary", folder)
        canary = stack.enter_context(_running(host, command, os.environ))
        assert canary.stdout is not None
        assert canary.stdout.readline() == "listening\n"
        yield World(host, folder)


@contextmanager
def _resolving(host: Host) -> Iterator[None]:
    folder = OF_NAMESPACES / host.name
    folder.mkdir(parents=True)
    (folder / "resolv.conf").write_text(f"nameserver {RESOLVER}\n")
    (folder / "nsswitch.conf").write_text("hosts: files dns\n")
    try:
        yield
    finally:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


@contextmanager
def _running(
    host: Host, command: Sequence[str | Path], environment: Mapping[str, str]
) -> Iterator["subprocess.Popen[str]"]:
    """Run a program on a host; the end of its input ends it."""
    with subprocess.Popen(
        host.command(*map(str, command)),
        cwd=ROOT,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            assert process.stdin is not None
            process.stdin.close()
