"""Proofs about soft Q iteration of all agents at once: when it contracts, and when not.

Two runs, with Q apart by d and the policies by δ in total variation, of n agents with span Q ≤ S:

- uʲ = E_{π⁻ʲ} Qʲ moves by d and by at most (n − 1) S δ, so Q after the step by γ (d + (n − 1) S δ);
- the span of that over own actions is at most twice it, and softmax(u/α) moves by span/(4α) in
  total variation: along h its derivative is ½ Σ_a π_a |h_a − E_π h|/α.

So (d, δ) is multiplied by a matrix of rank one, and N = d + (n − 1) S δ by its eigenvalue β.
"""

from __future__ import annotations

from bounds.proofs.theorems import Proof, concluded, is_nonnegative, is_zero


def soft_agents() -> Proof:
    """N shrinks by β = γ + (n − 1) span R/(2 α (1 − γ)) in every step."""
    import sympy

    from bounds.library.soft_q import contraction_factor, sufficient_alpha, weight_of_policies

    h, mu, p = sympy.symbols("h mu p", nonnegative=True)
    g, alpha, span, more, others = sympy.symbols("g alpha span t n1", positive=True)
    gamma = g / (1 + g)
    part = weight_of_policies(others + 1, gamma, span)
    matrix = sympy.Matrix([[gamma, gamma * part], [1 / (2 * alpha), part / (2 * alpha)]])
    weights = sympy.Matrix([[1, part]])
    factor = contraction_factor(others + 1, gamma, span, alpha)
    enough = sufficient_alpha(others + 1, gamma, span)
    gap = sympy.factor(sympy.simplify((1 - factor).subs(alpha, enough * (1 + more))))
    chord = (1 - h) * mu + h * (1 - mu)
    rest, less = sympy.symbols("rest less", nonnegative=True)  # 1 − h and 1 − μ
    return concluded(
        "symbolically: alpha > (n - 1) span R/(2 (1 - gamma)^2) is enough",
        [
            (
                "|h - mu| <= (1 - h) mu + h (1 - mu) for h, mu in [0, 1]",
                is_nonnegative(sympy.expand(chord - (h - mu)).subs(h, 1 - rest))
                and is_nonnegative(sympy.expand(chord - (mu - h)).subs(mu, 1 - less)),
            ),
            (
                "whose mean 2 mu (1 - mu) is at most 1/2, so softmax moves by span/(4 alpha)",
                is_zero(sympy.Rational(1, 2) - 2 * p * (1 - p) - (1 - 2 * p) ** 2 / 2),
            ),
            (
                "(1, (n - 1) S) is a left eigenvector of the step's matrix, with eigenvalue beta",
                all(is_zero(x) for x in weights * matrix - factor * weights),
            ),
            (
                "beta < 1 where alpha is above (n - 1) span R/(2 (1 - gamma)^2)",
                gap.is_positive is True,
            ),
        ],
    )


def pennies_cycle() -> Proof:
    """Matching pennies, all at once: for α < 1 no run converges but the one from the equilibrium.

    With x = 2p − 1 and y = 2q − 1 the step is (x, y) → (tanh(y/α), −tanh(x/α)), so that the sizes
    |x| and |y| move by u → tanh(u/α), changing places. That map has a fixed point t > 0 for α < 1,
    its graph is concave, and so every u > 0 tends to t.
    """
    import sympy

    alpha, u, t = sympy.symbols("alpha u t", positive=True)
    y = sympy.Symbol("y", real=True)
    q = (1 + y) / 2
    advantage = sympy.expand((q - (1 - q)) - ((1 - q) - q))  # of heads, for the one who matches
    share = 1 / (1 + sympy.exp(-advantage / alpha))
    size = sympy.tanh(u / alpha)
    bend = sympy.diff(size, u, 2)
    # tanh(u/α) < 1, and 1 − tanh² = 1/cosh²
    concave = sympy.simplify(
        (bend * sympy.cosh(u / alpha) ** 2 / sympy.tanh(u / alpha)).rewrite(sympy.exp)
    )
    at_zero = sympy.limit(sympy.diff(size, u), u, 0)
    third = 1 / sympy.log(3)
    return concluded(
        "symbolically: for alpha < 1 the distances tend to t = tanh(t/alpha) > 0",
        [
            (
                "softmax makes 2 p - 1 = tanh(y/alpha)",
                is_zero((2 * share - 1 - sympy.tanh(y / alpha)).rewrite(sympy.exp)),
            ),
            ("the slope of tanh(u/alpha) at 0 is 1/alpha", is_zero(at_zero - 1 / alpha)),
            ("and it is concave for u > 0", concave.is_negative is True),
            ("tanh stays below 1", sympy.limit(sympy.tanh(t), t, sympy.oo) == 1),
            (
                "alpha = 1/log 3 has t = 1/2 exactly",
                is_zero(
                    (sympy.tanh(sympy.Rational(1, 2) / third) - sympy.Rational(1, 2)).rewrite(
                        sympy.exp
                    )
                ),
            ),
        ],
    )


def shapley_repels() -> Proof:
    """In Shapley's game the equilibrium repels slower steps too, π ← (1 − η) π + η softmax(u/α).

    The step's derivative at uniform play has the eigenvalue 1 − η + η λ for every λ of the full
    step's; one λ has the real part 1/(6α), so that it is above 1 in size for every η if α < 1/6.
    """
    import sympy

    alpha, eta = sympy.symbols("alpha eta", positive=True)
    lam = sympy.Symbol("lam")
    slope = (sympy.eye(3) / 3 - sympy.ones(3, 3) / 9) / alpha
    mine = sympy.eye(3)
    ahead = sympy.Matrix([[0, 0, 1], [1, 0, 0], [0, 1, 0]])  # agent 1: one action ahead of agent 0
    zero = sympy.zeros(3, 3)
    jacobian = sympy.Matrix(sympy.BlockMatrix([[zero, slope * mine], [slope * ahead, zero]]))
    root = (1 + sympy.sqrt(3) * sympy.I) / (6 * alpha)
    polynomial = (jacobian - lam * sympy.eye(6)).det()
    real = 1 - eta + eta / (6 * alpha)
    spare = sympy.Symbol("s", positive=True)  # 1/(6α) = 1 + s
    return concluded(
        "symbolically: an eigenvalue has real part 1/(6 alpha), so every step size is repelled",
        [
            ("(1 + i sqrt 3)/(6 alpha) is an eigenvalue", is_zero(polynomial.subs(lam, root))),
            (
                "for alpha < 1/6 the slowed one has a real part above 1",
                sympy.expand(real.subs(alpha, 1 / (6 * (1 + spare))) - 1).is_positive is True,
            ),
        ],
    )
