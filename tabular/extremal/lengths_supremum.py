"""The supremum of discrepancies with opponent-wise lengths, from below and from above.

The linear programme of ``tabular.extremal.lengths_upper_bound`` in floats. Its solution, rounded,
is a game whose discrepancy is exact; its multipliers, rounded, are prices that prove an upper value
exactly. The game has no model errors after time H, and the upper value counts what comes later as
lost: the two are apart by at most γ^{H+1}/(1 − γ) of the span, and what rounding costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from bounds.shared.numbers import InputError
from tabular.cases.case import Case
from tabular.cases.returns import branched_return, real_return
from tabular.extremal.latch_and_lanes import attaining_case
from tabular.extremal.lengths_upper_bound import Live, Pattern, Setting, upper
from tabular.games.arrays import exact_array, zeros

#: Largest number of masses in the linear programme.
MAX_MASSES = 200_000
#: Denominator to which prices and error probabilities are rounded.
DENOMINATOR = 10**6


@dataclass(frozen=True, eq=False)
class Supremum:
    """What the most that a game can reach lies between; both as multiples of the span.

    game: the case whose discrepancy is ``lower`` times its span. prices: those of ``upper``.
    """

    lower: Fraction
    upper: Fraction
    game: Case
    prices: tuple[Fraction, ...]


def supremum(setting: Setting) -> Supremum:
    """Solve the programme in floats, round, and evaluate both sides exactly."""
    chance, prices = _solved(setting)
    game = _game(setting, chance)
    gap = real_return(game) - branched_return(game)
    return Supremum(gap / 2, upper(setting, prices), game, tuple(prices))


def _solved(
    setting: Setting,
) -> tuple[dict[tuple[int, Live, Pattern], float], list[Fraction]]:
    """(probability of E [time, live set, pattern], price [time]), by linear programming.

    Masses: x[time, live set, pattern, E or not]; at H one mass a live set and pattern.
    """
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    rates = setting.opponent_model
    keys = [
        (time, live, pattern, hit)
        for time, layer in enumerate(setting.layers)
        for live in layer
        for pattern in setting.patterns
        for hit in ((False, True) if time < setting.horizon else (False,))
    ]
    if len(keys) > MAX_MASSES:
        raise InputError(
            f"horizon: {setting.horizon} with k = {setting.k} needs {len(keys)} masses; "
            f"at most {MAX_MASSES} are solved for"
        )
    column = {key: i for i, key in enumerate(keys)}
    # what flows into a live set comes out as its patterns, in their chances
    rows: dict[tuple[int, Live, Pattern], int] = {}
    for time, live, pattern, _ in keys:
        rows.setdefault((time, live, pattern), len(rows))
    entries: list[tuple[int, int, float]] = []
    for key, i in column.items():
        time, live, pattern, hit = key
        entries.append((rows[time, live, pattern], i, 1.0))
        if time < setting.horizon:
            target = frozenset({0}) if hit else setting.following(live, pattern)
            for p in setting.patterns:
                chance = float(setting.chance(p, rates))
                entries.append((rows[time + 1, target, p], i, -chance))
    right = np.zeros(len(rows))
    for p in setting.patterns:
        right[rows[0, frozenset({0}), p]] = float(setting.chance(p, rates))
    spends = [(key[0], i) for key, i in column.items() if key[3]]
    costs = [
        float(setting.gamma) ** time * setting.counts(live, time, pattern)
        for time, live, pattern, _ in keys
    ]

    def matrix(triples: list[tuple[int, int, float]], height: int) -> Any:
        row, col, value = zip(*triples, strict=True)
        return coo_array((value, (row, col)), shape=(height, len(keys))).tocsr()

    found = linprog(
        costs,
        A_eq=matrix(entries, len(rows)),
        b_eq=right,
        A_ub=matrix([(time, i, 1.0) for time, i in spends], setting.horizon),
        b_ub=np.full(setting.horizon, float(setting.model_error)),
        method="highs",
    )
    if found.status != 0:
        raise RuntimeError(f"the linear programme was not solved: {found.message}")
    prices = [
        Fraction(max(0.0, -x)).limit_denominator(DENOMINATOR) for x in found.ineqlin.marginals
    ]
    hits = {}
    for time, live, pattern, hit in keys:
        if hit:
            yes, no = (found.x[column[time, live, pattern, h]] for h in (True, False))
            hits[time, live, pattern] = yes / (yes + no) if yes + no > 0 else 0.0
    return hits, prices


def _game(setting: Setting, hits: dict[tuple[int, Live, Pattern], float]) -> Case:
    """The game that plays a solution; rewards 1 and −1. After H there are no model errors.

    Opponents have r, y, w as in ``ages``; states (time, live set), then L, then B.
    """
    numbers = [(time, live) for time in range(setting.horizon) for live in setting.layers[time]]
    number = {state: s for s, state in enumerate(numbers)}
    good, bad = len(numbers), len(numbers) + 1
    names = ["r", *(["ryw"] * len(setting.opponent_model))]
    joint = list(product(*names))
    transition = zeros((bad + 1, len(joint), bad + 1), exact=True)
    reward = np.full((bad + 1, len(joint)), Fraction(1), dtype=object)
    transition[good, :, good] = transition[bad, :, bad] = Fraction(1)
    reward[bad] = Fraction(-1)
    lost = [a for a, played in enumerate(joint) if "w" in played]
    reward[:, lost] = Fraction(-1)
    transition[good, lost, good] = Fraction(0)
    transition[good, lost, bad] = Fraction(1)
    model = transition.copy()
    for time, rates in enumerate(_rates(setting, hits)):
        for live, (a, played) in product(setting.layers[time], enumerate(joint)):
            s = number[time, live]
            if "w" in played:
                transition[s, a, bad] = model[s, a, bad] = Fraction(1)
                continue
            pattern = tuple(x == "y" for x in played[1:])
            rate = rates[live, pattern]
            onwards = number.get((time + 1, setting.following(live, pattern)), good)
            hit = number.get((time + 1, frozenset({0})), good)
            for table, end in ((transition, hit), (model, bad)):
                table[s, a, onwards] += 1 - rate
                table[s, a, end] += rate

    def plays(own: str, other: str, error: Fraction) -> list[list[Fraction]]:
        chosen = {"r": 1 - error, other: error} if error else {"r": Fraction(1)}
        row = [chosen.get(name, Fraction(0)) for name in own]
        return [row] * bad + [[Fraction(name == "r") for name in own]]

    policies = [exact_array(plays("r", "", Fraction(0)))]
    policies += [exact_array(plays("ryw", "y", e)) for e in setting.opponent_model]
    return attaining_case(
        setting.gamma,
        tuple(map(len, names)),
        (exact_array([int(s == 0) for s in range(bad + 1)]), transition, reward, model),
        policies=policies,
        data_policies=policies,
        opponent_models=[
            None,
            *(exact_array(plays("ryw", "w", e)) for e in setting.opponent_model),
        ],
        branch_length=setting.k,
        opponent_lengths=setting.opponent_lengths,
    )


def _rates(
    setting: Setting, hits: dict[tuple[int, Live, Pattern], float]
) -> list[dict[tuple[Live, Pattern], Fraction]]:
    """The probabilities of E, rational, and scaled down where they spend more than ε′_m."""
    mass = {frozenset({0}): Fraction(1)}
    out = []
    for time in range(setting.horizon):
        rates = {
            (live, p): Fraction(hits[time, live, p]).limit_denominator(DENOMINATOR)
            for live in setting.layers[time]
            for p in setting.patterns
        }
        part = {
            (live, p): mass.get(live, Fraction(0)) * setting.chance(p, setting.opponent_model)
            for live, p in rates
        }
        spent = sum((part[key] * rate for key, rate in rates.items()), start=Fraction(0))
        if spent > setting.model_error:
            rates = {key: rate * setting.model_error / spent for key, rate in rates.items()}
        out.append(rates)
        mass = {}
        for (live, p), rate in rates.items():
            for target, share in (
                (frozenset({0}), rate),
                (setting.following(live, p), 1 - rate),
            ):
                mass[target] = mass.get(target, Fraction(0)) + part[live, p] * share
    return out
