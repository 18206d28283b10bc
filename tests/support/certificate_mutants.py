"""Mutants of certificates: every number, key, operator and type changed, and the rest made to fit.

A mutant whose sides and statement no longer fit is rejected for that alone, which says nothing of
the other demands. So most are *repaired*: statement and sides are made anew by the checker itself,
as whoever forges a certificate would do.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterable, Iterator
from fractions import Fraction
from types import ModuleType
from typing import Any

Certificate = dict[str, Any]
Path = tuple[str | int, ...]

#: What stands in another type's place.
ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0.5,
    0.0,
    1.0,
    -1,
    0,
    1,
    2,
    10**6,
    "",
    "x",
    [],
    {},
    ["1"],
)
OPERATIONS = ("+", "-", "*", "/", "**", "min", "max", "exp", "log", "sqrt", "abs", "%")
NAMES = (
    "gamma", "k", "n", "r_max", "span", "eps_m", "eps_m_data", "eps_m_sup", "eps_pi_ego",
    "sum_eps_pi", "sum_eps_pi_opp", "sum_eps_hat", "max_eps_hat", "eps_pi_joint", "eps_hat_0",
    "eps_hat_1", "eps_pi_1", "attained", "data", "pi", "q", "rho",
)  # fmt: skip
WORDS = ("model", "branched", "unnormalised", "normalised", "refutation", "equality",
         "opponent-term", "cycle", "wrong-limit", "printed-cycle", "uniform")  # fmt: skip


def places(value: Any, at: Path = ()) -> Iterator[Path]:
    """The paths of everything inside ``value``, itself included."""
    yield at
    keys: Iterable[str | int] = ()
    if isinstance(value, dict | list):
        keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield from places(value[key], (*at, key))


def at(value: Any, path: Path) -> Any:
    """What stands at ``path``."""
    for key in path:
        value = value[key]
    return value


def put(value: Certificate, path: Path, new: Any) -> Certificate:
    """A copy with ``new`` at ``path``."""
    if not path:
        return new  # type: ignore[no-any-return]
    out = copy.deepcopy(value)
    at(out, path[:-1])[path[-1]] = new
    return out


def _number(rng: random.Random, x: Fraction) -> Any:
    """Another number, or the same one written otherwise."""
    near = Fraction(rng.choice((1, -1)), rng.choice((1, 2, 10, 10**6)))
    new = rng.choice(
        (x + near, x * 2, -x, 1 / x if x else x, Fraction(0), Fraction(1), 1 - x, x / 3)
    )
    text = str(new)
    otherwise = f" {x}", f"+{x}", f"{float(x)}", f"{x.numerator * 2}/{x.denominator * 2}"
    return rng.choice((text, text, text, text, int(new), float(x), *otherwise))


def changed(rng: random.Random, value: Certificate) -> Certificate:
    """One change somewhere."""
    path = rng.choice(list(places(value)))
    old = at(value, path)
    if rng.random() < 0.15 and path:
        return put(value, path, copy.deepcopy(rng.choice(ODD)))
    if rng.random() < 0.1 and path:  # what stands elsewhere, in the right type as a rule
        other = [p for p in places(value) if type(at(value, p)) is type(old) or old is None]
        return put(value, path, copy.deepcopy(at(value, rng.choice(other))))
    if isinstance(old, bool) or old is None:
        return put(value, path, copy.deepcopy(rng.choice(ODD)))
    if isinstance(old, int | float):
        return put(
            value, path, rng.choice((old + 1, old - 1, -old, float(old), str(old), 99, 3 / 2))
        )
    if isinstance(old, str):
        try:
            return put(value, path, _number(rng, Fraction(old)))
        except (ValueError, ZeroDivisionError, OverflowError):
            pool = OPERATIONS if old in OPERATIONS else NAMES if old in NAMES else WORDS
            return put(value, path, rng.choice((*pool, *pool, "1", old + " ")))
    if isinstance(old, list):
        new = copy.deepcopy(old)
        kind = rng.randrange(5)
        if kind == 0 and new:
            del new[rng.randrange(len(new))]
        elif kind == 1 and new:
            new.insert(rng.randrange(len(new) + 1), copy.deepcopy(rng.choice(new)))
        elif kind == 2 and len(new) > 1:
            i, j = rng.sample(range(len(new)), 2)
            new[i], new[j] = new[j], new[i]
        elif kind == 3 and new and new[0] in OPERATIONS:
            new = rng.choice((["+", new, "1"], ["*", "1/2", new], ["sqrt", new, "-5", "0"],
                              ["exp", new, "1"], ["-", "0", new], ["max", "0", "0", new],
                              ["log", new, "-100", "0"], ["**", new, "2"]))  # fmt: skip
        else:
            new.append(copy.deepcopy(rng.choice(ODD)))
        return put(value, path, new)
    new = copy.deepcopy(old)
    names = sorted(new)
    kind = rng.randrange(4)
    if kind == 0 and names:
        del new[rng.choice(names)]
    elif kind == 1:
        new[rng.choice(("attained", "branch_length", "opponent_lengths", "note", "beta", "t"))] = (
            copy.deepcopy(rng.choice(ODD))
        )
    elif kind == 2 and len(names) > 1:
        i, j = rng.sample(names, 2)
        new[i], new[j] = new[j], new[i]
    elif names:
        new[rng.choice(names) + "_"] = new.pop(rng.choice(names))
    return put(value, path, new)


def repaired(value: Certificate, checker: ModuleType) -> Certificate:
    """The same with the statement and the sides that the checker computes, as far as it does."""
    out = copy.deepcopy(value)
    try:
        out["statement"] = checker.statement(out)
        if out["format"] == "bound-certificate/1":
            check = checker.check_term if out["kind"] == "opponent-term" else checker.check_game
            left, _, right = check(out)
            out |= {"left": str(left), "right": str(right)}
    except Exception:
        return value
    return out


def mutants(
    originals: list[Certificate], checker: ModuleType, rng: random.Random, count: int
) -> Iterator[Certificate]:
    """``count`` mutants of one to three changes, three in four of them repaired."""
    for _ in range(count):
        value = copy.deepcopy(rng.choice(originals))
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            if isinstance(value, dict):
                value = changed(rng, value)
        if isinstance(value, dict) and rng.random() < 0.75:
            value = repaired(value, checker)
        yield value


def with_a_key_twice(rng: random.Random, value: Certificate) -> str:
    """JSON text in which one key of some object stands twice, with another value first."""
    text = json.dumps(value)
    path = rng.choice([p for p in places(value) if isinstance(at(value, p), dict) and at(value, p)])
    key = rng.choice(sorted(at(value, path)))
    marked = put(value, path, {"@": 0, **at(value, path)})
    if not path:
        return text.replace("{", f'{{"{key}": 1, ', 1)
    return json.dumps(marked).replace('"@": 0', f'"{key}": 1', 1)
