"""Proofs about the bounds as functions of the rollout length k: no inner k is best.

coupling-expected. Let g_l be l model steps y ↦ (c y − ε)⁺, c = c̄ > 0, ε = ε′_m. The bound is
span (1/(1 − γ) − c V(k)) with V(k) = Σ_{t<k} γᵗ g_t(1) + γᵏ Σ_{m≥0} γᵐ g_k(qᵐ).

1. g_l(y) = cˡ (y − θ_l)⁺, θ_l = ε (1 + c + … + c^{l−1})/cˡ, which grows with l.
2. V(k + 1) − V(k) = γ^{k+1} cᵏ F(θ_k), F(θ) = Σ_m γᵐ [a_m⁺ − b_m⁺], a_m = c qᵐ − ε − θ and
   b_m = q^{m+1} − θ.
3. a_m and b_m fall in m, so they are positive for m < N_a and for m < N_b. a_m − b_m =
   qᵐ (c − q) − ε falls in m where c > q, and is never above 0 otherwise.
4. If N_a > N_b then a_m > 0 ≥ b_m at m = N_b, so c > q, and a_m > b_m for all m ≤ N_b: F ≥ 0.
5. If N_a ≤ N_b then the right derivative of F is Σ_{N_a ≤ m < N_b} γᵐ ≥ 0.
6. So F does not fall where it is below 0; as it is continuous, once at 0 or above it stays there.

Hence V falls in k and then rises (either part may be missing), and the least value of the bound
over k ≥ 1 is at k = 1 or in the limit of k without end. With c = 0, V(k) = 1 for all k ≥ 1.

theorem2-printed. C(k + 1) − C(k) = 2 r_max [ε′_m + Σε_π̂ − γ^{k+1} (2 − γ) Σε_π] grows in k, so C is
convex, and k* is the least k ≥ 1 with γ^{k+1} (2 − γ) Σε_π ≤ ε′_m + Σε_π̂.
"""

from __future__ import annotations

from bounds.proofs.theorems import Proof, concluded, is_nonnegative, is_zero
from bounds.shared.numbers import Operand


def threshold(c: Operand, loss: Operand, steps: Operand) -> Operand:
    """θ_l = ε (1 + c + … + c^{l−1})/cˡ for c < 1: the mass that l model steps use up."""
    return loss * (1 - c**steps) / ((1 - c) * c**steps)


def difference_terms(
    c: Operand, q: Operand, loss: Operand, theta: Operand, power: Operand
) -> tuple[Operand, Operand]:
    """(a_m, b_m) at qᵐ = ``power``: what V(k + 1) and V(k) keep of the same reward."""
    return c * power - loss - theta, q * power - theta


def expected_form_has_no_inner_optimum() -> Proof:
    """coupling-expected, branched, is least at k = 1 or without limit: the module's six steps."""
    return concluded(
        "symbolically: V(k+1) - V(k) = gamma^(k+1) c^k F(theta_k), and F stays >= 0 once it is",
        [*_thresholds(), *_difference(), *_signs()],
    )


def _thresholds() -> list[tuple[str, bool]]:
    """Step 1; c = 1/(1 + h) is any number in (0, 1), and at c = 1 the limit of θ_l is lε."""
    import sympy

    h, eps, y, x = sympy.symbols("h epsilon y x", positive=True)
    l = sympy.Symbol("l", integer=True, nonnegative=True)  # noqa: E741
    c = 1 / (1 + h)
    now, following = threshold(c, eps, l), threshold(c, eps, l + 1)
    inner = c**l * (y - now)
    growth = sympy.powsimp(sympy.simplify(following - now))
    near = sympy.Symbol("near", positive=True)
    at_one = [sympy.limit(threshold(near, eps, steps), near, 1) for steps in range(4)]
    return [
        (
            "(c x^+ - eps)^+ = (c x - eps)^+: both are 0 for x <= 0",
            is_zero(sympy.Max(-c * x - eps, 0)) and is_zero(sympy.Max(-eps, 0)),
        ),
        ("theta_0 = 0", is_zero(threshold(c, eps, 0))),
        (
            "c^(l+1) (y - theta_{l+1}) = c [c^l (y - theta_l)] - eps",
            is_zero(sympy.expand(c ** (l + 1) * (y - following) - (c * inner - eps))),
        ),
        (
            "the same with the new step first: c^l (c y - eps - theta_l)",
            is_zero(sympy.expand(c ** (l + 1) * (y - following) - c**l * (c * y - eps - now))),
        ),
        (
            "theta_{l+1} - theta_l = eps/c^(l+1) > 0",
            is_zero(growth - eps / c ** (l + 1)) and (eps / c ** (l + 1)).is_positive is True,
        ),
        (
            "c = 1: theta_l = l eps in the limit, and y - (l + 1) eps = (y - l eps) - eps",
            at_one == [steps * eps for steps in range(4)]
            and is_zero(y - (l + 1) * eps - ((y - l * eps) - eps)),
        ),
    ]


def _difference() -> list[tuple[str, bool]]:
    """Step 2, on partial sums over m < M: equal at M = 0, and both grow by the same term."""
    import sympy

    gamma, q = sympy.symbols("gamma q", positive=True)
    k, M = sympy.symbols("k M", integer=True, nonnegative=True)
    now, following = sympy.Function("g_k"), sympy.Function("g_k1")
    # V(k+1) has the term t = k in front and M late ones; V(k) has one late one more
    start = gamma**k * now(1) - gamma**k * now(q**0)
    grown = gamma ** (k + 1) * gamma**M * following(q**M) - gamma**k * gamma ** (M + 1) * now(
        q ** (M + 1)
    )
    term = gamma ** (k + 1) * gamma**M * (following(q**M) - now(q ** (M + 1)))
    c, eps, theta, u = sympy.symbols("c epsilon theta u", nonnegative=True)
    a, b = difference_terms(c, q, eps, theta, u)
    return [
        ("V(k+1) - V(k) without late terms is 0", is_zero(start)),
        (
            "each m adds gamma^(k+1) gamma^m [g_{k+1}(q^m) - g_k(q^(m+1))]",
            is_zero(sympy.expand(sympy.powsimp(sympy.expand(grown - term)))),
        ),
        (
            "a_m = (c q^m - eps) - theta, b_m = q^(m+1) - theta",
            is_zero(a + eps + theta - c * u) and is_zero(b + theta - q * u),
        ),
    ]


def _signs() -> list[tuple[str, bool]]:
    """Steps 3 to 6; u = qᵐ, ``lost`` = 1 − q, ``gap`` = |c − q|, all ≥ 0."""
    import sympy

    u, eps, theta, lost, gap, c = sympy.symbols("u epsilon theta lost gap c", nonnegative=True)
    b, d, x = sympy.symbols("b d x", nonnegative=True)
    q = 1 - lost

    def pair(better: Operand, at: Operand) -> tuple[Operand, Operand]:
        return difference_terms(better, q, eps, theta, at)

    now, following = pair(c, u), pair(c, u * q)
    falls = sympy.expand(now[0] - following[0]), sympy.expand(now[1] - following[1])
    ahead, later = pair(q + gap, u), pair(q + gap, u * q)
    lead, next_lead = ahead[0] - ahead[1], later[0] - later[1]
    behind = pair(q - gap, u)
    slopes = sympy.diff(now[0], theta), sympy.diff(now[1], theta)
    return [
        (
            "a_m - a_{m+1} = c q^m (1 - q) and b_m - b_{m+1} = q q^m (1 - q), both >= 0",
            is_nonnegative(falls[0]) and is_zero(falls[1] - q * u * lost),
        ),
        ("a_m - b_m = q^m (c - q) - eps", is_zero(lead - (u * gap - eps))),
        ("it falls in m where c >= q", is_nonnegative(sympy.expand(lead - next_lead))),
        (
            "it is at most 0 where c <= q, so then N_a <= N_b",
            is_nonnegative(sympy.expand(behind[1] - behind[0])),
        ),
        (
            "N_a > N_b: a_m^+ - b_m^+ = a_m - b_m >= 0 for m < N_b",
            is_zero(sympy.Max(b + d, 0) - sympy.Max(b, 0) - d),
        ),
        (
            "and a_m^+ - b_m^+ = a_m^+ >= 0 for m >= N_b",
            bool((sympy.Max(now[0], 0) - sympy.Max(-x, 0)).is_nonnegative),
        ),
        ("a_m and b_m fall with slope 1 in theta", slopes == (-1, -1)),
        (
            "N_a <= N_b: F grows with slope sum_{N_a <= m < N_b} gamma^m, a sum of powers >= 0",
            (x ** sympy.Symbol("m", integer=True, nonnegative=True)).is_nonnegative is True,
        ),
    ]


def printed_optimum() -> Proof:
    """k* of Theorem 2 is the least k ≥ 1 with γ^{k+1} (2 − γ) Σε_π ≤ ε′_m + Σε_π̂."""
    import sympy

    from bounds.library.published import theorem2

    g, r, m, ego, opp, h = sympy.symbols("g r_max epsilon_m e_ego e_opp h", nonnegative=True)
    k = sympy.Symbol("k", integer=True, nonnegative=True)
    gamma = g / (1 + g)

    def step(at: Operand) -> Operand:
        return theorem2(gamma, at + 1, r, m, ego, opp, h) - theorem2(gamma, at, r, m, ego, opp, h)

    s = ego + opp
    claimed = 2 * r * (m + h - gamma ** (k + 1) * (2 - gamma) * s)
    grows = 2 * r * gamma ** (k + 1) * (1 - gamma) * (2 - gamma) * s
    return concluded(
        "symbolically: C is convex, C(k+1) - C(k) = 2 r_max [eps_m + sum_eps_hat - "
        "gamma^(k+1) (2 - gamma) sum_eps_pi]",
        [
            ("C(k+1) - C(k) is that", is_zero(sympy.expand(step(k) - claimed))),
            (
                "it grows in k by 2 r_max gamma^(k+1) (1 - gamma)(2 - gamma) sum_eps_pi >= 0",
                is_zero(sympy.expand(step(k + 1) - step(k) - grows)) and is_nonnegative(grows),
            ),
        ],
    )
