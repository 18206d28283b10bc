r"""Majorants of the coupling bounds: rational functions that are never below one of them.

Normalised and divided by the span, with s = Σε_π, h = Σε_π̂, P = Σ_{j=1..k} γʲ:

- trivial: 1; and with it the harmonic mean of 1 and x, 2x/(1 + x), which is at least the less of
  the two, for every x below that is to first order
- model return: h + γ(h + s + ε_m)/(1 − γ) and h + γ(h + ε_sup)/(1 − γ), the bounds coupling-data
  and coupling-sup to first order; where h ≤ 1, coupling-sup itself with c̄ ≥ 1 − h; where
  s + h ≤ 1, coupling-data with κ ≥ 1 − s − h and without positive parts
- branched return: h + P(h + ε′_m) + γ^{k+1} s/(1 − γ), coupling-expected to first order; with
  ε_m under π_D, P(h + s + ε_m) in the middle, as real, data and model chain are coupled three at
  a time; with lengths nⱼ, Σ(nⱼ + 1)ε_π̂ʲ in place of h + P h; where h ≤ 1, coupling-sup itself with
  c̄ ≥ 1 − h and q ≥ (1 − s)⁺; to first order up to step k, with everything lost from there on; and
  with γᵏ γs/(1 − γ + γs) for the steps under π_D, their sum in closed form at 1 − q ≤ s
- where the bound has powers of 1 − max ε_π̂ with n in the exponent: the same with c̄ ≥ C =
  (1 − max ε_π̂)^{n−1}, where C = M/(1 + v) and M = 1 − max ε_π̂ = 1/(1 + u) for two agents or more

(the steps are in ``bounds.proofs.theorems``: Weierstrass' inequality, one step loses at most its
errors, geometric sums). A *region* is a part of the parameter box in which all of them are written
in variables that are only known to be ≥ 0: γ = g/(1 + g), γᵏ = 1/(1 + w), k = P/γ + d, 2 r_max =
span + d′, ε_sup = ε_m + f, n = 2 + N, max ε_π̂ = (h + z)/(n − 1), a number in [0, 1) as y/(1 + y).
What holds there holds at its closed end by continuity.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from bounds.formula.bound import Bound
from bounds.formula.expression import names_in
from bounds.formula.operations import FUNCTIONS
from bounds.formula.tree import Node, tree
from bounds.shared.numbers import Operand


class OutOfReachError(Exception):
    """This way of proving does not know the form at hand."""


@dataclass(frozen=True)
class Region:
    """A part of the parameter box: what each atom is in non-negative variables, and majorants.

    atoms: γ, W = γᵏ, k, and so on, as SymPy expressions. scale: what normalises the bound, 1 − γ or
    1. majorants: (name, expression), normalised and divided by the span, each valid in all of it.
    """

    name: str
    atoms: dict[str, Operand]
    scale: Operand
    majorants: tuple[tuple[str, Operand], ...]


def steps_power(base: Operand) -> Operand:
    """baseᵏ, factor by factor, each factor's k-th power a variable that depends on it alone.

    A factor with coefficients ≥ 0 and a constant of 1 or more is ≥ 1, and so is its power.
    Raises ``OutOfReachError`` where a factor may be negative.
    """
    import sympy

    def power(polynomial: Operand) -> Operand:
        constant, factors = sympy.factor_list(polynomial)
        if constant < 0:
            raise OutOfReachError
        result = _of_factor(constant, constant > 1) if constant != 1 else sympy.Integer(1)
        if 0 < constant < 1:
            result = 1 / _of_factor(1 / constant, True)
        for factor, count in factors:
            coefficients = sympy.Poly(factor).coeffs()
            if min(coefficients) < 0:
                raise OutOfReachError
            result *= (
                _of_factor(factor, factor.subs(dict.fromkeys(factor.free_symbols, 0)) >= 1) ** count
            )
        return result

    top, bottom = sympy.fraction(sympy.cancel(base))
    return power(top) / power(bottom)


def _of_factor(factor: Operand, at_least_one: Operand) -> Operand:
    import sympy

    variable = sympy.Symbol(f"power of {factor}", nonnegative=True)
    return 1 + variable if at_least_one else variable


def has_agent_power(node: Node) -> bool:
    """Whether a power of 1 − max ε_π̂ has n in its exponent."""
    if not isinstance(node, list):
        return False
    return is_agent_power(node) or any(map(has_agent_power, node[1:]))


def _has_choice_on_k(node: Node) -> bool:
    """Whether a minimum or maximum has k in it."""
    if not isinstance(node, list):
        return False
    return (node[0] in ("min", "max") and "k" in names_in(node)) or any(
        map(_has_choice_on_k, node[1:])
    )


def _bends(node: Node) -> bool:
    """Whether a bound may bend as a mean does: functions, quotients by more than γ, roots."""
    if not isinstance(node, list):
        return False
    quotient = node[0] == "/" and not set(names_in(node[2])) <= {"gamma"}
    root = node[0] == "**" and node[2] == "1/2"
    return node[0] in FUNCTIONS or quotient or root or any(map(_bends, node[1:]))


def is_agent_power(node: Node) -> bool:
    """Whether ``node`` itself is one."""
    return node[:2] == ["**", ["-", "1", "max_eps_hat"]] and "n" in names_in(node[2])


def covers(bound: Bound, single: bool) -> Iterator[tuple[Region, ...]]:
    """Ways to cut the parameter box, simplest first; each covers all of it.

    Harmonic means, which cost time, come last, and where the bound may bend as they do.
    """
    for means in (False, True) if _bends(tree(bound)) else (False,):
        yield from _cuts(bound, single, means)


def _cuts(bound: Bound, single: bool, means: bool) -> Iterator[tuple[Region, ...]]:
    """The cuts, their majorants with harmonic means or without."""
    import sympy

    y = sympy.symbols("y1:6", nonnegative=True)
    known = single or bound.exact_opponents  # no error of opponent models

    def region(name: str, errors: tuple[Operand, ...], **known_too: Any) -> Region:
        return _region(name, bound, single, errors, means=means, **known_too)

    def unit(i: int) -> Operand:
        return y[i] / (1 + y[i])

    h = 0 if known else y[0]
    opponents = 0 if single else y[2]
    yield (region("all settings", (y[1], opponents, h, y[3], y[4])),)
    model = (unit(3) / (1 + y[4]), unit(3) - unit(3) / (1 + y[4]))  # ε_m ≤ ε_sup ≤ 1
    shifts = (unit(1), opponents)
    yield (region("all settings", (*shifts, h, *model), small_model=True),)
    if bound.about == "branched" and _has_choice_on_k(tree(bound)):
        parts = ((0, "k = 0"), (1, "k >= 1"))
        yield tuple(region(name, (*shifts, h, *model), first=k) for k, name in parts)
    near = (*shifts, 0 if known else unit(0), *model)
    far = (region("sum eps_hat >= 1", (*shifts, 1 + y[0], *model)),)
    yield (region("sum eps_hat <= 1", near, small_hat=True), *(() if known else far))
    if bound.about == "branched":
        yield _shift_cover(region, y, single, known, model)
        return
    total = 1 + y[0] + y[1] + y[2]
    small = (y[1] / total, 0 if single else y[2] / total, 0 if known else y[0] / total, *model)
    inside = region("errors of actions sum to <= 1", small, small_hat=True, small_sum=True)
    beyond = tuple(
        region("errors of actions sum to >= 1", (*errors, *model), small_hat=hat)
        for errors, hat in _over_one(y, single, known)
    )
    yield (inside, *beyond)


def _shift_cover(
    region: Callable[..., Region],
    y: Operand,
    single: bool,
    known: bool,
    model: tuple[Operand, Operand],
) -> tuple[Region, ...]:
    """Σε_π below and above 1, for Σε_π̂ ≤ 1; and Σε_π̂ ≥ 1."""
    total = 1 + y[1] + y[2]
    h = 0 if known else y[0] / (1 + y[0])
    ego = y[1] / (1 + y[1])
    low = (y[1] / total, 0 if single else y[2] / total)
    high = (1, 0) if single else (ego, 1 - ego + y[2])
    parts = [
        region(
            "errors of each kind sum to <= 1", (*low, h, *model), small_hat=True, small_shift=True
        ),
        region("sum eps_pi >= 1, sum eps_hat <= 1", (*high, h, *model), small_hat=True),
    ]
    if not known:
        free = (ego, 0 if single else y[2], 1 + y[0], *model)
        parts.append(region("sum eps_hat >= 1", free))
    return tuple(parts)


def _over_one(y: Operand, single: bool, known: bool) -> list[tuple[tuple[Operand, ...], bool]]:
    """(ego shift, opponents' shifts, h) with Σε_π + Σε_π̂ ≥ 1, and whether h ≤ 1, in parts."""
    ego = y[1] / (1 + y[1])
    if single:
        return [((1, 0, 0), True)]
    if known:
        return [((ego, 1 - ego + y[2], 0), True)]
    h = y[0] / (1 + y[0])
    share = y[2] / (1 + y[2])
    # h ≤ 1 and the shifts make up for the rest; or h ≥ 1 and the shifts are anything
    missing = 1 - h
    return [
        ((missing * share, missing * (1 - share) + y[1], h), True),
        ((missing + (1 - missing) * share, y[1], h), True),
        ((ego, y[2], 1 + y[0]), False),
    ]


def _region(
    name: str,
    bound: Bound,
    single: bool,
    errors: tuple[Operand, ...],
    small_hat: bool = False,
    small_sum: bool = False,
    small_shift: bool = False,
    small_model: bool = False,
    first: int | None = None,
    means: bool = False,
) -> Region:
    """The region with (ego shift, opponents' shifts, h, ε_m, ε_sup − ε_m) = ``errors``.

    small_hat: h ≤ 1, and so on. first: 0 where k = 0, 1 where k ≥ 1, None where it may be either.
    """
    import sympy

    node = tree(bound)
    used = names_in(node)
    ego, opponents, h, e, extra = errors
    g, span, more, w, d, z, others, ow = sympy.symbols("g S d2 w d z N O", nonnegative=True)
    gamma, W = g / (1 + g), 1 / (1 + w)
    k = (1 + g) * (1 - W) + d
    if first is not None:
        k, W = (1 + k, gamma * W) if first else (sympy.Integer(0), sympy.Integer(1))
    s = ego + opponents
    if "eps_pi_joint" in used:
        s = sympy.Symbol("j", nonnegative=True)
    atoms = {
        "gamma": gamma,
        "W": W,
        "k": k,
        "n": sympy.Integer(1) if single else 2 + others,
        "span": span,
        "r_max": (span + more) / 2,
        "eps_pi_ego": ego,
        "sum_eps_pi_opp": opponents,
        "sum_eps_pi": s,
        "eps_pi_joint": s,
        "eps_m": e,
        "eps_m_data": e,
        "eps_m_sup": e + extra,
        "sum_eps_hat": h,
        "max_eps_hat": 0 if single else (h + z) / (1 + others),
        "sum_n_eps_hat": h + ow,
    }
    powers = has_agent_power(node)
    if powers:
        u, v = (0, 0) if single else sympy.symbols("u v", nonnegative=True)
        atoms |= {"M": sympy.Integer(1) / (1 + u), "C": sympy.Integer(1) / ((1 + u) * (1 + v))}
    joint = "eps_pi_joint" in used
    c, rho = 1 - h, (1 - h) * (1 - e - extra)
    if bound.about == "branched":
        P = g * (1 - W)
        middle = P * ((s + e) if "eps_m_data" in used else e)
        hats = h + ow if "sum_n_eps_hat" in used else h * (1 + P)
        form = "coupling with the error under pi_D" if "eps_m_data" in used else "coupling-expected"
        majorants = [(f"{form} to first order", hats + middle + g * W * s)]
        # Σ γᵐ (1 − qᵐ) in closed form, which grows in 1 − q ≤ s
        summed = W * gamma * s / (1 - gamma + gamma * s)
        majorants.append((f"{form}, the steps under pi_D summed", hats + middle + summed))
        if not {"eps_m_data", "sum_n_eps_hat"} & set(used):
            # up to step k min(t, k) (h + ε′_m) + h, then 1
            part = (P - atoms["k"] * gamma * W) * (h + e) + (1 - gamma * W) * h
            majorants.append(
                (f"{form} to first order up to step k, everything later", part + gamma * W)
            )
        if small_hat and not joint:
            q = 1 - s if small_shift else 0
            late = W * steps_power(rho)
            kept = (1 - gamma * rho * late) / (1 - gamma * rho) + late * gamma * q / (1 - gamma * q)
            majorants.append(("coupling-sup", 1 - (1 - gamma) * c * kept))
        if powers:
            C = atoms["C"]
            majorants.append(
                ("coupling-expected, the last action apart", 1 - C + P * (h + e) + g * W * s)
            )
            if small_model:
                last = C * steps_power(C * (1 - e - extra))
                majorants.append(("coupling-sup, every step as the last", 1 - last + g * W * s))
    else:
        majorants = [
            ("coupling-data to first order", h + g * (e + s + h)),
            ("coupling-sup to first order", h + g * (e + extra + h)),
        ]
        if small_hat:
            majorants.append(("coupling-sup", 1 - (1 - gamma) * c / (1 - gamma * rho)))
        if powers:
            C = atoms["C"]
            kept = C / (1 - gamma * C * (1 - e - extra))
            majorants.append(("coupling-sup with the largest error alone", 1 - (1 - gamma) * kept))
        if small_sum and not joint:
            kept = (1 - gamma - e * gamma) / (1 - gamma * (1 - s - h))
            majorants.append(("coupling-data without positive parts", 1 - c * kept))
    majorants.append(("the trivial bound", sympy.Integer(1)))
    if means:
        majorants += [
            (f"the harmonic mean of {name} and the trivial bound", 2 * x / (1 + x))
            for name, x in majorants
            if name.endswith("first order")
        ]
    return Region(
        f"{name}, {'one agent' if single else 'two agents or more'}",
        atoms,
        1 - gamma if bound.convention == "unnormalised" else sympy.Integer(1),
        tuple(majorants),
    )
