"""The attaining games by family: errors and discrepancy in closed form, the game on demand.

A setting is an ``ErrorProfile`` whose ``model_sup`` is the family's one model-error parameter.
``measured`` puts in the errors that the game shows; on those its discrepancy is the value of a
coupling bound. So a bound can be compared with a million worst cases without building one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

from bounds.formula.error_profile import ErrorProfile
from bounds.formula.operations import apply
from bounds.formula.symbols import About, survival, total
from bounds.library import coupling
from bounds.shared.numbers import Operand
from tabular.cases.case import Case
from tabular.extremal.ages import ages
from tabular.extremal.latch_and_lanes import lanes_with_exploration, latch
from tabular.extremal.turns import turns

#: Longest branch that is searched: exact certificates raise numbers to its power.
MAX_K = 300
#: Longest branch of the game of turns, whose states are times and ages.
MAX_TURNS = 4
#: A certificate's game has about this many states and joint actions at most: the checker solves its
#: linear system in pure Python.
MAX_STATES = 40
MAX_JOINT = 1024


@dataclass(frozen=True)
class Family:
    """One family of attaining games.

    about: the returns it is for. shifts: whether it has policy shifts. max_k: the longest branch
    that is searched. small: whether the game of an exact setting is small enough for a certificate.
    measured: the profile that the game of a setting shows; exact or over arrays.
    discrepancy: η − η_model of that game, un-normalised, from the measured profile.
    build: the game itself, for an exact setting.
    """

    name: str
    about: tuple[About, ...]
    shifts: bool
    max_k: int
    small: Callable[[ErrorProfile], bool]
    measured: Callable[[ErrorProfile], ErrorProfile]
    discrepancy: Callable[[ErrorProfile, About], Operand]
    build: Callable[[ErrorProfile, About], Case]


def _joint_actions(setting: ErrorProfile, each: int) -> int:
    """|A| where an agent has one action more and ``each`` for every kind of error it has."""
    hats = (Fraction(0), *setting.opponent_model)
    pairs = zip(setting.policy_shift, hats, strict=True)
    return prod(1 + each * ((shift > 0) + (hat > 0)) for shift, hat in pairs)


def _has_steps(setting: ErrorProfile) -> bool:
    """Whether a model error is spent in few enough steps, each a state, and few joint actions."""
    return bool(setting.model_sup * MAX_STATES >= 1) and _joint_actions(setting, 2) <= MAX_JOINT


def _has_lanes(setting: ErrorProfile) -> bool:
    """As for steps; without a model error one lane, which leads to itself, is enough."""
    few = _joint_actions(setting, 2) <= MAX_JOINT
    return few and bool(setting.model_sup == 0 or setting.model_sup * MAX_STATES >= 1)


def _rewards(setting: ErrorProfile) -> dict[str, Any]:
    return {"r_hi": setting.r_max, "r_lo": setting.r_max - setting.span}


def _latch_measured(setting: ErrorProfile) -> ErrorProfile:
    error = setting.model_sup
    # under π_D the chain is where the model errs, and plays right there, with probability q at most
    return setting.with_(model_current=error, model_data=survival(setting.policy_shift) * error)


def _latch(setting: ErrorProfile, about: About) -> Case:
    return latch(
        setting.gamma,
        setting.policy_shift,
        setting.opponent_model,
        setting.model_sup,
        branch_length=setting.k if about == "branched" else None,
        **_rewards(setting),
    )


def _lanes_measured(setting: ErrorProfile) -> ErrorProfile:
    """ε_m is at most κ, what stays in a lane. T̂ ≠ T for sure where the last of the mass goes.

    So too where π plays what π_D never does.
    """
    error = apply("min", setting.model_sup, 1 - coupling.lost_to_data(setting))
    wrong = setting.model_sup + total(setting.policy_shift) > 0
    return setting.with_(model_data=error, model_current=error, model_sup=_certain(wrong))


def _ages_measured(setting: ErrorProfile) -> ErrorProfile:
    """T̂ ≠ T for sure at the oldest age."""
    error = setting.model_sup
    return setting.with_(model_data=error, model_current=error, model_sup=_certain(error > 0))


def _certain(wrong: Operand) -> Operand:
    """1 where ``wrong``, else 0."""
    return Fraction(wrong) if isinstance(wrong, bool) else wrong * 1.0


def _lanes(setting: ErrorProfile, about: About) -> Case:
    return lanes_with_exploration(
        setting.gamma,
        setting.policy_shift,
        setting.opponent_model,
        setting.model_sup,
        **_rewards(setting),
    )


def _ages(setting: ErrorProfile, about: About) -> Case:
    return ages(
        setting.gamma,
        setting.opponent_model,
        setting.model_sup,
        branch_length=setting.k if about == "branched" else None,
        **_rewards(setting),
    )


def _turns_measured(setting: ErrorProfile) -> ErrorProfile:
    """As for ``ages``; what π_D sees of the error is at most 1."""
    return _ages_measured(setting).with_(model_data=0 * setting.model_sup + 1)


def _turns(setting: ErrorProfile, about: About) -> Case:
    return turns(
        setting.gamma,
        setting.policy_shift,
        setting.opponent_model,
        setting.model_sup,
        setting.k,
        **_rewards(setting),
    )


FAMILIES = (
    Family(
        name="latch",
        about=("model", "branched"),
        shifts=True,
        max_k=MAX_K,
        small=lambda setting: _joint_actions(setting, 1) <= MAX_JOINT,
        measured=_latch_measured,
        discrepancy=lambda p, about: coupling.sup(p, branched=about == "branched"),
        build=_latch,
    ),
    Family(
        name="lanes with exploration",
        about=("model",),
        shifts=True,
        max_k=MAX_K,
        small=_has_lanes,
        measured=_lanes_measured,
        discrepancy=lambda p, _: coupling.data(p),
        build=_lanes,
    ),
    Family(
        name="ages",
        about=("branched",),
        shifts=False,
        max_k=MAX_K,
        small=_has_steps,
        measured=_ages_measured,
        discrepancy=lambda p, _: coupling.expected(p, branched=True),
        build=_ages,
    ),
    Family(
        name="turns",
        about=("branched",),
        shifts=True,
        max_k=MAX_TURNS,
        small=lambda setting: _has_steps(setting) and setting.k <= MAX_TURNS,
        measured=_turns_measured,
        discrepancy=lambda p, _: coupling.expected(p, branched=True),
        build=_turns,
    ),
)
