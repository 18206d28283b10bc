"""Benchmark of AORPO's parts beside their own matrix products, on one thread of a CPU.

The settings are the paper's (the released code's): dynamics of 4 layers of 512 units, 8 members,
rollouts of 10 steps of 1024 rows, batches of 1024; the task is simple spread, 3 agents that observe
18 numbers and have 5 options. Seconds are processor time, the least of some turns, so that what
else the machine does is left out as far as it can be; on an idle machine they are those of a clock.
Products are the very ones of what is timed, on the operands that they had, done again by themselves
in the same turns.

``python -m deep bench`` prints the table, and the hours of ``deep.analysis.benchmark_hours``.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from bounds.shared.progress import Progress
from deep.agents.rounds import RoundInputs
from deep.aorpo.rounds import ModelBasedRounds
from deep.data.replay import Replay, replay
from deep.dynamics.ensemble import DynamicsSettings, Ensemble, ensemble
from deep.dynamics.fitting import ROWS, Training, quality
from deep.dynamics.fitting_data import Data, rows_of
from deep.dynamics.gaussian_outcomes import GaussianOutcomes
from deep.envs.batch import Environments
from deep.envs.spaces import Choices, Shape, random_actions
from deep.seeding import streams
from deep.training.presets import preset
from deep.training.run import Run, assemble
from deep.training.settings import Settings
from deep.training.trainer import Trainer

SPREAD = Shape((18, 18, 18), (Choices((5,)),) * 3)
#: Rows and steps of a rollout.
BRANCHES, STEPS = 1024, 10
#: Transitions that a fit looks at, a tenth of them held out.
TRANSITIONS = 200_000
SETTINGS = DynamicsSettings(max_rows=TRANSITIONS)


@dataclass(frozen=True)
class Row:
    """A line of the table. ratio: to the matrix products, None where there are none."""

    what: str
    value: float
    unit: str
    ratio: float | None
    target: str


class Products(TorchFunctionMode):
    """The matrix products that are computed while it is entered, to be done again."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Tensor, Tensor, Tensor | None]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute it, and remember the operands of a product."""
        del types
        named = kwargs or {}
        if func is torch.bmm:
            a, b = args
            self.calls.append((a.detach(), b.detach(), named.get("out")))
        return func(*args, **named)

    def again(self) -> None:
        """All of them."""
        for a, b, out in self.calls:
            torch.bmm(a, b, out=out)


def beside_products(step: Callable[[], Any], turns: int) -> tuple[float, float]:
    """Seconds of ``step`` and of its products by themselves, the least of ``turns`` turns."""
    products = Products()
    with products:
        step()
    best = [float("inf"), float("inf")]
    for _ in range(turns):
        for i, each in enumerate((step, products.again)):
            start = time.thread_time()
            each()
            best[i] = min(best[i], time.thread_time() - start)
    return best[0], best[1]


def noise(rows: int, shape: Shape = SPREAD, runs: int = 1) -> Replay:
    """A replay full of noise."""
    kept, draw = (
        replay(shape=shape, runs=runs, capacity=rows, dtype=torch.float32, device="cpu"),
        streams(range(runs), "data"),
    )
    sizes = shape.agents, shape.observation_width
    for start in range(0, rows, 10_000):
        count = min(10_000, rows - start)
        seen, after = (draw.uniform(count, *sizes).float() * 2 - 1 for _ in range(2))
        actions = random_actions(shape.spaces, draw, count)
        rewards = -draw.uniform(count, shape.agents).float()
        kept.add(seen, actions, rewards, after, torch.zeros(runs, count))
    return kept


def new() -> Ensemble:
    """The dynamics of one ego agent of one run."""
    return ensemble(SPREAD, SETTINGS, GaussianOutcomes(SPREAD), streams([0], "initialise"), egos=1)


def rollout(turns: int) -> Row:
    """The dynamics' part of a rollout of ``STEPS`` steps of ``BRANCHES`` rows."""
    model, draw = new(), streams([0], "rollout")
    start = (draw.uniform(1, BRANCHES, 3, 18) * 2 - 1).float()
    actions = random_actions(SPREAD.spaces, draw, BRANCHES).unsqueeze(1)

    def roll() -> None:
        seen = start
        for _ in range(STEPS):
            _, seen, _ = model.step(None, seen, actions, draw)

    seconds, products = beside_products(roll, turns)
    what = f"dynamics in a rollout of {STEPS} steps, {BRANCHES} rows, one agent"
    return Row(what=what, value=seconds, unit="s", ratio=seconds / products, target="")


def epoch(turns: int) -> Row:
    """A fitting epoch of ``TRANSITIONS``."""
    seconds, products = epoch_seconds(new(), noise(TRANSITIONS), turns)
    what = f"fitting epoch, {TRANSITIONS:,} transitions, {SETTINGS.members} members, one agent"
    return Row(
        what=what,
        value=seconds,
        unit="s",
        ratio=seconds / products,
        target="at most 1.3 times its products",
    )


def epoch_seconds(
    model: Ensemble, kept: Replay, turns: int, steps: int = 30
) -> tuple[float, float]:
    """Seconds of a fitting epoch of one ego agent, and of its products.

    It is the order, minibatches and held-out losses, for all members. Minibatches are timed for one
    member and ``steps`` steps, losses for ``ROWS`` rows, and both scaled to all.
    """
    draw = streams([0], "fit")
    data = rows_of(model, kept, draw)
    training = Training(model, data)
    members, batch = model.settings.members, model.settings.batch
    boot = draw.whole(data.rows, members, data.rows)

    def order() -> Tensor:
        return boot.gather(2, draw.uniform(members, data.rows).argsort(-1))

    rows = order()[0, :1]
    first = rows[:, : steps * batch]
    ordering, _ = beside_products(order, 1)
    fitting, products = beside_products(lambda: training.train(slice(0, 1), first), turns)
    share = rows.shape[1] / first.shape[1] * members
    training.data = _fewer(data)
    judging, judged = beside_products(training.losses, turns)
    more = data.held_inputs.shape[1] / training.data.held_inputs.shape[1]
    return ordering + share * fitting + more * judging, share * products + more * judged


def paper(algorithm: str) -> Settings:
    """The paper's settings for spread, one seed."""
    return replace(preset("paper-code", "spread", algorithm), seeds=(0,), device="cpu")


def made(settings: Settings, rows: int = 20_000) -> Trainer:
    """A trainer at its start, with a replay full of noise."""
    small = replace(settings, capacity=rows, warm_up=10**9)
    trainer = assemble(Run(Path(), "bench", small, "cpu"))
    trainer.replay = noise(rows, trainer.replay.shape, len(settings.seeds))
    return trainer


def inputs(trainer: Trainer) -> RoundInputs:
    """What its rounds are lent."""
    return RoundInputs(
        replay=trainer.replay,
        streams=trainer.streams,
        steps=0,
        episodes=0,
        check=lambda _: None,
    )


def whole_rollout(turns: int) -> Row:
    """A rollout with everything in it, and its rows kept: all agents at once, by their number."""
    trainer = made(paper("aorpo"))
    rounds = trainer.rounds
    assert isinstance(rounds, ModelBasedRounds)
    agents = trainer.replay.shape.agents
    k, n = torch.full((1, agents), STEPS), torch.zeros(1, agents, agents, dtype=torch.int64)
    seconds, products = beside_products(
        lambda: rounds.branches.roll(trainer.replay, k, n, rounds.streams["rollouts"]), turns
    )
    what = f"whole rollout of {STEPS} steps, {rounds.settings.rollouts} rows, one agent, all asked"
    return Row(
        what=what,
        value=seconds / agents,
        unit="s",
        ratio=seconds / products,
        target="at most 0.5 s",
    )


def update(algorithm: str, turns: int) -> Row:
    """A gradient step of all agents."""
    trainer = made(paper(algorithm))
    rounds, batch = trainer.rounds, trainer.learner.settings.batch  # type: ignore[attr-defined]
    if isinstance(rounds, ModelBasedRounds):
        drawn, how = rounds.draw(inputs(trainer)), "rows of their own, models of opponents"
    else:
        drawn, how = trainer.replay.sample(trainer.streams["replay"], batch), "shared rows"
    step = trainer.streams["update"]
    seconds, products = beside_products(lambda: trainer.learner.update(drawn, step), 4 * turns)
    what = f"update of 3 agents, batch of {batch}, {algorithm}: {how}"
    return Row(what=what, value=1e3 * seconds, unit="ms", ratio=seconds / products, target="")


def steps(side: int, turns: int) -> Row:
    """Environment steps of one run with random actions, observations included."""
    settings = replace(paper("masac"), environments=side)
    trainer = made(settings, 1000)
    environments: Environments = trainer.environments
    actions = random_actions(SPREAD.spaces, streams([0], "actions"), side)

    def some() -> None:
        for _ in range(20):
            environments.step(actions)

    seconds, _ = beside_products(some, turns)
    return Row(
        what=f"environment steps, {side} worlds",
        value=20 * side / seconds,
        unit="steps/s",
        ratio=None,
        target="",
    )


def peak() -> float:
    """Gigabytes that this process has held at most, after all of a fit but most minibatches."""
    model, draw = new(), streams([0], "fit")
    data = rows_of(model, noise(TRANSITIONS), draw)
    boot = draw.whole(data.rows, SETTINGS.members, data.rows)
    training = Training(model, data)
    order = draw.uniform(SETTINGS.members, data.rows).argsort(-1)
    training.epoch(boot.gather(2, order)[..., : 2 * SETTINGS.batch])
    quality(model, data)
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e9
    raise RuntimeError("the system does not tell the memory of a process")


def memory() -> Row:
    """The memory of a fit, in a process of its own."""
    code = (
        "import torch; torch.set_num_threads(1); "
        "from deep.analysis.benchmark import peak; print(peak())"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    what = f"memory of a process that fits {TRANSITIONS:,} transitions"
    return Row(what=what, value=float(found.stdout), unit="GB", ratio=None, target="under 3 GB")


def table(turns: int = 5, bar: Progress | None = None) -> list[Row]:
    """All of it."""
    measurements: list[Callable[[], Row]] = [
        lambda: whole_rollout(turns),
        lambda: rollout(turns),
        lambda: epoch(turns),
        memory,
        lambda: update("masac", turns),
        lambda: update("aorpo", turns),
        lambda: steps(15, turns),
        lambda: steps(1024, turns),
    ]
    with one_thread():
        return [measure() for measure in (bar or Progress()).over(measurements, "unit costs")]


def lines(rows: Sequence[Row]) -> list[tuple[str, str, str, str]]:
    """The table as text, its titles first."""
    found = [("what", "measured", "/ its products", "target")]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        found.append((row.what, f"{figure(row.value)} {row.unit}", ratio, row.target))
    return found


def figure(value: float) -> str:
    """A number in two or three digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}" if value < 10 else f"{value:.1f}"


@contextmanager
def one_thread() -> Iterator[None]:
    """As many as everything is measured with."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _fewer(data: Data) -> Data:
    return replace(
        data,
        held_inputs=data.held_inputs[:, :ROWS],
        held_targets=data.held_targets[:, :ROWS],
    )
