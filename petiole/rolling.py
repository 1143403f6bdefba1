"""A new generation of workers and API processes, without a moment in which nobody serves.

New ones are started beside the old ones, and are ready before those are asked to end. Old and new
API processes take connections from the same socket, so none is refused. Redis, Flower and the
training worker stay: they hold what a new one would have to begin again.
"""

import os
import socket
from collections.abc import Mapping
from time import monotonic
from typing import Any

import requests

from petiole import parts
from petiole.probes import HTTP_SECONDS
from petiole.service import READY_POLL_SECONDS, Service

ANNOUNCED = {"worker": "children", "downloader": "downloaders", parts.BULK: "bulk_children"}
"""Under which name `/readyz` lists the processes of a part."""

CONSUMERS = "consumers"
"""The same for the main processes, without which the others get nothing to do."""

ROLLED = (*ANNOUNCED, parts.API)
LOOKS = 16
"""Requests until one most likely reached the new API process, which answers every second one."""

NEW = " (new)"


class RollError(Exception):
    """A new part did not become ready; the old one goes on."""


def roll(service: Service) -> None:
    """Replace workers and API processes by new ones; a failure is said, and the old ones stay."""
    service.output.write("petiole", "rolling: new workers are started beside the old ones")
    failure = _why_not_rolled(service)
    while service.supervisor.is_seeing_off and not service.interrupted.is_set():
        service.tick()
    service.output.write("petiole", f"not rolled: {failure}" if failure else "rolled")
    service.announce_roll(failure)


def _why_not_rolled(service: Service) -> str:
    try:
        for name in ROLLED:
            if name in service.supervisor.processes():
                _replace(service, name)
    except RollError as exc:
        return str(exc)
    return ""


def _replace(service: Service, name: str) -> None:
    """Start a part beside the one of this name, wait until it is as ready, and end the old one.

    Raises:
        RollError: it does not become ready.
    """
    supervisor, new = service.supervisor, name + NEW
    (part,) = (each for each in service.plan.parts if each.name == name)
    due = 1 if name == parts.API else len(_ready(service, name))
    supervisor.start(parts.of_generation(part, str(service.rolls + 2)), name=new)
    try:
        _wait(service, new, due=due)
    except RollError:
        supervisor.retire(new, timeout_seconds=service.up.stop_timeout_seconds)
        raise
    supervisor.retire(name, timeout_seconds=service.up.stop_timeout_seconds)
    supervisor.rename(new, name)


def _wait(service: Service, new: str, *, due: int) -> None:
    limit = service.up.start_timeout_seconds
    deadline = monotonic() + limit
    while len(_ready(service, new)) < max(due, 1):
        service.tick()
        if service.interrupted.wait(READY_POLL_SECONDS):
            raise RollError("interrupted")
        if service.supervisor.restarts()[new]:
            raise RollError(f"{new} ended: {service.supervisor.last_line(new)}")
        if monotonic() > deadline:
            raise RollError(f"{new} is not ready after {limit:g} s")


def _ready(service: Service, name: str) -> set[int]:
    """Return the processes of the part that runs under `name` and that serve."""
    kind, group = name.removesuffix(NEW), service.supervisor.processes()[name]
    try:
        if kind == parts.API:
            serving = {_process_that_answers(service) for _ in range(LOOKS)}
        else:
            serving = _served(service, ANNOUNCED[kind], group)
    except requests.RequestException:
        return set()
    return {process for process in serving if _is_of(process, group)}


def _served(service: Service, kind: str, main_process: int) -> set[int]:
    """Return the processes that work, once the main process of their part takes messages."""
    document = requests.get(f"{service.plan.api_url}/readyz", timeout=HTTP_SECONDS).json()
    takes = main_process in _announced(document, CONSUMERS)
    return _announced(document, kind) if takes else set()


def _process_that_answers(service: Service) -> int:
    document = requests.get(f"{service.plan.api_url}/livez", timeout=HTTP_SECONDS).json()
    return int(document["process"])


def _announced(document: Mapping[str, Any], kind: str) -> set[int]:
    """Return the processes of this host that the document of `/readyz` lists as ready."""
    ready = [note["process"] for note in document.get(kind, []) if note["state"] == "ready"]
    members = [member.rsplit(":", 2) for member in ready]
    return {int(process) for _, host, process in members if host == socket.gethostname()}


def _is_of(process: int, group: int) -> bool:
    """Tell whether a process is one of a part's: each part is a process group of its own."""
    try:
        return os.getpgid(process) == group
    except ProcessLookupError:
        return False
