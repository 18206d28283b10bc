"""What learned dynamics cost beside their own matrix products, on one thread of a CPU.

The network is the paper's (the released code's): 4 layers of 512 units, 8 members; the task has
simple spread's sizes, 3 agents that observe 18 numbers and have 5 options. Everything is of one ego
agent. Seconds are processor time, the least of some turns, so that what else the machine does is
left out as far as it can be; on an idle machine they are those of a clock. Products are the very
ones of what is timed, on the operands that they had, done again by themselves in the same turns.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from deep.ensemble import DynamicsSettings, Ensemble, ensemble
from deep.fitting import ROWS, Training, quality
from deep.fitting_rows import Data, rows_of
from deep.learner import Shape
from deep.outcome_numbers import Numbers
from deep.replay import Replay, replay
from deep.seeding import streams
from deep.spaces import Choices, random_actions

SPREAD = Shape((18, 18, 18), (Choices((5,)),) * 3)
#: Rows and steps of a rollout.
BRANCHES, STEPS = 1024, 10
#: Transitions that a fit looks at, a tenth of them held out.
TRANSITIONS = 200_000
SETTINGS = DynamicsSettings(rows=TRANSITIONS)


@dataclass(frozen=True)
class Row:
    """A line of the table. ratio: to the matrix products, None where there are none."""

    what: str
    value: float
    unit: str
    ratio: float | None
    target: str


@dataclass(eq=False)
class Products:
    """Matrix products as they were called, to be done again."""

    calls: list[tuple[Tensor, Tensor, Tensor | None]] = field(default_factory=list)

    def again(self) -> None:
        """All of them."""
        for a, b, out in self.calls:
            torch.bmm(a, b, out=out)

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Whatever is multiplied inside."""
        multiply = torch.bmm

        def bmm(a: Tensor, b: Tensor, *, out: Tensor | None = None) -> Tensor:
            self.calls.append((a.detach(), b.detach(), out))
            return multiply(a, b, out=out)

        with patch.object(torch, "bmm", bmm):
            yield


def beside_products(step: Callable[[], Any], turns: int) -> tuple[float, float]:
    """Seconds of ``step`` and of its products by themselves, the least of ``turns`` turns."""
    products = Products()
    with products.recorded():
        step()
    best = [float("inf"), float("inf")]
    for _ in range(turns):
        for i, each in enumerate((step, products.again)):
            start = time.thread_time()
            each()
            best[i] = min(best[i], time.thread_time() - start)
    return best[0], best[1]


def noise(rows: int) -> Replay:
    """A replay of one run full of noise, of spread's sizes."""
    kept, draw = replay(SPREAD, 1, rows, torch.float32, "cpu"), streams([0], "data")
    for start in range(0, rows, 10_000):
        count = min(10_000, rows - start)
        seen, after = (draw.uniform(count, 3, 18).float() * 2 - 1 for _ in range(2))
        actions = random_actions(SPREAD.spaces, draw, count)
        rewards = -draw.uniform(count, 3).float()
        kept.add(seen, actions, rewards, after, torch.zeros(1, count))
    return kept


def new() -> Ensemble:
    """The dynamics of one ego agent of one run."""
    return ensemble(SPREAD, SETTINGS, Numbers(SPREAD), streams([0], "initialise"), egos=1)


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
    return Row(what, seconds, "s", seconds / products, "whole rollout at most 0.5 s")


def epoch(turns: int, steps: int = 30) -> Row:
    """A fitting epoch: its order, minibatches and held-out losses, for all members.

    Minibatches are timed for one member and ``steps`` steps, losses for ``ROWS`` rows, and both
    scaled to all.
    """
    model, draw = new(), streams([0], "fit")
    data = rows_of(model, noise(TRANSITIONS), draw)
    training = Training(model, data)
    members, batch = SETTINGS.members, SETTINGS.batch
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
    seconds = ordering + share * fitting + more * judging
    ratio = seconds / (share * products + more * judged)
    what = f"fitting epoch, {TRANSITIONS:,} transitions, {members} members, one agent"
    return Row(what, seconds, "s", ratio, "at most 1.3 times its products")


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
    code = "import torch; torch.set_num_threads(1); from deep import bench; print(bench.peak())"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    what = f"memory of a process that fits {TRANSITIONS:,} transitions"
    return Row(what, float(found.stdout), "GB", None, "under 3 GB")


def table(turns: int = 5) -> list[Row]:
    """All of it; takes less than a minute."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return [rollout(turns), epoch(turns), memory()]
    finally:
        torch.set_num_threads(threads)


def _fewer(data: Data) -> Data:
    return replace(
        data,
        held_inputs=data.held_inputs[:, :ROWS],
        held_targets=data.held_targets[:, :ROWS],
    )
