"""Agents that play tables π[s, a] of finite games, in the place of networks. For the tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from bounds.shared.numbers import Array
from deep.envs.game import GameEnv
from deep.envs.spaces import Choices, Shape
from deep.nn.action_distributions import ABSENT, Categorical
from deep.opponents.models import Opponents, pairs, real_opponents
from deep.seeding import Streams
from tabular.games.game import StochasticGame

DTYPE = torch.float64


def shape_of(game: StochasticGame) -> Shape:
    """What the agents of ``game`` observe and do."""
    return Shape((game.n_states,) * game.n, tuple(Choices((size,)) for size in game.actions))


def logits(tables: Sequence[Array]) -> Tensor:
    """log π [agent, s, number]; what is impossible, and the padding, never comes."""
    width = max(table.shape[1] for table in tables)
    out = torch.full((len(tables), tables[0].shape[0], width), ABSENT, dtype=DTYPE)
    for agent, table in enumerate(tables):
        own = torch.tensor(table.astype(float), dtype=DTYPE)
        out[agent, :, : own.shape[1]] = own.log().clamp(min=ABSENT)
    return out


def said(of: Tensor, observations: Tensor) -> Tensor:
    """Logits [run, agent, row, number] of ``of[agent, s, number]`` in one-hots of that shape."""
    agents = torch.arange(len(of)).unsqueeze(-1)
    return of[agents, observations.argmax(-1)]


def head_of(game: StochasticGame) -> Categorical:
    return Categorical(tuple(Choices((size,)) for size in game.actions))


def act_of(game: StochasticGame, tables: Sequence[Array]) -> Callable[[Tensor, Streams], Tensor]:
    """The joint policy: actions [run, row, agent, number] for observations of that shape."""
    alone = act_alone_of(game, tables)
    return lambda seen, streams: alone(seen.transpose(1, 2), streams).transpose(1, 2)


def act_alone_of(
    game: StochasticGame, tables: Sequence[Array]
) -> Callable[[Tensor, Streams], Tensor]:
    """Own actions [run, agent, row, number] for own observations of that shape."""
    of, policy = logits(tables), head_of(game)
    return lambda seen, streams: policy.sample(said(of, seen), streams)[0]


def real_of(game: StochasticGame, tables: Sequence[Array]) -> Opponents:
    """The real policies as opponents."""
    of = logits(tables)
    return real_opponents(shape_of(game), head_of(game), lambda seen, _: said(of, seen))


def models_of(game: StochasticGame, models: Sequence[Sequence[Array]]) -> Opponents:
    """``models[ego][opponent]`` as opponents; those of an agent about itself are not read."""
    both = pairs(game.n)
    of = logits([models[i][j] for i, j in both])
    policy = Categorical(tuple(Choices((game.actions[j],)) for _, j in both))

    def says(observations: Tensor, streams: Streams | None) -> Tensor:
        del streams
        return said(of, torch.stack([observations[:, i, :, j] for i, j in both], 1))

    return Opponents(shape_of(game), policy, says)


def seen_in(game: StochasticGame, states: Tensor | Array) -> Tensor:
    """Observations [.., agent, number] of states [..]."""
    index = torch.as_tensor(np.array(states), dtype=torch.int64)
    one_hot = torch.nn.functional.one_hot(index, game.n_states).to(DTYPE)
    return one_hot.unsqueeze(-2).expand(*index.shape, game.n, game.n_states)


def world(game: StochasticGame) -> GameEnv:
    return GameEnv(game, dtype=DTYPE)
