"""Learning curves of recorded runs: the mean over seeds in its interval, in styles for grey."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bounds.shared.figures import curve, new_figure
from bounds.shared.numbers import Array
from tabular.records.intervals import mean


def learning_curves(
    curves: Sequence[tuple[str, Array, Array]],
    across: str = "episodes of each run",
    up: str = "greedy return",
    levels: Sequence[tuple[str, float]] = (),
) -> Any:
    """A figure of (label, x[moment], values[moment, seed]), and of ``levels`` to compare with.

    Each curve is the mean over seeds, its band Student's 95 % interval.
    """
    figure, axes = new_figure()
    for number, (label, x, values) in enumerate(curves):
        found = mean(values)
        curve(
            axes=axes, x=x, y=found.value, number=number, label=f"{label}, {values.shape[1]} seeds"
        )
        if values.shape[1] > 1:
            axes.fill_between(x, found.low, found.high, color=f"C{number}", alpha=0.15, lw=0)
    for label, level in levels:
        axes.axhline(level, color="0.35", linewidth=0.8, linestyle=(0, (2, 2)))
        axes.annotate(
            label, (1, level), xycoords=("axes fraction", "data"), ha="right", va="bottom",
            fontsize=8, color="0.25",
        )  # fmt: skip
    drawn = [level for _, level in levels]
    lowest = min([*(values.mean(1).min() for _, _, values in curves), *drawn])
    top = max([*(values.max() for _, _, values in curves), *drawn])
    axes.set_ylim(lowest - 0.05 * (top - lowest), top + 0.08 * (top - lowest))
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.legend(fontsize=8)
    return figure
