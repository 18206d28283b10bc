"""Finite games and Climb as environments: the transition law, the rewards, the observations."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy import stats

from bounds.shared.numbers import InputError
from deep.envs.climb import ClimbEnv, ClimbState
from deep.envs.game import GameEnv, GameState
from deep.envs.spaces import Box, Choices, one_hot
from deep.seeding import streams
from tabular.games.catalogue import find
from tabular.games.climb import climb, equilibrium, grid
from tabular.games.game import StochasticGame, as_sparse, joint_action
from tabular.games.random import garnet

#: Level of every chi-square test: with fixed seeds, the chance that a right law was unlucky.
LEVEL = 1e-6
#: Draws of each row.
DRAWS = 20_000


def unequal_game() -> StochasticGame:
    """A Garnet with 2 and 3 own actions, 6 states, 3 successors each."""
    return garnet((2, 3), 6, 3, np.random.default_rng(0))


def follows(index: torch.Tensor, law: np.ndarray) -> bool:
    """Whether draws follow ``law`` at ``LEVEL``, and what is impossible never came."""
    counts = torch.bincount(index.flatten(), minlength=len(law)).numpy()
    possible = law > 0
    assert not counts[~possible].any()
    if possible.sum() == 1:
        return True
    expected = law[possible] / law[possible].sum() * counts.sum()
    return bool(stats.chisquare(counts[possible], expected).pvalue > LEVEL)


@pytest.mark.parametrize("sparse", [False, True])
def test_the_next_state_follows_the_game(sparse: bool) -> None:
    """Chi-square at ``LEVEL`` for every state and joint action; rewards exactly the game's."""
    game = unequal_game()
    env = GameEnv(as_sparse(game) if sparse else game, dtype=torch.float64)
    drawing = streams([0], "environment")
    for s in range(6):
        for a0 in range(2):
            for a1 in range(3):
                state = GameState(torch.full((1, DRAWS), s), 0)
                own = torch.tensor([a0, a1]).expand(1, DRAWS, 2).unsqueeze(-1)
                actions = one_hot(env.spaces, own, env.dtype)
                after, reward = env.step(state, actions, drawing)
                a = joint_action(game.actions, (a0, a1))
                assert follows(after.index, game.transition[s, a])
                assert torch.equal(reward[0, 0], torch.tensor(game.reward[:, s, a]))


def test_a_wrong_law_is_noticed() -> None:
    """The chi-square test above has the power to see a probability that is off by 0.03."""
    game = unequal_game()
    law = game.transition[0, 0].copy()
    first, second = np.flatnonzero(law)[:2]
    law[first], law[second] = law[first] + 0.03, law[second] - 0.03
    env = GameEnv(game)
    state = GameState(torch.zeros((1, DRAWS), dtype=torch.int64), 0)
    own = torch.zeros((1, DRAWS, 2, 1), dtype=torch.int64)
    after, _ = env.step(state, one_hot(env.spaces, own, env.dtype), streams([0], "environment"))
    assert not follows(after.index, law)


def test_starts_follow_the_initial_distribution() -> None:
    game = unequal_game()
    law = np.array([0.5, 0, 0.25, 0.25, 0, 0])
    skewed = StochasticGame(game.actions, game.transition, game.reward, law, game.gamma)
    state = GameEnv(skewed).reset(streams([0, 1], "environment"), DRAWS)
    assert state.index.shape == (2, DRAWS)
    assert follows(state.index, law)


def test_exact_games_and_runs_on_their_own() -> None:
    """An exact game in float32; run 1 is the same beside others and alone, bit for bit."""
    game = find("grid-game-1").build()
    env = GameEnv(game, episode_steps=10)
    assert env.spaces == tuple(Choices((size,)) for size in game.actions)
    assert env.observation_sizes == (game.n_states,) * game.n

    def episode(seeds: list[int]) -> list[torch.Tensor]:
        drawing, acting = streams(seeds, "environment"), streams(seeds, "actions")
        state, parts = env.reset(drawing, 4), []
        for _ in range(10):
            own = acting.whole(min(game.actions), 4, game.n, 1)
            state, reward = env.step(state, one_hot(env.spaces, own, env.dtype), drawing)
            parts += [state.index, reward, env.observe(state)]
        return parts

    for many, one in zip(episode([0, 1, 2]), episode([1]), strict=True):
        assert torch.equal(many[1:2], one)


def test_the_state_is_seen_by_all() -> None:
    env = GameEnv(unequal_game())
    seen = env.observe(GameState(torch.tensor([[3, 5]]), 0))
    assert seen.shape == (1, 2, 2, 6)
    assert seen.argmax(-1).tolist() == [[[3, 3], [5, 5]]]
    assert seen.sum() == 4


def test_climb_is_the_game_of_the_catalogue() -> None:
    """On the grid's actions the continuous task earns what the finite game does."""
    places = [float(x) for x in grid()]
    env, finite = ClimbEnv(dtype=torch.float64), GameEnv(climb(), dtype=torch.float64)
    both = torch.cartesian_prod(torch.arange(2), torch.arange(5), torch.arange(5))
    state, own = both[:, 0].unsqueeze(0), both[:, 1:].unsqueeze(0)
    numbers = torch.tensor(places, dtype=torch.float64)[own].unsqueeze(-1)
    _, earned = env.step(ClimbState(state, numbers[..., 0], 0), numbers, streams([0], "a"))
    played = one_hot(finite.spaces, own.unsqueeze(-1), torch.float64)
    _, expected = finite.step(GameState(state, 0), played, streams([0], "a"))
    # both are rounded from the same rational number, at most 8, in a few operations
    assert (earned - expected).abs().max() < 8 * 20 * 2.0**-52
    assert env.spaces == (Box(1, -1, 1),) * 2
    assert env.name == find("climb").name


def test_climb_changes_state_a_quarter_of_the_time() -> None:
    env, drawing = ClimbEnv(), streams([0], "environment")
    state = env.reset(drawing, DRAWS)
    assert follows(state.state, np.array([0.5, 0.5]))
    after, _ = env.step(state, torch.zeros(1, DRAWS, 2, 1), drawing)
    assert follows((after.state != state.state).long(), np.array([0.75, 0.25]))
    assert torch.equal(env.observe(after).argmax(-1), after.state.unsqueeze(-1).expand(-1, -1, 2))


def test_climb_cuts_actions_and_its_equilibria_are_best_replies() -> None:
    env = ClimbEnv(dtype=torch.float64)
    tried = torch.linspace(-1, 1, 201, dtype=torch.float64)
    for s in range(2):
        state = ClimbState(torch.full((1, 201), s), torch.zeros(1, 201, 2), 0)
        for agent in range(2):
            actions = torch.tensor([float(x) for x in equilibrium(s)]).double().repeat(1, 201, 1)
            actions[..., agent] = tried
            _, earned = env.step(state, actions.unsqueeze(-1), streams([0], "a"))
            best = tried[earned[0, :, agent].argmax()]
            assert Fraction(round(float(best), 2)).limit_denominator(10) == equilibrium(s)[agent]
    one = ClimbState(torch.zeros(1, 1, dtype=torch.int64), torch.zeros(1, 1, 2), 0)
    far, _ = env.step(one, torch.full((1, 1, 2, 1), 3.0), streams([0], "a"))
    assert far.played.tolist() == [[[1, 1]]]


def test_what_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    game = unequal_game()
    with monkeypatch.context() as patch:
        patch.setattr("deep.envs.game.MOST", 200)
        with pytest.raises(InputError, match=r"^game: 216 transition probabilities; an env"):
            GameEnv(game)
    with pytest.raises(InputError, match=r"^episode_steps: 0 is not a whole number, 1 or more$"):
        GameEnv(game, episode_steps=0)
    with pytest.raises(TypeError, match="random"):
        GameEnv(game).step(GameState(torch.zeros(1, 1).long(), 0), torch.zeros(1, 1, 2, 3))
    state = ClimbState(torch.zeros(1, 1).long(), torch.zeros(1, 1, 2), 0)
    with pytest.raises(TypeError, match="random"):
        ClimbEnv().step(state, torch.zeros(1, 1, 2, 1))
