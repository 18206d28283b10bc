"""For how many of its k steps a rollout plays each opponent by its model, and how k grows.

Errors and lengths are [run, ego, opponent]; lengths are int64. Opponent j of ego agent i is played
by its model in steps 1..nⱼ and asked for real in steps nⱼ + 1..k: k − nⱼ calls a branch. An agent's
length for itself is k: it never asks itself.

k is one number for all, or [run, ego].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite

import torch
from torch import Tensor

from bounds.formula.error_profile import ErrorProfile
from bounds.planning.opponent_lengths import allocate, paper_rule
from bounds.shared.numbers import InputError, in_range, whole

#: The released code adds this to match rates before it divides them.
ADDED = Fraction(1, 10**10)


def adaptive(errors: Tensor, k: int | Tensor) -> Tensor:
    """nⱼ = ⌊k min ε_π̂ / ε_π̂ʲ⌋ (Section 5.1), exactly (``bounds.planning.opponent_lengths``).

    An error is taken for the shortest decimal that is this float, so that equal errors give k. An
    error of 0 gives k, and the others then 0. ``InputError`` where an error is below 0 or not
    finite.
    """
    return _by_ego(errors, k, paper_rule)


def all_models(errors: Tensor, k: int | Tensor) -> Tensor:
    """nⱼ = k: nobody is asked. Of ``errors`` the shape alone is used."""
    return _k(k, errors).unsqueeze(-1).expand(errors.shape).clone()


def all_real(errors: Tensor, k: int | Tensor) -> Tensor:
    """nⱼ = 0: everybody is asked in every step. Of ``errors`` the shape alone is used."""
    lengths = torch.zeros(errors.shape, dtype=torch.int64)
    lengths.diagonal(dim1=1, dim2=2).copy_(_k(k, errors))
    return lengths


def released_match_rates(match_rates: Tensor, k: int | Tensor, power: int = 1) -> Tensor:
    """nⱼ = ⌊k (mⱼ/max m)ᵖ⌋ of match rates m, as in the released code (p = 2 in one task), exactly.

    The paper divides errors: where one opponent is matched in 98 % of the rows and another in 99 %,
    their lengths are nearly the same here, and one is half of the other there. ``ADDED`` to every
    rate gives k to all where no rate is above 0.
    """
    whole("power", power, 1)

    def rule(steps: int, rates: tuple[float, ...]) -> tuple[int, ...]:
        exact = [Fraction(rate) + ADDED for rate in rates]
        most = max(exact)
        return tuple(int(steps * (rate / most) ** power // 1) for rate in exact)

    return _by_ego(match_rates, k, rule)


def one_less(lengths: Tensor) -> Tensor:
    """max(nⱼ − 1, 0): the released code plays a model while p < nⱼ, the paper while p ≤ nⱼ.

    The agents' lengths for themselves stay.
    """
    shorter = (lengths - 1).clamp(min=0)
    shorter.diagonal(dim1=1, dim2=2).copy_(lengths.diagonal(dim1=1, dim2=2))
    return shorter


@dataclass(frozen=True, eq=False)
class Planned:
    """k[run, ego] and lengths[run, ego, opponent] that the project's planner chose.

    value[run, ego]: ``coupling-sup`` of the branched return there, as a share of the trivial bound;
    where it is 1 the bound says nothing and k is 1.
    """

    k: Tensor
    lengths: Tensor
    value: Tensor


def planned(
    errors: Tensor,
    policy_shift: Tensor,
    model_sup: Tensor,
    gamma: float,
    calls: int,
    most: int,
    slack: float = 0.01,
) -> Planned:
    """The lengths with the least coupling bound for at most ``calls`` calls a branch.

    policy_shift[run, agent]: ε_π; model_sup[run, ego]: ε_sup; errors[run, ego, opponent]: ε_π̂. For
    each k of 1..``most`` ``bounds.planning.opponent_lengths.allocate`` gives the best lengths. k is
    the shortest within ``slack`` of the best value, since longer rollouts cost more and the bound
    hardly sees it. Errors above 1, which estimates can be, count as 1.
    """
    whole("calls", calls)
    whole("most", most, 1)
    in_range("slack", slack, 0, 1)
    errors, policy_shift = _checked(errors), policy_shift.cpu()
    runs, agents = errors.shape[:2]
    ks = torch.zeros(runs, agents, dtype=torch.int64)
    lengths = torch.zeros(errors.shape, dtype=torch.int64)
    values = torch.zeros(runs, agents, dtype=torch.float64)
    for run in range(runs):
        for ego in range(agents):
            others = [j for j in range(agents) if j != ego]
            shift = policy_shift[run].clamp(max=1).tolist()
            profile = ErrorProfile(
                gamma=gamma,
                policy_shift=(shift[ego], *(shift[j] for j in others)),
                opponent_model=tuple(errors[run, ego, others].clamp(max=1).tolist()),
                model_sup=min(1.0, float(model_sup[run, ego])),
            )
            found = [allocate(profile.with_(k=k), calls) for k in range(1, most + 1)]
            enough = (1 + slack) * min(each.value for each in found)
            k = next(k for k, each in enumerate(found, 1) if each.value <= enough)
            ks[run, ego] = lengths[run, ego, ego] = k
            lengths[run, ego, others] = torch.tensor(found[k - 1].n)
            values[run, ego] = found[k - 1].value
    return Planned(ks, lengths, values)


def constant(epoch: int, k: int) -> int:
    """k in every epoch."""
    del epoch
    return int(whole("k", k, 1))


def linear(epoch: int, start: int, end: int, k: int) -> int:
    """⌊1 + (k − 1)(epoch − A)/(B − A)⌋, 1 until A = ``start``, k from B = ``end`` on.

    The schedule that the paper takes over from MBPO (Janner et al. 2019).
    """
    whole("start", start)
    whole("end", end, start + 1)
    whole("k", k, 1)
    into = min(max(epoch - start, 0), end - start)
    return 1 + (k - 1) * into // (end - start)


def released_recursion(current: int, epoch: int, start: int, end: int, k: int) -> int:
    """The released code's next k after ``current``: ⌊K + (k − K)(epoch − A)/(B − A)⌋, K..k.

    It starts from K = 1 and is applied in *every* round of updates, not once an epoch: within an
    epoch K goes on growing for as long as the step is 1 or more, and from epoch B on it is k.
    """
    whole("start", start)
    whole("end", end, start + 1)
    whole("k", k, 1)
    whole("current", current, 1)
    # whole numbers throughout, so ⌊·⌋ is exact; what would shrink is held
    grown = current + (epoch - start) * (k - current) // (end - start)
    return min(k, max(current, grown))


def _k(k: int | Tensor, errors: Tensor) -> Tensor:
    """k[run, ego], int64, on the CPU."""
    if isinstance(k, Tensor):
        return k.cpu().long().expand(errors.shape[:2])
    return torch.full(errors.shape[:2], whole("k", k, 1), dtype=torch.int64)


def _checked(errors: Tensor) -> Tensor:
    """``errors`` on the CPU."""
    errors = errors.cpu()
    for run, ego, opponent in torch.cartesian_prod(*map(torch.arange, errors.shape)).tolist():
        value = float(errors[run, ego, opponent])
        if ego != opponent and not (isfinite(value) and value >= 0):
            raise InputError(
                f"errors[{run}][{ego}][{opponent}]: {value}; give a finite number, 0 or more"
            )
    return errors


def _by_ego(
    errors: Tensor, k: int | Tensor, rule: Callable[[int, tuple[float, ...]], tuple[int, ...]]
) -> Tensor:
    """``rule`` of k and the opponents' errors, for every run and ego agent."""
    errors = _checked(errors)
    agents, steps = errors.shape[1], _k(k, errors)
    lengths = all_models(errors, k)
    for run in range(len(errors)):
        for ego in range(agents):
            others = [j for j in range(agents) if j != ego]
            if others:
                each = rule(int(steps[run, ego]), tuple(errors[run, ego, others].tolist()))
                lengths[run, ego, others] = torch.tensor(each)
    return lengths
