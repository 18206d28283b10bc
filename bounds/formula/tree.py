"""A formula as a tree of operations, as it was written: for certificates and for reading.

Calling a bound's formula with ``Tree`` operands records the operations instead of doing them:
["+", x, y], ["-", x, y], ["*", x, y], ["/", x, y], ["**", x, y], and where a user wrote them
["min", x, y], ["max", x, y], ["exp", x], ["log", x], ["sqrt", x], over names and rational numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from bounds.formula.bound import Bound
from bounds.shared.numbers import Operand

#: A tree: a name or a number's text, or [operation, tree, …], ready for JSON.
Node: TypeAlias = str | list[Any]

_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "**": 3}


@dataclass(frozen=True, eq=False)
class Tree:
    """One operand of a formula, by its tree."""

    node: Node

    def __add__(self, other: Operand) -> Tree:
        return Tree(["+", self.node, _node(other)])

    def __radd__(self, other: Operand) -> Tree:
        return Tree(["+", _node(other), self.node])

    def __sub__(self, other: Operand) -> Tree:
        return Tree(["-", self.node, _node(other)])

    def __rsub__(self, other: Operand) -> Tree:
        return Tree(["-", _node(other), self.node])

    def __mul__(self, other: Operand) -> Tree:
        return Tree(["*", self.node, _node(other)])

    def __rmul__(self, other: Operand) -> Tree:
        return Tree(["*", _node(other), self.node])

    def __truediv__(self, other: Operand) -> Tree:
        return Tree(["/", self.node, _node(other)])

    def __rtruediv__(self, other: Operand) -> Tree:
        return Tree(["/", _node(other), self.node])

    def __pow__(self, other: Operand) -> Tree:
        return Tree(["**", self.node, _node(other)])

    def applied(self, name: str, operands: tuple[Operand, ...]) -> Tree:
        """The operation ``name`` of ``bounds.formula.operations``, recorded."""
        return Tree([name, *map(_node, operands)])


def _node(value: Operand) -> Node:
    if isinstance(value, Tree):
        return value.node
    if isinstance(value, int | Fraction):
        return str(value)
    raise TypeError(f"{value!r} cannot be part of a formula")


def tree(bound: Bound) -> Node:
    """The right-hand side of ``bound`` as nested lists, ready for JSON."""
    return _node(bound.formula(**{name: Tree(name) for name in bound.symbols}))


def text(node: Node, outer: int = 0) -> str:
    """A tree as arithmetic text, with the parentheses that it needs."""
    if not isinstance(node, list):
        level = 1 if node.startswith("-") else 2 if "/" in node else 4
        return f"({node})" if level < outer else str(node)
    operation, *parts = node
    if operation not in _PRECEDENCE:
        return f"{operation}({', '.join(map(text, parts))})"
    left, right = parts
    level = _PRECEDENCE[operation]
    gap = "" if operation in ("**", "*", "/") else " "
    # a right operand of the same level needs parentheses under -, / and **
    inner = level + (operation in ("-", "/", "**"))
    body = f"{text(left, level + (operation == '**'))}{gap}{operation}{gap}{text(right, inner)}"
    if operation == "-" and left == "0":
        body = f"-{text(right, inner)}"
    return f"({body})" if level < outer else body


def formula_text(bound: Bound) -> str:
    """The right-hand side as text; empty where it is a sum over a recursion."""
    return "" if bound.is_series else text(tree(bound))
