"""The report of a training run: one HTML file for people and `report.json` for machines.

The last step of a run. The page holds its pictures and drawings itself, runs no script and asks for
nothing, so it can be mailed, archived and opened without a server.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from training import whole
from training.judging.evaluation import Evaluation
from training.judging.trust import Measured
from training.reporting import doubts_view, page
from training.reporting.record import Run

__all__ = ["HTML", "JSON", "Run", "write"]

HTML = "report.html"
JSON = "report.json"


def write(
    directory: Path,
    run: Run,
    evaluation: Evaluation,
    measured: Measured | None = None,
    *,
    pictures: Callable[[str], bytes],
    foreign_pictures: Callable[[str], bytes] | None = None,
) -> Path:
    """Write `report.html` and `report.json` into the directory; returns where the page is.

    Equal input gives equal bytes. What is there is replaced.

    Args:
        directory: Made when missing.
        run: What was done.
        evaluation: What was measured.
        measured: How far answers can be trusted, where that is known.
        pictures: Gives the bytes of a test picture by its path, for the thumbnails; an `OSError`
            from it leaves a placeholder.
        foreign_pictures: The same for pictures of other things; None where they were drawn.
    """
    document = {"run": asdict(run), "evaluation": evaluation.to_dict()}
    if measured:
        document["trust"] = measured.to_dict()
    plain: dict[str, Any] = _plain(document)
    whole.write_text(
        directory / JSON, json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False)
    )
    shown = replace(run, settings=plain["run"]["settings"], curves=plain["run"]["curves"])
    doubts = measured and doubts_view.of(measured, pictures, foreign_pictures)
    text = page.render(shown, evaluation, doubts or None, pictures=pictures)
    whole.write_text(directory / HTML, text)
    return directory / HTML


def _plain(value: Any) -> Any:
    """Return the value as JSON has it: no NaN, no tuple, no path, only text as names."""
    if isinstance(value, Mapping):
        return {str(name): _plain(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(member) for member in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, str | int | None) else str(value)
