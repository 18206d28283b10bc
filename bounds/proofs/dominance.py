"""Proving that a bound is never below a coupling bound, so that it is valid.

The bound and the majorants of the coupling bounds (``bounds.proofs.majorants``) are written in
variables that are only known to be ≥ 0, and their difference is brought over one denominator. If no
coefficient of numerator and denominator is negative, the difference is nowhere negative. Where a
bound takes a minimum, every branch of it must pass; ``exp``, ``log`` and ``sqrt`` are replaced by
rational functions on the safe side, a maximum by a mean, an even power by 0 where it helps. A
failure says nothing: the bound may still be valid.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

from bounds.formula.bound import Bound
from bounds.formula.expression import names_in
from bounds.formula.operations import apply
from bounds.formula.tree import Node, tree
from bounds.proofs.majorants import (
    OutOfReachError,
    Region,
    covers,
    is_agent_power,
    steps_power,
)
from bounds.shared.numbers import Operand

#: Branches of minima and maxima that are tried before the proof is given up.
MAX_BRANCHES = 300
#: Largest whole exponent that is multiplied out, and largest degree of what is.
MAX_POWER = 12
MAX_DEGREE = 60
#: Terms that a difference may have when multiplied out.
MAX_TERMS = 20_000


@dataclass(frozen=True)
class Dominance:
    """Whether a bound was proved to dominate, and the steps: which majorant in which region."""

    holds: bool
    steps: tuple[str, ...]


def dominates(bound: Bound) -> Dominance:
    """Whether ``bound`` is proved to be at least a coupling bound on the whole parameter box."""
    node = tree(bound)
    steps: list[str] = []
    budget = [MAX_BRANCHES]
    for single in (True, False):  # one agent, two agents or more
        passed = (_passes(node, cover, budget) for cover in covers(bound, single))
        found = next(filter(None, passed), None)
        if found is None:
            return Dominance(False, ())
        steps += found
    return Dominance(True, tuple(dict.fromkeys(steps)))


def _passes(node: Node, cover: tuple[Region, ...], budget: list[int]) -> list[str]:
    """The steps that prove the claim in every region of ``cover``; empty where one is missing."""
    steps: list[str] = []
    for region in cover:
        used = next(filter(None, (_used(n, region, budget) for n in _weaker(node, region))), None)
        if used is None:
            return []
        steps += [f"{region.name}: at least {name}" for name in used]
    return steps


def _used(node: Node, region: Region, budget: list[int]) -> list[str]:
    """The majorants that ``node`` is at least, branch by branch; empty where it is not shown."""
    used: list[str] = []
    try:
        return used if _dominates(node, region, used, budget) else []
    except OutOfReachError:
        return []


def _weaker(node: Node, region: Region) -> Iterator[Node]:
    """``node``, and it with powers replaced by what they never fall below, or never exceed."""
    yield node
    weaker = node
    for path in _powers(node):
        power = _at(weaker, path)
        assert isinstance(power, list)
        rises, base = _rises(weaker, path, region), power[1]
        even = int(power[2]) % 2 == 0
        if rises is True and _is_integer(base) and (even or _sign(base, region)):
            weaker = _replaced(weaker, path, base)  # xⁿ ≥ x for whole numbers
        elif rises is True and even:
            weaker = _replaced(weaker, path, "0")
        elif rises is False and _sign(base, region) and _sign(["-", "1", base], region):
            weaker = _replaced(weaker, path, base)  # xⁿ ≤ x for x in [0, 1]
    if weaker != node:
        yield weaker


def _is_integer(node: Node) -> bool:
    """Whether ``node`` is seen to be a whole number: sums and products of k, n and such."""
    if not isinstance(node, list):
        return node in ("k", "n") or _is_whole(node)
    return node[0] in ("+", "-", "*", "min", "max") and all(map(_is_integer, node[1:]))


def _powers(node: Node, path: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Paths to the outermost whole powers, of 2 or more, of what is not a number."""
    if not isinstance(node, list):
        return
    if node[0] == "**" and names_in(node[1]) and _is_whole(node[2]) and int(node[2]) > 1:
        yield path
        return
    for i, part in enumerate(node[1:], start=1):
        yield from _powers(part, (*path, i))


def _dominates(node: Node, region: Region, used: list[str], budget: list[int]) -> bool:
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
    if sum(_degrees(node)) > MAX_DEGREE:
        raise OutOfReachError
    value = _rational(node, region.atoms) * region.scale
    for name, majorant in region.majorants:
        if nonnegative(value - region.atoms["span"] * majorant):
            used.append(name)
            return True
    return False


def nonnegative(expression: Operand) -> bool:
    """Whether a rational function of non-negative symbols has no negative coefficient."""
    import sympy

    expression = sympy.sympify(expression)
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


def _degrees(node: Node) -> tuple[int, int]:
    """About the degrees of numerator and denominator of a tree, before anything cancels."""
    if not isinstance(node, list):
        return (1, 1) if node.isidentifier() else (0, 0)
    if node[0] == "**":
        top, bottom = _degrees(node[1])
        power = abs(int(node[2])) if _is_whole(node[2]) else 2
        return top * power, bottom * power
    (n1, d1), *rest = map(_degrees, node[1:])
    for n2, d2 in rest:
        if node[0] == "*":
            n1, d1 = n1 + n2, d1 + d2
        elif node[0] == "/":
            n1, d1 = n1 + d2, d1 + n2
        else:
            n1, d1 = max(n1 + d2, n2 + d1), d1 + d2
    return n1, d1


def _is_whole(node: Node) -> bool:
    return not isinstance(node, list) and node.lstrip("-").isdigit()


def _rational(node: Node, atoms: dict[str, Operand]) -> Operand:
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


def _power(base: Node, exponent: Node, atoms: dict[str, Operand]) -> Operand:
    """base^(a k + b) for whole a and b: baseᵇ (baseᵏ)ᵃ, with baseᵏ one more variable, W for γ.

    (1 − max ε_π̂)^{a (n − 1) + b}, a and b as the exponents above, is Cᵃ Mᵇ (``majorants``).
    """
    import sympy

    k, n = sympy.symbols("k n")
    plain = sympy.expand(_rational(exponent, {name: sympy.Symbol(name) for name in (*atoms, "k")}))
    if is_agent_power(["**", base, exponent]):
        agents, rest = plain.coeff(n, 1), plain.coeff(n, 0)
        if sympy.expand(plain - agents * n - rest) != 0:
            raise OutOfReachError
        return _steps(atoms["C"], agents, atoms) * _steps(
            atoms["M"], sympy.expand(agents + rest), atoms
        )
    a, b = plain.coeff(k, 1), plain.coeff(k, 0)
    known = a.is_Integer and b.is_Integer and sympy.expand(plain - a * k - b) == 0
    if not known or abs(a) > MAX_POWER or abs(b) > MAX_POWER:
        raise OutOfReachError
    if a != 0 and isinstance(base, list) and base[0] == "*":
        return _power(base[1], exponent, atoms) * _power(base[2], exponent, atoms)
    if base == "gamma":
        return atoms["W"] ** a * atoms["gamma"] ** b
    return _steps(_rational(base, atoms), plain, atoms)


def _steps(value: Operand, exponent: Operand, atoms: dict[str, Operand]) -> Operand:
    """valueᵇ (valueᵏ)ᵃ for the exponent a k + b."""
    import sympy

    k = sympy.Symbol("k")
    exponent = sympy.sympify(exponent)
    a, b = exponent.coeff(k, 1), exponent.coeff(k, 0)
    known = a.is_Integer and b.is_Integer and sympy.expand(exponent - a * k - b) == 0
    if not known or abs(a) > MAX_POWER or abs(b) > MAX_POWER:
        raise OutOfReachError
    return (1 if a == 0 else steps_power(value) ** a) * value**b


# --- minima, maxima and functions ----------------------------------------------------------------


def _first_choice(node: Node, path: tuple[int, ...] = ()) -> tuple[int, ...] | None:
    """Path to the outermost minimum, maximum or function; None where there is none."""
    if not isinstance(node, list):
        return None
    if node[0] not in ("+", "-", "*", "/", "**") or (node[0] == "**" and node[2] == "1/2"):
        return path
    found = (_first_choice(part, (*path, i)) for i, part in enumerate(node[1:], start=1))
    return next((p for p in found if p is not None), None)


def _at(node: Node, path: tuple[int, ...]) -> Node:
    for i in path:
        node = node[i]
    return node


def _replaced(node: Node, path: tuple[int, ...], part: Node) -> Node:
    if not path:
        return part
    i = path[0]
    return [*node[:i], _replaced(node[i], path[1:], part), *node[i + 1 :]]


def _options(node: Node, path: tuple[int, ...], region: Region) -> tuple[list[Node], bool]:
    """What may stand at ``path`` instead, and whether all of it must pass or any one is enough.

    Where one operand of a minimum or maximum is the larger everywhere in the region, that settles
    it. Else a maximum is at least each of its operands, and a minimum is always one of them; where
    the whole falls as the part grows, the two change places. Functions have rational bounds on
    either side.
    """
    choice = _at(node, path)
    assert isinstance(choice, list)
    operation, *operands = choice
    rises = _rises(node, path, region)
    if operation in ("min", "max"):
        for larger, smaller in (operands, operands[::-1]):
            if _sign(["-", larger, smaller], region):
                settled: Node = larger if operation == "max" else smaller
                return [settled], True
        every = _operands(choice, operation)
        any_one = rises is not None and (operation == "max") == rises
        mean = ["/", reduce(lambda x, y: ["+", x, y], every), str(len(every))]
        return ([*operands, mean] if any_one else operands), not any_one
    x = operands[0]
    below: list[Node]
    above: list[Node]
    if operation == "exp":
        below, above = [["+", "1", x]], [["/", "1", ["-", "1", x]]]
        if not _sign(["-", "0", x], region):
            above = []  # eˣ ≤ 1/(1 − x) for x ≤ 0 only
    elif operation == "log":
        below, above = [["-", "1", ["/", "1", x]]], [["-", x, "1"]]
        if _sign(["-", x, "1"], region):  # and then it is at least 2(x − 1)/(x + 1)
            below.append(["/", ["*", "2", ["-", x, "1"]], ["+", x, "1"]])
    else:
        below, above = [x, ["/", ["*", "2", x], ["+", "1", x]]], [["/", ["+", "1", x], "2"]]
        if not _sign(["-", "1", x], region):
            below[0] = ["min", "1", x]
    return ([] if rises is None else below if rises else above), False


def _operands(node: Node, operation: str) -> list[Node]:
    """The operands of nested minima or maxima, as of one."""
    if not isinstance(node, list) or node[0] != operation:
        return [node]
    return [x for part in node[1:] for x in _operands(part, operation)]


def _rises(node: Node, path: tuple[int, ...], region: Region) -> bool | None:
    """Whether the whole grows with the part at ``path``; None where that is not known."""
    if not path:
        return True
    operation, i = node[0], path[0]
    inner = _rises(node[i], path[1:], region)
    if operation == "**" and inner is not None and i == 1 and _is_whole(node[2]):
        return inner if int(node[2]) > 0 and _sign(node[1], region) else None
    if inner is None or operation == "**":
        return None
    if operation in ("+", "min", "max", "exp", "log", "sqrt"):
        return inner
    if operation == "-":
        return inner if i == 1 else not inner
    if operation == "*" or i == 1:
        if _sign(node[3 - i], region):
            return inner
        return not inner if _sign(["-", "0", node[3 - i]], region) else None
    positive = _sign(node[1], region) and _sign(node[2], region)
    return not inner if positive else None


def _sign(node: Node, region: Region) -> bool:
    """Whether ``node`` is proved to be ≥ 0 in ``region``."""
    if _first_choice(node) is None:
        try:
            return nonnegative(_rational(node, region.atoms))
        except OutOfReachError:
            return False
    assert isinstance(node, list)
    parts = [_sign(part, region) for part in node[1:]]
    if node[0] == "max":
        return any(parts)
    if node[0] in ("exp", "sqrt") or (node[0] in ("min", "+", "*", "/") and all(parts)):
        return True
    return node[0] == "-" and _is_less(node[2], node[1], region)


def _is_less(y: Node, x: Node, region: Region) -> bool:
    """Whether y ≤ x is seen from the form of y: a minimum, a maximum or a difference."""
    if not isinstance(y, list):
        return False
    if y[0] in ("min", "max"):
        test = any if y[0] == "min" else all
        plain = all(_first_choice(part) is None for part in y[1:])  # else one by one takes too long
        return plain and test(_sign(["-", x, part], region) for part in y[1:])
    return y[0] == "-" and _sign(["-", x, y[1]], region) and _sign(y[2], region)
