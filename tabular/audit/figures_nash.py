"""Pictures about equilibria: Climb's rewards and limits, what Nash Q-learners met and reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bounds.library.soft_q import nash_gap
from bounds.shared.figures import curve, new_figure
from bounds.shared.numbers import InputError
from tabular.audit.rows.strict_dominance import climb_values
from tabular.equilibria.logit_branch import logit_values
from tabular.games import climb
from tabular.games.catalogue import find
from tabular.soft_q.strict_dominance import value_bounds

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


def stage_game_conditions(results: Sequence[dict[str, Any]]) -> Any:
    """Figure: how often the equilibrium used was a global optimum or a saddle, over the episodes.

    ``results`` are those of ``tabular.nash_q.record``; one column a game. The convergence theorem
    wants one of the two shares to be 1 throughout.
    """
    _some(results)
    figure, _ = new_figure(4.2 * len(results), 5.6)
    figure.clear()
    panels = figure.subplots(2, len(results), sharex="col", sharey=True, squeeze=False)
    rows = (("optimum-used", "at a global optimum"), ("saddle-used", "at a saddle point"))
    for column, result in zip(panels.T, results, strict=True):
        for axes, (flag, words) in zip(column, rows, strict=True):
            for number, learner in enumerate(result["learners"]):
                shares = np.array(learner["conditions"][flag])
                ends = np.arange(1, len(shares) + 1) * result["episodes"] / len(shares)
                curve(axes, ends, shares, number, learner["learner"])
            axes.set_ylim(0, 1.02)
            axes.set_ylabel(f"updates {words}", fontsize=8)
            axes.spines[["top", "right"]].set_visible(False)
            axes.grid(alpha=0.3, linewidth=0.6)
        column[0].set_title(result["game"], fontsize=9)
        column[-1].set_xlabel("episodes")
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    return figure


def joint_optimal_paths(results: Sequence[dict[str, Any]]) -> Any:
    """Figure: share of runs in which a pair of learners ends on a joint optimal path."""
    _some(results)
    figure, _ = new_figure(4.6 * len(results), 4.4)
    figure.clear()
    panels = figure.subplots(1, len(results), squeeze=False)[0]
    for axes, result in zip(panels, results, strict=True):
        kinds = list(dict.fromkeys(row["agents"][0] for row in result["pairs"]))
        shares = np.zeros((len(kinds), len(kinds)))
        for row in result["pairs"]:
            shares[tuple(kinds.index(kind) for kind in row["agents"])] = row["joint_optimal_path"]
        axes.imshow(shares, vmin=0, vmax=1, cmap="viridis")
        for (i, j), share in np.ndenumerate(shares):
            colour = "black" if share > 0.6 else "white"
            axes.text(j, i, f"{share:.0%}", ha="center", va="center", color=colour, fontsize=9)
        names = [kind.replace(" Nash", "\nNash") for kind in kinds]
        axes.set_xticks(range(len(kinds)), names, fontsize=8)
        axes.set_yticks(range(len(kinds)), names, fontsize=8)
        axes.set_xlabel("agent 1")
        axes.set_ylabel("agent 0")
        axes.set_title(f"{result['game']}, {result['runs']} runs", fontsize=9)
    return figure


def climb_soft() -> Any:
    """Figure: how far soft values of Climb are from its Nash Q-values, over the temperature.

    The largest |V_α − V₀| of the logit equilibrium; what is proved of it where the enclosure of
    ``tabular.soft_q.strict_dominance`` holds; and α log|A|/(1 − γ), which the classes of Theorem 7
    would give.
    """
    game, nash = find("climb").build(), climb_values()
    alphas = np.logspace(-1.7, 0.7, 25)
    found = [logit_values(game, float(alpha)) for alpha in alphas]
    apart = np.array([np.abs(one.soft_values - nash).max() for one in found])
    proved = []
    for alpha in alphas:
        try:
            low, high = value_bounds(game, float(alpha))
        except InputError:
            break
        proved.append(max(-low.min(), high.max()))
    figure, axes = new_figure()
    curve(axes, alphas, apart, 0, "largest |V_α − V₀| at the logit equilibrium")
    curve(axes, alphas[: len(proved)], np.array(proved), 1, "proved by dominance")
    gap = nash_gap(alphas, np.log(game.joint_actions), float(game.gamma))
    curve(axes, alphas, gap, 2, "α log|A|/(1 − γ)")
    axes.set(xscale="log", yscale="log", xlabel="temperature α", ylabel="distance of values")
    axes.set_ylim(bottom=apart.min() / 3)
    axes.legend(fontsize=8, frameon=False)
    return figure


def climb_rates(recorded: dict[str, Any]) -> Any:
    """Figure: distance of Nash Q-learning on Climb from the exact Q-values, over the steps.

    ``recorded`` is what ``tabular.nash_q.climb`` records; the band is from the least to the largest
    run.
    """
    _some(recorded["rows"])
    figure, axes = new_figure()
    for number, name in enumerate(dict.fromkeys(row["rate"] for row in recorded["rows"])):
        rows = [row for row in recorded["rows"] if row["rate"] == name]
        steps = np.array([row["steps"] for row in rows])
        low, middle, high = np.array([row["distance"] for row in rows]).T
        axes.fill_between(steps, low, high, color=f"C{number}", alpha=0.15, linewidth=0)
        curve(axes, steps, middle, number, name)
    axes.set(xscale="log", yscale="log", xlabel="steps", ylabel="largest distance of a Q-value")
    axes.axhline(recorded["largest"], color="black", linewidth=1, linestyle=":")
    axes.legend(title="rate of the n-th visit", fontsize=8, title_fontsize=8, frameon=False)
    return figure


def _some(results: Sequence[dict[str, Any]]) -> None:
    if not results:
        raise InputError("results: empty; give those of tabular.nash_q.record")
