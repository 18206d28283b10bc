"""Proofs about soft Q iteration: contraction, learned models, and the limit α → 0.

L_α(x) = α log Σ_a exp(x_a/α); S = span R/(1 − γ). What is not algebra is stated here.

1. *Contraction.* L_α is monotone and L_α(x + c) = L_α(x) + c, so x ≤ y + d gives
   L_α(x) ≤ L_α(y) + d: it is 1-Lipschitz in the sup norm. Expectations are so too, and γ is left
   of T; T(Q + c) − T Q = γ c shows that nothing smaller will do. Two entries are enough: L_α of
   more is L_α of L_α.
2. *Distance.* Draw from p and q together wherever that is possible: E_p f − E_q g ≤ (1 − d) D + d S
   for d = D_TV(p‖q), if f ≤ g + D everywhere and f, g lie within S of one another. Once for the
   opponents' actions, once for the next state: the fixed points' largest distance D obeys
   D ≤ (1 − c̄) S + c̄ γ [(1 − ε_sup) D + ε_sup S].
3. *To Nash.* max ≤ L_α ≤ max + α log m, summed with γ.
"""

from __future__ import annotations

from bounds.proofs.theorems import Proof, concluded, is_nonnegative, is_zero
from bounds.shared.numbers import Operand


def _logsumexp(alpha: Operand, *entries: Operand) -> Operand:
    import sympy

    return alpha * sympy.log(sum(sympy.exp(x / alpha) for x in entries))


def soft_contraction() -> Proof:
    """T contracts with factor γ in the sup norm, and with no smaller one."""
    import sympy

    alpha, g = sympy.symbols("alpha g", positive=True)
    x, y, z, c = sympy.symbols("x y z c", real=True)
    p, r = sympy.symbols("p r", positive=True)
    gamma = g / (1 + g)
    soft = _logsumexp(alpha, x, y)
    slopes = [sympy.simplify(sympy.diff(soft, v)) for v in (x, y)]
    shifted = _logsumexp(alpha, x + c, y + c)
    # log(e^{c/α} s) = c/α + log s for positive s
    factor = sympy.simplify(sympy.exp((shifted - soft) / alpha) - sympy.exp(c / alpha))
    nested = _logsumexp(alpha, soft, z)
    once = sympy.exp(_logsumexp(alpha, x, y, z) / alpha)
    values = [sympy.Symbol(f"v{i}", real=True) for i in range(2)]
    backup = r + gamma * (p * values[0] + (1 - p) * values[1])
    later = backup.subs({v: v + c for v in values}, simultaneous=True)
    return concluded(
        "symbolically: log-sum-exp is monotone and moves with constants; Q + c attains gamma",
        [
            ("both slopes of L(x, y) are positive", all(s.is_positive for s in slopes)),
            ("and they sum to 1", is_zero(sum(slopes) - 1)),
            ("L(x + c, y + c) = L(x, y) + c", is_zero(factor)),
            ("L(L(x, y), z) = L(x, y, z)", is_zero(sympy.exp(nested / alpha) - once)),
            ("T(Q + c) - T Q = gamma c, as V moves by c", is_zero(later - backup - gamma * c)),
        ],
    )


def soft_distance() -> Proof:
    """max |V* − V̂*| ≤ coupling-sup, unbranched, for every α; and the bound on Q."""
    import sympy

    from bounds.library.published import coupling_sup_model
    from bounds.library.soft_q import q_distance

    g, lost, over, span = sympy.symbols("g lost over span", nonnegative=True)
    c, eps, far, alpha = sympy.symbols("c epsilon D alpha", nonnegative=True)
    m = sympy.Symbol("m", integer=True, positive=True)
    low = sympy.Symbol("low", real=True)
    gamma = g / (1 + g)
    most = span / (1 - gamma)
    # (1 − e) D + e S with e = d + lost, D = S − over: what is coupled less costs more
    d = sympy.Symbol("d", nonnegative=True)

    def mixed(error: Operand) -> Operand:
        return (1 - error) * (most - over) + error * most

    def step(distance: Operand) -> Operand:
        return (1 - c) * most + c * gamma * ((1 - eps) * distance + eps * most)

    claimed = coupling_sup_model(gamma, span, c, c * (1 - eps))
    of_q = gamma * ((1 - eps) * claimed + eps * most)
    rho = c * (1 - eps)
    stated = q_distance(gamma, span, rho)
    a, b = sympy.symbols("a b", nonnegative=True)  # c = 1/(1 + a), 1 − ε = 1/(1 + b)
    inside = {c: 1 / (1 + a), eps: b / (1 + b)}
    equal = sympy.exp(_logsumexp(alpha, low, low) / alpha) - 2 * sympy.exp(low / alpha)
    rest = sympy.factor((1 - c * gamma * (1 - eps)).subs(inside))
    within = sympy.together((most - claimed).subs(inside))
    value = (low + alpha * sympy.log(m)) / (1 - gamma)
    return concluded(
        "symbolically: the soft values have the span of the rewards, so the temperature drops out",
        [
            (
                "(1 - d) D + d S grows with d while D <= S",
                is_nonnegative(mixed(d + lost) - mixed(d)),
            ),
            ("L of equal entries is the entry plus alpha log of their number", is_zero(equal)),
            (
                "(low + alpha log m)/(1 - gamma) is a lower value that T keeps, for low = min R",
                is_zero(sympy.expand(low + gamma * value + alpha * sympy.log(m)) - value),
            ),
            ("the step's slope in D, c gamma (1 - eps), is below 1", bool(rest.is_positive)),
            ("coupling-sup solves D = step(D)", is_zero(step(claimed) - claimed)),
            ("it is at most S = span/(1 - gamma)", is_nonnegative(within)),
            (
                "gamma [(1 - eps) D + eps S] is the bound on Q",
                is_zero(sympy.together(of_q - stated)),
            ),
            ("the step is linear in D", is_zero(sympy.diff(step(far), far, 2))),
        ],
    )


def soft_to_nash() -> Proof:
    """0 ≤ V_α − V₀ ≤ α log|A|/(1 − γ): joint maximisers, and zero-sum agents at a fixed point."""
    import sympy

    from bounds.library.soft_q import nash_gap

    alpha, g, gap, ratio = sympy.symbols("alpha g gap w", positive=True)
    m, n = sympy.symbols("m n", integer=True, positive=True)
    reward = sympy.Symbol("r", real=True)
    gamma = g / (1 + g)
    two = _logsumexp(alpha, 0, -gap)
    bonus = nash_gap(alpha, sympy.log(m), gamma)
    constant = (reward + alpha * sympy.log(m)) / (1 - gamma)
    gibbs = ratio - 1 - sympy.log(ratio)
    return concluded(
        "symbolically: max <= L <= max + alpha log m, discounted; entropies are at most log m",
        [
            (
                "exp(L(0, -d)/alpha) = 1 + exp(-d/alpha), above 1: L > max",
                is_zero(sympy.exp(two / alpha) - 1 - sympy.exp(-gap / alpha)),
            ),
            (
                "L grows in every entry, so it is largest where all are equal: alpha log m above",
                sympy.simplify(sympy.diff(two, gap)).is_negative is True
                and is_zero(two.subs(gap, 0) - alpha * sympy.log(2)),
            ),
            (
                "e = alpha log m + gamma e at e = alpha log m/(1 - gamma)",
                is_zero(alpha * sympy.log(m) + gamma * bonus - bonus),
            ),
            (
                "constant rewards attain it: V = r + gamma V + alpha log m",
                is_zero(sympy.expand(reward + gamma * constant + alpha * sympy.log(m) - constant)),
            ),
            (
                "log w <= w - 1, with equality at 1: so H(p) <= log m (Gibbs)",
                gibbs.subs(ratio, 1) == 0
                and sympy.diff(gibbs, ratio).subs(ratio, 1) == 0
                and sympy.diff(gibbs, ratio, 2).is_positive is True,
            ),
            (
                "both agents' bonuses are at most alpha log(|A0| |A1|)/(1 - gamma) together",
                is_zero(
                    sympy.expand_log(sympy.log(m) + sympy.log(n) - sympy.log(m * n), force=True)
                ),
            ),
        ],
    )


def printed_target() -> Proof:
    """What B(x) = L_α(x) − (1 − γ) E_π x of the printed target does; three entries."""
    import sympy

    alpha, g = sympy.symbols("alpha g", positive=True)
    x = sympy.symbols("x0:3", real=True)
    c = sympy.Symbol("c", real=True)
    gamma = g / (1 + g)
    total = sum(sympy.exp(v / alpha) for v in x)
    share = [sympy.exp(v / alpha) / total for v in x]
    mean = sum(p * v for p, v in zip(share, x, strict=True))
    value = alpha * sympy.log(total) - (1 - gamma) * mean
    # log π_a + H(π) = (x_a − E_π x)/α
    claimed = [
        p * (gamma - (1 - gamma) * (v - mean) / alpha) for p, v in zip(share, x, strict=True)
    ]
    shifted = value.subs({v: v + c for v in x}, simultaneous=True)
    held = sympy.symbols("p0:3", positive=True)  # a policy that is held
    entropy = -sum(p * sympy.log(p) for p in held)
    printed = sum(p * gamma * v for p, v in zip(held, x, strict=True)) + alpha * entropy
    standard = gamma * (sum(p * v for p, v in zip(held, x, strict=True)) + alpha / gamma * entropy)
    return concluded(
        "symbolically: as printed, the entropy of a held policy is priced at alpha/gamma",
        [
            (
                "dB/dx_a = pi_a (gamma - (1 - gamma)(log pi_a + H(pi)))",
                all(is_zero(sympy.diff(value, v) - d) for v, d in zip(x, claimed, strict=True)),
            ),
            ("the slopes sum to gamma", is_zero(sum(claimed) - gamma)),
            (
                "so that B(x + c) = B(x) + gamma c",
                is_zero(sympy.diff(shifted, c) - gamma),
            ),
            (
                "printed target at alpha = standard target at alpha/gamma",
                is_zero(printed - standard),
            ),
        ],
    )
