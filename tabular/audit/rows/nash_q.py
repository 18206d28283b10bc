"""The audit's rows about Nash Q-learning: what its theorem says, where it does not apply, how fast.

``nash-q-rate``: in a game of one joint action with value V = r/(1 − γ), Q₀ = 0 and the rate 1/n,

1. V − Q_n = (1 − (1 − γ)/n)(V − Q_{n−1}), so the error e_n, as a part of the first, is a product;
   e_1 = γ.
2. (1 − x)^p ≤ 1 − p x for 0 ≤ x < 1 and 0 ≤ p ≤ 1: the difference is 0 at x = 0 with slope 0, and
   convex.
3. With x = 1/n and p = 1 − γ: e_n ≥ (1 − 1/n)^{1−γ} e_{n−1}. As the product of 1 − 1/i over
   2 ≤ i ≤ n is 1/n, e_n ≥ γ n^{−(1−γ)}.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from bounds.proofs.theorems import Proof, concluded, is_zero
from bounds.shared.claims import Claim, Status
from bounds.shared.numbers import Array
from tabular.equilibria.exploitability import stage_payoffs
from tabular.equilibria.nash_value_iteration import solve
from tabular.equilibria.selection import parse_selection
from tabular.games.game import StochasticGame
from tabular.games.random import garnet
from tabular.nash_q.grid_games import learn, published_game
from tabular.nash_q.learning import nash_q
from tabular.nash_q.record import pairs

_SOURCE = (
    "Hu and Wellman (2003), Journal of Machine Learning Research 4, the theorem of convergence"
)
#: Games of each kind at the audit's usual count of 100, and runs of each game.
GAMES, RUNS = 5, 10
#: Steps after which distances are compared, and their discount.
STEPS, GAMMA = (200, 2000), Fraction(1, 2)
#: What of the publication is compared with what is found here (``tabular.nash_q.record``).
PUBLISHED = {
    "compared, remembered with confidence": "equilibrium Q-values at the start (97 and 97; 98 and "
    "49; the third equilibrium's 0.97), the number of states and joint actions, and the "
    "qualitative results of the abstract",
    "not compared, remembered without confidence": "the percentages of joint optimal paths",
}
#: Runs of grid game 1, and their episodes for each of ``GAMES``.
GRID_RUNS, GRID_EPISODES = 10, 100


def nash_q_claims(seed: int, count: int) -> list[Claim]:
    """Both rows; ``GAMES`` games of each kind are drawn for a count of 100, fewer for less."""
    games = max(1, min(GAMES, count * GAMES // 100))
    return [convergence_claim(seed, games), rate_claim()]


def convergence_claim(seed: int, games: int) -> Claim:
    """Distances to exact Nash Q-values, where the assumption always holds; and a grid game."""
    rng = np.random.default_rng([seed, 40])
    shrunk, held, runs = 0, 0, 0
    far: list[float] = []
    near: list[float] = []
    for number in range(2 * games):
        game, name = _opposed(rng) if number % 2 else _shared(rng)
        exact = _exact_table(game, name)
        # the same random numbers: the shorter runs are the beginnings of the longer ones
        before, after = (
            _distances(game, name, exact, np.random.default_rng([seed, 42, number]), steps)
            for steps in STEPS
        )
        shrunk += int((after[0] < before[0]).sum())
        held += int(after[1].sum())
        runs += len(after[0])
        far += before[0].tolist()
        near += after[0].tolist()
    grid = _grid(seed, games * GRID_EPISODES)
    status: Status = "tested" if shrunk == held == runs else "open"
    summary = (
        f"{runs} runs on {2 * games} games: distance {np.median(far):.3f} to {np.median(near):.3f} "
        f"from {STEPS[0]} to {STEPS[1]} steps (medians), smaller in {shrunk}; in grid game 1 the "
        f"assumption holds in {grid['assumption_held']} of {grid['runs']} runs, and "
        f"{grid['joint_optimal_path']:.0%} end on a joint optimal path"
    )
    return Claim(
        id="nash-q-convergence",
        statement="Nash Q-learning converges to Nash Q-values where every stage game met has a "
        "global optimum, or every one a saddle point, and that one is used",
        source=_SOURCE,
        status=status,
        evidence={
            "runs": runs,
            "assumption_held": held,
            "shrunk": shrunk,
            "distances": [round(float(np.max(d)), 4) for d in (far, near)],
            "grid_game_1": grid,
            "published": PUBLISHED,
            "summary": summary,
        },
    )


def _shared(rng: np.random.Generator) -> tuple[StochasticGame, str]:
    """A game with common payoffs: every pair of equal tables has a global optimum."""
    base = garnet((2, 2), 2, 2, rng, exact=True)
    return _with_rewards(base, np.stack([rng.normal(size=(2, 4))] * 2)), "best:0"


def _opposed(rng: np.random.Generator) -> tuple[StochasticGame, str]:
    """A zero-sum game: every equilibrium of opposite tables is a saddle point."""
    base = garnet((2, 2), 2, 2, rng, exact=True)
    reward = rng.normal(size=(2, 4))
    return _with_rewards(base, np.stack([reward, -reward])), "first"


def _with_rewards(base: StochasticGame, reward: Array) -> StochasticGame:
    transition, initial = base.transition.astype(float), base.initial.astype(float)
    return StochasticGame(
        actions=base.actions,
        transition=transition,
        reward=reward,
        initial=initial,
        gamma=float(GAMMA),
    )


def _exact_table(game: StochasticGame, name: str) -> Array:
    values = solve(game, parse_selection(name, 2)).values
    return np.moveaxis(stage_payoffs(game, values), 1, 0)


def _distances(
    game: StochasticGame, name: str, exact: Array, rng: np.random.Generator, steps: int
) -> tuple[Array, Array]:
    """Largest error as a part of the largest value, and whether the assumption held, each [run]."""
    learned = nash_q(game, [name], rng, runs=RUNS, episodes=1, steps=steps)
    errors = np.abs(learned.table(name) - exact).max(axis=(1, 2, 3, 4))
    return errors / np.abs(exact).max(), learned.monitor.assumption_held()[:, 0]


def _grid(seed: int, episodes: int) -> dict[str, Any]:
    """First Nash learners in grid game 1."""
    name = "grid-game-1"
    stream = np.random.default_rng([seed, 41])
    learned = learn(name, ["first"], stream, runs=GRID_RUNS, episodes=episodes)
    (row,) = [r for r in pairs(name, learned) if r["agents"] == ["first Nash"] * 2]
    return {
        "runs": GRID_RUNS,
        "episodes": episodes,
        "states": published_game(name)[0].n_states,
        "assumption_held": int(learned.monitor.assumption_held().sum()),
        "joint_optimal_path": row["joint_optimal_path"],
    }


def rate_claim() -> Claim:
    """The published rate is slow where play goes on for ever."""
    proof = slow_rate()
    visits, gamma = 10**6, 0.99
    left = gamma * visits ** (gamma - 1)
    return Claim(
        id="nash-q-rate",
        statement="with the published rate 1/n, n updates of a game of one joint action leave at "
        "least gamma n^(gamma - 1) of the first error",
        source="docstring of tabular.audit.rows.nash_q",
        status="proved" if proof.holds else "open",
        evidence={
            "summary": f"{proof.summary}; at gamma = {gamma} a million updates leave {left:.0%}",
            "steps": list(proof.steps),
        },
    )


def slow_rate() -> Proof:
    """The module's three steps."""
    import sympy

    n = sympy.Symbol("n", integer=True, positive=True)
    V, Q = sympy.symbols("V Q", real=True)
    a, b, y = sympy.symbols("a b y", positive=True)
    p = a / (a + b)  # any number in (0, 1)
    gamma = 1 - p
    update = Q + (V * (1 - gamma) + gamma * Q - Q) / n
    x = sympy.Symbol("x", real=True)
    gap = 1 - p * x - (1 - x) ** p
    curve = sympy.simplify(sympy.diff(gap, x, 2).subs(x, 1 - y))
    first = sympy.simplify((V - update).subs({n: 1, Q: 0}) / V)
    bound = gamma * n ** (gamma - 1)
    step = (1 - 1 / (n + 1)) ** p * bound
    return concluded(
        "symbolically: by Bernoulli's inequality in every factor",
        [
            (
                "V - Q_n = (1 - (1 - gamma)/n) (V - Q_{n-1})",
                is_zero(sympy.expand((V - update) - (1 - (1 - gamma) / n) * (V - Q))),
            ),
            (
                "e_1 = gamma, the bound at n = 1",
                is_zero(first - gamma) and is_zero(bound.subs(n, 1) - gamma),
            ),
            (
                "1 - p x - (1 - x)^p is 0 with slope 0 at x = 0",
                is_zero(gap.subs(x, 0)) and is_zero(sympy.diff(gap, x).subs(x, 0)),
            ),
            ("and convex for x < 1, 0 < p < 1", curve.is_positive is True),
            (
                "(1 - 1/(n+1))^(1-gamma) takes gamma n^(gamma-1) to gamma (n+1)^(gamma-1)",
                is_zero(
                    sympy.powsimp(
                        sympy.powdenest(sympy.simplify(step / bound.subs(n, n + 1)), force=True)
                    )
                    - 1
                ),
            ),
        ],
    )
