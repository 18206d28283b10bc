"""Formulas about soft Q iteration: distances, temperatures, gaps; plain functions of any numbers.

What they bound is said in the modules of ``tabular.soft_q``; the proofs are in
``bounds.proofs.soft_q`` and ``bounds.proofs.simultaneous_soft_q``.
"""

from __future__ import annotations

from bounds.shared.numbers import Operand


def q_distance(gamma: Operand, span: Operand, rho: Operand) -> Operand:
    """span γ (1 − ρ)/((1 − γ)(1 − γρ)), on max |Q* − Q̂*|; for V it is ``coupling_sup_model``."""
    return span * gamma * (1 - rho) / ((1 - gamma) * (1 - gamma * rho))


def weight_of_policies(n: Operand, gamma: Operand, span: Operand) -> Operand:
    """(n − 1) S, S = span R/(1 − γ): what a total variation weighs against a distance of Q."""
    return (n - 1) * span / (1 - gamma)


def contraction_factor(n: Operand, gamma: Operand, span: Operand, alpha: Operand) -> Operand:
    """β = γ + (n − 1) span R/(2 α (1 − γ)), of all agents learning at once."""
    return gamma + (n - 1) * span / (2 * alpha * (1 - gamma))


def sufficient_alpha(n: Operand, gamma: Operand, span: Operand) -> Operand:
    """(n − 1) span R/(2 (1 − γ)²): β < 1 for every α above it."""
    return (n - 1) * span / (2 * (1 - gamma) ** 2)


def nash_gap(alpha: Operand, log_actions: Operand, gamma: Operand) -> Operand:
    """α log|A|/(1 − γ), on |V_α − V₀|."""
    return alpha * log_actions / (1 - gamma)
