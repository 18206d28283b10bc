r"""For deterministic dynamics the bounds say nothing: the proof, and its row in the ledger.

Let T(·|s, a) be a point s′ in ℝᵈ and let T̂(·|s, a) have a density, as every Gaussian has, and every
mixture of them, so every ensemble of probabilistic networks. The event {s′} has probability 1 under
T and 0 under T̂. Hence

    D_TV(T, T̂) = sup_B |T(B) − T̂(B)| ≥ |1 − 0| = 1      in every s, a, however good T̂ is,

and ε_m = ε′_m = ε_sup = 1. With errors of 1:

1. Theorem 2, normalised, is at least 2 r_max for every k ≥ 1: no less than the trivial bound. So is
   Theorem 1 for γ ≥ 1/2.
2. The coupled mass is gone after one step of the model, (c x − 1)⁺ = 0. All coupling bounds become
   span [1/(1 − γ) − c̄], with opponent-wise lengths c_1 in place of c̄: the first action is still
   together, and no k ≥ 1 differs from any other.
3. Theorem 2's k* is 1 wherever Σε_π ≤ 1 + Σε_π̂, whatever was learned: γ²(2 − γ) ≤ 1.

So on such worlds (the particle tasks) the paper's rule for k has no input: its optimum does not
depend on the dynamics model, and a schedule of k or a compounding error
(``deep.dynamics.compounding_error``) must stand in. What is said of policies and opponent models
stays: where actions are choices, their total variations are as before.

An estimate of D_TV from bins measures the bins: ``binned_distance`` tends to 1 as they shrink and,
for a model that is right but for its deviation, to 0 as they grow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import product

from bounds.formula.error_profile import ErrorProfile
from bounds.proofs.theorems import Proof, concluded, is_nonnegative, is_zero
from bounds.shared.claims import Claim, Status
from bounds.shared.numbers import InputError, Operand

NAME = "tv-bounds-on-deterministic-dynamics"


def binned_distance(
    point: Sequence[float], mean: Sequence[float], deviation: Sequence[float], width: float
) -> float:
    """D_TV on cubes of side ``width``, one of them around ``point``, of that point and a Gaussian.

    1 − the Gaussian's probability of the cube with the point; mean, deviation: of each number,
    independent. Raises ``InputError`` unless widths and deviations are above 0.
    """
    if not width > 0 or not all(d > 0 for d in deviation):
        raise InputError("width, deviation: not above 0; a bin has a size and a density a spread")
    inside = 1.0
    for x, m, d in zip(point, mean, deviation, strict=True):
        low, high = (x - width / 2 - m) / d, (x + width / 2 - m) / d
        inside *= (math.erf(high / math.sqrt(2)) - math.erf(low / math.sqrt(2))) / 2
    return 1 - inside


def deterministic_claim() -> Claim:
    """Proved, step by step."""
    proof = says_nothing()
    status: Status = "proved" if proof.holds else "open"
    sharp = [binned_distance([0.0] * 4, [0.0] * 4, [0.01] * 4, h) for h in (0.1, 0.01, 0.001)]
    shown = ", ".join(f"{d:.2f}" for d in sharp)
    return Claim(
        id=NAME,
        statement="for deterministic T and any T_hat with a density D_TV(T, T_hat) = 1 "
        "everywhere; then theorem2-normalised is at least trivial for k >= 1, theorem1-normalised "
        "for gamma >= 1/2, no coupling bound depends on k >= 1, and the printed k* is 1 where "
        "sum_eps_pi <= 1 + sum_eps_hat: no guidance on k from the dynamics model",
        source="docstring of bounds.proofs.deterministic_dynamics",
        status=status,
        evidence={
            "summary": f"{proof.summary}; by bins of 0.1, 0.01, 0.001 a model with the right means "
            f"and deviations of 0.01 in 4 numbers is at {shown}",
            "steps": list(proof.steps),
            "binned": sharp,
        },
    )


def says_nothing() -> Proof:
    """The module's statements."""
    import sympy

    from bounds.library.published import theorem1, theorem2

    h, d, s, a = sympy.symbols("h d s a", positive=True)
    mass = (
        sympy.erf((h / 2 - d) / (s * sympy.sqrt(2))) + sympy.erf((h / 2 + d) / (s * sympy.sqrt(2)))
    ) / 2
    gone = sympy.limit(mass, h, 0, "+")
    g, r, ego, opp, hat = sympy.symbols("g r_max e_ego e_opp e_hat", nonnegative=True)
    m = sympy.Symbol("m", integer=True, nonnegative=True)
    gamma, half = g / (1 + g), (1 + g) / (2 + g)
    second = theorem2(gamma, 1 + m, r, 1, ego, opp, hat) - 2 * r
    first = theorem1(half, r, 1, ego, opp, hat) - 2 * r
    lost, left = sympy.symbols("lost left", nonnegative=True)  # 1 − c and 1 − x
    spare = 1 - (1 - lost) * (1 - left)  # 1 − c x
    level = 1 - gamma**2 * (2 - gamma)
    return concluded(
        "by the event {s'} of probability 1 and 0, and symbolically from there",
        [
            (
                "a Gaussian's probability of a bin around s' tends to 0 with its width, wherever "
                "its mean is",
                is_zero(gone) and is_zero(sympy.limit(mass.subs(d, 0), h, 0, "+")),
            ),
            (
                "so a mixture's does: weights times 0",
                is_zero(sympy.limit(a * mass + (1 - a) * mass.subs(s, 2 * s), h, 0, "+")),
            ),
            ("theorem 2 at eps'_m = 1, k = 1 + m, less 2 r_max is >= 0", is_nonnegative(second)),
            ("theorem 1 at eps_m = 1, gamma >= 1/2, less 2 r_max is >= 0", is_nonnegative(first)),
            (
                "1 - c x >= 0 for c, x in [0, 1] (= lost + left - lost left), so (c x - 1)+ = 0",
                is_zero(spare - (lost * (1 - left) + left)),
            ),
            ("all coupling bounds are span [1/(1 - gamma) - c_1] at errors of 1", _no_k()),
            (
                "1 - gamma^2 (2 - gamma) = (1 - gamma)(1 + gamma - gamma^2) >= 0, so k* = 1",
                is_nonnegative(level),
            ),
        ],
    )


def _no_k() -> bool:
    """Whether every coupling bound at model errors of 1 is the one number, exactly, on a grid."""
    from bounds.library.coupling import data, expected, sup

    F = Fraction
    same = True
    for gamma, hat, shift in product((F(0), F(1, 2), F(19, 20)), (F(0), F(1, 10)), (F(0), F(1, 5))):
        at = ErrorProfile(
            gamma=gamma,
            policy_shift=(shift,) * 3,
            opponent_model=(hat, 2 * hat),
            model_data=F(1),
            model_current=F(1),
            model_sup=F(1),
        )
        whole = at.span * (1 / (1 - gamma) - (1 - hat) * (1 - 2 * hat))
        values: list[Operand] = [data(at), expected(at, False), sup(at, False)]
        for k in (1, 2, 3, 10):
            values += [form(at.with_(k=k), True) for form in (expected, sup)]
        same &= all(value == whole for value in values)
        one = at.span * (1 / (1 - gamma) - (1 - hat))
        uneven = [at.with_(k=k, opponent_lengths=(k, 0)) for k in (1, 2, 3, 10)]
        same &= all(form(p, True) == one for p in uneven for form in (expected, sup))
    return same
