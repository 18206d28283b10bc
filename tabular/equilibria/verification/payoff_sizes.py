"""How large the payoffs of a float game are where it matters: offsets taken off, fines apart.

People write "not available" as a fine of 1e12 or 1e15, and add a constant to all payoffs. Neither
changes an equilibrium, and both drown what does in rounding that is relative to the largest entry.
So offsets are subtracted first (``centred``), and stage games are rounded entry by entry, each to a
part of entries of about its own size (``rounded``).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bounds.shared.numbers import Array
from tabular.games.game import StochasticGame

#: Stage games are rounded to this part of the largest entry of the same group.
RESOLUTION = 2.0**-40
#: Sizes this many times the next smaller one begin a new group.
GAP = 2.0**10
#: An offset is at least so many times what differs.
OFFSET = 2.0**10


def centred(game: StochasticGame) -> StochasticGame:
    """The float game without each agent's offset: the same equilibria, smaller numbers.

    An agent's offset is its reward of smallest size, where at least half of all its rewards are
    nearer to it than the part 1/``OFFSET``: differences of such floats are exact (Sterbenz 1974).
    A constant c adds c/(1 − γ) to every value of the agent and takes nothing from any deviation.
    """
    shifts = np.array([_offset(own.ravel()) for own in game.reward])
    if not shifts.any():
        return game
    return replace(game, reward=game.reward - shifts[:, None, None])


def _offset(rewards: Array) -> float:
    least = float(rewards[np.abs(rewards).argmin()])
    near = np.abs(rewards - least) * OFFSET <= abs(least)
    return least if 2 * np.count_nonzero(near) >= len(rewards) else 0.0


def rounded(payoffs: Array, sizes: Array) -> Array:
    """``payoffs[s, agent, a⁰, …]`` rounded, so that ties stay ties: to powers of two.

    ``sizes``, of the same shape, is what each entry is made of, |reward| + γ E |value|. The sizes
    of one agent in one state, sorted, form groups that are a factor ``GAP`` apart; an entry is
    rounded to the part ``RESOLUTION`` of the largest of its group.
    """
    flat = sizes.reshape(*sizes.shape[:2], -1)
    order = flat.argsort(axis=-1)
    ordered = np.take_along_axis(flat, order, axis=-1)
    ends = np.ones(flat.shape, bool)
    ends[..., :-1] = ordered[..., 1:] > GAP * ordered[..., :-1]
    tops = np.where(ends, ordered, np.inf)
    tops = np.minimum.accumulate(tops[..., ::-1], axis=-1)[..., ::-1]
    largest = np.empty(flat.shape)
    np.put_along_axis(largest, order, tops, axis=-1)
    unit = np.ldexp(RESOLUTION, np.frexp(largest)[1]).reshape(payoffs.shape)
    return np.asarray(np.where(sizes > 0, np.rint(payoffs / unit) * unit, payoffs))
