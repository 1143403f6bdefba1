"""The drawings of an answer's doubts: mistakes by share answered, and pictures by novelty."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from training.reporting import figures
from training.reporting.figures import INK, RIGHT, WRONG

_BINS = 20


def risk_by_coverage(risks: NDArray[np.float64], *, key: str) -> str:
    """Return the share of mistakes when only the most probable answers count, by their share.

    Args:
        risks: Share of mistakes among the n most probable answers, for n from 1 to all, [N].
        key: Unique in the page; element ids begin with it.
    """
    with mpl.rc_context(figures.STYLE):
        figure = Figure(figsize=(4.2, 2.6))
        figure.subplots_adjust(left=0.15, right=0.97, bottom=0.18, top=0.95)
        axes = figure.subplots()
        shares = np.arange(1, len(risks) + 1) / len(risks)
        axes.plot(shares, risks, color=RIGHT, linewidth=1.4)
        axes.set(xlim=(0, 1), xlabel="share of pictures answered", ylabel="share of mistakes")
        axes.set_ylim(0, max(0.05, 1.1 * float(risks.max())))
        return figures.svg(figure, key)


def by_novelty(own: Sequence[float], foreign: Sequence[float], level: float, *, key: str) -> str:
    """Return the share of own and of foreign pictures by novelty, with the level of `unknown`."""
    with mpl.rc_context(figures.STYLE):
        figure = Figure(figsize=(4.2, 2.6))
        figure.subplots_adjust(left=0.15, right=0.97, bottom=0.18, top=0.95)
        axes = figure.subplots()
        for values, colour in ((own, RIGHT), (foreign, WRONG)):
            if values:
                weights = np.full(len(values), 1 / len(values))
                axes.hist(
                    values, bins=_BINS, range=(0, 1), weights=weights, color=colour, alpha=0.5
                )
        axes.axvline(level, color=INK, linewidth=0.8, linestyle="--")
        axes.set(xlim=(0, 1), xlabel="novelty", ylabel="share of pictures")
        return figures.svg(figure, key)
