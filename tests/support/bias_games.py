"""A game with wrong models, its exact parts of the branch bias, and segments to measure it from."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from bounds.shared.numbers import Array
from deep.analysis.branch_bias import Model, Segments
from deep.aorpo.communication import Communication, interactions
from deep.dynamics.exact import exact
from deep.seeding import streams
from tabular.cases import branch_bias as exactly
from tabular.cases.case import Case
from tabular.cases.perturb import perturbed_case
from tabular.games.game import StochasticGame
from tabular.games.random import garnet
from tests.support.table_players import act_alone_of, act_of, models_of, world

#: Independent estimates, each a run; segments of each.
TIMES, SEGMENTS = 200, 60
LENGTHS = (None, 1, 3)
K = 3


@dataclass(frozen=True, eq=False)
class Setting:
    """A game, its case with exact parts, and what measures them."""

    game: StochasticGame
    case: Case
    model: Model
    segments: Segments


def setting(seed: int = 0, times: int = TIMES, rows: int = SEGMENTS) -> Setting:
    """Three agents, of whom 0 is the ego: models that are a fifth wrong, lengths 1 and 3."""
    rng = np.random.default_rng(seed)
    # so that γ = 1 in its place is something else
    game = replace(garnet((2, 3, 2), 3, 2, rng), gamma=0.6)
    case = perturbed_case(
        game, rng, model_error=0.2, opponent_error=0.2, branch_length=K, opponent_lengths=LENGTHS
    )
    real, imagined = world(game), world(replace(game, transition=case.model_transition))
    acting = act_of(game, case.policies)
    state = real.reset(streams(range(times), "worlds"), rows)
    seen, done, paid = [real.observe(state)], [], []
    draws, moves = streams(range(times), "actions"), streams(range(times), "moves")
    for _ in range(K):
        done.append(acting(seen[-1], draws))
        state, rewards = real.step(state, done[-1], moves)
        seen.append(real.observe(state))
        paid.append(rewards)
    tables: list[Array] = [
        policy if model is None else model
        for policy, model in zip(case.policies, case.opponent_models, strict=True)
    ]
    lengths = torch.tensor([K, 1, 3]).expand(times, 3, 3).contiguous()
    model = Model(
        dynamics=exact(imagined),
        act=act_alone_of(game, case.policies),
        opponents=models_of(game, [tables] * 3),
        communication=Communication(act=acting, width=3, interactions=interactions(times, 3)),
        lengths=lengths,
        gamma=float(case.gamma),
    )
    met, acted, earned = (torch.stack(each, 2) for each in (seen, done, paid))
    return Setting(game, case, model, Segments(met, acted, earned))


def truth(case: Case) -> tuple[Array, Array]:
    """Dynamics [depth] and opponents [depth, agent] of Ĝ_k − G_k, exact up to rounding."""
    one = case.gamma**0
    dynamics, opponents = exactly._parts(case, case.initial, [one] * K + [0 * one])
    return -dynamics[:K], -opponents[:K]
