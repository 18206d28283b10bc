"""Pictures of recorded training: discrepancies under bounds, errors, and what the planners say.

Curves are medians over seeds and ego agents of each epoch; in grey, dashes and marks tell them
apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bounds.shared.figures import curve
from bounds.shared.numbers import Array
from tabular.records.theory import Record

#: Below this share of the largest discrepancy nothing is drawn: what lies there is rounding.
LEAST = 1e-4


def under_the_bounds(record: Record) -> Any:
    """Discrepancy, coupling bound and printed theorem, as shares of span/(1 − γ), on a log scale.

    Left the model return, right branches with adaptive lengths; the discrepancy's range over seeds
    and agents is shaded.
    """
    figure, (left, right) = _panels(2)
    trivial = record.trivial
    for axes, gap, bounds, title in (
        (
            left,
            np.abs(record["real"] - record["model"]),
            (
                ("Theorem 1 or 2 as printed, read for (1 − γ)η", record["theorem1"]),
                ("coupling bound (data, expected)", record["coupling_data"]),
            ),
            "model return |η − η̂|",
        ),
        (
            right,
            record["discrepancy_adaptive"],
            (
                ("", record["theorem2_adaptive"]),
                ("", record["coupling_adaptive"]),
            ),
            "branches of k steps |η − η_branch|, adaptive nⱼ",
        ),
    ):
        for number, (label, values) in enumerate(bounds):
            curve(axes, *_median(record, values / trivial), number, label)
        share = np.maximum(gap / trivial, LEAST)
        episodes, middle = _median(record, share)
        low, high = (_by_epoch(record, share, np.quantile, q) for q in (0.0, 1.0))
        axes.fill_between(episodes, low, high, color="0.85")
        curve(axes, episodes, middle, 2, "exact discrepancy (shaded: all seeds and agents)")
        axes.axhline(1, color="black", linewidth=0.8)
        axes.annotate(
            "says nothing from here up",
            (episodes[-1], 1.12),
            ha="right",
            fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5, "alpha": 0.8},
        )
        axes.set(yscale="log", xlabel="episodes of training")
        axes.set_title(title, fontsize=9)
    left.set_ylabel("share of span/(1 − γ)")
    _legend(figure, left, 3)
    figure.suptitle(_titled(record), fontsize=9)
    return figure


def errors(records: Sequence[Record]) -> Any:
    """The ε's through training, one panel a game."""
    figure, panels = _panels(len(records))
    for axes, record in zip(panels, records, strict=True):
        named = (
            ("policy shift ε_π of an agent", record["policy_shift[0]"]),
            ("opponent model ε_π̂, the worst", _worst(record)),
            ("dynamics ε′_m (expected)", record["model_current"]),
            ("dynamics ε_sup", record["model_sup"]),
        )
        for number, (label, values) in enumerate(named):
            episodes, middle = _median(record, values)
            if (middle > 0).any():
                curve(axes, episodes, np.where(middle > 0, middle, np.nan), number, label)
        axes.set(yscale="log", xlabel="episodes of training", ylim=(1e-4, 1))
        axes.set_title(record.game, fontsize=9)
    panels[0].set_ylabel("total variation")
    # in a game of one state dynamics are known, and those curves are not there
    fullest = max(panels, key=lambda axes: len(axes.get_lines()))
    _legend(figure, fullest, 4)
    return figure


def lengths(records: Sequence[Record]) -> Any:
    """k of the schedule and of both planners, and below nⱼ of the paper's rule and the planner's.

    Opponents by the accuracy of their models at each moment; nⱼ are means, as shares of k.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.4 * len(records), 5.6), layout="constrained")
    grid = figure.subplots(2, len(records), squeeze=False)
    for column, record in enumerate(records):
        top, bottom = grid[:, column]
        for axes in (top, bottom):
            _plain(axes)
        for number, (label, name) in enumerate(
            (
                ("schedule", "k"),
                ("k* of Theorem 2", "k_printed"),
                ("shortest k within 1 % of the best coupling bound", "k_within"),
            )
        ):
            values = _by_epoch(record, record[name], np.mean)
            curve(top, _episodes(record), values, number, label)
        top.set(yscale="log", yticks=(1, 2, 5, 10), yticklabels=("1", "2", "5", "10"))
        top.minorticks_off()
        top.set_title(record.game, fontsize=9)
        order = np.argsort(_errors(record), axis=1, kind="stable")
        for scheme, style, mark in (("adaptive", "-", "o"), ("planned", "--", "s")):
            share = np.take_along_axis(record.lengths(scheme), order, 1) / record["k"][:, None]
            for place in range(record.opponents):
                bottom.plot(
                    _episodes(record),
                    _by_epoch(record, share[:, place], np.mean),
                    linestyle=style,
                    marker=mark,
                    markevery=3,
                    markersize=4,
                    color=str(0.3 * place),
                    label=f"{_PLACES[place]}, {_RULES[scheme]}",
                )
        bottom.set(xlabel="episodes of training", ylim=(-0.05, 1.05))
    grid[0, 0].set_ylabel("steps k (mean)")
    grid[1, 0].set_ylabel("nⱼ/k (mean)")
    _legend(figure, grid[0, -1], 3, "outside upper center")
    _legend(figure, grid[1, _most_opponents(records)], 2)
    return figure


_PLACES = ("most accurate model", "second", "third")
_RULES = {"adaptive": "paper's rule", "planned": "planner, as many calls"}


def _most_opponents(records: Sequence[Record]) -> int:
    return int(np.argmax([record.opponents for record in records]))


def _legend(figure: Any, axes: Any, columns: int, place: str = "outside lower center") -> None:
    """The names in ``axes``, under or over all panels."""
    figure.legend(
        *axes.get_legend_handles_labels(), loc=place, ncols=columns, fontsize=8, frameon=False
    )


def _panels(count: int) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.6, 4.2), layout="constrained")
    panels = figure.subplots(1, count, sharey=True, squeeze=False)[0]
    for axes in panels:
        _plain(axes)
    return figure, panels


def _plain(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3, linewidth=0.6)


def _titled(record: Record) -> str:
    gamma = float(record["gamma"][0])
    agents = record.opponents + 1
    return f"{record.game}: {agents} agents, γ = {gamma:g}, {len(record.seeds)} seeds"


def _errors(record: Record) -> Array:
    """ε_π̂ [row, opponent]."""
    return np.stack([record[f"opponent_model[{j}]"] for j in range(record.opponents)], 1)


def _worst(record: Record) -> Array:
    return np.asarray(_errors(record).max(axis=1))


def _episodes(record: Record) -> Array:
    return np.unique(record["episode"])


def _median(record: Record, values: Array) -> tuple[Array, Array]:
    return _episodes(record), _by_epoch(record, values, np.median)


def _by_epoch(record: Record, values: Array, what: Any, *more: Any) -> Array:
    return np.array([what(values[record["episode"] == e], *more) for e in _episodes(record)])
