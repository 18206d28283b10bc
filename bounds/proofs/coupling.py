r"""Why the coupling bounds hold: the proof, its algebra checked by SymPy.

Real chain: all agents follow π, states move by T. Model chain: the ego follows π, its opponents
their models π̂ʲ, states move by T̂. Both start from the same distribution. A *part of the mass* that
is together at time t is a measure m_t on states with m_t ≤ the law of s_t in either chain; M_t is
its total.

**Lemma 1 (overlaps).** For distributions p, h (and d) on one set Σ min(p, h) = 1 − D_TV(p, h) and
Σ min(p, d, h) ≥ (1 − D_TV(p, d) − D_TV(p, h))⁺. *Proof.* Pointwise min(p, h) = p − (p − h)⁺ and
min(p, d, h) ≥ p − (p − d)⁺ − (p − h)⁺; Σ (p − h)⁺ = D_TV(p, h). Agents draw independently, so for
joint actions the overlap α(a|s) = Π_j min(πʲ, π̂ʲ) has Σ_a α = Π_j (1 − D_TV) ≥ c̄ = Π_{j≠i}
(1 − ε_π̂ʲ), and α ≤ π.

**Lemma 2 (one step).** Let the overlap of actions be α ≤ π with Σ_a α(a|s) ≥ c in every state, and
d(s, a) = D_TV(T(·|s, a), T̂(·|s, a)). Then m_{t+1}(s′) = Σ m_t(s) α(a|s) min(T, T̂)(s′|s, a) is
together at t + 1, and M_{t+1} = Σ m_t α (1 − d), by Lemma 1. If d ≤ ε_sup everywhere, M_{t+1} ≥
(1 − ε_sup) c M_t. If E_{π,T} d(s_t, a_t) ≤ ε, then Σ m_t α d ≤ ε, since m_t α is at most the law of
(s_t, a_t), so M_{t+1} ≥ (c M_t − ε)⁺. Both maps grow with M_t: by induction M_t ≥ x_t, where x
starts at 1 and takes the same steps with equality.

**Lemma 3 (rewards).** If laws of (s_t, a_t) have a part of mass w in common, expected rewards
differ by at most (1 − w) span: what is not in common has mass 1 − w in each.

**Theorem.** At time t the actions of both chains overlap by c̄ where the states are together, so the
common part is at least c̄ x_t, and |η − η̂| ≤ span Σ γᵗ (1 − c̄ x_t): ``coupling-sup`` and
``coupling-expected``, unbranched.

- *Branched.* The law at time t comes from (t − k)⁺ steps of π_D and T, then min(t, k) model steps.
  In the first ones only policies differ, of all agents: c = q = Π_j (1 − ε_πʲ), ε = 0. The real
  chain alone defines ε′_m, and m_t stays below its law.
- *Lengths nⱼ.* In model step l the opponents with l > nⱼ, nⱼ < k, act by πʲ itself: they lose
  nothing, c = c_l.
- *Data.* Three chains at once: real (π, T), data (π_D, T), model (π, π̂, T̂), the ego's model being
  π itself. By Lemma 1 the three overlap in actions by at least κ = (1 − ε_πⁱ) Π_{j≠i}
  (1 − ε_πʲ − ε_π̂ʲ)⁺, and m_t α is at most the *data* law of (s_t, a_t), under which ε_m is taken.
  So M_{t+1} ≥ (κ M_t − ε_m)⁺. At time t real and model chain are together with at least M_t, and
  the actions of these two overlap by c̄. Before a branch, data and branched chain are one.
- *Joint policies.* With 1 − ε_J for q and 1 − ε̂_J for c̄ Lemma 1 is used once, on joint actions.

Infinite state spaces need densities in the place of sums; the attaining games
(``tabular.extremal``) show that nothing is given away. What is machine-checked here is the algebra
of the three lemmas; the words between are a proof in prose.
"""

from __future__ import annotations

from itertools import permutations

from bounds.proofs.theorems import Proof, concluded
from bounds.shared.numbers import Operand


def coupling_holds() -> Proof:
    """The three lemmas: every coupling bound is valid, for all finite games and all lengths."""
    return concluded(
        "three lemmas in prose, their algebra symbolically (bounds.proofs.coupling)",
        [*_overlaps(), *_one_step(), *_rewards()],
    )


def _overlaps() -> list[tuple[str, bool]]:
    import sympy

    least, u, v, x = sympy.symbols("least u v x", nonnegative=True)
    rising = (least, least + u, least + u + v)
    two = all(
        sympy.simplify(sympy.Min(p, h) - (p - _positive(p - h))) == 0
        for p, h in permutations(rising[:2])
    )
    three = all(
        sympy.simplify(
            sympy.Min(p, d, h) - (p - _positive(p - d) - _positive(p - h))
        ).is_nonnegative
        is True
        for p, d, h in permutations(rising)
    )
    half = all(_positive(y) == (abs(y) + y) / 2 for y in (x, -x))
    smaller = _nonnegative((least + u) * (x + v) - least * x)
    return [
        ("min(p, h) = p - (p - h)+, in both orders", two),
        ("min(p, d, h) >= p - (p - d)+ - (p - h)+, in each of the six orders", three),
        ("(y)+ = (|y| + y)/2: where sum y = 0, sum (y)+ is half of sum |y|, as D_TV is", half),
        ("0 <= x <= x', 0 <= y <= y' give x y <= x' y': overlaps are at most pi", smaller),
    ]


def _one_step() -> list[tuple[str, bool]]:
    import sympy

    names = "x more c wider eps spare kept"
    x, more, c, wider, eps, spare, kept = sympy.symbols(names, nonnegative=True)
    together = (c + wider) * (x + more)  # M = x + more, and actions overlap by c + wider
    parted = together - (eps - spare) - (c * x - eps)
    apart = together * (kept + spare) - kept * c * x  # 1 − d is at least kept = 1 − ε_sup
    return [
        (
            "overlap M - loss >= c x - eps for M >= x, loss <= eps, overlap >= c",
            _nonnegative(parted),
        ),
        ("(1 - d) overlap M >= (1 - eps_sup) c x for M >= x, d <= eps_sup", _nonnegative(apart)),
    ]


def _rewards() -> list[tuple[str, bool]]:
    import sympy

    apart, span, up, down = sympy.symbols("apart span up down", nonnegative=True)
    low = sympy.Symbol("low", real=True)
    # mean rewards of what is not in common: at most the largest, at least the smallest
    difference = apart * (low + span - down) - apart * (low + up)
    return [
        ("(1 - w) (max - min) <= (1 - w) span", _nonnegative(apart * span - difference)),
    ]


def _positive(x: Operand) -> Operand:
    import sympy

    return sympy.Max(x, 0)


def _nonnegative(polynomial: Operand) -> bool:
    """Whether a polynomial in variables ≥ 0 has no negative coefficient."""
    import sympy

    return bool(min(sympy.Poly(sympy.expand(polynomial)).coeffs()) >= 0)
