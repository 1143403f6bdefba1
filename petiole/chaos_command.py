"""`petiole chaos`: hurt an installation of your own, within bounds, and see what becomes of it.

Exit codes: 0 every promise was kept, 1 one was broken or nothing could be done, 2 wrong usage,
130 interrupted.
"""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from petiole.console import AsJson

if TYPE_CHECKING:
    from collections.abc import Callable

    from petiole.chaos.installation import Installation
    from petiole.chaos.run import Asked, Fault

app = typer.Typer(
    no_args_is_help=True,
    help="Hurt the running service, within bounds, and count what becomes of each picture.",
)


def _within(least: int, most: int) -> "Callable[[float], float]":
    """Return a check that refuses what is outside of the bounds, with value and limit."""

    def check(value: float) -> float:
        if not least <= value <= most:
            raise typer.BadParameter(f"{value} is outside of {least} to {most}")
        return value

    return check


Api = Annotated[
    str, typer.Option(metavar="URL", help="The API; by default that of the service found here.")
]
Model = Annotated[
    str, typer.Option(metavar="REF", help="name, name@version or name@alias; default: the API's.")
]
Pictures = Annotated[
    int,
    typer.Option(
        metavar="N", help="Send so many at most, 100 to 1000.", callback=_within(100, 1000)
    ),
]
Seconds = Annotated[
    int,
    typer.Option(metavar="N", help="Wait so long at most, 20 to 600.", callback=_within(20, 600)),
]
Pause = Annotated[
    float,
    typer.Option(
        metavar="N", help="How long Redis stands still, 1 to 30.", callback=_within(1, 30)
    ),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@app.command("worker-kill")
def _worker_kill(
    api: Api = "",
    model: Model = "",
    pictures: Pictures = 300,
    seconds: Seconds = 120,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Kill two children and the main process of a classify worker on this machine."""
    from petiole.chaos import worker_kill  # noqa: PLC0415 - Celery, which `petiole --help` need not load
    from petiole.chaos.run import Asked  # noqa: PLC0415 - as above

    asked = Asked(api, model, pictures, seconds)
    _conduct(worker_kill.prepared, asked, yes, as_json)


@app.command("redis-pause")
def _redis_pause(  # noqa: PLR0913 - one parameter for each option
    api: Api = "",
    model: Model = "",
    *,
    pause_seconds: Pause = 5,
    pictures: Pictures = 300,
    seconds: Seconds = 120,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Let Redis stand still for some seconds; it goes on by itself."""
    from petiole.chaos import redis_pause  # noqa: PLC0415 - Celery, which `petiole --help` need not load
    from petiole.chaos.run import Asked  # noqa: PLC0415 - as above

    asked = Asked(api, model, pictures, seconds)
    _conduct(partial(redis_pause.prepared, pause_seconds=pause_seconds), asked, yes, as_json)


@app.command("lost-message")
def _lost_message(
    api: Api = "",
    model: Model = "",
    pictures: Pictures = 300,
    seconds: Seconds = 120,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Take messages of pictures of its own out of the queue, and see them sent again."""
    from petiole.chaos import lost_message  # noqa: PLC0415 - Celery, which `petiole --help` need not load
    from petiole.chaos.run import Asked  # noqa: PLC0415 - as above

    asked = Asked(api, model, pictures, seconds)
    _conduct(lost_message.prepared, asked, yes, as_json)


@app.command("load-spike")
def _load_spike(
    api: Api = "",
    model: Model = "",
    pictures: Pictures = 1000,
    seconds: Seconds = 120,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Send far more pictures at once than can be classified in a moment."""
    from petiole.chaos import load_spike  # noqa: PLC0415 - Celery, which `petiole --help` need not load
    from petiole.chaos.run import Asked  # noqa: PLC0415 - as above

    asked = Asked(api, model, pictures, seconds)
    _conduct(load_spike.prepared, asked, yes, as_json)


def _conduct(
    prepare: "Callable[[Installation], Fault]", asked: "Asked", yes: bool, as_json: bool
) -> None:
    from petiole.chaos import conduct  # noqa: PLC0415 - as above

    raise typer.Exit(conduct.conduct(prepare, asked, yes=yes, as_json=as_json))
