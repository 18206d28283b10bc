"""Proofs about Theorems 1 and 2 and coupling-sup, in steps that SymPy establishes.

The printed theorems, read for the normalised return, follow from the coupling bounds by three
elementary facts. With h = Σε_π̂, s = Σε_π (all agents), x_t the coupled mass, span ≤ 2 r_max:

1. Weierstrass: Π(1 − e_j) ≥ 1 − Σe_j, so 1 − c̄ ≤ h, 1 − q ≤ s, 1 − κ ≤ s + h.
2. One step loses at most its errors: (c x − ε)⁺ ≥ x − (1 − c) − ε for 0 ≤ x ≤ 1. By induction
   x_t ≥ 1 − (t − k)⁺ s − min(t, k)(h + ε), or 1 − t(s + h + ε) for the data form.
3. (1 − γ) Σ_t γᵗ 1[t ≥ j] = γʲ, summed over j: (1 − γ)Σ γᵗ t = γ/(1 − γ),
   (1 − γ)Σ γᵗ (t − k)⁺ = γ^{k+1}/(1 − γ), (1 − γ)Σ γᵗ min(t, k) = γ(1 − γᵏ)/(1 − γ) ≤ k.

A loss at time t is at most 1 − c̄ x_t ≤ h + (1 − x_t). What is left is a comparison of sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bounds.shared.numbers import Operand


@dataclass(frozen=True)
class Proof:
    """Whether every step was established, what was shown, and the steps in words."""

    holds: bool
    summary: str
    steps: tuple[str, ...]


def concluded(summary: str, steps: Sequence[tuple[str, bool]]) -> Proof:
    """The proof made of ``steps`` (words, whether established)."""
    return Proof(
        holds=all(done for _, done in steps),
        summary=summary,
        steps=tuple(
            f"{words}: {'established' if done else 'NOT established'}" for words, done in steps
        ),
    )


def is_zero(expression: Operand) -> bool:
    """Whether SymPy simplifies ``expression`` to 0."""
    import sympy

    return bool(sympy.simplify(expression) == 0)


def is_nonnegative(expression: Operand) -> bool:
    """Whether SymPy, after factoring, knows that ``expression`` is ≥ 0."""
    import sympy

    return sympy.factor(sympy.simplify(expression)).is_nonnegative is True


def _common_steps() -> list[tuple[str, bool]]:
    import sympy

    e, p, x, c, eps = sympy.symbols("e p x c epsilon", nonnegative=True)
    lost, gone = sympy.symbols("lost gone", nonnegative=True)  # 1 − c and 1 − x
    # Weierstrass, induction step: if Π ≥ 1 − p then Π(1 − e) ≥ (1 − p)(1 − e) ≥ 1 − p − e
    weierstrass = is_nonnegative(sympy.expand((1 - p) * (1 - e) - (1 - p - e)))
    step = sympy.expand((c * x - eps) - (x - (1 - c) - eps))
    one_step = is_nonnegative(sympy.expand(step.subs({c: 1 - lost, x: 1 - gone})))
    loss = sympy.expand((1 - c) + (1 - x) - (1 - c * x)).subs({c: 1 - lost, x: 1 - gone})
    return [
        ("(1 - p)(1 - e) >= 1 - p - e, the induction step of Weierstrass' inequality", weierstrass),
        ("c x - eps >= x - (1 - c) - eps for c, x in [0, 1]", one_step),
        ("1 - c x <= (1 - c) + (1 - x) for c, x in [0, 1]", is_nonnegative(sympy.expand(loss))),
    ]


def _sums() -> list[tuple[str, bool]]:
    """Geometric sums, with γ = g/(1 + g), g ≥ 0, so that |γ| < 1 is known."""
    import sympy

    g = sympy.Symbol("g", positive=True)
    j, k, t = sympy.symbols("j k t", integer=True, nonnegative=True)
    gamma = g / (1 + g)
    tail = (1 - gamma) * gamma**j * sympy.summation(gamma**t, (t, 0, sympy.oo))
    first = sympy.summation(gamma**j, (j, 1, k))
    closed = gamma * (1 - gamma**k) / (1 - gamma)
    return [
        ("(1 - gamma) sum_{t >= j} gamma^t = gamma^j", is_zero(tail - gamma**j)),
        (
            "sum_{j=1..k} gamma^j = gamma (1 - gamma^k)/(1 - gamma)",
            is_zero(first.rewrite(sympy.Pow) - closed) or telescopes(closed, gamma, k),
        ),
    ]


def telescopes(closed: Operand, gamma: Operand, k: Operand) -> bool:
    """Whether closed(0) = 0 and closed(k + 1) − closed(k) = γ^{k+1}."""
    return is_zero(closed.subs(k, k + 1) - closed - gamma ** (k + 1)) and is_zero(closed.subs(k, 0))


def theorem1_from_coupling() -> Proof:
    """(1 − γ) coupling-data ≤ right-hand side of Eq. (2), for all n, γ, ε."""
    import sympy

    from bounds.library.published import theorem1

    g, r, m, ego, opp, h = sympy.symbols("g r_max epsilon_m e_ego e_opp h", nonnegative=True)
    gamma = g / (1 + g)
    s = ego + opp
    # (1 − γ) span Σγᵗ(1 − c̄x_t) ≤ 2 r_max [h + (1 − γ)Σγᵗ t (m + s + h)], and the sum is γ/(1 − γ)
    majorant = 2 * r * (h + gamma / (1 - gamma) * (m + s + h))
    gap = sympy.simplify(theorem1(gamma, r, m, ego, opp, h) - majorant)
    steps = [*_common_steps(), *_sums()]
    steps.append(
        ("2 r_max [h + gamma (eps_m + s + h)/(1 - gamma)] <= Eq. (2)", is_nonnegative(gap))
    )
    return concluded(
        "symbolically, from the coupling: the policy shift enters once, not twice", steps
    )


def theorem2_from_coupling() -> Proof:
    """(1 − γ) coupling-expected, branched, ≤ Eq. (3) without its third term, for all n, k, γ, ε."""
    import sympy

    from bounds.library.published import theorem2_without_third_term

    g, r, m, s, h = sympy.symbols("g r_max epsilon_m s h", nonnegative=True)
    k = sympy.Symbol("k", integer=True, nonnegative=True)
    gamma = g / (1 + g)
    inside = sympy.Symbol("P", nonnegative=True)  # Σ_{j=1..k} γʲ
    spare = sympy.Symbol("d", nonnegative=True)  # k − Σ_{j=1..k} γʲ, as every γʲ ≤ 1
    bound = theorem2_without_third_term
    shift = 2 * r * gamma ** (k + 1) / (1 - gamma) * s
    apart = bound(gamma, k, r, m, s, h) - bound(gamma, k, r, m, 0, h)
    rest = bound(gamma, inside + spare, r, m, 0, h) - 2 * r * (h + inside * (h + m))
    steps = [
        *_common_steps(),
        *_sums(),
        ("the bound's part in s is 2 r_max gamma^{k+1} s/(1 - gamma)", is_zero(apart - shift)),
        (
            "1 - gamma >= 0, so gamma^j <= 1 and P = sum_{j=1..k} gamma^j <= k",
            is_nonnegative(1 - gamma),
        ),
        ("2 r_max [h + P (h + eps)] <= the rest of the bound, for k = P + d", is_nonnegative(rest)),
    ]
    return concluded("symbolically, from the coupling: the third term is not needed", steps)


def sup_closed_form() -> Proof:
    """coupling-sup is span Σγᵗ (1 − c̄ x_t), x_t = q^{(t−k)⁺} ρ^{min(t,k)}; unbranched x_t = ρᵗ.

    Term by term: Σ_{t≤k} (γρ)ᵗ, then (γρ)ᵏ Σ_{j≥1} (γq)ʲ. A closed form of a partial sum is proved
    by its first value and its steps; what it still lacks is a power of a number below 1.
    """
    import sympy

    from bounds.library.published import coupling_sup_branched, coupling_sup_model

    g, lost, span, c, rho = sympy.symbols("g lost span c_bar rho", positive=True)
    q = 1 / (1 + lost)  # q in (0, 1]; γ as above
    gamma = g / (1 + g)
    k, j = sympy.symbols("k j", integer=True, nonnegative=True)
    branch = (1 - (gamma * rho) ** (k + 1)) / (1 - gamma * rho)  # Σ_{t≤k} (γρ)ᵗ
    late = gamma * q * (1 - (gamma * q) ** j) / (1 - gamma * q)  # Σ_{i=1..j} (γq)ⁱ
    whole = gamma * q / (1 - gamma * q)
    value = span * (1 / (1 - gamma) - c * (branch + (gamma * rho) ** k * whole))
    unbranched = span * (
        1 / (1 - gamma) - c * (branch + (gamma * rho) ** (k + 1) / (1 - gamma * rho))
    )
    return concluded(
        "symbolically: the series telescopes into the closed form, branched and unbranched",
        [
            (
                "sum_{t=0..k} (gamma rho)^t is 1 at k = 0",
                is_zero(branch.subs(k, 0) - 1),
            ),
            (
                "and grows by (gamma rho)^(k+1)",
                is_zero(branch.subs(k, k + 1) - branch - (gamma * rho) ** (k + 1)),
            ),
            ("sum_{i=1..j} (gamma q)^i telescopes", telescopes(late, gamma * q, j)),
            (
                "it lacks (gamma q)^j times its limit, and gamma q < 1",
                is_zero(whole - late - (gamma * q) ** j * whole)
                and sympy.factor(1 - gamma * q).is_positive is True,
            ),
            (
                "coupling-sup, branched, is the sum of the two parts",
                is_zero(coupling_sup_branched(gamma, k, span, c, rho, q) - value),
            ),
            (
                "coupling-sup, unbranched, is the limit: (gamma rho)^(k+1)/(1 - gamma rho) is left",
                is_zero(sympy.together(coupling_sup_model(gamma, span, c, rho) - unbranched)),
            ),
        ],
    )


def sup_form_is_monotone_in_k() -> Proof:
    """coupling-sup(k + 1) − coupling-sup(k) has the sign of q − ρ, for all k."""
    import sympy

    from bounds.library.published import coupling_sup_branched

    gamma, span, c, rho, q = sympy.symbols("gamma span c_bar rho q", positive=True)
    k = sympy.Symbol("k", integer=True, nonnegative=True)

    def bound(steps: Operand) -> Operand:
        return coupling_sup_branched(gamma, steps, span, c, rho, q)

    step = bound(k + 1) - bound(k)
    claimed = span * c * (gamma * rho) ** k * gamma * (q - rho) / (1 - gamma * q)
    identity = is_zero(sympy.expand(sympy.powsimp(sympy.expand_power_base(step - claimed))))
    return concluded(
        "symbolically: the step in k is span c (gamma rho)^k gamma (q - rho)/(1 - gamma q)",
        [("coupling-sup(k+1) - coupling-sup(k) is that product", identity)],
    )


def opponent_term_bracket() -> Proof:
    """k m < (n_j + 1) ε ≤ k m + ε for n_j = ⌊k m / ε⌋, m = min ε_π̂, ε > 0; summed over j.

    With f = k m/ε − n_j the fractional part, (n_j + 1) ε − k m = (1 − f) ε, and 0 ≤ f < 1.
    """
    import sympy

    k, m, eps, gap = sympy.symbols("k m epsilon g", positive=True)
    f = sympy.Symbol("f", nonnegative=True)
    length = k * m / eps - f  # n_j, by the definition of the fractional part f
    excess = sympy.expand((length + 1) * eps - k * m)
    positive = sympy.simplify(excess.subs(f, 1 - gap)).is_positive is True
    return concluded(
        "symbolically: each term is k min eps_hat + (1 - f) eps_hat_j with 0 <= f < 1",
        [
            (
                "(n_j + 1) eps - k m = (1 - f) eps with n_j = k m / eps - f",
                is_zero(excess - (1 - f) * eps),
            ),
            ("f < 1 makes it positive", positive),
            ("f >= 0 makes it at most eps", is_nonnegative(eps - excess)),
        ],
    )
