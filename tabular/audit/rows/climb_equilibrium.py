"""Climb has one equilibrium in each state: a proof that runs, on the very reward that is played.

With own action x, the other's y and R = W(y) − 2 (x − t(y))² as in ``tabular.games.climb``:

1. R = −2x² + 4x t(y) + (what does not depend on x). So against any distribution of y the expected
   reward is strictly concave in x, and its only best reply is the one point E t(y): t maps [−1, 1]
   into itself. Every equilibrium is pure.
2. The follower's t(y) is y. So at an equilibrium the leader's x solves x = t(x).
3. The leader's t(y) − y has the sign of σ/2 − y: the only solution is the landmark x = σ/2.
4. t does not fall, and ∂R/∂x = −4 (x − t(y)). If both agents keep to [l, h] ∋ σ/2, every x beyond
   t(h) or below t(l) is strictly dominated by that end. By 3 the ends move towards σ/2 without
   stopping short of it, so the landmark is the only rationalizable profile: the only equilibrium
   among correlated ones too.
5. The next state does not depend on the actions. Against stationary policies of the other agent the
   value of an own action is R plus a constant, so a stationary profile is an equilibrium of the
   discounted two-state game, from both states, if and only if it is one in each state. (Strategies
   that remember more than the state are not covered: repeated games have other equilibria.)

For a grid of actions step 4 is carried out exactly, by ``alone``.
"""

from __future__ import annotations

import numpy as np

from bounds.proofs.theorems import Proof, concluded, is_zero
from bounds.shared.claims import Claim
from bounds.shared.numbers import Operand
from tabular.equilibria.strict_dominance import undominated
from tabular.games import climb

#: Grids on which the discretised game is checked, exactly and exhaustively.
SIZES = (5, 9, 13, 17)


def climb_claims() -> list[Claim]:
    """The ledger's row about Climb."""
    proof = unique_equilibrium()
    left = [alone(size) for size in SIZES]
    grids = f"{sum(left)} of {len(SIZES)} grids by exact elimination"
    return [
        Claim(
            id="climb-unique-equilibrium",
            statement="the only Nash equilibrium of Climb, pure, mixed or correlated, is the "
            "lower-left landmark in state 1 and the upper-right one in state 2; the only "
            "stationary equilibrium of the discounted two-state game plays these",
            source="Zhang et al., IJCAI 2021, Figure 4, with the reward of tabular.games.climb",
            status="proved" if proof.holds and all(left) else "open",
            evidence={
                "summary": f"{proof.summary}; {grids}",
                "steps": list(proof.steps),
                "grids": list(SIZES),
            },
        )
    ]


def unique_equilibrium() -> Proof:
    """Each state's only equilibrium is ``climb.equilibrium``: the module's five steps."""
    steps = [step for state in range(2) for step in _state_steps(state)]
    return concluded(
        "symbolically: the best reply to any mixture is one point, and the leader's moves past the "
        "follower's place everywhere but at its landmark",
        [*steps, *_surface(), *_two_states()],
    )


def _state_steps(state: int) -> list[tuple[str, bool]]:
    import sympy

    x, y = sympy.symbols("x y", real=True)
    e, p = sympy.Symbol("e", real=True), sympy.Symbol("p", positive=True)
    leader, follower = state, 1 - state
    sigma = climb.SIGNS[leader]
    here = f"state {state + 1}"
    steps = []
    for agent in (leader, follower):
        own = climb.reward(agent, state, x, y)
        reply = climb.target(agent, state, y)
        rest = own + climb.STEEPNESS * x**2 - 2 * climb.STEEPNESS * x * reply
        steps.append(
            (
                f"{here}, agent {agent}: R + {climb.STEEPNESS} x^2 - {2 * climb.STEEPNESS} x t(y) "
                "does not depend on x",
                climb.STEEPNESS > 0 and is_zero(sympy.diff(rest, x)),
            )
        )
    moves = climb.target(leader, state, y)
    slope = sympy.factor(sympy.simplify(sympy.diff(moves, y).subs(y, (sigma - e) / 2)))
    ends = [climb.target(leader, state, sympy.Integer(end)) for end in (climb.LOW, climb.HIGH)]
    beyond = [
        sympy.factor(sympy.simplify((moves - y).subs(y, (sigma - side * p) / 2)))
        for side in (1, -1)
    ]
    meeting = [sympy.Rational(place) for place in climb.equilibrium(state)]
    return [
        *steps,
        (f"{here}: the leader's t does not fall", slope.is_nonnegative is True),
        (f"{here}: t(-1) and t(1) lie in [-1, 1]", all(-1 <= end <= 1 for end in ends)),
        (
            f"{here}: the follower's t(y) is y",
            is_zero(climb.target(follower, state, y) - y),
        ),
        (
            f"{here}: the leader's t(y) - y > 0 below its landmark and < 0 above",
            beyond[0].is_positive is True and beyond[1].is_negative is True,
        ),
        (
            f"{here}: the leader's t(y) = y at its landmark, the paper's equilibrium",
            meeting == [sympy.Rational(sigma, 2)] * 2
            and is_zero(moves.subs(y, meeting[leader]) - meeting[leader]),
        ),
    ]


def _surface() -> list[tuple[str, bool]]:
    """What the figure shows: where the landmarks lie on the surfaces, and who prefers which."""
    import sympy

    x, y = sympy.symbols("x y", real=True)
    half = sympy.Rational(1, 2)
    steps = []
    for state in range(2):
        leader, follower = state, 1 - state
        near, far = climb.SIGNS[leader] * half, -climb.SIGNS[leader] * half
        lead, follow = (climb.reward(agent, state, x, y) for agent in (leader, follower))
        values = [surface.subs({x: at, y: at}) for surface in (lead, follow) for at in (near, far)]
        peaks = [(lead, near), (follow, near), (follow, far)]
        steps += [
            (
                f"state {state + 1}: the leader earns {values[0]} here and {values[1]} at the "
                f"other landmark, the follower {values[2]} and {values[3]}",
                bool(values[0] > values[1] and values[2] < values[3]),
            ),
            (
                f"state {state + 1}: the follower's reward peaks at both landmarks, the leader's "
                "here",
                all(_peaks(surface, x, y, at) for surface, at in peaks),
            ),
        ]
    return steps


def _peaks(surface: Operand, x: Operand, y: Operand, at: Operand) -> bool:
    """Whether the gradient is 0 and the Hessian negative definite at (at, at), exactly."""
    import sympy

    here = {x: at, y: at}
    gradient = [sympy.diff(surface, v).subs(here) for v in (x, y)]
    hessian = sympy.hessian(surface, (x, y)).subs(here)
    return all(map(is_zero, gradient)) and bool(hessian[0, 0] < 0 and hessian.det() > 0)


def _two_states() -> list[tuple[str, bool]]:
    transition = climb.climb().transition
    same = bool((transition == transition[:, :1]).all())
    return [("the next state's distribution is the same for all actions", same)]


def alone(size: int) -> bool:
    """Whether elimination on the grid of ``size`` actions leaves the landmark alone, each state."""
    game, own = climb.climb(size), climb.grid(size)
    payoffs = np.moveaxis(game.reward, 1, 0).reshape(2, 2, size, size)
    left = undominated(payoffs)
    return all(
        [tuple(own[kept[s]]) for kept in left] == [(place,) for place in climb.equilibrium(s)]
        for s in range(2)
    )
