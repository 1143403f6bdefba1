"""`petiole up`: the whole service in the foreground, until Ctrl-C or SIGTERM."""

import os
from pathlib import Path
from time import monotonic

from petiole import parts, rolling, service
from petiole.settings import UpSettings
from petiole.supervisor import Console

SAMPLE = Path(__file__).parent / "samples" / "coffee.jpg"


def run() -> None:
    """Start the service, say where it is, and keep it running until it is interrupted.

    Raises:
        StartError: it cannot be started; says why.
    """
    up = UpSettings()
    plan = service.planned(up)
    console = Console(part.name for part in plan.parts)
    begun = monotonic()
    with service.started(plan, up, console) as running:
        for line in _welcome(plan, seconds=monotonic() - begun):
            console.write("petiole", line)
        while not running.interrupted.is_set():
            running.tick()
            if running.roll_asked.is_set():
                rolling.roll(running, console)


def _welcome(plan: parts.Plan, *, seconds: float) -> list[str]:
    sample = os.path.relpath(SAMPLE)
    return [
        f"ready after {seconds:.1f} s",
        f"API     {plan.api_url}   (documentation: {plan.api_url}/docs/)",
        f"Flower  {plan.flower_url}",
        f"try     curl -F image=@{sample} '{plan.api_url}/classify?wait=10'",
        "stop    Ctrl-C",
    ]
