"""Hours that each preset will take on this machine, computed from the costs of its parts.

Nothing is trained: for each task with a plan the parts of a run are timed one by one, on one thread
and one seed, and added up over the rounds that the run will have,

    steps · t_step + Σ_rounds (U · t_update + epochs · t_opponents + k · t_branch) +
    Σ_fits (epochs · rows/rows₀ · t_epoch + reward steps · t_reward),

times the number of seeds. k grows as its schedule says, rows as the replay fills. Branches ask
every real agent in every step, which costs most. How many epochs a fit takes, the data will say: it
stops after ``patience`` epochs without progress, or at its largest number, so there is a least and
a most. Evaluations and checkpoints are left out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from bounds.shared.progress import Progress
from deep.analysis.benchmark import epoch_seconds, figure, inputs, made, noise, one_thread
from deep.aorpo.rollout_schedule import linear
from deep.aorpo.rounds import ModelBasedRounds
from deep.aorpo.settings import model_settings
from deep.data.replay import Replay
from deep.dynamics.ensemble import ensemble
from deep.envs.spaces import Shape
from deep.seeding import streams
from deep.training.presets import LAPTOP, PAPER, preset
from deep.training.settings import Settings
from tabular.records.interactions import EPISODE

#: Transitions that everything is timed with.
ROWS = 8192
PLANS = {"laptop": LAPTOP, "paper": PAPER}
ALGORITHMS = ("masac", "aorpo")


@dataclass(frozen=True)
class Costs:
    """Seconds of the parts of one seed's run.

    step: of all worlds, acting and remembering included. update: a gradient step, with its batch.
    opponents: an epoch of all opponent models. branch: one step of all branches. epoch: of all
    dynamics models, with ``ROWS`` transitions. reward: a step of the rewards' network. 0 for what
    there is not.
    """

    step: float
    update: float
    opponents: float = 0.0
    branch: float = 0.0
    epoch: float = 0.0
    reward: float = 0.0


@dataclass(frozen=True)
class Hours:
    """least, most: hours of the whole preset; see the module."""

    preset: str
    task: str
    algorithm: str
    seeds: int
    least: float
    most: float


def table(turns: int = 2, bar: Progress | None = None) -> list[Hours]:
    """Of all presets, for each task with a plan."""
    cases = [(n, task, a) for n, plans in PLANS.items() for task in plans for a in ALGORITHMS]
    found = []
    with one_thread():
        for name, task, algorithm in (bar or Progress()).over(cases, "presets"):
            settings = preset(name, task, algorithm)
            costs, seeds = measure(settings, turns), len(settings.seeds)
            least, most = (seeds * seconds(settings, costs, many) / 3600 for many in (False, True))
            found.append(
                Hours(
                    preset=name, task=task, algorithm=algorithm, seeds=seeds, least=least, most=most
                )
            )
    return found


def lines(rows: Sequence[Hours]) -> list[tuple[str, ...]]:
    """The table as text, its titles first."""
    found: list[tuple[str, ...]] = [("task", "preset", "algorithm", "seeds", "at least", "at most")]
    for row in rows:
        least, most = (f"{figure(x)} h" for x in (row.least, row.most))
        found.append((row.task, row.preset, row.algorithm, str(row.seeds), least, most))
    return found


def measure(settings: Settings, turns: int) -> Costs:
    """The costs of one seed's run."""
    trainer = made(replace(settings, seeds=(0,), device="cpu"), ROWS)
    rounds, lent = trainer.rounds, inputs(trainer)
    stepping = best(trainer.step, 10 * turns)
    if not isinstance(rounds, ModelBasedRounds):

        def learn() -> None:
            for _ in rounds.learn(lent):
                pass

        return Costs(stepping, best(learn, turns) / settings.updates)
    agents, streams_of = trainer.replay.shape.agents, rounds.streams["opponents"]
    model, models = rounds.settings, rounds.models
    opponents = replace(model.opponents, max_epochs=1)
    rows = rounds.opponent_rows(trainer.replay)

    def fit() -> None:
        models.fit_opponents(opponents, rows, streams_of)

    k, n = torch.full((1, agents), 2), torch.zeros(1, agents, agents, dtype=torch.int64)
    branch = (
        best(lambda: rounds.branches.roll(trainer.replay, k, n, rounds.streams["rollouts"]), turns)
        / 2
    )
    return Costs(
        step=stepping,
        update=best(
            lambda: trainer.learner.update(rounds.draw(lent), trainer.streams["update"]), turns
        ),
        opponents=best(fit, turns),
        branch=branch,
        epoch=(agents if model.dynamics.per_ego else 1)
        * _epoch(rounds, trainer.replay.shape, turns),
        reward=_reward(rounds, trainer.replay, turns),
    )


def seconds(settings: Settings, costs: Costs, many: bool) -> float:
    """Of one seed's run; ``many``: fits take as many epochs as they may, else as few."""
    side = settings.environments
    total = side * EPISODE * math.ceil(settings.episodes / side)
    needed = total / side * costs.step
    every, fitted, fits = settings.update_every, -math.inf, 0
    model = model_settings(settings.learner)
    for due in range(every, total + 1, every):
        steps = side * math.ceil(due / side)
        if steps < settings.warm_up:
            continue
        needed += settings.updates * costs.update
        if model is None:
            continue
        episodes = steps // (EPISODE * side) * side
        epochs = model.opponents.max_epochs
        needed += costs.opponents * (epochs if many else min(epochs, model.opponents.patience))
        if episodes < model.warmup_episodes:
            continue
        needed += costs.branch * linear(
            episodes // model.epoch, *model.rollout_length_epochs, model.k
        )
        if steps - fitted >= model.fit_every and not model.exact_dynamics:
            fitted, dynamics = steps, model.dynamics
            least = min(dynamics.max_epochs, dynamics.patience)
            rows = min(steps, dynamics.max_rows, settings.capacity)
            needed += costs.epoch * rows / ROWS * (dynamics.max_epochs if many else least)
            first = not fits
            needed += costs.reward * (model.rewards.first_steps if first else model.rewards.steps)
            fits += 1
    return needed


def _reward(rounds: ModelBasedRounds, replay: Replay, turns: int, steps: int = 40) -> float:
    """A gradient step of the rewards' network, 0 where there is none."""
    network = rounds.models.rewards
    if network is None:
        return 0.0
    short = replace(network, settings=replace(network.settings, first_steps=steps, steps=steps))
    share = rounds.settings.dynamics.validation_share
    return best(lambda: short.fit(replay, share, rounds.streams["dynamics"]), turns) / steps


def best(work: Callable[[], Any], turns: int) -> float:
    """The least processor time of some turns, after one that is not counted."""
    work()
    times = []
    for _ in range(turns):
        start = time.thread_time()
        work()
        times.append(time.thread_time() - start)
    return min(times)


def _epoch(rounds: ModelBasedRounds, shape: Shape, turns: int) -> float:
    """An epoch of one agent's dynamics, 0 where nothing is learned."""
    learned = rounds.models.ensemble
    if learned is None:
        return 0.0
    settings = replace(learned.settings, max_rows=ROWS)
    one = ensemble(shape, settings, learned.outcomes, streams([0], "initialise"), egos=1)
    return epoch_seconds(one, noise(ROWS, shape), turns, steps=8)[0]
