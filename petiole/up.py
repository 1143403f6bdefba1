"""`petiole up`: the whole service in the foreground, until Ctrl-C or SIGTERM."""

import os
import sys
from time import monotonic

from rich.console import Console as Terminal

from model_store import command_line
from petiole import (
    flower_login,
    key_hints,
    part_logs,
    parts,
    planning,
    probes,
    redis_login,
    rolling,
    service,
)
from petiole import running as notes
from petiole.console import SAMPLE
from petiole.output import Output, Welcome
from petiole.screen import Screen
from petiole.settings import UpSettings
from petiole.supervisor import Console
from tasks.settings import EMBEDDED_ADDRESS


def run(*, verbose: bool = False) -> None:
    """Start the service, say where it is, and keep it running until it is interrupted.

    A terminal shows what a person needs, unless `verbose`; else every line of every part is
    written, as a journal or a log collector wants it.

    Raises:
        StartError: it cannot be started; says why.
    """
    up = UpSettings()
    plan = planning.planned(up)
    begun = monotonic()
    with service.started(plan, up, _output(plan, up, verbose=verbose)) as running:
        running.output.welcome(_welcome(plan, up, seconds=monotonic() - begun))
        while not running.interrupted.is_set():
            running.tick()
            if running.roll_asked.is_set():
                rolling.roll(running)


def _output(plan: parts.Plan, up: UpSettings, *, verbose: bool) -> Output:
    terminal = Terminal(file=sys.stdout)
    # Not `is_terminal`, which FORCE_COLOR makes true for a pipe as well.
    can_show = sys.stdout.isatty() and terminal.encoding.startswith("utf")
    if verbose or not can_show or terminal.is_dumb_terminal:
        return Console(part.name for part in plan.parts)
    return Screen(terminal, part_logs.directory_of(up.state_directory))


def _welcome(plan: parts.Plan, up: UpSettings, *, seconds: float) -> Welcome:
    logs = command_line.here(part_logs.directory_of(up.state_directory))
    address = command_line.here(up.state_directory / EMBEDDED_ADDRESS)
    redis = f"{redis_login.url_of(up.redis_port)}, with its password in {address}"
    return Welcome(
        seconds=seconds,
        example=command_line.command("classify", command_line.here(SAMPLE)),
        addresses=(
            ("page", plan.api_url),
            ("API", f"{plan.api_url}/docs/"),
            ("Flower", plan.flower_url),
            *_login(plan, up),
            *((("Redis", redis),) if "redis" in plan.ports else ()),
            ("logs", f"{logs}/"),
            ("stop", "Ctrl-C"),
        ),
        warnings=(*probes.readiness_of(plan.api_url).warnings, *_of_keys(plan)),
    )


def _login(plan: parts.Plan, up: UpSettings) -> tuple[tuple[str, str], ...]:
    """Return how Flower is entered, where its password was made here."""
    if os.environ.get(flower_login.SETTING) or flower_login.SETTING not in plan.environment:
        return ()
    place = command_line.here(flower_login.file_of(up.state_directory))
    return (("", f"{flower_login.NAME}, password in {place}"),)


def _of_keys(plan: parts.Plan) -> tuple[str, ...]:
    note = notes.find()
    hint = key_hints.of(plan.api_url, job_store_url=note.job_store_url if note else "")
    return (hint,) if hint else ()
