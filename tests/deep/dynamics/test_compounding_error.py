"""The compounding error against its formula, worlds without chance, and a slip of known chance."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bounds.shared.numbers import InputError
from deep.dynamics.compounding_error import Acting, compounding, trajectory
from deep.dynamics.exact import exact, packed
from deep.envs.game import GameEnv, GameState
from deep.envs.particle import ParticleEnv
from deep.envs.scenarios import scenario
from deep.envs.spaces import random_actions
from deep.seeding import streams
from tabular.games.game import StochasticGame


def given_actions(actions: Tensor) -> Acting:
    """The same actions whatever is observed: ``actions[run, ego, row, step, agent, number]``."""
    return lambda step, _: actions[:, :, :, step]


SIZES = (2, 3)
WHOLE = st.integers(-4, 4)


@given(st.lists(WHOLE, min_size=48, max_size=48), st.lists(WHOLE, min_size=48, max_size=48))
def test_the_error_is_its_formula(first: list[int], second: list[int]) -> None:
    """2 rows, steps 0..3, 2 agents of 2 and 3 numbers of 3, against fractions."""
    real, outputs = (
        torch.tensor(x, dtype=torch.float64).view(1, 1, 2, 4, 2, 3) for x in (first, second)
    )
    found = compounding(real, outputs, SIZES)
    for h in range(1, 4):
        errors = []
        for row in range(2):
            total = 0
            for i in range(1, h + 1):
                for agent, size in enumerate(SIZES):
                    for k in range(size):
                        at = ((row * 4 + i) * 2 + agent) * 3 + k
                        total += (first[at] - second[at]) ** 2
            errors.append(Fraction(total, h))
        mean = sum(errors) / 2
        # a dozen additions of whole numbers below 100, and a division
        assert float(found.value[0, 0, h - 1]) == pytest.approx(float(mean), rel=1e-14, abs=1e-14)
        deviation = math.sqrt(2 * float((errors[0] - mean) ** 2))
        radius = 1.959963984540054 * deviation / math.sqrt(2)
        assert float(found.high[0, 0, h - 1]) == pytest.approx(float(mean) + radius, abs=1e-10)
        low = max(0.0, float(mean) - radius)
        assert float(found.low[0, 0, h - 1]) == pytest.approx(low, abs=1e-10)
    assert (found.level, found.starts) == (0.95, 2)


def test_a_world_without_chance_is_its_own_perfect_model() -> None:
    world, steps = ParticleEnv(scenario("speaker-listener")), 5
    state = world.reset(streams([0, 1], "world"), 20)
    model, rows = exact(world, packed(state)), streams([0, 1], "rows").whole(20, 3, 8)
    memory = model.begin(rows)
    actions = random_actions(world.spaces, streams([0, 1], "act"), 3 * 8 * steps)
    act = given_actions(actions.view(2, 3, 8, steps, *actions.shape[-2:]))
    drawing = streams([0, 1], "draw")
    start = world.observe(memory)
    real, again = (trajectory(model, memory, start, act, steps, drawing) for _ in range(2))
    assert real.shape[:4] == (2, 3, 8, steps + 1)
    assert torch.equal(real[:, :, :, 0], start)
    found = compounding(real, again, world.observation_sizes)
    assert not found.value.any()
    assert not found.high.any()


def cycle(slip: float) -> GameEnv:
    """Five states on a ring: one step on, or, with chance ``slip``, two."""
    law = np.zeros((5, 1, 5))
    for s in range(5):
        law[s, 0, (s + 1) % 5], law[s, 0, (s + 2) % 5] = 1 - slip, slip
    start = np.full(5, 0.2)
    game = StochasticGame((1, 1), law, np.zeros((2, 5, 1)), start, 0.9)
    return GameEnv(game, dtype=torch.float64)


def slipped(slip: float, steps: int) -> list[float]:
    """E ε_c(h): after i steps s ≠ ŝ unless slips are a multiple of 5, and then ‖s − ŝ‖² = 2n."""
    apart = []
    for i in range(1, steps + 1):
        together = sum(
            math.comb(i, j) * slip**j * (1 - slip) ** (i - j) for j in range(0, i + 1, 5)
        )
        apart.append(4 * (1 - together))
    return [sum(apart[:h]) / h for h in range(1, steps + 1)]


def rolled(slip: float, rows: int, egos: int = 1) -> tuple[Tensor, Tensor]:
    env, steps = cycle(slip), 8
    start = env.observe(GameState(streams([0], "start").whole(5, egos, rows), 0))
    act = given_actions(torch.ones(1, egos, rows, steps, 2, 1, dtype=torch.float64))
    drawing = streams([0], "draw")
    real = trajectory(exact(cycle(0.0)), None, start, act, steps, drawing)
    return real, trajectory(exact(env), None, start, act, steps, drawing)


@pytest.mark.parametrize("slip", [0.05, 0.3])
def test_a_slip_of_known_chance_compounds_as_it_must(slip: float) -> None:
    """Within 5 standard errors for every h; a slip a fifth larger is not within them."""
    found = compounding(*rolled(slip, 20_000), (5, 5), level=1 - 5.7e-7)
    expected = torch.tensor(slipped(slip, 8), dtype=torch.float64)
    assert bool((found.low[0, 0] <= expected).all())
    assert bool((expected <= found.high[0, 0]).all())
    other = torch.tensor(slipped(1.2 * slip, 8), dtype=torch.float64)
    assert not bool((other <= found.high[0, 0]).all())


def test_intervals_cover_as_often_as_they_say() -> None:
    """1,000 egos of 200 starts: 95 % within 5 standard errors and 1 % for the normal shape."""
    found = compounding(*rolled(0.3, 200, egos=1000), (5, 5))
    expected = torch.tensor(slipped(0.3, 8), dtype=torch.float64)
    inside = (found.low[0] <= expected) & (expected <= found.high[0])
    share = inside.double().mean(0)
    assert float((share - 0.95).abs().max()) < 5 * math.sqrt(0.95 * 0.05 / 1000) + 0.01


def test_policies_act_on_what_is_predicted() -> None:
    """What is done at a step depends on the state that the model says, and on nothing before."""
    env = cycle(0.0)
    asked = []

    def act(step: int, seen: Tensor) -> Tensor:
        asked.append((step, seen[0, 0, 0, 0].argmax().item()))
        return torch.ones(1, 1, 1, 2, 1, dtype=torch.float64)

    start = env.observe(GameState(torch.full((1, 1, 1), 3), 0))
    trajectory(exact(env), None, start, act, 4, streams([0], "draw"))
    assert asked == [(0, 3), (1, 4), (2, 0), (3, 1)]


def test_what_is_refused() -> None:
    one = torch.zeros(1, 1, 1, 3, 2, 3)
    with pytest.raises(InputError, match=r"^starts: 1; give 2"):
        compounding(one, one, SIZES)
    with pytest.raises(InputError, match=r"^predicted: \[1, 1, 1, 2, 2, 3\] numbers beside"):
        compounding(one, one[:, :, :, 1:], SIZES)
    with pytest.raises(InputError, match=r"^level: 1.0"):
        compounding(one, one, SIZES, level=1.0)
    with pytest.raises(InputError, match=r"^steps: 0"):
        trajectory(exact(cycle(0.0)), None, one[:, :, :, 0], lambda *_: one, 0, streams([0], "d"))
