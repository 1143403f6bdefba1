"""The HTML page of the report: what of a run is shown, in which order and how numbers are written.

`views` arranges, `figures` draws, and `templates/` lays out. Everything that the templates print is
escaped.
"""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from training.judging.evaluation import Evaluation
from training.judging.intervals import Estimate
from training.reporting import figures, thumbnails, views
from training.reporting.doubts_view import DoubtsView
from training.reporting.record import Run

_NOTHING = "\N{EN DASH}"
# Three lines under a thumbnail.
_LONGEST_PATH = 60
_MINUTE, _HOUR = 60, 3600


def render(
    run: Run,
    evaluation: Evaluation,
    doubts: DoubtsView | None = None,
    *,
    pictures: Callable[[str], bytes],
) -> str:
    """Return the page; values of `run` must be as JSON has them."""
    return (
        _environment()
        .get_template("report.html")
        .render(
            run=run,
            evaluation=evaluation,
            hits=round(evaluation.top1.value * evaluation.pictures),
            counts=views.counts(run.data),
            set_aside=views.set_aside(run.data),
            classes=views.classes(evaluation),
            matrix=views.matrix(evaluation),
            diagrams=_diagrams(evaluation),
            panels=_panels(run),
            mistakes=[
                (mistake, thumbnails.data_uri(pictures, mistake.path))
                for mistake in evaluation.worst_mistakes
            ],
            seconds=sum(run.phases_seconds.values()),
            doubts=doubts,
        )
    )


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share from 0 to 1 as text, such as `93.5 %`; a dash for None."""
    return _NOTHING if share is None else f"{100 * share:.{digits}f}\N{NO-BREAK SPACE}%"


def interval(estimate: Estimate) -> str:
    """Return the ends of a 95 % interval as text, such as `89.2 to 96.1 %`."""
    return f"{100 * estimate.low:.1f} to {percent(estimate.high)}".replace(
        " ", "\N{NO-BREAK SPACE}"
    )


def duration(seconds: float) -> str:
    """Return a time as text, such as `4.2 s`, `3 min 5 s` or `2 h 10 min`."""
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def value(anything: Any) -> str:
    """Return a setting as text: what is not text as JSON, which tells `"5"` from `5` in lists."""
    if anything is None:
        return _NOTHING
    return anything if isinstance(anything, str) else json.dumps(anything, ensure_ascii=False)


def ending(path: str) -> str:
    """Return the last 60 characters of a path, which hold the file's name."""
    return path if len(path) <= _LONGEST_PATH else "…" + path[-_LONGEST_PATH:]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("training.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "interval": interval,
        "duration": duration,
        "ending": ending,
        "value": value,
    }
    return environment


def _diagrams(evaluation: Evaluation) -> list[dict[str, Any]]:
    kinds = {"before": evaluation.before, "after": evaluation.after}
    return [
        {"name": name, "of": of, "svg": figures.reliability(of.bins, key=name)}
        for name, of in kinds.items()
    ]


def _panels(run: Run) -> list[dict[str, Any]]:
    panels = views.panels(run.curves)
    return [
        {"title": title, "lines": list(lines), "svg": figures.curves(lines, key=f"curve{i}")}
        for i, (title, lines) in enumerate(panels.items())
    ]
