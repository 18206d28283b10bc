"""Proofs that run: symbolic derivations whose every step is checked by SymPy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Proof:
    """Whether every step was established, what was shown, and the steps in words."""

    holds: bool
    summary: str
    steps: tuple[str, ...]


def opponent_term_bracket() -> Proof:
    """k m < (n_j + 1) ε ≤ k m + ε for n_j = ⌊k m / ε⌋, m = min ε_π̂, ε > 0; summed over j.

    With f = k m/ε − n_j the fractional part, (n_j + 1) ε − k m = (1 − f) ε, and 0 ≤ f < 1.
    """
    import sympy

    k, m, eps = sympy.symbols("k m epsilon", positive=True)
    f = sympy.Symbol("f", nonnegative=True)
    length = k * m / eps - f  # n_j, by the definition of the fractional part f
    excess = sympy.expand((length + 1) * eps - k * m)
    identity = sympy.simplify(excess - (1 - f) * eps) == 0
    gap = sympy.Symbol("g", positive=True)  # f = 1 − g < 1
    positive = sympy.simplify(excess.subs(f, 1 - gap)).is_positive is True
    at_most = sympy.simplify(eps - excess).is_nonnegative is True
    return Proof(
        holds=bool(identity and positive and at_most),
        summary="symbolically: each term is k min eps_hat + (1 - f) eps_hat_j with 0 <= f < 1",
        steps=(
            f"(n_j + 1) eps - k m = (1 - f) eps with n_j = k m / eps - f: {identity}",
            f"f < 1 makes it positive: {positive}",
            f"f >= 0 makes it at most eps: {at_most}",
        ),
    )
