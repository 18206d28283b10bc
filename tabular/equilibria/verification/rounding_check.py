"""Whether rounding explains the regret of float policies; a proved bound on it where it does not.

The game's numbers are taken at their binary values, rows of probabilities divided by their sums
(which differ from 1 by at most δ), and so are the float policies π. With P their chain, let for
agent j (offsets taken off the rewards, ``_played_offset``)

    M = (I − γP)⁻¹ Σ_a π |R|,     N = (I − γP)⁻¹ M,

the discounted sizes of what is received, and of these again. Let V be the computed values,
ρ = r + γPV − V their residual, D = (I − γP)⁻¹ |ρ|, and for an own action a

    w(s, a) = Σ_{a⁻ʲ} π⁻ʲ (|R| + 2γ T N) + the same averaged over the own policy.

Every number that is computed is a sum of at most |A| + |S| products of at most n + 2 factors, so it
is off by at most κ of the sum of absolute values, with κ = (n + |A| + |S| + 16) u + δ, u = 2⁻⁵³
(Higham 2002, lemma 3.1; the 16 pays for differences and for second orders). In V this adds up to
(I − γP)⁻¹ (|ρ| + 2 κ M) ≤ D + 2 κ N. The exact gain of a deviation to a, at the exact values of π,
is therefore at most the computed gain plus

    η = κ w(s, a) + 2 γ Σ T D + 2 γ Σ P D + 2 D(s),

which proves ``bound``. What rounding may cost: if π is an exact equilibrium whose probabilities
were rounded once, each is off by 2u of itself, so gains are at most 2 (n + 1) u w ≤ κ w beyond 0.
The check demands computed gain + η ≤ ``ALLOWED`` κ w: that leaves solvers a few units in the last
place. w takes in only what is played and the deviation itself: a fine that nobody risks does not
enlarge it, and the deviation that risks the fine loses more than it allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bounds.shared.numbers import Array
from tabular.equilibria.exploitability import stage_tables
from tabular.equilibria.stage_game import deviation_payoffs, expected_payoffs
from tabular.games.arrays import apply, discounted_value, is_sparse
from tabular.games.chains import induced_reward, induced_transition
from tabular.games.game import StochasticGame
from tabular.games.policy import joint_policy

#: Unit roundoff of float64.
UNIT = 2.0**-53
#: How many times κ w a gain may be and pass for rounding.
ALLOWED = 16.0
#: An agent's offset is taken off where it is so many times what differs in what is played.
OFFSET = 2.0**10


@dataclass(frozen=True, eq=False)
class RoundingCheck:
    """What is proved of float policies.

    values: [agent, s], without the agents' offsets.
    bound: [s], no deviation of one agent by one action gains more, at the policies' exact values.
    excess: the largest (gain + η) / (``ALLOWED`` κ w) over states, agents and actions.
    """

    values: Array
    bound: Array
    excess: float

    @property
    def holds(self) -> bool:
        """Whether rounding explains every gain."""
        return self.excess <= 1


def rounding_check(game: StochasticGame, policies: Sequence[Array]) -> RoundingCheck:
    """The check of ``policies`` in the float game ``game``."""
    joint = joint_policy(policies)
    chain = induced_transition(game.transition, joint)
    reward = game.reward - _played_offset(game.reward, joint)[:, None, None]
    earned = np.stack([induced_reward(own, joint) for own in reward])
    sizes = np.stack([induced_reward(np.abs(own), joint) for own in reward])

    def summed(rows: Array) -> Array:
        return np.stack([discounted_value(chain, row, game.gamma) for row in rows])

    def residual(values: Array) -> Array:
        ahead = np.stack([apply(chain, own) for own in values])
        return np.asarray(earned + game.gamma * ahead - values)

    values = summed(earned)
    values = values + summed(residual(values))
    once = np.abs(summed(sizes))
    twice = np.abs(summed(once))
    drift = np.abs(summed(np.abs(residual(values))))
    states = game.n_states
    if is_sparse(game.transition):
        states = int(np.diff(game.transition.indptr).max(initial=1))
    totals = np.asarray(game.transition.sum(axis=-1))
    unit = (game.n + game.joint_actions + states + 16) * UNIT + float(np.abs(totals - 1).max())
    gain = _gains(game, policies, reward, values)
    weight = _sums(game, policies, np.abs(reward), 2 * twice)
    error = _sums(game, policies, np.zeros_like(reward), 2 * drift)
    error = [unit * w + e + 2 * d[:, None] for w, e, d in zip(weight, error, drift, strict=True)]
    bound = np.stack([(g + e).max(axis=-1) for g, e in zip(gain, error, strict=True)]).max(axis=0)
    excess = 0.0
    for g, e, w in zip(gain, error, weight, strict=True):
        over, allowed = g + e, ALLOWED * unit * w
        part = np.divide(over, allowed, out=np.where(over > 0, np.inf, 0.0), where=allowed > 0)
        excess = max(excess, float(np.nan_to_num(part, nan=np.inf).max()))
    return RoundingCheck(values, np.asarray(np.maximum(bound, 0.0)), excess)


def _played_offset(reward: Array, joint: Array) -> Array:
    """A constant of each agent, [agent], that most of what it receives has in common, or 0."""
    shifts = np.zeros(len(reward))
    for j, own in enumerate(reward):
        played = own[joint > 0]
        least = played[np.abs(played).argmin()]
        if np.abs(played - least).max() * OFFSET <= abs(least):
            shifts[j] = least
    return shifts


def _gains(
    game: StochasticGame, policies: Sequence[Array], reward: Array, values: Array
) -> list[Array]:
    """What each own action gains over the policy, [s, aʲ] of every agent."""
    tables = stage_tables(game, reward, values)
    at = expected_payoffs(tables, policies)
    return [deviation_payoffs(tables, policies, j) - at[:, j, None] for j in range(game.n)]


def _sums(
    game: StochasticGame, policies: Sequence[Array], reward: Array, values: Array
) -> list[Array]:
    """What each own action and the policy receive together, [s, aʲ] of every agent."""
    tables = stage_tables(game, reward, values)
    at = expected_payoffs(tables, policies)
    return [deviation_payoffs(tables, policies, j) + at[:, j, None] for j in range(game.n)]
