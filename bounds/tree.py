"""A formula as a tree of operations, as it was written: for certificates and for reading.

Calling a bound's formula with ``Tree`` operands records the operations instead of doing them:
["+", x, y], ["-", x, y], ["*", x, y], ["/", x, y], ["**", x, y] over names and whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from bounds.bound import Bound

_PRECEDENCE = {"+": 1, "-": 1, "*": 2, "/": 2, "**": 3}


@dataclass(frozen=True, eq=False)
class Tree:
    """One operand: a name, a number's text, or [operation, left, right] as nested lists."""

    node: Any

    def __add__(self, other: Any) -> Tree:
        return Tree(["+", self.node, _node(other)])

    def __radd__(self, other: Any) -> Tree:
        return Tree(["+", _node(other), self.node])

    def __sub__(self, other: Any) -> Tree:
        return Tree(["-", self.node, _node(other)])

    def __rsub__(self, other: Any) -> Tree:
        return Tree(["-", _node(other), self.node])

    def __mul__(self, other: Any) -> Tree:
        return Tree(["*", self.node, _node(other)])

    def __rmul__(self, other: Any) -> Tree:
        return Tree(["*", _node(other), self.node])

    def __truediv__(self, other: Any) -> Tree:
        return Tree(["/", self.node, _node(other)])

    def __rtruediv__(self, other: Any) -> Tree:
        return Tree(["/", _node(other), self.node])

    def __pow__(self, other: Any) -> Tree:
        return Tree(["**", self.node, _node(other)])


def _node(value: Any) -> Any:
    if isinstance(value, Tree):
        return value.node
    if isinstance(value, int | Fraction):
        return str(value)
    raise TypeError(f"{value!r} cannot be part of a formula")


def tree(bound: Bound) -> Any:
    """The right-hand side of ``bound`` as nested lists, ready for JSON."""
    return bound.formula(**{name: Tree(name) for name in bound.symbols}).node


def text(node: Any, outer: int = 0) -> str:
    """A tree as arithmetic text, with the parentheses that it needs."""
    if not isinstance(node, list):
        return str(node)
    operation, left, right = node
    level = _PRECEDENCE[operation]
    gap = "" if operation in ("**", "*", "/") else " "
    # a right operand of the same level needs parentheses under -, / and **
    inner = level + (operation in ("-", "/", "**"))
    body = f"{text(left, level + (operation == '**'))}{gap}{operation}{gap}{text(right, inner)}"
    return f"({body})" if level < outer else body


def formula_text(bound: Bound) -> str:
    """The right-hand side as text; empty where it is a sum over a recursion."""
    return "" if not bound.symbols else text(tree(bound))
