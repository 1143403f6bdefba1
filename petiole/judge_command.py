"""`petiole models judge`: carries out what gates have decided, where the workers may not.

A verdict is figures in the job store against the gate in the model store; whoever may read both
and write to the second can carry it out. It needs no model in memory and sees no picture.
"""

from time import sleep
from typing import Annotated

import typer

from model_store import ModelStoreError
from petiole.console import errors_as_lines, next_step

LOOK_SECONDS = 5.0

Watch = Annotated[bool, typer.Option("--watch", help="Go on, a look every five seconds.")]


def judge(watch: Watch = False) -> None:
    """Carry out what the gates of running trials have decided, for workers that may not write."""
    if watch:
        _judge_for_ever()
    with errors_as_lines():
        ended = _judge()
    if not ended:
        typer.echo("no verdict is due")
        next_step("which models are tried", "models", "list")
    for model in ended:
        next_step("what the service does now", "models", "show", model)


def _judge_for_ever() -> None:
    """Look again and again; a store that is away is said once, and waited for."""
    # Imported here: the other commands on models need no connection to a service.
    from tasks.errors import ServiceUnavailableError  # noqa: PLC0415

    away = False
    while True:
        try:
            _judge()
            away = False
        except (ModelStoreError, ServiceUnavailableError) as exc:
            if not away:
                typer.echo(f"petiole models: {exc}; trying again", err=True)
            away = True
        sleep(LOOK_SECONDS)


def _judge() -> tuple[str, ...]:
    """Judge every trial and say how those ended that did; return their models."""
    from tasks import trials  # noqa: PLC0415 - as above

    ended = trials.judge_all()
    for model, outcome in ended.items():
        typer.echo(f"{model}: {outcome}")
    return tuple(ended)
