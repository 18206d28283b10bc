"""Picture of an attack: how close its best ratios come to 1, over steps and over restarts.

The vertical axes show 1 − discrepancy / bound, by the ascent's own values before rounding; 0 is a
bound attained, below 0 one refuted. On the left the best of all restarts and shapes at each step;
on the right the best of m restarts at the end, in expectation over which m of them are taken, for
the shape where that is best.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bounds.shared.figures import curve, new_figure, save
from bounds.shared.numbers import Array, InputError
from tabular.search.attack import read_results

#: Gaps smaller than this are drawn here.
SMALLEST = 1e-6


def save_picture(folder: Path) -> Path:
    """Draw the run in ``folder`` into attack.png there (and attack.svg); returns the first."""
    figure = picture(read_results(folder))
    save(figure, folder / "attack.svg", replace=True)
    return save(figure, folder / "attack.png", replace=True)


def picture(results: Sequence[dict[str, Any]]) -> Any:
    """Figure: one curve a bound, for the smallest cap among ``results``."""
    if not results:
        raise InputError("--plot: the run has no finished jobs; nothing to draw")
    cap = min((r["cap"] for r in results), key=_number)
    figure, _ = new_figure(8.4, 4.4)
    figure.clear()
    left, right = figure.subplots(1, 2, sharey=True)
    groups: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        if result["cap"] == cap:
            groups.setdefault(f"{result['bound']} ({result['about']})", []).append(result)
    for number, (label, group) in enumerate(groups.items()):
        steps = np.array([step for step, _ in group[0]["history"]])
        best = np.max([[ratio for _, ratio in r["history"]] for r in group], axis=0)
        curve(left, steps, np.maximum(1 - np.maximum.accumulate(best), SMALLEST), number, label)
        gaps = np.min([expected_best(1 - np.array(r["restarts"])) for r in group], axis=0)
        curve(right, np.arange(1, len(gaps) + 1), np.maximum(gaps, SMALLEST), number, label)
    for axes, label in ((left, "gradient steps"), (right, "restarts m")):
        axes.set_yscale("log")
        axes.set_xlabel(label)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3, linewidth=0.6)
    right.set_xscale("log", base=2)
    right.xaxis.set_major_formatter("{x:.0f}")
    left.set_ylabel("1 − discrepancy / bound")
    caption = "no cap on the errors" if cap == "1" else f"errors at most {cap}"
    left.set_title(f"best of all restarts; {caption}", fontsize=9)
    right.set_title("expected best of m restarts, best shape", fontsize=9)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    return figure


def expected_best(gaps: Array) -> Array:
    """E min of m gaps drawn without replacement, for m = 1..len(gaps), shape [m − 1].

    The smallest is number i of the sorted gaps with probability C(N−1−i, m−1)/C(N, m).
    """
    ordered = np.sort(gaps)
    count = len(ordered)
    out = np.empty(count)
    for m in range(1, count + 1):
        chance = np.zeros(count)
        chance[0] = m / count
        for i in range(1, count - m + 1):
            chance[i] = chance[i - 1] * (count - i - m + 1) / (count - i)
        out[m - 1] = chance @ ordered
    return out


def _number(text: str) -> float:
    top, _, bottom = text.partition("/")
    return int(top) / int(bottom or 1)
