"""The command ``bias`` of ``python -m deep``: how far a run's branches are off in return."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from bounds.planning.schemes import SCHEMES
from bounds.shared.figures import FORMATS, save
from bounds.shared.numbers import InputError, whole
from bounds.shared.text_table import aligned


@dataclass(frozen=True)
class Bias:
    """Measure how far a run's branches are off in return, and which model is to blame."""

    run: tyro.conf.Positional[Path]
    """The run's folder: of aorpo or aordpg, with learned dynamics."""
    k: tuple[int, ...] = (1, 2, 3, 5, 10, 15)
    """Branch lengths."""
    scheme: str = "all-models"
    """Who plays an opponent at which step: all-models, adaptive, all-real, planned or released."""
    segments: int = 150
    """Fresh episodes of the task, one segment of each."""
    draws: int = 6
    """Draws of the models' chance for each transition."""
    reward: Literal["as-trained", "known"] = "as-trained"
    """known: the task's own reward of predicted observations, where it offers one."""
    reward_range: tuple[float, float] | None = None
    """The task's lowest and highest reward, if you can vouch for them: adds an interval that holds
    for any number of segments and any law. The model's rewards are clipped to it."""
    json: bool = False
    """Print one JSON object."""
    plot: Path | None = None
    """Write a picture of the first seed's bias at the largest k, by depth, to this new file: PNG,
    SVG or PDF."""


def run_bias_command(command: Bias) -> int:
    """Measure and print; returns the exit code."""
    from bounds.shared.progress import progress
    from deep.analysis.distribution_free import RewardRange
    from deep.analysis.run_bias import run_bias
    from deep.envs.tasks import world
    from deep.training.run import reopen
    from deep.training.settings import choice

    choice("--scheme", command.scheme, SCHEMES)
    whole("--segments", command.segments, 2)
    whole("--draws", command.draws, 1)
    reward_range = None if command.reward_range is None else RewardRange(*command.reward_range)
    run = reopen(command.run)
    if command.plot is not None:
        if command.plot.exists():
            raise InputError(f"--plot: {command.plot} exists; choose another name")
        if command.plot.suffix.lower().lstrip(".") not in FORMATS:
            raise InputError(f"--plot: {command.plot} does not end in .{', .'.join(FORMATS)}")
    with progress() as bar:
        found = run_bias(
            run=run,
            ks=command.k,
            scheme=command.scheme,
            segments=command.segments,
            draws=command.draws,
            reward="known" if command.reward == "known" else "as trained",
            reward_range=reward_range,
            bar=bar,
        )
    settings = run.settings
    agents = world(settings.task, settings.counts, continuous=settings.continuous).agents
    if command.json:
        print(json.dumps(_json(found, settings.seeds, agents), ensure_ascii=False))
    else:
        print(_table(found, settings.seeds, agents))
    if command.plot is not None:
        from deep.analysis.bias_figure import bias_figure

        longest = max(found, key=lambda one: one.k).found
        written = save(bias_figure(longest, 0, settings.seeds[0], agents), command.plot)
        print(written, file=sys.stderr if command.json else sys.stdout)
    return 0


def _table(found: list[Any], seeds: tuple[int, ...], agents: tuple[str, ...]) -> str:
    """One line for each seed, ego and k; then a sentence for each ego at the largest k."""
    from deep.analysis.branch_bias import in_words

    heads = ("seed", "ego", "k", "bias", "±", "absolute", "trivial", "reward", "dynamics")
    rows: list[tuple[str, ...]] = [(*heads, *(f"model of {name}" for name in agents))]
    words = []
    longest = max(found, key=lambda one: one.k)
    for run, seed in enumerate(seeds):
        for ego, name in enumerate(agents):
            for one in found:
                b = one.found
                parts = [float(b.reward[run, ego].sum()), float(b.dynamics[run, ego].sum())]
                parts += b.opponents[run, ego].sum(0).tolist()
                cells = [float(x[run, ego]) for x in (b.bias, b.radius, b.absolute, b.trivial)]
                shown = [f"{x:+.3f}" for x in cells[:1]] + [f"{x:.3f}" for x in cells[1:]]
                told = [f"{x:+.3f}" for x in parts]
                told[2 + ego] = "-"
                rows.append((str(seed), name, str(one.k), *shown, *told))
            said = in_words(longest.found, run, ego, agents.__getitem__)
            words.append(f"seed {seed}, {name}, k = {longest.k}: {said}")
            free = longest.distribution_free
            if free is not None:
                bias, radius, clipped = (
                    float(x[run, ego]) for x in (free.bias, free.radius, free.clipped)
                )
                words.append(
                    f"  distribution-free 95 % interval: {bias:+.3g} ± {radius:.2g}, with "
                    f"{clipped:.2%} of the model's rewards clipped"
                )
    first = found[0].found
    note = (
        f"Ĝ − G of branches over {first.segments} fresh segments, normal 95 % intervals; parts add "
        "up to the bias"
    )
    return f"{aligned(rows)}\n\n{note}\n" + "\n".join(words)


def _json(found: list[Any], seeds: tuple[int, ...], agents: tuple[str, ...]) -> dict[str, Any]:
    """What ``deep bias --json`` prints: for each k the fields of ``MeasuredBias`` as lists.

    seeds and agents name the axes [seed][ego][depth][agent]; lengths [seed][ego][opponent]; calls:
    to real opponents, that measuring took; distribution_free: null without a range of rewards.
    """
    return {
        "seeds": list(seeds),
        "agents": list(agents),
        "branches": [
            {
                "k": one.k,
                "lengths": one.lengths.tolist(),
                "calls": one.calls,
                **_lists(one.found),
                "distribution_free": one.distribution_free and _lists(one.distribution_free),
            }
            for one in found
        ],
    }


def _lists(record: Any) -> dict[str, Any]:
    """The fields of a dataclass, tensors as lists."""
    return {
        name: value.tolist() if hasattr(value, "tolist") else value
        for name, value in vars(record).items()
    }
