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

    atoms: γ, W = γᵏ, k, and so on, as SymPy expressions. majorants: (name, expression), normalised
    and divided by the span, each valid in the whole region.
    """

    name: str
    atoms: dict[str, Any]
    majorants: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Dominance:
    """Whether a bound was proved to dominate, and the steps: which majorant in which region."""

    holds: bool
    steps: tuple[str, ...]


def dominates(bound: Bound) -> Dominance:
    """Whether ``bound`` is proved to be at least a coupling bound on the whole parameter box."""
    steps: list[str] = []
    node = tree(bound)
    budget = [MAX_BRANCHES]
    for single in (True, False):
        if not _covered(node, bound, single, steps, budget):
            return Dominance(False, ())
    return Dominance(True, tuple(dict.fromkeys(steps)))


def _covered(node: Any, bound: Bound, single: bool, steps: list[str], budget: list[int]) -> bool:
    """Whether ``node`` dominates for one agent (``single``) or for two and more."""
    choice = _first_choice(node)
    if choice is None:
        budget[0] -= 1
        if budget[0] < 0:
            return False
        return any(
            _passes(node, bound, cover, steps) for cover in _covers(bound, names_in(node), single)
        )
    path, options, needs_all = _options(node, choice, bound, single)
    test = all if needs_all else any
    return test(
        _covered(_replaced(node, path, option), bound, single, steps, budget) for option in options
    )


def _passes(node: Any, bound: Bound, cover: tuple[Region, ...], steps: list[str]) -> bool:
    """Whether in every region of ``cover`` the bound is at least one of the majorants."""
    found = []
    for region in cover:
        try:
            value = _rational(node, region.atoms)
        except OutOfReachError:
            return False
        if bound.convention == "unnormalised":
            value = value * (1 - region.atoms["gamma"])
        names = (
            name
            for name, majorant in region.majorants
            if nonnegative(value - region.atoms["span"] * majorant)
        )
        name = next(names, None)
        if name is None:
            return False
        found.append(f"{region.name}: at least {name}")
    steps += found
    return True


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


def _options(
    node: Any, path: tuple[int, ...], bound: Bound, single: bool
) -> tuple[tuple[int, ...], list[Any], bool]:
    """What may stand at ``path`` instead: one option that passes is enough, or all must pass.

    A maximum is at least each of its operands; a minimum is always one of them. Where the whole
    falls as the part grows, the two change places. Functions have rational bounds on either side.
    """
    part = _at(node, path)
    rises = _rises(node, path, bound, single)
    operation, *operands = part
    if operation in ("min", "max"):
        free = rises is not None and (operation == "max") == rises
        return path, operands, not free
    x = operands[0]
    sides: dict[str, tuple[list[Any], list[Any]]] = {
        # lower values, upper values
        "sqrt": ([x, ["/", ["*", "2", x], ["+", "1", x]]], [["/", ["+", "1", x], "2"]]),
        "exp": ([["+", "1", x]], [["/", "1", ["-", "1", x]]]),
        "log": ([["-", "1", ["/", "1", x]]], [["-", x, "1"]]),
    }
    lower, upper = sides["sqrt" if operation == "**" else operation]
    if operation in ("sqrt", "**") and not _sign(["-", "1", x], bound, single):
        lower = lower[1:]  # √x ≥ x for x ≤ 1 only
    if operation == "exp" and not _sign(["-", "0", x], bound, single):
        upper = []  # eˣ ≤ 1/(1 − x) for x < 1 only
    return path, [] if rises is None else lower if rises else upper, False


def _rises(node: Any, path: tuple[int, ...], bound: Bound, single: bool) -> bool | None:
    """Whether the whole grows with the part at ``path``; None where that is not known."""
    if not path:
        return True
    operation, i = node[0], path[0]
    inner = _rises(node[i], path[1:], bound, single)
    if inner is None or operation == "**":
        return None
    if operation in ("+", "min", "max", "exp", "log", "sqrt"):
        return inner
    if operation == "-":
        return inner if i == 1 else not inner
    other = node[3 - i]
    if operation == "*" or i == 1:
        return inner if _sign(other, bound, single) else None
    positive = _sign(other, bound, single) and _sign(node[2], bound, single)
    return not inner if positive else None


def _sign(node: Any, bound: Bound, single: bool) -> bool:
    """Whether ``node`` is proved to be ≥ 0 on the whole box."""
    if _first_choice(node) is not None:
        if isinstance(node, list) and node[0] in ("min", "max", "+", "*", "/"):
            return all(_sign(part, bound, single) for part in node[1:])
        return isinstance(node, list) and node[0] in ("exp", "sqrt")
    for cover in _covers(bound, names_in(tree(bound)), single):
        try:
            if all(nonnegative(_rational(node, region.atoms)) for region in cover):
                return True
        except OutOfReachError:
            continue
    return False


# --- regions and majorants -----------------------------------------------------------------------


def _covers(bound: Bound, used: tuple[str, ...], single: bool) -> Iterator[tuple[Region, ...]]:
    """Ways to cut the parameter box, simplest first; each covers all of it."""
    import sympy

    y = sympy.symbols("y1:6", nonnegative=True)
    known = single or bound.exact_opponents  # no error of opponent models

    def unit(i: int) -> Any:
        return y[i] / (1 + y[i])

    h = 0 if known else y[0]
    opponents = 0 if single else y[2]
    yield (_region("all settings", bound, used, single, (y[1], opponents, h, y[3], y[4])),)
    bounded = (
        unit(1),
        0 if single else y[2],
        h,
        unit(3) / (1 + y[4]),
        unit(3) - unit(3) / (1 + y[4]),
    )
    yield (_region("all settings", bound, used, single, bounded),)
    simplex = 1 + y[0] + y[1] + y[2]
    small = (
        y[1] / simplex,
        0 if single else y[2] / simplex,
        0 if known else y[0] / simplex,
        *bounded[3:],
    )
    large = _region("sum eps_hat >= 1", bound, used, single, (*bounded[:2], 1 + y[0], *bounded[3:]))
    near = (*bounded[:2], 0 if known else unit(0), *bounded[3:])
    parts = (_region("sum eps_hat <= 1", bound, used, single, near, small_hat=True),)
    yield parts if known else (*parts, large)
    if bound.about == "model":
        over = _over_one(y, single, known, bounded)
        yield (
            _region("shifts and hats sum to <= 1", bound, used, single, small, True, True),
            *(_region("they sum to >= 1", bound, used, single, errors) for errors in over),
        )


def _over_one(y: Any, single: bool, known: bool, bounded: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Errors with Σε_π + Σε_π̂ ≥ 1: (ego shift, opponents' shifts, h, ε_m, ε_sup − ε_m)."""
    rest = bounded[3:]
    ego = y[1] / (1 + y[1])
    if single:
        return [(1, 0, 0, *rest)]
    if known:
        return [(ego, 1 - ego + y[2], 0, *rest)]
    # the opponents make up for what the ego agent leaves below 1, in any split
    share = y[2] / (1 + y[2])
    total = (1 - ego) + y[0]
    return [(ego, total * share, total * (1 - share), *rest)]


def _region(
    name: str,
    bound: Bound,
    used: tuple[str, ...],
    single: bool,
    errors: tuple[Any, ...],
    small_hat: bool = False,
    small_sum: bool = False,
) -> Region:
    import sympy

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
        if small_sum:
            kappa = 1 - s - h
            kept = (1 - gamma - e * gamma) / (1 - gamma * kappa)
            majorants.append(("coupling-data without positive parts", 1 - c * kept))
    majorants.append(("the trivial bound", sympy.Integer(1)))
    return Region(
        f"{name}, {'one agent' if single else 'two agents or more'}", atoms, tuple(majorants)
    )
