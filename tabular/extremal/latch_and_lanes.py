"""Games that attain the coupling bounds: tightness exactly 1, in rational arithmetic.

Each function returns a ``Case`` whose measured errors are exactly the parameters and whose
discrepancy equals the bound named in its docstring, for any number of agents. Agent 0 is the ego
agent. In every game the real return is r_hi/(1 − γ): reality never leaves what pays r_hi.

They are worst cases: whoever states a bound in these errors can evaluate it here first.
More of them: ``tabular.extremal.ages`` and ``tabular.extremal.turns`` (the branched expected form),
``tabular.extremal.joint_policies``.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import reduce
from itertools import product
from math import prod
from typing import Any

import numpy as np

from bounds.shared.numbers import Array, InputError, in_range, whole
from tabular.cases.case import Case
from tabular.games.arrays import exact_array, zeros

#: Longest chain of lanes that is built; smaller errors need longer ones.
MAX_LANES = 400


def latch(
    gamma: Fraction,
    policy_shift: Sequence[Fraction],
    opponent_model: Sequence[Fraction],
    model_error: Fraction,
    *,
    branch_length: int | None = None,
    opponent_lengths: Sequence[int] | None = None,
    r_hi: Fraction = Fraction(1),
    r_lo: Fraction = Fraction(-1),
) -> Case:
    """Attains ``coupling-sup``, unbranched and branched, for every k and all nⱼ at once.

    States good, bad (absorbing); own actions right, wrong (right alone where an agent has no
    error). All right in good: r_hi, stay good; anything else: r_lo, go bad. π always plays right;
    in good, π_Dʲ plays wrong with probability ε_πʲ and π̂ʲ with probability ε_π̂ʲ; T̂ leaves good
    with probability ε_sup although all play right.
    """
    check_parameters(gamma, policy_shift, opponent_model, model_error)
    hats = [Fraction(0), *opponent_model]
    sizes = tuple(1 + (s + h > 0) for s, h in zip(policy_shift, hats, strict=True))
    joint = prod(sizes)
    transition = zeros((2, joint, 2), exact=True)
    transition[:, :, 1] = Fraction(1)
    transition[0, 0] = exact_array([1, 0])  # joint action 0: everyone right
    model = transition.copy()
    model[0, 0] = exact_array([1 - model_error, model_error])
    reward = np.full((2, joint), r_lo, dtype=object)
    reward[0, 0] = r_hi

    def wrong(size: int, error: Fraction) -> Array:
        return exact_array([[1 - error, error][:size], [1, 0][:size]])

    return attaining_case(
        gamma,
        sizes,
        (exact_array([1, 0]), transition, reward, model),
        policies=[wrong(size, Fraction(0)) for size in sizes],
        data_policies=list(map(wrong, sizes, policy_shift)),
        opponent_models=[None, *map(wrong, sizes[1:], opponent_model)],
        branch_length=branch_length,
        opponent_lengths=opponent_lengths,
    )


def lanes(
    gamma: Fraction,
    opponent_model: Sequence[Fraction],
    model_error: Fraction,
    *,
    r_hi: Fraction = Fraction(1),
    r_lo: Fraction = Fraction(-1),
) -> Case:
    """Attains ``coupling-expected`` about the model return: ε′_m is exactly ``model_error``.

    ``lanes_with_exploration`` without policy shifts: the data-collecting policies are the current
    ones, so ε_m = ε′_m.
    """
    shift = [Fraction(0)] * (len(opponent_model) + 1)
    return lanes_with_exploration(gamma, shift, opponent_model, model_error, r_hi=r_hi, r_lo=r_lo)


def lanes_with_exploration(
    gamma: Fraction,
    policy_shift: Sequence[Fraction],
    opponent_model: Sequence[Fraction],
    model_error: Fraction,
    *,
    r_hi: Fraction = Fraction(1),
    r_lo: Fraction = Fraction(-1),
) -> Case:
    """Attains ``coupling-data``: ε_m, under π_D, is exactly ``model_error``.

    States: lanes F_0, F_1, …, and L (r_hi for ever), B (r_lo for ever). Own actions: r; where the
    policy shifts also d, x; where there is an opponent model that errs also y, w. In F_u, the first
    rule that fits decides: any w: r_lo, to B; any d: to L in reality and to B in the model; any x
    or y: to L; all r: to F_{u+1} with probability 1−δ_u, else to L in reality and to B in the
    model. All but the first pay r_hi.
    πʲ plays d with probability ε_πʲ, y with ε_π̂ʲ, else r; π_Dʲ plays x in place of d, π̂ʲ plays w in
    place of y. With κ = (1 − ε_πⁱ) Π (1 − ε_πʲ − ε_π̂ʲ), x_0 = 1 and x_{u+1} = (κ x_u − ε_m)⁺, the
    mass that has lost nothing yet, δ_u = min(1, ε_m/(κ x_u)) spends exactly ε_m at every time.

    Raises ``InputError`` where ε_πʲ + ε_π̂ʲ > 1, or where more than ``MAX_LANES`` lanes are needed.
    """
    check_parameters(gamma, policy_shift, opponent_model, model_error)
    for j, (shift, error) in enumerate(zip(policy_shift[1:], opponent_model, strict=True)):
        if shift + error > 1:
            raise InputError(f"opponent_model[{j}]: {error} and shift {shift} exceed 1 together")
    stays = zip(policy_shift, [Fraction(0), *opponent_model], strict=True)
    kappa = reduce(lambda p, pair: p * (1 - pair[0] - pair[1]), stays, Fraction(1))
    leave = _leaving(kappa, model_error)
    count = len(leave)
    good, bad = count, count + 1
    hats = [Fraction(0), *opponent_model]
    names = ["r" + "dx" * (s > 0) + "yw" * (h > 0) for s, h in zip(policy_shift, hats, strict=True)]
    joint = list(product(*names))
    transition = zeros((count + 2, len(joint), count + 2), exact=True)
    model = transition.copy()
    reward = np.full((count + 2, len(joint)), r_hi, dtype=object)
    for table in (transition, model):
        table[good, :, good] = table[bad, :, bad] = Fraction(1)
    reward[bad] = r_lo
    for u, a in product(range(count), range(len(joint))):
        played = set(joint[a])
        following = min(u + 1, count - 1)
        if "w" in played:
            transition[u, a, bad] = model[u, a, bad] = Fraction(1)
            reward[u, a] = r_lo
        elif "d" in played:
            transition[u, a, good] = model[u, a, bad] = Fraction(1)
        elif played != {"r"}:
            transition[u, a, good] = model[u, a, good] = Fraction(1)
        else:
            for table, end in ((transition, good), (model, bad)):
                table[u, a, following] += 1 - leave[u]
                table[u, a, end] += leave[u]

    def plays(own: str, **weights: Fraction) -> Array:
        chosen = {"r": 1 - sum(weights.values()), **weights}
        row = [chosen.get(name, Fraction(0)) for name in own]
        idle = [Fraction(name == "r") for name in own]
        return exact_array([row] * count + [idle] * 2)

    agents = list(zip(names, policy_shift, hats, strict=True))
    start = [Fraction(s == 0) for s in range(count + 2)]
    return attaining_case(
        gamma,
        tuple(map(len, names)),
        (exact_array(start), transition, reward, model),
        policies=[plays(own, d=s, y=h) for own, s, h in agents],
        data_policies=[plays(own, x=s, y=h) for own, s, h in agents],
        opponent_models=[None, *(plays(own, d=s, w=h) for own, s, h in agents[1:])],
    )


def clock(
    gamma: Fraction,
    phases: int,
    *,
    n: int = 1,
    branch_length: int | None = None,
    r_hi: Fraction = Fraction(1),
    r_lo: Fraction = Fraction(-1),
) -> Case:
    """Attains ``coupling-expected`` for every k ≤ ``phases`` at once, with ε′_m = 1/phases.

    States (phase, good) and (phase, bad), the start uniform over the good ones. The phase counts
    down, modulo ``phases``, and nothing else happens; in the model, phase 0 of good goes bad. So
    the sup error is 1 while the expected one is 1/phases at every time. Each of n agents has one
    action.
    """
    check_parameters(gamma, [Fraction(0)] * n, [Fraction(0)] * (n - 1), Fraction(0))
    whole("phases", phases, 1, MAX_LANES)
    size = 2 * phases  # state phase, or phases + phase for bad
    transition = zeros((size, 1, size), exact=True)
    for s in range(size):
        side, phase = divmod(s, phases)
        transition[s, 0, side * phases + (phase - 1) % phases] = Fraction(1)
    model = transition.copy()
    model[0, 0] = exact_array([s == size - 1 for s in range(size)])
    reward = exact_array([[r_hi]] * phases + [[r_lo]] * phases)
    initial = exact_array([Fraction(1, phases)] * phases + [Fraction(0)] * phases)
    only = exact_array([[1]] * size)
    return attaining_case(
        gamma,
        (1,) * n,
        (initial, transition, reward, model),
        policies=[only] * n,
        data_policies=[only] * n,
        opponent_models=[None] * n,
        branch_length=branch_length,
    )


def _leaving(kappa: Fraction, error: Fraction) -> list[Fraction]:
    """δ_u for the lanes that are needed; the last lane leads to itself, with δ = 0, or ends."""
    if error == 0 or kappa == 0:
        return [Fraction(0)]
    mass = Fraction(1)
    leave: list[Fraction] = []
    while mass > 0:
        if len(leave) == MAX_LANES:
            raise InputError(
                f"model_error: {error} needs more than {MAX_LANES} lanes; take a larger one"
            )
        leave.append(min(Fraction(1), error / (kappa * mass)))
        mass = max(Fraction(0), kappa * mass - error)
    return leave


def check_parameters(
    gamma: Fraction,
    policy_shift: Sequence[Fraction],
    opponent_model: Sequence[Fraction],
    model_error: Fraction,
) -> int:
    """The number of agents, after checking that everything is exact and in range."""
    numbers = {"gamma": gamma, "model_error": model_error}
    numbers |= {f"policy_shift[{j}]": e for j, e in enumerate(policy_shift)}
    numbers |= {f"opponent_model[{j}]": e for j, e in enumerate(opponent_model)}
    for name, value in numbers.items():
        if not isinstance(value, int | Fraction):
            raise InputError(f"{name}: {value!r} is not exact; give a Fraction")
        in_range(name, value, 0, 1, open_high=name == "gamma")
    if len(opponent_model) != len(policy_shift) - 1:
        raise InputError(
            f"opponent_model: {len(opponent_model)} numbers for {len(policy_shift) - 1} opponents"
        )
    return len(policy_shift)


def attaining_case(
    gamma: Fraction,
    actions: tuple[int, ...],
    world: tuple[Array, Array, Array, Array],
    *,
    policies: Sequence[Array],
    data_policies: Sequence[Array],
    opponent_models: Sequence[Array | None],
    branch_length: int | None = None,
    opponent_lengths: Sequence[int] | None = None,
) -> Case:
    """The case of ``world`` = (initial, transition, reward, model transition), agent 0 the ego."""
    initial, transition, reward, model = world
    lengths: Any = None if opponent_lengths is None else (None, *opponent_lengths)
    return Case(
        gamma=Fraction(gamma),
        actions=actions,
        ego=0,
        initial=initial,
        transition=transition,
        reward=reward,
        policies=tuple(policies),
        data_policies=tuple(data_policies),
        model_transition=model,
        opponent_models=tuple(opponent_models),
        branch_length=branch_length,
        opponent_lengths=lengths,
    )
