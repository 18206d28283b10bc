"""The picture of an audit: how tight every bound was, by stage."""

from __future__ import annotations

from typing import Any

import numpy as np

from bounds.library.published import BOUNDS
from bounds.shared.figures import new_figure
from tabular.audit.tally import Tally


def tightness(tally: Tally) -> Any:
    """Figure: discrepancy / bound of every bound, by stage; beyond 1 a bound is refuted."""
    figure, axes = new_figure(7.4, 5.4)
    stages = ("random families", "catalogue", "exact corners", "adversarial search")
    marks = {"random families": "o", "catalogue": "x", "exact corners": "s"}
    labels = []
    for row, bound in enumerate(reversed(BOUNDS)):
        record = tally.record(bound)
        labels.append(f"{bound.name} ({bound.about})")
        for shift, stage in enumerate(stages):
            ratios = np.array([r for r in record.ratios.get(stage, []) if r > 0])
            if not ratios.size:
                continue
            low, middle, high = np.quantile(ratios, [0.05, 0.5, 1])
            y = row + 0.27 - 0.18 * shift
            colour = f"C{shift}"
            axes.plot([low, high], [y, y], color=colour, linewidth=1.2, solid_capstyle="butt")
            mark = marks.get(stage, "D")
            label = stage if row == 0 else None
            axes.plot([high], [y], marker=mark, markersize=5, color=colour, linestyle="none",
                      label=label)  # fmt: skip
            axes.plot([middle], [y], marker="|", markersize=5, color=colour)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlim(1e-4, 200)
    axes.set_yticks(range(len(labels)), labels, fontsize=7.5)
    axes.set_xlabel("discrepancy / bound: 5 % quantile, median (tick), largest (mark)")
    axes.set_title("beyond the line the bound is refuted; at it the bound is attained", fontsize=9)
    figure.legend(loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return figure
