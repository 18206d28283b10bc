"""Whether what a certificate states is true: a second evaluation, from the printed words alone.

Nothing of the checkers is used. The right-hand side is read out of the statement's text with
Python's parser and evaluated in intervals of 60 digits; the returns and errors come from the
library's own exact evaluation of the case. Soft certificates are played through numerically.
"""

from __future__ import annotations

import ast
import re
from fractions import Fraction
from math import floor
from typing import Any

import mpmath

from bounds.shared.numbers import InputError
from tabular.cases.case import Case
from tabular.cases.errors import measure
from tabular.cases.files import parse_case
from tabular.cases.returns import branched_return, model_return, real_return
from tabular.games.policy import joint_policy

_STATEMENT = re.compile(
    r"(gamma \* )?(\(1 - gamma\) \* )?\(real return - (model|branched) return\) (>|=) (.*)",
    re.DOTALL,
)
#: Digits of the intervals; numbers that are nearer than these can tell are called equal.
mpmath.iv.dps = 60


def interval(low: Any, high: Any) -> Any:
    """The interval around two rationals."""
    ends = [mpmath.iv.mpf(x.numerator) / x.denominator for x in map(Fraction, (low, high))]
    return mpmath.iv.mpf([ends[0].a, ends[1].b])


def names_of(case: Case, about: str) -> dict[str, Any]:
    """What each name of a bound is on the case, by the library's own measurement."""
    errors = measure(case)
    shift, hats = list(errors.policy_shift), [e or 0 for e in errors.opponent_model]
    data = (errors.data.value, errors.data.upper)
    pi = (errors.current.value, errors.current.upper)
    distance = abs(joint_policy(case.policies) - joint_policy(case.data_policies))
    exact = {
        "gamma": case.gamma,
        "n": case.n,
        "k": case.branch_length,
        "r_max": errors.r_max,
        "span": errors.span,
        "eps_m_sup": errors.model_sup,
        "eps_pi_ego": shift[case.ego],
        "sum_eps_pi": sum(shift),
        "sum_eps_pi_opp": sum(shift) - shift[case.ego],
        "sum_eps_hat": sum(hats),
        "max_eps_hat": max(hats),
        "eps_pi_joint": distance.sum(axis=-1).max() / 2,
    }
    exact |= {f"eps_pi_{j}": e for j, e in enumerate(shift)}
    exact |= {f"eps_hat_{j}": e for j, e in enumerate(hats) if j != case.ego}
    found = {name: interval(x, x) for name, x in exact.items() if x is not None}
    return found | {
        "eps_m_data": interval(*data),
        "eps_m": interval(*(data if about == "model" else pi)),
    }


def value(text: str, names: dict[str, Any]) -> Any:
    """The interval of arithmetic text; ``ValueError`` for what is no arithmetic."""

    def of(node: ast.expr) -> Any:
        if isinstance(node, ast.Name) and node.id in names:
            return names[node.id]
        if isinstance(node, ast.Constant) and type(node.value) is int:
            return mpmath.iv.mpf(node.value)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -of(node.operand)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            base, power = of(node.left), of(node.right)
            if power.delta != 0 or int(power.mid) != power.mid:
                raise ValueError("a power that is not whole")
            whole = int(power.mid)
            if whole < 0 and 0 in base:
                raise ValueError("a power of zero")
            return base**whole
        if isinstance(node, ast.BinOp):
            a, b = of(node.left), of(node.right)
            if isinstance(node.op, ast.Div):
                if 0 in b:
                    raise ValueError("a division by zero")
                return a / b
            done = {ast.Add: lambda: a + b, ast.Sub: lambda: a - b, ast.Mult: lambda: a * b}
            return done[type(node.op)]()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            return called(node.func.id, [of(part) for part in node.args])
        raise ValueError(f"{ast.dump(node)} is no arithmetic")

    return of(ast.parse(text, mode="eval").body)


def called(name: str, parts: list[Any]) -> Any:
    """min, max, exp, log or sqrt of intervals."""
    if name in ("min", "max"):
        a, b = parts
        pick = min if name == "min" else max
        return mpmath.iv.mpf([pick(a.a, b.a), pick(a.b, b.b)])
    (x,) = parts
    if (name == "log" and x.a <= 0) or (name == "sqrt" and x.a < 0):
        raise ValueError(f"{name} of {x}")
    return {"exp": mpmath.iv.exp, "log": mpmath.iv.log, "sqrt": mpmath.iv.sqrt}[name](x)


def is_true(certificate: dict[str, Any]) -> bool:
    """Whether statement and sides are true; False where they make no sense."""
    try:
        judge = {
            "refutation": of_a_game,
            "equality": of_a_game,
            "opponent-term": of_a_term,
            "cycle": of_a_cycle,
            "wrong-limit": of_a_limit,
            "printed-cycle": of_a_printed_cycle,
        }[certificate["kind"]]
        return judge(certificate)
    except (InputError, ValueError, KeyError, TypeError, ZeroDivisionError, IndexError):
        return False


def of_a_game(certificate: dict[str, Any]) -> bool:
    """Recompute the returns, read the bound out of the statement, compare."""
    match = _STATEMENT.fullmatch(certificate["statement"])
    if match is None:
        return False
    start, scale, about, relation, text = match.groups()
    case = parse_case(certificate["case"])
    gap = real_return(case) - (model_return if about == "model" else branched_return)(case)
    left = gap * (case.gamma if start else 1) * (1 - case.gamma if scale else 1)
    right = value(text, names_of(case, about))
    stated = [Fraction(certificate[side]) for side in ("left", "right")]
    if stated[0] != left or interval(stated[1], stated[1]).b < right.a:
        return False
    if relation == "=":
        gap = interval(left, left) - right
        return 0 in gap and gap.delta < mpmath.mpf(10) ** -40 and stated[1] == left
    return bool(interval(left, left).a > right.b) and relation == ">"


def of_a_term(certificate: dict[str, Any]) -> bool:
    """Section 5.1's term for errors in (0, 1], k ≥ 1 and a factor of 1 or more."""
    k, factor = certificate["k"], Fraction(certificate["factor"])
    errors = [Fraction(e) for e in certificate["opponent_model"]]
    if type(k) is not int or k < 1 or factor < 1 or not all(0 < e <= 1 for e in errors):
        return False
    left = sum((floor(k * min(errors) / e) + 1) * e for e in errors)
    right = factor * len(errors) * k * min(errors)
    stated = [Fraction(certificate[side]) for side in ("left", "right")]
    return left > right and stated == [left, right]


def _numbers(x: Any) -> Any:
    if isinstance(x, list):
        return [_numbers(y) for y in x]
    return mpmath.mpf(Fraction(x).numerator) / Fraction(x).denominator


def _two_agents(payoffs: Any) -> tuple[Any, Any]:
    """Both tables with the own action first; ``ValueError`` unless they are of one game."""
    first, second = _numbers(payoffs)
    shape = {len(row) for row in first} | {len(row) for row in second}
    if len(first) != len(second) or len(shape) != 1:
        raise ValueError("payoffs: not those of one game")
    return first, [list(column) for column in zip(*second, strict=True)]


def of_a_cycle(certificate: dict[str, Any]) -> bool:
    """All move to the softmax of their payoffs: profile by profile, to 40 digits."""
    with mpmath.workdps(60):
        own, base = _two_agents(certificate["payoffs"]), _numbers(certificate["base"])
        cycle = _numbers(certificate["cycle"])
        if base <= 1 or f" base = {certificate['base']}, " not in certificate["statement"]:
            return False
        for now, after in zip(cycle, cycle[1:] + cycle[:1], strict=True):
            for j in range(2):
                u = [mpmath.fdot(row, now[1 - j]) for row in own[j]]
                weights = [base ** (x - max(u)) for x in u]
                reply = [w / mpmath.fsum(weights) for w in weights]
                if any(abs(a - b) > 1e-40 for a, b in zip(reply, after[j], strict=True)):
                    return False
        different = {str(profile) for profile in cycle}
        return (
            len(different) == len(cycle) > 1 and f"round {len(cycle)} " in certificate["statement"]
        )


def of_a_limit(certificate: dict[str, Any]) -> bool:
    """Play it: soft replies at falling temperatures from uniform play, in 60 digits."""
    with mpmath.workdps(60):
        own, (i, j) = _two_agents(certificate["payoffs"]), certificate["optimum"]
        if len(own[0]) != 2 or len(own[0][0]) != 2 or not {i, j} <= {0, 1}:
            return False
        best = own[0][i][j], own[1][j][i]
        if best != (max(map(max, own[0])), max(map(max, own[1]))):
            return False
        shares = [mpmath.mpf(1) / 2] * 2  # of action 0
        for step in range(40):
            alpha = mpmath.mpf(2) ** -(step // 3)
            for _ in range(200 if step < 6 else 40):
                u = [[row[0] * x + row[1] * (1 - x) for row in mine]
                     for mine, x in zip(own, shares[::-1], strict=True)]  # fmt: skip
                shares = [1 / (1 + mpmath.exp((v[1] - v[0]) / alpha)) for v in u]
        worth = [max(v) for v in u]
        less = all(x < y - 1e-9 for x, y in zip(worth, best, strict=True))
        limit = certificate["limit"]
        if limit == "uniform":
            return less and all(abs(x - 0.5) < 1e-30 for x in shares)
        return less and all(abs(x - (1 - end)) < 1e-9 for x, end in zip(shares, limit, strict=True))


def of_a_printed_cycle(certificate: dict[str, Any]) -> bool:
    """Iterate the gap: from inside each interval it goes to and fro between them."""
    with mpmath.workdps(60):
        gamma, alpha, stay = (_numbers(certificate[key]) for key in ("gamma", "alpha", "stay"))
        leaving, intervals = certificate["leaving"], _numbers(certificate["intervals"])
        if type(leaving) is not int or leaving < 1 or not 0 <= gamma < 1 or alpha <= 0:
            return False
        said = certificate["statement"]
        if not all(f"{certificate[key]}" in said for key in ("gamma", "alpha", "stay", "leaving")):
            return False
        shift = stay / alpha - mpmath.log(leaving + 1)
        for number, (low, high) in enumerate(intervals):
            for part in range(5):
                x = low + (high - low) * part / 4
                for step in range(1, 60):
                    share = 1 / (1 + leaving * mpmath.exp(-x))
                    x = shift + mpmath.log(mpmath.exp(x) + leaving) - (1 - gamma) * share * x
                    a, b = intervals[(number + step) % 2]
                    if not a <= x <= b:
                        return False
        (_, below), (above, _) = sorted(intervals)
        return bool(below < above)
