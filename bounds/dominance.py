r"""Proving that a bound is never below a coupling bound, so that it is valid.

A coupling bound is itself at most each of its *majorants*, which are rational in γ, γᵏ and the
errors. Normalised and divided by the span, with s = Σε_π, h = Σε_π̂, P = Σ_{j=1..k} γʲ:

- trivial: 1
- model return: h + γ(h + s + ε_m)/(1 − γ) and h + γ(h + ε_sup)/(1 − γ), the bounds coupling-data
  and coupling-sup to first order; where h ≤ 1, coupling-sup itself with c̄ ≥ 1 − h; where
  s + h ≤ 1, coupling-data with κ ≥ 1 − s − h and without positive parts
- branched return: h + P(h + ε′_m) + γ^{k+1} s/(1 − γ), coupling-expected to first order; with
  ε_m under π_D, P(h + s + ε_m) in the middle, as real, data and model chain are coupled three at
  a time; with lengths nⱼ, Σ(nⱼ + 1)ε_π̂ʲ in place of h + P h

(proofs in ``bounds.proofs``: Weierstrass' inequality, one step loses at most its errors, geometric
sums). The difference of a bound and a majorant is then written in variables that are only known to
be ≥ 0, and brought over one denominator: γ = g/(1 + g), γᵏ = 1/(1 + w), k = g(1 − γᵏ) + d,
2 r_max = span + d′, ε_sup = ε_m + f, n = 2 + N, max ε_π̂ = (h + z)/(n − 1). If no coefficient of
numerator and denominator is negative, the difference is nowhere negative. Where a bound takes a
minimum, every branch of it must pass; ``exp``, ``log`` and ``sqrt`` are replaced by rational
functions on the safe side. A failure says nothing: the bound may still be valid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bounds.bound import Bound
from bounds.expression import names_in
from bounds.functions import apply
from bounds.tree import tree

#: Branches of minima and maxima that are tried before the proof is given up.
MAX_BRANCHES = 256
#: Largest whole exponent that is multiplied out.
MAX_POWER = 12
#: Terms that a difference may have when multiplied out.
MAX_TERMS = 20_000


class OutOfReachError(Exception):
    """This way of proving does not know the form at hand."""


@dataclass(frozen=True)
class Region:
    """A part of the parameter box: what each atom is in non-negative variables, and majorants.

    atoms: γ, W = γᵏ, k, and so on, as SymPy expressions. scale: what normalises the bound, 1 − γ or
    1. majorants: (name, expression), normalised and divided by the span, each valid in all of it.
    """

    name: str
    atoms: dict[str, Any]
    scale: Any
    majorants: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Dominance:
    """Whether a bound was proved to dominate, and the steps: which majorant in which region."""

    holds: bool
    steps: tuple[str, ...]


def dominates(bound: Bound) -> Dominance:
    """Whether ``bound`` is proved to be at least a coupling bound on the whole parameter box."""
    node = tree(bound)
    steps: list[str] = []
    for single in (True, False):  # one agent, two agents or more
        found = next(filter(None, (_passes(node, c) for c in _covers(bound, single))), None)
        if found is None:
            return Dominance(False, ())
        steps += found
    return Dominance(True, tuple(dict.fromkeys(steps)))


def _passes(node: Any, cover: tuple[Region, ...]) -> list[str]:
    """The steps that prove the claim in every region of ``cover``; empty where one is missing."""
    steps: list[str] = []
    for region in cover:
        used: list[str] = []
        try:
            if not _dominates(node, region, used, [MAX_BRANCHES]):
                return []
        except OutOfReachError:
            return []
        steps += [f"{region.name}: at least {name}" for name in used]
    return steps


def _dominates(node: Any, region: Region, used: list[str], budget: list[int]) -> bool:
    """Whether ``node`` is at least one of the majorants everywhere in ``region``."""
    budget[0] -= 1
    if budget[0] < 0:
        raise OutOfReachError
    path = _first_choice(node)
    if path is not None:
        options, all_must = _options(node, path, region)
        test = all if all_must else any
        return bool(options) and test(
            _dominates(_replaced(node, path, option), region, used, budget) for option in options
        )
    value = _rational(node, region.atoms) * region.scale
    for name, majorant in region.majorants:
        if nonnegative(value - region.atoms["span"] * majorant):
            used.append(name)
            return True
    return False


def nonnegative(expression: Any) -> bool:
    """Whether a rational function of non-negative symbols has no negative coefficient."""
    import sympy

    top, bottom = sympy.fraction(sympy.together(expression))
    symbols = sorted(expression.free_symbols, key=str)
    if not symbols:
        return bool(expression >= 0)
    try:
        over, under = sympy.Poly(top, *symbols), sympy.Poly(bottom, *symbols)
    except sympy.PolynomialError:
        return False
    if len(over.terms()) > MAX_TERMS:
        return False
    if over.is_zero:
        return True
    signs = {bool(c > 0) for p in (over, under) for c in p.coeffs()}
    return len(signs) == 1


# --- the tree as a rational function of the atoms ------------------------------------------------


def _rational(node: Any, atoms: dict[str, Any]) -> Any:
    import sympy

    if not isinstance(node, list):
        if node.isidentifier() and node not in atoms:
            raise OutOfReachError
        return atoms[node] if node in atoms else sympy.Rational(node)
    if node[0] == "**":
        return _power(node[1], node[2], atoms)
    if node[0] not in ("+", "-", "*", "/"):
        raise OutOfReachError
    return apply(node[0], *(_rational(part, atoms) for part in node[1:]))


def _power(base: Any, exponent: Any, atoms: dict[str, Any]) -> Any:
    """base^(a k + b) for whole a and b: γ^{ak+b} is γᵇWᵃ, any other base needs a = 0."""
    import sympy

    k = sympy.Symbol("k")
    plain = sympy.expand(_rational(exponent, {name: sympy.Symbol(name) for name in (*atoms, "k")}))
    a, b = plain.coeff(k, 1), plain.coeff(k, 0)
    known = a.is_Integer and b.is_Integer and sympy.expand(plain - a * k - b) == 0
    if not known or abs(a) > MAX_POWER or abs(b) > MAX_POWER:
        raise OutOfReachError
    if base == "gamma":
        return atoms["W"] ** a * atoms["gamma"] ** b
    if a != 0:
        raise OutOfReachError
    return _rational(base, atoms) ** b


# --- minima, maxima and functions ----------------------------------------------------------------


def _first_choice(node: Any, path: tuple[int, ...] = ()) -> tuple[int, ...] | None:
    """Path to the outermost minimum, maximum or function; None where there is none."""
    if not isinstance(node, list):
        return None
    if node[0] not in ("+", "-", "*", "/", "**") or (node[0] == "**" and node[2] == "1/2"):
        return path
    found = (_first_choice(part, (*path, i)) for i, part in enumerate(node[1:], start=1))
    return next((p for p in found if p is not None), None)


def _at(node: Any, path: tuple[int, ...]) -> Any:
    for i in path:
        node = node[i]
    return node


def _replaced(node: Any, path: tuple[int, ...], part: Any) -> Any:
    if not path:
        return part
    i = path[0]
    return [*node[:i], _replaced(node[i], path[1:], part), *node[i + 1 :]]


def _options(node: Any, path: tuple[int, ...], region: Region) -> tuple[list[Any], bool]:
    """What may stand at ``path`` instead, and whether all of it must pass or any one is enough.

    Where one operand of a minimum or maximum is the larger everywhere in the region, that settles
    it. Else a maximum is at least each of its operands, and a minimum is always one of them; where
    the whole falls as the part grows, the two change places. Functions have rational bounds on
    either side.
    """
    operation, *operands = _at(node, path)
    rises = _rises(node, path, region)
    if operation in ("min", "max"):
        for larger, smaller in (operands, operands[::-1]):
            if _sign(["-", larger, smaller], region):
                return [larger if operation == "max" else smaller], True
        return operands, rises is None or (operation == "max") != rises
    x = operands[0]
    below: list[Any]
    above: list[Any]
    if operation == "exp":
        below, above = [["+", "1", x]], [["/", "1", ["-", "1", x]]]
        if not _sign(["-", "0", x], region):
            above = []  # eˣ ≤ 1/(1 − x) for x ≤ 0 only
    elif operation == "log":
        below, above = [["-", "1", ["/", "1", x]]], [["-", x, "1"]]
    else:
        below, above = [x, ["/", ["*", "2", x], ["+", "1", x]]], [["/", ["+", "1", x], "2"]]
        if not _sign(["-", "1", x], region):
            below = below[1:]  # √x ≥ x for x ≤ 1 only
    return ([] if rises is None else below if rises else above), False


def _rises(node: Any, path: tuple[int, ...], region: Region) -> bool | None:
    """Whether the whole grows with the part at ``path``; None where that is not known."""
    if not path:
        return True
    operation, i = node[0], path[0]
    inner = _rises(node[i], path[1:], region)
    if inner is None or operation == "**":
        return None
    if operation in ("+", "min", "max", "exp", "log", "sqrt"):
        return inner
    if operation == "-":
        return inner if i == 1 else not inner
    if operation == "*" or i == 1:
        return inner if _sign(node[3 - i], region) else None
    positive = _sign(node[1], region) and _sign(node[2], region)
    return not inner if positive else None


def _sign(node: Any, region: Region) -> bool:
    """Whether ``node`` is proved to be ≥ 0 in ``region``."""
    if _first_choice(node) is None:
        try:
            return nonnegative(_rational(node, region.atoms))
        except OutOfReachError:
            return False
    parts = [_sign(part, region) for part in node[1:]]
    if node[0] == "max":
        return any(parts)
    return node[0] in ("exp", "sqrt") or (node[0] in ("min", "+", "*", "/") and all(parts))


# --- regions and majorants -----------------------------------------------------------------------


def _covers(bound: Bound, single: bool) -> Iterator[tuple[Region, ...]]:
    """Ways to cut the parameter box, simplest first; each covers all of it."""
    import sympy

    y = sympy.symbols("y1:6", nonnegative=True)
    known = single or bound.exact_opponents  # no error of opponent models

    def region(name: str, errors: tuple[Any, ...], **small: bool) -> Region:
        return _region(name, bound, single, errors, **small)

    def unit(i: int) -> Any:
        return y[i] / (1 + y[i])

    h = 0 if known else y[0]
    opponents = 0 if single else y[2]
    yield (region("all settings", (y[1], opponents, h, y[3], y[4])),)
    model = (unit(3) / (1 + y[4]), unit(3) - unit(3) / (1 + y[4]))  # ε_m ≤ ε_sup ≤ 1
    shifts = (unit(1), opponents)
    yield (region("all settings", (*shifts, h, *model)),)
    near = (*shifts, 0 if known else unit(0), *model)
    far = (region("sum eps_hat >= 1", (*shifts, 1 + y[0], *model)),)
    yield (region("sum eps_hat <= 1", near, small_hat=True), *(() if known else far))
    total = 1 + y[0] + y[1] + y[2]
    small = (y[1] / total, 0 if single else y[2] / total, 0 if known else y[0] / total, *model)
    inside = region("errors of actions sum to <= 1", small, small_hat=True, small_sum=True)
    beyond = tuple(
        region("errors of actions sum to >= 1", (*errors, *model), small_hat=hat)
        for errors, hat in _over_one(y, single, known)
    )
    yield (inside, *beyond)


def _over_one(y: Any, single: bool, known: bool) -> list[tuple[tuple[Any, ...], bool]]:
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
    errors: tuple[Any, ...],
    small_hat: bool = False,
    small_sum: bool = False,
) -> Region:
    """The region with (ego shift, opponents' shifts, h, ε_m, ε_sup − ε_m) = ``errors``."""
    import sympy

    used = names_in(tree(bound))
    ego, opponents, h, e, extra = errors
    g, span, more, w, d, z, others, ow = sympy.symbols("g S d2 w d z N O", nonnegative=True)
    gamma, W = g / (1 + g), 1 / (1 + w)
    s = ego + opponents
    if "eps_pi_joint" in used:
        s = sympy.Symbol("j", nonnegative=True)
    branched = bound.about == "branched"
    atoms = {
        "gamma": gamma,
        "W": W,
        "k": g * (1 - W) + d,
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
    steps = g * (1 - W)  # P
    if branched:
        middle = steps * ((s + e) if "eps_m_data" in used else e)
        hats = h + ow if "sum_n_eps_hat" in used else h * (1 + steps)
        form = "coupling with the error under pi_D" if "eps_m_data" in used else "coupling-expected"
        majorants = [(f"{form} to first order", hats + middle + g * W * s)]
    else:
        majorants = [
            ("coupling-data to first order", h + g * (e + s + h)),
            ("coupling-sup to first order", h + g * (e + extra + h)),
        ]
        c = 1 - h
        if small_hat:
            rho = c * (1 - e - extra)
            majorants.append(("coupling-sup", 1 - (1 - gamma) * c / (1 - gamma * rho)))
        if small_sum and "eps_pi_joint" not in used:
            kappa = 1 - s - h
            kept = (1 - gamma - e * gamma) / (1 - gamma * kappa)
            majorants.append(("coupling-data without positive parts", 1 - c * kept))
    majorants.append(("the trivial bound", sympy.Integer(1)))
    return Region(
        f"{name}, {'one agent' if single else 'two agents or more'}",
        atoms,
        1 - gamma if bound.convention == "unnormalised" else sympy.Integer(1),
        tuple(majorants),
    )
