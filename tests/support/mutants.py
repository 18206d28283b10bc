"""Planted mistakes: every small slip in one function, made in its syntax tree.

``mutants`` makes each kind of slip at each place of a function, always in the same order. A mutant
is named by its kind and its number among those of this kind, so renaming what stands inside the
function changes no name. ``survivors`` plants them one by one in the function itself and says
which of them a check does not notice.

- operand: an operand of + − · / is 0 or 1, in its shape; of xʸ one remains
- operation: − for +, / for ·, x·y for xʸ, and the other way round
- number: a whole number, or the end of a ``range``, is one more, and one less
- comparison: < for ≤, > for ≥, = for ≠, ``in`` for ``not in``, and the other way round
- condition: always, and never; or one part of an ``and`` or ``or`` goes
- call: one argument stands for the call, unless that only converts it; min for max, all for any,
  and the other way round; the mean of an array for either
- order: two neighbours of three or more arguments, or two keywords, change places
- another: another attribute of the same type, or another key that the function reads (the one
  before it and the one after it there)
- statement: it does not happen

Left alone: guards that raise, what an error says, annotations.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from types import FunctionType
from typing import Any, cast

import pytest

#: A kind of slip, and what stands in the place of a node.
Slip = tuple[str, ast.AST]

OPERATION = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
COMPARISON = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
EXTREME = {"max": "min", "min": "max", "any": "all", "all": "any"}
OF_ARRAYS = {"max": ("min", "mean"), "min": ("max", "mean"), "any": ("all",), "all": ("any",)}
CONVERSIONS = {"array", "asarray", "bool", "float", "int", "list", "sorted", "str", "tuple"}


@dataclass(frozen=True)
class Mutant:
    """One slip: its kind, its number among those of this kind (from 0), the spoilt function.

    change: what was there and what is there now, as text.
    """

    kind: str
    number: int
    change: str
    made: FunctionType

    @property
    def name(self) -> str:
        """How lists of mutants call it."""
        return f"{self.kind} {self.number}"


def mutants(of: Any) -> list[Mutant]:
    """Every mutant of a function, method or property; of several with the same text the first."""
    function = _function(of)
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    tree.body[0].decorator_list = []  # type: ignore[attr-defined]
    assert not any(isinstance(node, ast.While) for node in ast.walk(tree)), "it might never end"
    alike = _alike_by_parameter(function) | _keys(tree)
    seen, made = {ast.unparse(tree)}, []
    numbers: Counter[str] = Counter()
    for put, node in list(_slots(tree)):
        for kind, changed in list(_slips(node, alike)):
            put(changed)
            source = ast.unparse(tree)
            if source not in seen:
                seen.add(source)
                change = f"{_brief(node)}  ->  {_brief(changed)}"
                spoilt = _compiled(tree, function.__globals__)
                made.append(Mutant(kind, numbers[kind], change, spoilt))
                numbers[kind] += 1
            put(node)
    return made


def survivors(check: Callable[[], None], *functions: Any) -> dict[str, str]:
    """The mutants with which ``check`` does not fail: "function kind number" ↦ what they change.

    A mutant takes the place of the function's code, so whoever knows the function runs it. Without
    any, ``check`` must not fail, before nor after: arrays that it uses again should be read-only,
    lest a mutant writes to them.
    """
    check()
    missed = {}
    for function in map(_function, functions):
        for mutant in mutants(function):
            with pytest.MonkeyPatch.context() as patch:
                for part in ("__code__", "__defaults__", "__kwdefaults__"):
                    patch.setattr(function, part, getattr(mutant.made, part))
                if not _fails(check):
                    missed[f"{function.__name__} {mutant.name}"] = mutant.change
    check()
    return missed


def assert_all_found(
    check: Callable[[], None], functions: Iterable[Any], harmless: Mapping[str, Collection[str]]
) -> None:
    """``check`` notices all mutants but those in ``harmless`` (reason ↦ names), and not these."""
    missed = survivors(check, *functions)
    known = {name for names in harmless.values() for name in names}
    unknown = [f"{name}: {change}" for name, change in missed.items() if name not in known]
    assert not unknown, "not noticed:\n" + "\n".join(unknown)
    found = sorted(known - missed.keys())
    assert not found, f"noticed, so they do harm, or are others by now: {', '.join(found)}"


def plant(
    patch: pytest.MonkeyPatch, function: FunctionType, spoil: Callable[[Any], Callable[..., Any]]
) -> None:
    """Let whoever knows ``function`` run ``spoil(function as it was)``, for mistakes of meaning."""
    original = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__
    )
    original.__kwdefaults__ = function.__kwdefaults__
    patch.setattr(function, "__code__", _instead.__code__)
    patch.setattr(function, "__defaults__", None)
    patch.setattr(function, "__kwdefaults__", {"spoilt": spoil(original)})


def _instead(*arguments: Any, spoilt: Callable[..., Any], **named: Any) -> Any:
    return spoilt(*arguments, **named)


def _fails(check: Callable[[], None]) -> bool:
    """Whether something is noticed: a claim that is false, or code that breaks down."""
    try:
        check()
    except (Exception, pytest.fail.Exception):
        return True
    return False


def _slots(node: ast.AST) -> Iterator[tuple[Callable[[ast.AST], None], ast.AST]]:
    """(how to put another node there, the node) below ``node``, in the order of the source."""
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for i, child in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(child, ast.AST) and not _only_speaks(child):
                if isinstance(value, list):
                    yield lambda new, at=value, i=i: at.__setitem__(i, new), child
                else:
                    yield lambda new, field=field: setattr(node, field, new), child
                yield from _slots(child)


def _only_speaks(node: ast.AST) -> bool:
    """Docstrings, messages, guards that raise."""
    if isinstance(node, ast.If):
        return isinstance(node.body[0], ast.Raise) and not node.orelse
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr | ast.Import | ast.ImportFrom)


def _slips(node: ast.AST, alike: dict[str, list[list[str]]]) -> Iterator[Slip]:
    match node:
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            yield "operand", left
            yield "operand", right
            yield "operation", ast.BinOp(left, ast.Mult(), right)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATION:
            neutral = 0 if isinstance(op, ast.Add | ast.Sub) else 1
            if getattr(left, "value", None) != neutral:
                yield "operand", ast.BinOp(_flat(left, neutral), op, right)
            if getattr(right, "value", None) != neutral:
                yield "operand", ast.BinOp(left, op, _flat(right, neutral))
            yield "operation", ast.BinOp(left, OPERATION[type(op)](), right)
        case ast.Constant(value=value) if type(value) is int:
            yield "number", ast.Constant(value + 1)
            yield "number", ast.Constant(value - 1)
        case ast.Compare(left=left, ops=[op], comparators=others) if type(op) in COMPARISON:
            yield "comparison", ast.Compare(left, [COMPARISON[type(op)]()], others)
        case ast.BoolOp(op=op, values=values):
            for i in range(len(values)):
                kept = values[:i] + values[i + 1 :]
                yield "condition", kept[0] if len(kept) == 1 else ast.BoolOp(op, kept)
        case ast.IfExp(body=body, orelse=orelse):
            yield "condition", body
            yield "condition", orelse
        case ast.If(body=body, orelse=orelse):
            yield "condition", ast.If(ast.Constant(True), body, orelse)
            yield "condition", ast.If(ast.Constant(False), body, orelse)
        case ast.comprehension(target=target, iter=source, ifs=[_, *_]):
            yield "condition", ast.comprehension(target, source, [], 0)
        case ast.Call(func=called, args=arguments, keywords=keywords):
            yield from _calls(called, arguments, keywords)
        case ast.Attribute(value=ast.Name(id=owner), attr=key, ctx=ast.Load()):
            for other in _others(alike, owner, key):
                yield "another", ast.Attribute(node.value, other, ast.Load())
        case ast.Subscript(
            value=ast.Name(id=owner), slice=ast.Constant(value=str(key)), ctx=ast.Load()
        ):
            for other in _others(alike, owner, key):
                yield "another", ast.Subscript(node.value, ast.Constant(other), ast.Load())
        case ast.Assign() | ast.AugAssign() | ast.Expr():
            yield "statement", ast.Pass()


def _flat(operand: ast.expr, number: int) -> ast.expr:
    """0 or 1 in the shape of ``operand``."""
    nothing = ast.BinOp(ast.Constant(0), ast.Mult(), operand)
    return nothing if number == 0 else ast.BinOp(nothing, ast.Add(), ast.Constant(1))


def _calls(
    called: ast.expr, arguments: list[ast.expr], keywords: list[ast.keyword]
) -> Iterator[Slip]:
    name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
    if name == "range":
        for step in (ast.Add(), ast.Sub()):
            end = ast.BinOp(arguments[-1], step, ast.Constant(1))
            yield "number", ast.Call(called, [*arguments[:-1], end], [])
        return
    if name in EXTREME and isinstance(called, ast.Name):
        yield "call", ast.Call(ast.Name(EXTREME[name], ast.Load()), arguments, keywords)
    elif name in OF_ARRAYS and isinstance(called, ast.Attribute):
        for other in OF_ARRAYS[name]:
            method = ast.Attribute(called.value, other, ast.Load())
            yield "call", ast.Call(method, arguments, keywords)
    if not any(isinstance(x, ast.Starred | ast.GeneratorExp) for x in arguments):
        for argument in arguments if name not in CONVERSIONS else ():
            yield "call", argument
        for i in range(len(arguments) - 1 if len(arguments) > 2 else 0):
            yield "order", ast.Call(called, _exchanged(arguments, i), keywords)
    for i in range(len(keywords) - 1):
        values = _exchanged([k.value for k in keywords], i)
        given = [ast.keyword(k.arg, value) for k, value in zip(keywords, values, strict=True)]
        yield "order", ast.Call(called, arguments, given)


def _exchanged(values: list[Any], i: int) -> list[Any]:
    return [*values[:i], values[i + 1], values[i], *values[i + 2 :]]


def _others(alike: dict[str, list[list[str]]], owner: str, key: str) -> list[str]:
    """The neighbours of ``key`` among those like it."""
    for keys in alike.get(owner, []):
        if key in keys:
            i = keys.index(key)
            return [keys[i - 1], keys[(i + 1) % len(keys)]]
    return []


def _keys(tree: ast.AST) -> dict[str, list[list[str]]]:
    """Name of a mapping ↦ the constant keys with which the function reads it."""
    found: dict[str, list[list[str]]] = {}
    for _, node in _slots(tree):
        match node:
            case ast.Subscript(value=ast.Name(id=owner), slice=ast.Constant(value=str(key))):
                (keys,) = found.setdefault(owner, [[]])
                keys += [key] if key not in keys else []
    return found


def _alike_by_parameter(function: FunctionType) -> dict[str, list[list[str]]]:
    """Parameter that is a dataclass ↦ its attributes, those of one type together."""
    scope, owner = function.__globals__, function.__qualname__.rpartition(".")[0]
    kinds = {name: scope.get(str(hint)) for name, hint in function.__annotations__.items()}
    if owner:
        kinds[next(iter(inspect.signature(function).parameters))] = scope[owner]
    return {name: _attributes(kind) for name, kind in kinds.items() if is_dataclass(kind)}


def _attributes(kind: Any) -> list[list[str]]:
    together: dict[str, list[str]] = {}
    for field in fields(kind):
        together.setdefault(str(field.type), []).append(field.name)
    for name, value in vars(kind).items():
        if isinstance(value, property | cached_property):
            hint = _function(value).__annotations__.get("return")
            together.setdefault(str(hint), []).append(name)
    return list(together.values())


def _brief(node: ast.AST) -> str:
    """The first line."""
    return ast.unparse(node).partition("\n")[0]


def _function(value: Any) -> FunctionType:
    """The function itself, or the one of a property."""
    if isinstance(value, property):
        return value.fget
    return value.func if isinstance(value, cached_property) else value


def _compiled(tree: Any, scope: dict[str, Any]) -> FunctionType:
    """The function of ``tree``; it sees its module's globals as they are when it is called."""
    made: dict[str, Any] = {}
    # annotations stay words, as in this module: their names may be missing when it runs
    exec(compile(ast.fix_missing_locations(tree), "<mutant>", "exec"), scope, made)
    return cast("FunctionType", made[tree.body[0].name])
