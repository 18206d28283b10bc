"""A bound as a user writes it: text, parsed by a whitelist of operations, never executed.

The grammar is arithmetic: the names in ``NAMES`` (``bounds.formula.symbols`` says what they mean),
whole numbers, decimals (read exactly, 0.95 is 19/20), ``+ - * / **``, parentheses, and the
functions ``min max exp log sqrt``. Python's parser makes the syntax tree; every node of it is
looked at, and anything else is refused with its text.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from difflib import get_close_matches
from fractions import Fraction
from typing import TypeGuard

from bounds.formula.bound import Bound, Convention
from bounds.formula.operations import FUNCTIONS, apply
from bounds.formula.symbols import About
from bounds.formula.tree import Node
from bounds.shared.numbers import MAX_NUMBER_LENGTH, InputError, Operand, parse_number, shown

#: Longest text that is read, in characters; most operations in it; deepest nesting.
MAX_TEXT = 10_000
MAX_NODES = 2_000
MAX_DEPTH = 200
#: Largest whole number that an exponent without names may be.
MAX_EXPONENT = 1_000
#: What a user's bound may be written in.
NAMES = (
    "gamma",
    "k",
    "n",
    "r_max",
    "span",
    "eps_m",
    "eps_m_sup",
    "sum_eps_pi",
    "eps_pi_ego",
    "sum_eps_pi_opp",
    "sum_eps_hat",
    "max_eps_hat",
)

_OPERATIONS: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
}


def parse(text: str) -> Node:
    """The tree of ``text``: a name, a number's text, or [operation, operand, …] as nested lists.

    Raises ``InputError`` with the part that cannot be used and what to write instead.
    """
    if len(text) > MAX_TEXT:
        raise InputError(f"the expression has {len(text)} characters; at most {MAX_TEXT} are read")
    if not text.strip():
        raise InputError("the expression is empty; write a bound, for example span/(1-gamma)")
    line = " ".join(text.split())
    if not line.isascii():
        odd = next(c for c in line if not c.isascii())
        raise InputError(f"{shown(odd)} is not ASCII; write names such as gamma and eps_m")
    try:
        body = ast.parse(line, mode="eval").body
    except (RecursionError, MemoryError):
        raise InputError(
            f"the expression is nested more than {MAX_DEPTH} deep; simplify it"
        ) from None
    except (SyntaxError, ValueError) as error:
        at = getattr(error, "offset", None)
        near = f" near {shown(line[max(0, at - 1) : at + 20])}" if at else ""
        raise InputError(f"the expression is not arithmetic{near}; check its syntax") from None
    nodes = sum(1 for _ in ast.walk(body))
    if nodes > 4 * MAX_NODES:
        raise InputError(f"the expression is too long ({nodes} parts); shorten it")
    return _node(body, line, 0)


def _node(node: ast.expr, text: str, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise InputError(f"the expression is nested more than {MAX_DEPTH} deep; simplify it")

    def inner(part: ast.expr) -> Node:
        return _node(part, text, depth + 1)

    source = text[node.col_offset : node.end_col_offset]
    match node:
        case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
            return _number(source)
        case ast.Name():
            return _name(node.id)
        case ast.UnaryOp(op=ast.UAdd()):
            return inner(node.operand)
        case ast.UnaryOp(op=ast.USub()):
            operand = inner(node.operand)
            return (
                f"-{operand}" if _is_number(operand) and operand[0] != "-" else ["-", "0", operand]
            )
        case ast.BinOp() if type(node.op) in _OPERATIONS:
            operation = _OPERATIONS[type(node.op)]
            left, right = inner(node.left), inner(node.right)
            if operation == "**":
                _check_power(left, right, source)
            if operation == "/" and _is_number(right) and Fraction(right) == 0:
                raise InputError(f"{shown(source)} divides by zero")
            return [operation, left, right]
        case ast.Call():
            return _call(node, inner, source)
        case ast.BinOp(op=ast.BitXor()):
            raise InputError(f"{shown(source)}: write ** for a power, not ^")
    raise InputError(
        f"{shown(source)} is not part of a bound; use numbers, names, + - * / ** and the functions "
        "min, max, exp, log, sqrt"
    )


def _number(source: str) -> str:
    if len(source) > MAX_NUMBER_LENGTH:
        raise InputError(
            f"a number of {len(source)} characters; at most {MAX_NUMBER_LENGTH} are read"
        )
    value = parse_number(source.replace("_", ""), "the expression")
    return str(value)


def _name(name: str) -> str:
    if name not in NAMES:
        near = get_close_matches(name, NAMES, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"use {', '.join(NAMES)}"
        raise InputError(f"{shown(name)} is not a name of a bound; {hint}")
    return name


def _call(node: ast.Call, inner: Callable[[ast.expr], Node], source: str) -> Node:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name not in (*FUNCTIONS, "min", "max") or node.keywords:
        raise InputError(
            f"{shown(source)} is not a function of a bound; use min, max, exp, log, sqrt"
        )
    operands = [inner(part) for part in node.args]
    if name in FUNCTIONS and len(operands) != 1:
        raise InputError(f"{shown(source)}: {name} takes one number")
    if name in ("min", "max") and len(operands) < 2:
        raise InputError(f"{shown(source)}: {name} takes two numbers or more")
    tree = operands[0] if name in ("min", "max") else [name, operands[0]]
    for other in operands[1:]:
        tree = [name, tree, other]
    return tree


def _is_number(node: Node) -> TypeGuard[str]:
    return isinstance(node, str) and not node.isidentifier()


def _check_power(base: Node, exponent: Node, source: str) -> None:
    """Refuse towers (a power in an exponent) and exponents beyond ``MAX_EXPONENT``."""
    parts = [exponent]
    while parts:
        part = parts.pop()
        if isinstance(part, list):
            if part[0] in ("**", "exp"):
                raise InputError(f"{shown(source)}: a power in an exponent; write it another way")
            parts += part[1:]
        elif _is_number(part) and abs(Fraction(part)) > MAX_EXPONENT:
            raise InputError(
                f"{shown(source)}: the exponent {shown(Fraction(part))} is beyond {MAX_EXPONENT}"
            )
    if _is_number(base) and abs(Fraction(base)) > MAX_EXPONENT:
        raise InputError(f"{shown(source)}: a power of a number beyond {MAX_EXPONENT}")


def names_in(node: Node) -> tuple[str, ...]:
    """The names in a tree, each once, in order of appearance."""
    if isinstance(node, list):
        return tuple(dict.fromkeys(name for part in node[1:] for name in names_in(part)))
    return () if _is_number(node) else (node,)


def evaluate(node: Node, values: dict[str, Operand]) -> Operand:
    """The value of a tree; ``values`` maps names to operands (``bounds.formula.operations``)."""
    if isinstance(node, list):
        return apply(node[0], *(evaluate(part, values) for part in node[1:]))
    return Fraction(node) if _is_number(node) else values[node]


def written_bound(text: str, about: About, convention: Convention, name: str = "written") -> Bound:
    """The bound whose right-hand side is ``text``, as a claim about the ``about`` return.

    Raises ``InputError`` where the text is not a bound, or not one about that return.
    """
    tree = parse(text)
    used = names_in(tree)
    if about == "model" and "k" in used:
        raise InputError("k: the model return is not branched; take --about branched, or leave k")

    def formula(**values: Operand) -> Operand:
        return evaluate(tree, values)

    parameters = [inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY) for n in used]
    vars(formula)["__signature__"] = inspect.Signature(parameters)
    return Bound(
        name=name,
        about=about,
        convention=convention,
        source="as written by the user",
        hypotheses=(),
        valid=False,
        formula=formula,
    )
