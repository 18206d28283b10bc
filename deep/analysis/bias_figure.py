"""The picture of a measured bias: its parts by depth, stacked, a panel for each ego agent."""

from __future__ import annotations

from typing import Any

import numpy as np

from deep.analysis.branch_bias import MeasuredBias

#: Hatches that tell parts apart in grey.
HATCHES = ("", "///", "...", "xx", "\\\\\\", "++", "oo", "--")


def bias_figure(found: MeasuredBias, run: int, seed: int, names: tuple[str, ...]) -> Any:
    """Discounted parts of Ĝ − G by the action of the branch, of one seed; negative ones downwards.

    The titles have the whole bias with its 95 % interval, and the trivial bound, which is far
    beyond the axes.
    """
    from matplotlib.figure import Figure

    k = found.reward.shape[-1]
    figure = Figure(figsize=(4.2 * len(names) + 0.6, 3.9), layout="constrained")
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    depth = np.arange(1, k + 1)
    for ego, (axes, name) in enumerate(zip(panels, names, strict=True)):
        parts = {"reward model": found.reward[run, ego], "dynamics model": found.dynamics[run, ego]}
        parts |= {
            f"model of {other}": found.opponents[run, ego, :, agent]
            for agent, other in enumerate(names)
            if agent != ego
        }
        up, down = np.zeros(k), np.zeros(k)
        for number, (label, values) in enumerate(parts.items()):
            height = values.numpy()
            bottom = np.where(height >= 0, up, down)
            axes.bar(
                depth,
                height,
                bottom=bottom,
                color=f"C{number}",
                alpha=0.75,
                edgecolor="black",
                linewidth=0.5,
                hatch=HATCHES[number % len(HATCHES)],
                label=label,
            )
            up, down = up + np.maximum(height, 0), down + np.minimum(height, 0)
        axes.axhline(0, color="black", linewidth=0.8)
        bias, radius = float(found.bias[run, ego]), float(found.radius[run, ego])
        axes.set_title(
            f"{name}: {bias:+.3g} ± {radius:.2g} in all\n"
            f"(trivial bound {float(found.trivial[run, ego]):.3g})",
            fontsize=9,
        )
        axes.set_xlabel("action of the branch")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(fontsize=8, frameon=False)
    panels[0].set_ylabel("promised less earned return, Ĝ − G")
    figure.suptitle(f"seed {seed}, {found.segments} segments, normal 95 % intervals", fontsize=9)
    return figure
