"""The audit's row about Theorem 7 in games that strict dominance solves, such as Climb."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np

from bounds.proofs.theorems import Proof, concluded, is_zero
from bounds.shared.claims import Claim
from bounds.shared.numbers import Array, InputError
from tabular.audit.rows.common import ROUNDING, SEVEN, proved
from tabular.equilibria.logit_stage import logit_responses
from tabular.equilibria.nash_value_iteration import solve
from tabular.equilibria.selection import parse_selection
from tabular.games.catalogue import find
from tabular.games.game import as_float
from tabular.soft_q import strict_dominance
from tabular.soft_q.all_agents import simultaneous_iteration, values_of

#: Temperatures at which Climb is looked at, sweeps, and what they leave of values of 31: γ = 0.95
#: to their power is 7e-12. The least bound is 2e-6.
TEMPERATURES, SWEEPS, UNSWEPT = (0.07, 0.05, 0.03), 500, 1e-9
#: The temperature of random games with gains between 1/4 and 1.
COLD = 0.02


def dominance_claim(seed: int, count: int) -> Claim:
    """Climb's soft values between the bounds, and the replies in random games within theirs."""
    rng = np.random.default_rng([seed, 27])
    worst, refused = 0.0, 0
    for number in range(count):
        payoffs = solvable(rng, ((2, 2), (3, 2), (3, 3), (4, 4))[number % 4])
        try:
            worst = max(worst, enclosed_replies(payoffs, COLD, rng))
        except InputError:
            refused += 1
    try:
        nash = climb_values()
        rows = [climb_row(alpha, nash) for alpha in TEMPERATURES]
    except InputError:
        rows = []
    held = bool(rows) and all(row["inside"] for row in rows)
    words = "no bound on Climb"
    if rows:
        (near, far), (low, high) = rows[0]["distance"], rows[0]["bounds"]
        words = (
            f"Climb at alpha = {rows[0]['alpha']}: {near:.4f} to {far:.4f} from Nash Q, bounds "
            f"{low:.4f} and {high:.4f}"
        )
    return proved(
        "theorem7-dominance",
        "in games of two agents where strict dominance solves every stage game and the next state "
        "does not depend on the actions, both at once converge from every start for small "
        "alpha > 0, to values exponentially near Nash Q's; so they do on Climb, which has neither "
        "global optima nor saddle points",
        SEVEN,
        converges,
        held and not refused and worst <= 1 + ROUNDING,
        {"games": count, "refused": refused, "worst_ratio": worst, "climb": rows},
        f"{words}; {count:,} random games: shares {worst:.4f} of their bounds",
    )


def climb_values() -> Array:
    """Climb's Nash Q-values of the states, [agent, s]."""
    return solve(find("climb").build(), parse_selection("first", 2)).values.astype(float)


def climb_row(alpha: float, nash: Array) -> dict[str, Any]:
    """V_α − V₀ of Climb after exact sweeps from Q = 0 and uniform play, and its bounds."""
    game = find("climb").build()
    floats = as_float(game)
    steps = simultaneous_iteration(
        floats.gamma, game.actions, floats.transition, floats.reward, alpha
    )
    *_, last = islice(steps, SWEEPS + 1)
    apart = values_of(last, game.actions, alpha) - nash
    below, above = strict_dominance.value_bounds(game, alpha)
    low, high = float(below.min()), float(above.max())
    distance = float(apart.min()), float(apart.max())
    inside = low - UNSWEPT <= distance[0] and distance[1] <= high + UNSWEPT
    return {
        "alpha": alpha,
        "distance": list(distance),
        "bounds": [low, high],
        "inside": bool(inside),
    }


def solvable(rng: np.random.Generator, actions: tuple[int, int]) -> Array:
    """A random game that strict dominance solves, payoffs[agent, a⁰, a¹].

    Actions go in turns, agent 0's first, in a random order. Each is worse by 1/4 to 1 than the one
    that goes next against all that is left, and by −1 to 1 against what has gone.
    """
    tables = []
    orders = [rng.permutation(size) for size in actions]
    for j, (size, other) in enumerate((actions, actions[::-1])):
        table = np.zeros((size, other))
        table[-1] = rng.uniform(-1, 1, size=other)
        for a in reversed(range(size - 1)):
            gone = min(a + j, other - 1)  # agent 1 moves second in each turn
            gain = rng.uniform(1 / 4, 1, size=other)
            gain[:gone] = rng.uniform(-1, 1, size=gone)
            table[a] = table[a + 1] - gain
        placed = np.empty_like(table)
        placed[np.ix_(orders[j], orders[1 - j])] = table
        tables.append(placed)
    return np.stack([tables[0], tables[1].T])


def enclosed_replies(payoffs: Array, alpha: float, rng: np.random.Generator) -> float:
    """The largest share beside the profile over its bound, of soft replies from random starts."""
    found = strict_dominance.enclosure(payoffs, alpha)
    worst = 0.0
    for _ in range(5):
        now = tuple(rng.dirichlet(np.ones(size)) for size in payoffs.shape[1:])
        for _ in range(found.rounds):
            now = logit_responses(payoffs, now, alpha)
        beside = [np.delete(own, e).sum() for own, e in zip(now, found.profile, strict=True)]
        worst = max(worst, float((np.array(beside) / found.eta).max()))
    return worst


def converges() -> Proof:
    """The module's steps that are formulas."""
    import sympy

    alpha, g, q, eta = sympy.symbols("alpha g q eta", positive=True)
    u, v, m, n, d, e = sympy.symbols("u v m n d e", real=True)
    share = sympy.exp(u / alpha) / (sympy.exp(u / alpha) + sympy.exp(v / alpha))
    soft = alpha * sympy.log(sympy.exp(u / alpha) + sympy.exp(v / alpha))
    mean = q * m + (1 - q) * n
    t = sympy.Symbol("t", real=True)
    moved = share.subs(u, u + t * d).subs(v, v + t * e)
    s = moved.subs(t, 0)
    rest = sympy.Symbol("r", nonnegative=True)
    wide = eta + rest
    return concluded(
        "symbolically: dominated actions have shares below exp(-g/alpha), and replies move by "
        "eta (1 - eta) span/alpha",
        [
            (
                "softmax gives a and d the ratio exp((u(a) - u(d))/alpha)",
                is_zero(share / (1 - share) - sympy.exp((u - v) / alpha)),
            ),
            (
                "1/(1 + exp(g/alpha)) < exp(-g/alpha), which tends to 0 with alpha if g > 0",
                is_zero(1 / (1 / sympy.exp(-g / alpha)) - sympy.exp(-g / alpha))
                and (1 + sympy.exp(g / alpha) - sympy.exp(g / alpha)).is_positive is True
                and sympy.limit(sympy.exp(-g / alpha), alpha, 0, "+") == 0,
            ),
            (
                "L(u) = u(e) - alpha log pi(e)",
                is_zero(
                    sympy.expand_log(
                        sympy.simplify(soft - u + alpha * sympy.log(share)), force=True
                    )
                ),
            ),
            (
                "the share that gains moves by q (1 - q) (difference of means)/alpha",
                is_zero(q * (m - mean) - q * (1 - q) * (m - n))
                and is_zero(sympy.diff(moved, t).subs(t, 0) - s * (1 - s) * (d - e) / alpha),
            ),
            (
                "q (1 - q) grows up to q = 1/2, so eta (1 - eta) bounds it where q or 1 - q <= eta",
                is_zero(
                    sympy.expand(wide * (1 - wide) - eta * (1 - eta) - rest * (1 - 2 * eta - rest))
                ),
            ),
        ],
    )
