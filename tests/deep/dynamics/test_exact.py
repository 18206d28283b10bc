"""Worlds as their own models, with an axis of egos."""

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from bounds.shared.numbers import InputError
from deep.dynamics.exact import Remembered, exact, packed, unpacked
from deep.envs.batch import World
from deep.envs.climb import ClimbEnv, ClimbState
from deep.envs.game import GameEnv, GameState
from deep.envs.particle import ParticleEnv
from deep.envs.scenarios import SCENARIOS, scenario
from deep.envs.spaces import one_hot, random_actions
from deep.seeding import streams
from tabular.games.random import garnet

#: Level of the chi-square tests; seeds are fixed.
LEVEL = 1e-6
NOWHERE = torch.zeros(1, 1, 1, dtype=torch.int64)


def test_games_follow_their_law() -> None:
    """Every state and joint action, by two egos apart; rewards are the game's."""
    game, draws = garnet((2, 3), 4, 3, np.random.default_rng(0)), 4000
    env = GameEnv(game, dtype=torch.float64)
    model, drawing = exact(env), streams([0, 1], "draw")
    assert model.begin(NOWHERE) is None
    state = torch.arange(4).repeat_interleave(6).repeat_interleave(draws)
    own = torch.tensor([(i, j) for i in range(2) for j in range(3)]).repeat(4, 1)
    own = own.repeat_interleave(draws, 0).unsqueeze(-1)
    seen = env.observe(GameState(state, 0)).expand(2, 2, -1, -1, -1)
    done = one_hot(env.spaces, own, env.dtype).expand(2, 2, -1, -1, -1)
    memory, after, rewards = model.step(None, seen, done, drawing)
    assert memory is None
    assert not torch.equal(after[0, 0], after[0, 1])
    law, earned = game.transition.reshape(24, 4), game.reward.reshape(2, 24)
    index = after[..., 1, :].argmax(-1).view(2, 2, 24, draws)
    for run in range(2):
        for ego in range(2):
            for row in range(24):
                counts = np.bincount(index[run, ego, row].numpy(), minlength=4)
                possible = law[row] > 0
                assert not counts[~possible].any()
                expected = law[row][possible] * draws
                assert stats.chisquare(counts[possible], expected).pvalue > LEVEL
    assert torch.equal(rewards[1, 0, ::draws], torch.tensor(earned.T))


def test_climb_is_read_from_what_is_seen() -> None:
    env = ClimbEnv(dtype=torch.float64)
    state = streams([0, 1], "state").whole(2, 3, 50)
    done = streams([0, 1], "act").uniform(3, 50, 2, 1)
    before = ClimbState(state, torch.zeros(2, 3, 50, 2), 0)
    expected, earned = env.step(before, done, streams([0, 1], "draw"))
    _, after, rewards = exact(env).step(None, env.observe(before), done, streams([0, 1], "draw"))
    assert torch.equal(after, env.observe(expected))
    assert torch.equal(rewards, earned)


def filled(world: ParticleEnv, rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """States, observations and actions of an episode in two runs, [run, row, ...]."""
    resetting, acting = streams([0, 1], "world"), streams([0, 1], "act")
    state, kept = world.reset(resetting, rows), []
    for _ in range(3):
        done = random_actions(world.spaces, acting, rows)
        kept.append((packed(state), world.observe(state), done))
        state, _ = world.step(state, done)
    states, seen, done = (torch.cat(parts, 1) for parts in zip(*kept, strict=True))
    return states, seen, done


@pytest.mark.parametrize("task", SCENARIOS)
@pytest.mark.parametrize("continuous", [False, True])
def test_particles_go_on_from_rows_of_the_replay(task: str, continuous: bool) -> None:
    """Observations of the rows are those there; two steps are those of the world itself."""
    world = ParticleEnv(scenario(task), continuous=continuous)
    states, seen, _ = filled(world, 10)
    model, rows = exact(world, states), streams([0, 1], "rows").whole(30, 2, 7)
    memory = model.begin(rows)
    own = torch.stack([seen[run, rows[run]] for run in range(2)])
    assert torch.equal(world.observe(memory), own)
    actions = random_actions(world.spaces, streams([0, 1], "more"), 14)
    actions = actions.unflatten(1, (2, 7))
    reference = unpacked(world, torch.stack([states[run, rows[run]] for run in range(2)]))
    drawing = streams([0, 1], "draw")
    for _ in range(2):
        reference, earned = world.step(reference, actions)
        memory, own, rewards = model.step(memory, own, actions, drawing)
        assert torch.equal(own, world.observe(reference))
        assert torch.equal(rewards, earned)


@pytest.mark.parametrize("task", SCENARIOS)
def test_states_are_packed_and_unpacked(task: str) -> None:
    world = ParticleEnv(scenario(task), dtype=torch.float64)
    state = world.reset(streams([0, 1], "world"), 5)
    state, _ = world.step(state, random_actions(world.spaces, streams([0, 1], "a"), 5).double())
    again = unpacked(world, packed(state))
    for name in ("position", "velocity", "landmark", "message", "goal", "private"):
        one, other = getattr(state, name), getattr(again, name)
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


def test_what_is_refused() -> None:
    world = ParticleEnv(scenario("spread"))
    with pytest.raises(InputError, match=r"^states: none given, but observations of spread"):
        exact(world)
    assert isinstance(exact(world, torch.zeros(1, 1, 1)), Remembered)

    class Other:
        name = "other"

    other: World = Other()  # type: ignore[assignment]
    with pytest.raises(TypeError, match="no exact dynamics of a Other"):
        exact(other)
