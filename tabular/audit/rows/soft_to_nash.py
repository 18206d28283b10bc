"""The audit's rows about Theorem 7: where soft fixed points lead to Nash Q's, and where not."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from bounds.library import soft_q
from bounds.proofs import soft_q as soft_q_proofs
from bounds.shared.claims import Claim
from bounds.shared.numbers import Array
from tabular import verify_soft
from tabular.audit.rows.common import ROUNDING, SEVEN, TEMPERATURES, proved, refuted
from tabular.audit.rows.joint_and_lengths import DISCOUNTS
from tabular.audit.rows.strict_dominance import dominance_claim
from tabular.equilibria.shapley import value_iteration
from tabular.games.game import StochasticGame
from tabular.games.random import GameArrays, garnet_arrays
from tabular.soft_q import all_agents, nash_limit_fails, nash_limit_holds


def nash_claims(folder: Path, seed: int, count: int) -> list[Claim]:
    """All rows; ``count`` games of each kind are drawn, and certificates written to ``folder``."""
    return [
        *limit_claims(folder),
        common_claim(seed, count),
        zero_sum_claim(seed, count),
        dominance_claim(seed, count),
    ]


def limit_claims(folder: Path) -> Iterator[Claim]:
    """Theorem 7 for independent learners, refuted: the soft limit is not what Nash Q selects."""
    yield refuted(
        "theorem7",
        "independent soft learners lead to Nash Q-learning's values as alpha -> 0, if every stage "
        "game has a global optimum (for joint maximisers and zero-sum games see the rows below)",
        SEVEN,
        folder,
        nash_limit_fails.limit_certificate(nash_limit_fails.NO_SADDLE, "theorem7"),
        "2x2 game (4, 0; 2, 3): the limit pays 3, is no saddle point, and Nash Q has 4",
    )
    weak = nash_limit_fails.limit_certificate(nash_limit_fails.SMALLEST, "theorem7-general-sum")
    verify_soft.verify(weak)
    found = nash_limit_fails.smallest("strict")
    alone = nash_limit_fails.smallest("strict", symmetric_only=True)
    least = nash_limit_fails.smallest("any")
    only = len(alone.games) == 1 and (alone.games[0] == nash_limit_fails.STAG_HUNT).all()
    yield refuted(
        "theorem7-general-sum",
        "in games with a global optimum and other strict equilibria the soft limit is the optimum",
        SEVEN,
        folder,
        nash_limit_fails.limit_certificate(nash_limit_fails.STAG_HUNT, "theorem7-general-sum"),
        f"the stag hunt (3, 0; 2, 2), {'the only symmetric one' if only else 'one'} of "
        f"{len(found.games)} among {found.examined:,} games with payoffs 0..{found.payoff}, the "
        f"least; where equilibria need not be strict, payoffs 0..{least.payoff} are enough",
    )


def common_claim(seed: int, count: int) -> Claim:
    """Common payoffs and global optima, for agents that maximise over joint actions."""
    rng = np.random.default_rng([seed, 25])
    worst, lowest, games = 0.0, np.inf, 0
    for gamma in map(float, DISCOUNTS):
        arrays = garnet_arrays((2, 3), 4, 2, rng, batch=(count,))
        reward = arrays.reward[:, 0].copy()
        reward[0] = reward[0, 0, 0]  # a constant one, which attains the bound
        hard = nash_limit_holds.team(gamma, arrays.transition, reward, 0)
        for alpha in TEMPERATURES[1:]:
            warm = nash_limit_holds.team(gamma, arrays.transition, reward, alpha)
            share = (warm.v - hard.v) / soft_q.nash_gap(alpha, np.log(6), gamma)
            worst, lowest = max(worst, float(share.max())), min(lowest, float(share.min()))
        games += count
    return proved(
        "theorem7-common-payoff",
        "for agents that maximise over joint actions, common payoffs or stage games with global "
        "optima: V_0 <= V_alpha <= V_0 + alpha log|A|/(1 - gamma), the values of Nash Q being V_0",
        SEVEN,
        soft_q_proofs.soft_to_nash,
        worst <= 1 + ROUNDING and lowest >= -ROUNDING,
        {"games": games, "worst_ratio": worst, "least_ratio": lowest},
        f"{games:,} games, {abs(round(lowest, 4)):.4f} to {worst:.4f} of the bound",
    )


def zero_sum_claim(seed: int, count: int) -> Claim:
    """Zero-sum games against Shapley's values: one soft saddle, and agents for themselves."""
    rng = np.random.default_rng([seed, 26])
    shares: list[Array] = []
    own: list[Array] = []
    gamma, log_actions = 0.5, float(np.log(2))
    arrays = garnet_arrays((2, 2), 3, 2, rng, batch=(min(count, 40),))
    values = np.stack([_shapley_values(arrays, i, gamma) for i in range(len(arrays.initial))])
    zero_sum = np.stack([arrays.reward[:, 0], -arrays.reward[:, 0]], axis=1)
    for alpha in (0.05, 0.2, 1.0):
        warm = nash_limit_holds.soft_shapley(
            gamma, (2, 2), arrays.transition, zero_sum[:, 0], alpha
        )
        shares.append((warm.values - values) / soft_q.nash_gap(alpha, log_actions, gamma))
        steps = all_agents.simultaneous_iteration(
            gamma, (2, 2), arrays.transition, zero_sum, alpha, rate=min(0.5, alpha / 4)
        )
        *_, before, last = islice(steps, 1500)
        still = np.abs(last.q - before.q).max(axis=(-3, -2, -1)) <= 1e-9
        soft_values = all_agents.values_of(last, (2, 2), alpha)
        gap = soft_q.nash_gap(alpha, 2 * log_actions, gamma)
        gains = np.stack([soft_values[:, 0] - values, soft_values[:, 1] + values])
        own.append((gains / gap)[:, still].ravel())
    inside = [np.concatenate([x.ravel() for x in part]) for part in (shares, own)]
    fine = (
        np.abs(inside[0]).max() <= 1 + ROUNDING
        and inside[1].min() >= -ROUNDING
        and inside[1].max() <= 1 + ROUNDING
    )
    games = 3 * len(arrays.initial)
    return proved(
        "theorem7-zero-sum",
        "in zero-sum games the value with both entropies is within "
        "alpha log max|Aj|/(1 - gamma) of Shapley's, and at every fixed point of all agents at "
        "once 0 <= V - V_0 <= alpha log|A|/(1 - gamma)",
        SEVEN,
        soft_q_proofs.soft_to_nash,
        bool(fine),
        {
            "games": games,
            "saddle": [float(inside[0].min()), float(inside[0].max())],
            "own": [float(inside[1].min()), float(inside[1].max())],
            "fixed_points": len(inside[1]) // 6,
        },
        f"{games:,} games: {inside[0].min():.3f} to {inside[0].max():.3f} of the bound; "
        f"{len(inside[1]) // 6} fixed points: {inside[1].min():.3f} to {inside[1].max():.3f}",
    )


def _shapley_values(arrays: GameArrays, index: int, gamma: float) -> Array:
    reward = arrays.reward[index, 0]
    game = StochasticGame(
        actions=(2, 2),
        transition=arrays.transition[index],
        reward=np.stack([reward, -reward]),
        initial=arrays.initial[index],
        gamma=gamma,
    )
    return value_iteration(game).values
