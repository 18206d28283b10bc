"""Pictures about equilibria: the reward surfaces of Climb."""

from __future__ import annotations

from typing import Any

import numpy as np

from bounds.plots import new_figure
from tabular import climb

#: Points along each axis of a surface.
POINTS = 201


def climb_surfaces() -> Any:
    """Figure: rewards of both agents (columns) in both states (rows) over the positions (a, b).

    A star marks the equilibrium, a ring the other landmark; the dashed line is the agent's best
    reply to each action of the other.
    """
    figure, _ = new_figure(7.6, 6.8)
    figure.clear()
    panels = figure.subplots(2, 2, sharex=True, sharey=True)
    line = np.linspace(climb.LOW, climb.HIGH, POINTS)
    a, b = line[None, :], line[:, None]
    levels = np.arange(-4, 2.01, 0.25)
    filled = None
    for state, row in enumerate(panels):
        for agent, axes in enumerate(row):
            surface = climb.rewards(state, a, b)[agent]
            filled = axes.contourf(line, line, surface, levels=levels, cmap="viridis", extend="min")
            axes.contour(line, line, surface, levels=levels[::2], colors="black", linewidths=0.3)
            reply = climb.target(agent, state, line)
            replies = (reply, line) if agent == 0 else (line, reply)
            axes.plot(*replies, color="white", linestyle="--", linewidth=1.2)
            here = [float(place) for place in climb.equilibrium(state)]
            axes.plot(*here, marker="*", markersize=15, color="white", markeredgecolor="black")
            axes.plot(*(-place for place in here), marker="o", markersize=8, fillstyle="none",
                      color="white", markeredgewidth=1.6)  # fmt: skip
            role = "leads" if agent == state else "follows"
            axes.set_title(f"state {state + 1}, agent {agent} {role}", fontsize=9)
            axes.set_aspect("equal")
    for axes in panels[-1]:
        axes.set_xlabel("a, action of agent 0")
    for axes in panels[:, 0]:
        axes.set_ylabel("b, action of agent 1")
    bar = figure.colorbar(filled, ax=panels, shrink=0.8, ticks=range(-4, 3))
    bar.set_label("reward")
    figure.suptitle(
        "star: the only equilibrium   ring: the other landmark   dashed: best reply", fontsize=9
    )
    return figure
