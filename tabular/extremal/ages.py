"""The game of ages: it attains ``coupling-expected``, unbranched and branched, for every k at once.

Without policy shift the branches of all times start on the real chain. An error of probability ε′_m
at every time is not wasted where it falls on paths that *every* branch of the last k steps has in
common with reality. So errors fall on the oldest paths: those whose last event, a disagreement or a
model error, is longest ago.

With c = c̄, S_l = Pr(no event in the last l steps) follows S_0 = 1, S_{l+1} = c S_l − ε′_m, the
recursion of the bound itself, as long as c S_l ≥ ε′_m. L is the number of those l; what is left
then, S_L < ε′_m/c, is lost at once, as the bound's positive part says.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product

import numpy as np

from bounds.formula.symbols import survival
from bounds.shared.numbers import InputError
from tabular.cases.case import Case
from tabular.extremal.latch_and_lanes import MAX_LANES, attaining_case, check_parameters
from tabular.games.arrays import exact_array, zeros


def ages(
    gamma: Fraction,
    opponent_model: Sequence[Fraction],
    model_error: Fraction,
    *,
    branch_length: int | None = None,
    opponent_lengths: Sequence[int] | None = None,
    r_hi: Fraction = Fraction(1),
    r_lo: Fraction = Fraction(-1),
) -> Case:
    """Attains ``coupling-expected`` without policy shift, unbranched and for every k at once.

    States: ages 0..L, the number of steps since the last event, and B (r_lo for ever). The ego
    agent has one action, opponents have r, y, w: πʲ plays y with probability ε_π̂ʲ, else r; π̂ʲ
    plays w in place of y. The first rule that fits decides: any w: r_lo, to B; any y: to age 0; all
    r: with probability δ(age) to age 0 in reality and to B in the model, else to age + 1 (L stays
    L). All but the first pay r_hi. δ is 0 below age L − 1, 1 at age L, and at age L − 1 what makes
    the expected model error exactly ε′_m. The start is the stationary distribution, so the error is
    the same at every time. Where ε′_m > c the rest of it sits on y, where the chains have parted.

    With opponent-wise lengths, y of an opponent whose model is never used (nⱼ = 0 < k) is no event,
    c = c_1 is the product over the others, and only the branched return is meant. Then the bound is
    attained where k ≤ L, or where c_l = c_1 for all l ≤ L + 1. Where k > L although the bound's x_k
    is above 0, no game attains it (γ > 0): every branch of the last k steps would have to lose ε′_m
    at once, and the mass that all of them have kept is only c S_{k−1} < ε′_m.

    Raises ``InputError`` where more than ``MAX_LANES`` ages are needed.
    """
    n = check_parameters(
        gamma, [Fraction(0)] * (len(opponent_model) + 1), opponent_model, model_error
    )
    counts = _counting(opponent_model, branch_length, opponent_lengths)
    c = survival(tuple(e for e, counted in zip(opponent_model, counts, strict=True) if counted))
    c = Fraction(c)
    start, leave = _ages(c, model_error)
    spare = (model_error - c) / (1 - c) if model_error > c else Fraction(0)
    count = len(leave)
    bad = count
    names = ["r", *(["ryw"] * (n - 1))]
    joint = list(product(*names))
    transition = zeros((count + 1, len(joint), count + 1), exact=True)
    reward = np.full((count + 1, len(joint)), r_hi, dtype=object)
    reward[bad] = r_lo
    transition[bad, :, bad] = Fraction(1)
    model = transition.copy()
    for age, (a, played) in product(range(count), enumerate(joint)):
        older = min(age + 1, count - 1)
        if "w" in played:
            transition[age, a, bad] = model[age, a, bad] = Fraction(1)
            reward[age, a] = r_lo
        elif any(x == "y" and counted for x, counted in zip(played[1:], counts, strict=True)):
            transition[age, a, 0] = Fraction(1)
            model[age, a, 0], model[age, a, bad] = 1 - spare, spare
        else:
            for table, end in ((transition, 0), (model, bad)):
                table[age, a, older] += 1 - leave[age]
                table[age, a, end] += leave[age]

    def plays(own: str, **weights: Fraction) -> list[list[Fraction]]:
        chosen = {"r": 1 - sum(weights.values(), Fraction(0)), **weights}
        row = [chosen.get(name, Fraction(0)) for name in own]
        return [row] * count + [[Fraction(name == "r") for name in own]]

    policies = [exact_array(plays(names[0]))]
    policies += [exact_array(plays("ryw", y=e)) for e in opponent_model]
    return attaining_case(
        gamma,
        tuple(map(len, names)),
        (exact_array([*start, 0]), transition, reward, model),
        policies=policies,
        data_policies=policies,
        opponent_models=[None, *(exact_array(plays("ryw", w=e)) for e in opponent_model)],
        branch_length=branch_length,
        opponent_lengths=opponent_lengths,
    )


def oldest_age(
    opponent_model: Sequence[Fraction],
    model_error: Fraction,
    *,
    branch_length: int | None = None,
    opponent_lengths: Sequence[int] | None = None,
) -> int | None:
    """L of the game of ages; None where nothing is ever used up (ε′_m = 0).

    >>> oldest_age([Fraction(1, 2)], Fraction(1, 4))
    1
    """
    if model_error == 0:
        return None
    counts = _counting(opponent_model, branch_length, opponent_lengths)
    c = survival(tuple(e for e, counted in zip(opponent_model, counts, strict=True) if counted))
    return len(_ages(Fraction(c), model_error)[1]) - 1


def _counting(
    opponent_model: Sequence[Fraction],
    branch_length: int | None,
    opponent_lengths: Sequence[int] | None,
) -> list[bool]:
    """Whether opponent j's model is used at all."""
    if opponent_lengths is None:
        return [True] * len(opponent_model)
    if len(opponent_lengths) != len(opponent_model):
        raise InputError(
            f"opponent_lengths: {len(opponent_lengths)} numbers for {len(opponent_model)} "
            "opponents; give one for each"
        )
    return [length > 0 or branch_length == 0 for length in opponent_lengths]


def _ages(c: Fraction, error: Fraction) -> tuple[list[Fraction], list[Fraction]]:
    """(stationary distribution, δ), both over the ages 0..L."""
    if error == 0:
        return [Fraction(1)], [Fraction(0)]
    older = [Fraction(1)]  # S_l
    while c * older[-1] >= error:
        if len(older) == MAX_LANES:
            raise InputError(
                f"model_error: {error} needs more than {MAX_LANES} ages; take a larger one"
            )
        older.append(c * older[-1] - error)
    last = len(older) - 1
    leave = [Fraction(0)] * last + [Fraction(1)]
    if last:
        mass = c * (older[-2] - older[-1])
        leave[last - 1] = (error - c * older[-1]) / mass
    return [x - y for x, y in zip(older, [*older[1:], Fraction(0)], strict=True)], leave
