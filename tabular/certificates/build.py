"""Certificates: a refutation or an equality as one exact case that anybody's checker can recompute.

A certificate (format "bound-certificate/1") holds the case, the bound as a tree of operations over
the names of ``bounds.formula.symbols``, both sides, and for ε_m and ε′_m a proof that no later time
exceeds the maximum (``tabular.cases.time_suprema``). ``tabular.verify`` checks it with nothing but
the standard library.
"""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np

from bounds.formula.bound import Bound
from bounds.formula.expression import evaluate, names_in
from bounds.formula.symbols import About, read
from bounds.formula.tree import Node, text, tree
from bounds.shared.files import write_json
from bounds.shared.numbers import Array, InputError, Operand
from tabular import verify
from tabular.cases.case import Case
from tabular.cases.check import check
from tabular.cases.errors import Errors, measure, profile
from tabular.cases.files import case_json
from tabular.cases.time_suprema import ExpectedError
from tabular.games.arrays import is_exact_array
from tabular.games.number_text import rational_text

FORMAT = "bound-certificate/1"
#: Names that need no opponent-wise expansion: what the independent checker measures itself.
_MEASURED = frozenset(
    {
        "gamma",
        "k",
        "r_max",
        "span",
        "eps_m",
        "eps_m_data",
        "eps_m_sup",
        "eps_pi_ego",
        "sum_eps_pi_opp",
        "sum_eps_pi",
        "eps_pi_joint",
        "sum_eps_hat",
        "max_eps_hat",
        "n",
    }
)
#: How far from its float value a root or logarithm is said to be at most; the checker makes sure.
_ENCLOSURE = Fraction(1, 10**12)


def refutation(case: Case, bound: Bound, *, first_t: int = 0) -> dict[str, Any]:
    """The certificate that γ^first_t (η − η_model) exceeds ``bound`` on the exact ``case``.

    first_t = 1 refutes the bound for the paper's return, whose sum starts at t = 1. If the model's
    return is the larger one, the certificate's case has its rewards negated, which swaps the sign
    of the discrepancy and nothing else.

    Raises ``InputError`` if the case is not exact or does not refute the bound.
    """
    if not case.is_exact:
        raise InputError(f"{bound.name}: a certificate needs an exact case; rationalise it first")
    result = check(case, [bound])
    if not result.verdicts:
        raise InputError(f"{bound.name}: does not apply to this case")
    if bound.value is not None and bound.about == "branched" and case.opponent_lengths is not None:
        raise InputError(
            f"{bound.name}: its formula is for all n_j = k; leave opponent_lengths out"
        )
    other = result.model if bound.about == "model" else result.branched
    if result.real < other:
        return refutation(replace(case, reward=-case.reward), bound, first_t=first_t)
    certificate = _certificate("refutation", case, bound, first_t)
    left, right = verify.check_game(certificate)
    if left <= right:
        raise InputError(f"{bound.name}: this case does not refute it")
    return certificate | {"left": rational_text(left), "right": rational_text(right)}


def _certificate(kind: str, case: Case, bound: Bound, first_t: int) -> dict[str, Any]:
    errors = measure(case)
    return {
        "format": FORMAT,
        "kind": kind,
        "claim": bound.name,
        "statement": f"{'' if first_t == 0 else 'gamma * '}"
        f"{'' if bound.convention == 'unnormalised' else '(1 - gamma) * '}"
        f"(real return - {bound.about} return) {'=' if kind == 'equality' else '>'} "
        f"{text(tree(bound))}",
        "source": bound.source,
        "about": bound.about,
        "convention": bound.convention,
        "first_t": first_t,
        "bound": _enclosed(_expanded(tree(bound), case), case, errors, bound.about),
        "proofs": {"data": _proof(errors.data), "pi": _proof(errors.current)},
        "case": case_json(case),
    }


def _proof(error: ExpectedError) -> dict[str, Any]:
    h = error.majorant
    return {
        "t": error.steps,
        "majorant": None if h is None else [rational_text(x) for x in h],
    }


def _enclosed(node: Node, case: Case, errors: Errors, about: About) -> Node:
    """The tree with what the checker needs to bound roots and logarithms, and whole powers only.

    ["sqrt", x] and ["log", x] get a lower and an upper value; xʸ for a y that is not whole becomes
    ["exp", ["*", y, ["log", x, …]]].
    """
    if not isinstance(node, list):
        return node
    given = profile(case, errors, proved=True)

    def value(part: Node) -> Operand:
        return evaluate(part, {name: read(name, given, about) for name in names_in(part)})

    operation, *parts = [node[0], *(_enclosed(part, case, errors, about) for part in node[1:])]
    if operation == "**":
        exponent = value(node[2])
        if not isinstance(exponent, float) and Fraction(exponent).denominator == 1:
            return [operation, *parts]
        if value(node[1]) == 0:
            return parts[0]
        logarithm = _enclosed(["log", node[1]], case, errors, about)
        return ["exp", ["*", parts[1], logarithm]]
    if operation in ("log", "sqrt"):
        exact = value(node)
        near = Fraction(exact)
        slack = Fraction(0) if isinstance(exact, Fraction) else _ENCLOSURE * (1 + abs(near))
        return [operation, *parts, rational_text(near - slack), rational_text(near + slack)]
    return [operation, *parts]


def _expanded(node: Node, case: Case) -> Node:
    """The tree with names that the checker does not measure written out agent by agent."""
    if isinstance(node, list):
        return [node[0], *(_expanded(part, case) for part in node[1:])]
    if node in _MEASURED or not isinstance(node, str) or not node.isidentifier():
        return node

    def product(names: list[str]) -> Node:
        survive = [["-", "1", name] for name in names]
        return reduce(lambda a, b: ["*", a, b], survive, one)

    one: Node = "1"
    zero: Node = "0"
    hats = [f"eps_hat_{j}" for j in case.opponents]
    if node == "q":
        return product([f"eps_pi_{j}" for j in range(case.n)])
    if node == "c_bar":
        return product(hats)
    if node == "rho":
        return ["*", product(hats), ["-", "1", "eps_m_sup"]]
    if node == "sum_n_eps_hat":
        lengths = case.lengths()
        terms = [["*", str(lengths[j] + 1), f"eps_hat_{j}"] for j in case.opponents]
        return reduce(lambda a, b: ["+", a, b], terms, zero)
    raise InputError(f"{node}: certificates do not know this name")


def opponent_term(k: int, opponent_model: list[Fraction], factor: Fraction) -> dict[str, Any]:
    """The certificate that Σ(nⱼ+1)ε_π̂ʲ exceeds ``factor`` times (n−1) k min ε_π̂ (Section 5.1)."""
    certificate = {
        "format": FORMAT,
        "kind": "opponent-term",
        "claim": "opponent-term-approximation",
        "statement": "sum_j (n_j + 1) eps_hat_j > factor * (n - 1) * k * min_j eps_hat_j, "
        "n_j = floor(k * min_j' eps_hat_j' / eps_hat_j)",
        "source": "Zhang et al., IJCAI 2021, Section 5.1",
        "k": k,
        "opponent_model": [rational_text(e) for e in opponent_model],
        "factor": rational_text(factor),
    }
    least = min(opponent_model, default=Fraction(0))
    if least <= 0:
        raise InputError("opponent_model: needs errors above 0; n_j is a quotient of them")
    left = sum((k * least // e + 1) * e for e in opponent_model)
    right = factor * len(opponent_model) * k * least
    if left <= right:
        raise InputError("opponent_model: these errors do not exceed the factor")
    return certificate | {"left": rational_text(left), "right": rational_text(right)}


def save(certificate: dict[str, Any], path: Path, *, replace: bool = False) -> Path:
    """Write ``certificate`` after the independent checker has accepted it."""
    verify.verify(json.loads(json.dumps(certificate)))
    return write_json(path, certificate, replace=replace)


def rationalised(case: Case, denominator: int = 10**6) -> Case:
    """An exact case near a float one: distributions and rewards in multiples of 1/denominator.

    Entries are rounded down, and what is left over goes to those that lost most.
    """

    def number(x: float) -> Fraction:
        return Fraction(round(float(x) * denominator), denominator)

    def rows(array: Array | None) -> Any:
        if array is None or is_exact_array(array):
            return array
        out = np.empty(array.shape, dtype=object)
        for index in np.ndindex(array.shape[:-1]):
            scaled = array[index] * denominator / array[index].sum()
            parts = np.floor(scaled).astype(int)
            # what is left over goes to the entries that lost most by rounding down
            short = denominator - int(parts.sum())
            parts[np.argsort(parts - scaled, kind="stable")[:short]] += 1
            out[index] = [Fraction(int(x), denominator) for x in parts]
        return out

    def entries(array: Array) -> Array:
        out = np.empty(array.shape, dtype=object)
        out[...] = np.vectorize(number, otypes=[object])(array)
        return out

    gamma = Fraction(case.gamma).limit_denominator(10**6)
    if gamma == 1:
        gamma = Fraction(case.gamma)  # a float below 1 that rounds up
    return replace(
        case,
        gamma=gamma,
        initial=rows(case.initial),
        transition=rows(case.transition),
        model_transition=rows(case.model_transition),
        reward=entries(case.reward),
        policies=tuple(map(rows, case.policies)),
        data_policies=tuple(map(rows, case.data_policies)),
        opponent_models=tuple(map(rows, case.opponent_models)),
    )
