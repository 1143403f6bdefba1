"""The settings, the running service, and the ports that one would need."""

import os
from collections.abc import Iterator

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from model_store import command_line
from petiole import parts, planning, service_state, variables
from petiole.doctor.findings import Finding, error, warning, well
from petiole.settings import FlowerSettings, UpSettings
from tasks import bad_settings, redis_checks
from tasks.celery_settings import CelerySettings


def settings() -> Iterator[Finding]:
    """Look at every variable that a part would refuse."""
    refused = 0
    kinds: list[type[BaseSettings]] = [*variables.all_settings(), FlowerSettings, CelerySettings]
    for kind in kinds:
        try:
            kind()
        except ValidationError as exc:
            refused += 1
            yield error(
                "settings", bad_settings.refused(exc), "correct it; docs/settings.md has all"
            )
    if not refused:
        yield well("settings", "every variable has a value that its part takes")


def service() -> Iterator[Finding]:
    """Look whether a service runs, whether it is ready, and what it cannot promise."""
    found = service_state.look()
    if not found.running:
        yield well("service", "none runs here")
        yield from _ports()
        return
    if found.ready:
        yield well("service", f"ready at {found.addresses['page']}")
    else:
        name = "worker" if "worker" in found.missing else "petiole"
        logs = command_line.command("logs", name)
        yield error("service", f"not ready; {found.missing}", f"see what it says: {logs}")
    of_redis = redis_checks.doubts() if found.warnings else ()  # findings of another look
    for sentence in found.warnings:
        if sentence not in of_redis:
            says, _, to_do = sentence.partition("; ")
            yield warning("service", says, to_do)
    for part in found.parts:
        if part.restarts:
            says = f"{part.name} was started again {part.restarts} times"
            yield warning("service", says, f"see why: {command_line.command('logs', part.name)}")


def _ports() -> Iterator[Finding]:
    wanted = parts.ports(UpSettings(), os.environ)
    if taken := planning.taken_ports(wanted):
        yield error("ports", taken, planning.elsewhere(wanted))
    else:
        numbers = ", ".join(f"{port} for {name}" for name, (_, port) in wanted.items())
        yield well("ports", f"free: {numbers}")
