"""How long gradient steps take beside their own matrix products, drawing batches, more seeds.

Simple spread's sizes: 3 agents, 18 numbers observed, 5 options, 2×64 units, batches of 1024, one
thread. The products are those of the very update, timed in two ways: inside of it, where operands
were written just before, and done again one after another on the operands that they had, each its
own. Everything is timed in turns, so that what else the machine does meets all of it.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from deep.agents.experience import Private
from deep.agents.learner import Learner
from deep.agents.maddpg import Maddpg, maddpg
from deep.agents.masac import Masac, masac
from deep.data.replay import Replay, replay
from deep.envs.spaces import Choices, Shape, random_actions
from deep.seeding import streams

SPREAD = Shape((18, 18, 18), (Choices((5,)),) * 3)
BATCH, TURNS = 1024, 10

#: Others whose beliefs cost nothing.
APART = Private(lambda observations, _: torch.zeros(*observations.shape[:-1], 5))

LEARNERS: dict[str, Callable[..., Learner]] = {
    "MASAC": lambda initial: masac(SPREAD, Masac(), initial),
    "MASAC, relaxed samples": lambda initial: masac(SPREAD, Masac(expect_up_to=0), initial),
    "MADDPG": lambda initial: maddpg(SPREAD, Maddpg(), initial),
    "MASAC, private rows": lambda initial: masac(SPREAD, Masac(), initial, experience=APART),
}
#: Those whose agents have batches of their own.
PRIVATE = {"MASAC, private rows"}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def memory(seeds: range, rows: int) -> Replay:
    """A replay full of noise."""
    kept, draw = replay(SPREAD, len(seeds), rows, torch.float32, "cpu"), streams(seeds, "data")
    step = 10_000
    for _ in range(0, rows, step):
        seen, after = (draw.uniform(step, 3, 18).float() * 2 - 1 for _ in range(2))
        actions = random_actions(SPREAD.spaces, draw, step)
        kept.add(
            seen, actions, -draw.uniform(step, 3).float(), after, torch.zeros(len(seeds), step)
        )
    return kept


def step_of(name: str, seeds: range) -> Callable[[], Any]:
    learner = LEARNERS[name](streams(seeds, "initialise"))
    kept, drawn = memory(seeds, 10_000), streams(seeds, "replay")
    apart = name in PRIVATE
    batch = kept.sample_apart(drawn, 3, BATCH) if apart else kept.sample(drawn, BATCH)
    update = streams(seeds, "update")
    return lambda: learner.update(batch, update)


class Products:
    """The matrix products of an update: their operands, and the seconds spent inside of them."""

    def __init__(self, step: Callable[[], Any]) -> None:
        self.bmm, self.operands, self.inside = torch.bmm, [], 0.0
        self.step = step
        with self._instead(self._recording):
            step()

    def again(self) -> None:
        for a, b in self.operands:
            self.bmm(a, b)

    def seconds_inside(self) -> float:
        self.inside = 0.0
        with self._instead(self._timing):
            self.step()
        return self.inside

    def operations(self) -> int:
        return sum(2 * a.shape[:3].numel() * b.shape[2] for a, b in self.operands)

    def _recording(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        self.operands.append((a.detach(), b.detach()))
        return self.bmm(a, b)

    def _timing(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        start = time.perf_counter()
        product = self.bmm(a, b)
        self.inside += time.perf_counter() - start
        return product

    @contextmanager
    def _instead(self, function: Callable[..., torch.Tensor]) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(torch, "bmm", function)
            yield


def timed(function: Callable[[], Any]) -> Callable[[], float]:
    def seconds() -> float:
        start = time.perf_counter()
        function()
        return time.perf_counter() - start

    return seconds


def in_turns(*timings: Callable[[], float]) -> list[float]:
    """The least of what each says, five times in a row in every turn, the first not counted."""
    best = [float("inf")] * len(timings)
    for _ in range(TURNS):
        for i, timing in enumerate(timings):
            best[i] = min(best[i], *[timing() for _ in range(5)][1:])
    return best


@pytest.mark.parametrize("name", LEARNERS)
def test_an_update_beside_its_products(bench: Any, name: str) -> None:
    step = step_of(name, range(1))
    products = Products(step)
    times: list[list[float]] = []
    timings = timed(step), timed(products.again), products.seconds_inside
    bench.seconds(lambda: times.append(in_turns(*timings)), rounds=1)
    update, again, inside = times[0]
    bench.figure(f"{name}: update of 3 agents", 1e3 * update, "ms")
    bench.figure(f"{name}: operations in its products", products.operations() / 1e6, "million")
    bench.figure(f"{name}: its products by themselves", 1e3 * again, "ms")
    target = "at most 1.7" if name == "MASAC" else ""
    bench.figure(f"{name}: update / products by themselves", update / again, "times", target)
    bench.figure(f"{name}: update / time inside of its products", update / inside, "times")


def test_a_batch_out_of_a_million(bench: Any) -> None:
    kept, drawn = memory(range(1), 1_000_000), streams([0], "replay")
    timings = timed(step_of("MASAC", range(1))), timed(lambda: kept.sample(drawn, BATCH))
    times: list[list[float]] = []
    bench.seconds(lambda: times.append(in_turns(*timings)), rounds=1)
    update, sample = times[0]
    bench.figure("batch out of 10^6 rows", 1e3 * sample, "ms")
    bench.figure("batch / update", sample / update, "times", "at most 0.1")


@pytest.mark.parametrize("name", LEARNERS)
def test_five_seeds(bench: Any, name: str) -> None:
    one, five = step_of(name, range(1)), step_of(name, range(5))
    times: list[list[float]] = []
    bench.seconds(lambda: times.append(in_turns(timed(one), timed(five))), rounds=1)
    alone, together = times[0]
    bench.figure(f"{name}: a seed of 5 / 1 seed", together / 5 / alone, "times", "at most 1")
