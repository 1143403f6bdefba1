"""The drawings of the report, as SVG that takes its colours from the page around it.

They hold numbers and fixed words only, nothing that would have to be escaped: labels and titles may
be in any script and are set by the page in HTML, which finds a font for them. No pyplot, so no
state is left behind.
"""

import re
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from training.judging.reliability import ReliabilityBin

# Drawn in the colour on the left, shown in the page's own, so that dark mode and print fit.
INK, LINE, RIGHT, WRONG = "#010101", "#020202", "#030303", "#040404"
_PAGE_COLOURS = {
    INK: "var(--ink)",
    LINE: "var(--line)",
    RIGHT: "rgb(var(--right))",
    WRONG: "rgb(var(--wrong))",
}
_SERIES = (RIGHT, WRONG, INK)

# Any, as Matplotlib types the names of its settings one by one.
STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "text.color": INK,
    "axes.facecolor": "none",
    "axes.edgecolor": LINE,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.5,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.formatter.use_mathtext": False,
    "axes.formatter.useoffset": False,
    "text.usetex": False,
    "axes.unicode_minus": False,
}
_ID = re.compile(r'(\bid="|href="#|url\(#)')


def reliability(bins: Sequence[ReliabilityBin], *, key: str) -> str:
    """Return accuracy by confidence, with intervals, above the number of pictures in each bin.

    Args:
        bins: From `judging.reliability`.
        key: Unique in the page; element ids begin with it.

    Source: Niculescu-Mizil and Caruana 2005; the bars and bins are those of Guo et al. 2017.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.2, 4.0))
        figure.subplots_adjust(left=0.13, right=0.97, bottom=0.1, top=0.97, hspace=0.09)
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        _draw_accuracy(above, [each for each in bins if each.count])
        _draw_counts(below, bins)
        return svg(figure, key)


def curves(series: Mapping[str, Sequence[float]], *, key: str) -> str:
    """Return lines over the number of the measurement, in the order and colours of `series`.

    At most three lines have different colours. Values that are not finite leave a gap.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.2, 2.4))
        figure.subplots_adjust(left=0.13, right=0.97, bottom=0.1, top=0.92)
        axes = figure.subplots()
        for i, values in enumerate(series.values()):
            _draw_curve(axes, values, _SERIES[i % len(_SERIES)])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        return svg(figure, key)


def _draw_accuracy(axes: Axes, bins: Sequence[ReliabilityBin]) -> None:
    axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle="--")
    for each in bins:
        _draw_bin(axes, each)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="accuracy")


def _draw_bin(axes: Axes, each: ReliabilityBin) -> None:
    if each.accuracy is None or each.confidence is None:
        return
    middle, width = (each.lower + each.upper) / 2, (each.upper - each.lower) * 0.9
    axes.bar(middle, each.accuracy.value, width=width, color=RIGHT, alpha=0.45)
    axes.vlines(each.confidence, each.accuracy.low, each.accuracy.high, color=INK, linewidth=0.8)
    axes.plot(each.confidence, each.accuracy.value, "o", ms=4, color=RIGHT, clip_on=False)


def _draw_counts(axes: Axes, bins: Sequence[ReliabilityBin]) -> None:
    middles = [(each.lower + each.upper) / 2 for each in bins]
    width = (bins[0].upper - bins[0].lower) * 0.9
    axes.bar(middles, [each.count for each in bins], width=width, color=LINE)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.set(xlabel="confidence", ylabel="pictures")


def _draw_curve(axes: Axes, values: Sequence[float], colour: str) -> None:
    heights = np.asarray(values, np.float64)
    heights[~np.isfinite(heights)] = np.nan
    marker = "o" if len(heights) == 1 else None
    steps = np.arange(1, len(heights) + 1)
    axes.plot(steps, np.ma.masked_invalid(heights), color=colour, linewidth=1.4, marker=marker)


def svg(figure: Figure, key: str) -> str:
    """Return a drawing in the page's colours; its element ids begin with `key`."""
    figure.patch.set_visible(False)
    # The salt makes the ids depend on the content alone, and no date is written: equal input, equal
    # bytes.
    with mpl.rc_context({"svg.hashsalt": "petiole"}):
        text = StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    drawn_text = text.getvalue()
    page = _ID.sub(rf"\g<1>{key}-", drawn_text[drawn_text.index("<svg") :])
    for drawn, shown in _PAGE_COLOURS.items():
        page = page.replace(drawn, shown)
    return page
