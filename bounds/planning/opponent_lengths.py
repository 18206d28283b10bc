r"""Opponent-wise rollout lengths nⱼ: the paper's rule, the optimum within a budget, the front.

A rollout of k steps needs Σ(k − nⱼ) calls to real opponents in its k steps. An opponent with nⱼ < k
is also asked for action k + 1, the one in the last state, whose reward counts (its model plays on
only where nⱼ = k); ``last_action`` counts that call too. By ``coupling-sup`` the bound is
span [1/(1 − γ) − V], V the discounted coupled mass

    V = c_1 (1 + γσ c_2 (1 + γσ c_3 (… c_k (1 + γσ c_{k+1}/(1 − γq)) …))),
    σ = 1 − ε_sup,  q = Π (1 − ε_π),  c_l = Π_{j: l ≤ nⱼ or nⱼ = k} (1 − ε_π̂ʲ).

V grows in every c_l. So a more accurate model should never play shorter than a less accurate one:
exchanging their lengths raises some c_l and lowers none. Hence step l uses the m_l most accurate
models, with m_1 ≥ m_2 ≥ …, and dynamic programming over (step, m, calls) is exact. One sweep gives
the best V for every number of calls: the Pareto front of bound against communication.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from bounds.formula.error_profile import ErrorProfile
from bounds.formula.symbols import survival
from bounds.library.published import find
from bounds.shared.numbers import Array, InputError, Operand, whole

#: Largest table of the dynamic programme: steps · models² · calls.
MAX_CELLS = 10**9


@dataclass(frozen=True)
class Allocation:
    """Lengths nⱼ of the opponents, the calls they need, and the bound they give.

    calls: Σ(k − nⱼ), and where the last action counts Σ_{j: nⱼ < k} (k + 1 − nⱼ).
    value: ``coupling-sup`` of the branched return as a fraction of the trivial bound.
    """

    n: tuple[int, ...]
    calls: int
    value: float


def paper_rule(k: int, opponent_model: tuple[Operand, ...]) -> tuple[int, ...]:
    """nⱼ = ⌊k min ε_π̂ / ε_π̂ʲ⌋ (Section 5.1); nⱼ = k where ε_π̂ʲ = 0.

    If some opponent model is exact the minimum is 0, and the rule plays every other opponent for
    real.
    """
    # a float stands for the decimal it was written as, so that 10 · 0.1 / 0.1 is 10
    errors = [
        e if isinstance(e, int | Fraction) else Fraction(repr(float(e))) for e in opponent_model
    ]
    least = min(errors, default=Fraction(0))
    return tuple(k if e == 0 else int(k * least // e) for e in errors)


def allocate(profile: ErrorProfile, calls: int, *, last_action: bool = False) -> Allocation:
    """The lengths with the least bound among all that need at most ``calls`` calls; exact.

    Ties go to fewer calls. ``profile`` holds γ, k, the policy shifts, ε_π̂ and ε_sup. last_action:
    whether the call for action k + 1 counts (see the module).
    """
    whole("calls", calls)
    return [a for a in pareto(profile, last_action=last_action) if a.calls <= calls][-1]


def pareto(profile: ErrorProfile, *, last_action: bool = False) -> tuple[Allocation, ...]:
    """The Pareto front of bound against calls, from no calls to the least bound."""
    k, order, best, choice = _sweep(profile, last_action)
    front: list[Allocation] = []
    record = -np.inf
    for calls in range(best.shape[0]):
        # the most V that at most this many calls reach; equal values are left to fewer calls
        if best[calls] <= record * (1 + 1e-13) and front:
            continue
        record = best[calls]
        lengths = _lengths(choice, calls, k, order, last_action)
        found = evaluated(profile, lengths, last_action=last_action)
        if not front or found.value < front[-1].value:
            front.append(found)
    return tuple(front)


def evaluated(
    profile: ErrorProfile, n: tuple[int, ...], *, last_action: bool = False
) -> Allocation:
    """The calls and the bound of given lengths."""
    bound = find("coupling-sup", "branched")
    k = _k(profile)
    at = profile.with_(opponent_lengths=n)
    value = float(bound.evaluate(at) / bound.largest(at))
    calls = sum(k - length + (last_action and length < k) for length in n)
    return Allocation(n, calls, value)


def _k(profile: ErrorProfile) -> int:
    k = profile.require("k", "an allocation")
    if isinstance(k, np.ndarray):
        raise InputError("k: an array; allocate for one branch length at a time")
    return int(k)


def _sweep(profile: ErrorProfile, last_action: bool) -> tuple[int, tuple[int, ...], Array, Array]:
    """(k, opponents by accuracy, best V per number of calls, the choices that lead there)."""
    k = _k(profile)
    gamma, q = float(profile.gamma), float(survival(profile.policy_shift))
    keep = gamma * (1 - float(profile.require("model_sup", "an allocation")))
    errors = [float(e) for e in profile.opponent_model]
    order = tuple(sorted(range(len(errors)), key=lambda j: (errors[j], j)))
    size = len(errors)
    most = size * (k + last_action) if k else 0
    if k * (size + 1) ** 2 * (most + 1) > MAX_CELLS:
        raise InputError(f"k: {k} steps for {size} opponents is too much to allocate; take fewer")
    models = np.cumprod([1.0, *(1 - errors[j] for j in order)])  # C_m for the m most accurate
    # worth[m, b]: V from the next step on, at most m models, at most b calls left
    last = models / (1 - gamma * q)
    worth = np.broadcast_to(last[:, None], (size + 1, most + 1)).copy()
    choice = np.zeros((k + 1, size + 1, most + 1), dtype=np.int16)
    for step in range(k, 0, -1):
        candidates = np.full((size + 1, most + 1), -np.inf)  # by the m of this step
        for m in range(size + 1):
            # who is real in step k is asked for action k + 1 too
            cost = (size - m) * (1 + (last_action and step == k))
            # action k + 1 is played by the same models as action k (nⱼ = k: throughout)
            ahead = last[m] if step == k else worth[m]
            value = models[m] * (1 + keep * np.fmax(ahead, 0))
            value = np.broadcast_to(np.where(ahead >= 0, value, -np.inf), most + 1)
            candidates[m, cost:] = value[: most + 1 - cost]
        running = np.full(most + 1, -np.inf)
        pick = np.zeros(most + 1, dtype=np.int16)
        for m in range(size + 1):  # at most m models: the best of 0..m
            # prefer more models (fewer calls) where values tie
            better = candidates[m] >= running
            running = np.where(better, candidates[m], running)
            pick = np.where(better, m, pick).astype(np.int16)
            worth[m], choice[step, m] = running, pick
    return k, order, worth[size] if k else last[size:], choice


def _lengths(
    choice: Array, calls: int, k: int, order: tuple[int, ...], last_action: bool
) -> tuple[int, ...]:
    """The nⱼ that the table ``choice`` holds for ``calls``."""
    size = len(order)
    lengths = [0] * size
    m, left = size, calls
    for step in range(1, k + 1):
        m = int(choice[step, m, left])
        left -= (size - m) * (1 + (last_action and step == k))
        for j in order[:m]:
            lengths[j] = step
    return tuple(lengths)
