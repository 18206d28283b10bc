"""The commands ``plan`` and ``allocate`` of ``python -m bounds``."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from bounds.commands.setting import Setting, setting_profile
from bounds.formula.error_profile import ErrorProfile
from bounds.shared.numbers import InputError, whole


@dataclass(frozen=True)
class Plan:
    """How long to roll out: k by the printed bound, and by the coupling bound that is attained."""

    gamma: str | None = None
    """Discount, 0 <= gamma < 1."""
    policy_shift: tuple[str, ...] = ()
    """One policy shift an agent, the ego agent first; left out: all 0."""
    opponent_model: tuple[str, ...] = ()
    """One opponent model error an opponent; left out: all 0."""
    model_error: str | None = None
    """Model error, of the kind that --model-error-kind names."""
    model_error_kind: Literal["expected", "sup"] = "expected"
    """Whether the model error is an expectation under the policies or a maximum over all (s, a)."""
    max_k: int = 1000
    """The longest rollout at which the coupling bound is looked at; Theorem 2's k has no limit."""
    from_run: Annotated[Path | None, tyro.conf.arg(name="from")] = None
    """Read the errors from a training run's folder or file (bounds.planning.recorded_errors)."""
    json: bool = False
    """Print one JSON object."""


@dataclass(frozen=True)
class Allocate:
    """Whom to play by a model and for how long: the paper's rule, the optimum, the Pareto front.

    A rollout calls opponent j in the steps n_j + 1..k: k - n_j calls. Where n_j < k it is also
    asked for action k + 1, the one in the last state; --last-action counts that call too.
    """

    gamma: str
    """Discount, 0 <= gamma < 1."""
    k: str
    """Branch length."""
    opponent_model: tuple[str, ...]
    """One opponent model error an opponent."""
    model_error: str = "0"
    """Model error, the maximum over all (s, a)."""
    policy_shift: tuple[str, ...] = ()
    """One policy shift an agent, the ego agent first; left out: all 0."""
    calls: int | None = None
    """Calls to real opponents that a rollout may make; left out: what the paper's rule needs."""
    last_action: bool = False
    """Count the call for action k + 1 of every opponent with n_j < k as well."""
    json: bool = False
    """Print one JSON object."""


def run_plan(command: Plan) -> None:
    """Print the plan of one parsed command."""
    from bounds.planning.rollout_length import plan, sensitivity

    profile = _plan_profile(command)
    kind = command.model_error_kind
    found = plan(profile, kind=kind, max_k=command.max_k)
    off = sensitivity(profile, kind=kind, max_k=command.max_k)
    answer = {
        "k": {
            "printed": found.k_printed,
            "coupling": found.k_coupling,
            "coupling_within_1_percent": found.k_within,
        },
        "value": {
            "printed": {
                "at_printed_k": found.printed_at_printed,
                "at_coupling_k": found.printed_at_coupling,
            },
            "coupling": {
                "at_printed_k": found.coupling_at_printed,
                "at_coupling_k": found.coupling_at_coupling,
                "without_limit": found.limit,
            },
        },
        "sensitivity": [
            {
                "factor": s.factor,
                "k": s.k,
                "value": s.value,
                "regret": s.regret,
                "change": _finite(s.change),
            }
            for s in off
        ],
        "note": found.note,
    }
    if command.json:
        print(json.dumps(answer, indent=2))
        return
    inner = found.k_coupling or "none: without limit is best"
    printed = found.k_printed or "none: it falls for ever, as no model errs"
    print(f"k by the printed bound           {printed}")
    print(f"k by the coupling bound          {inner}")
    print(f"shortest within 1% of its best   {found.k_within}")
    print(f"coupling bound there             {found.coupling_at_coupling:.4f}")
    print(f"coupling bound at the printed k  {found.coupling_at_printed:.4f}")
    print(f"printed bound at its k           {found.printed_at_printed:.4f}")
    for s in off:
        if s.factor != 1:
            words = f"{abs(s.change):.1%} {'worse' if s.change >= 0 else 'better'}"
            print(f"errors taken {s.factor:g} times: k = {s.k}, {words} than with the true errors")
    print(found.note)


def _finite(x: float) -> float | None:
    """``x``, or None (JSON's null) where it is infinite."""
    return x if math.isfinite(x) else None


def _plan_profile(command: Plan) -> ErrorProfile:
    if command.from_run is not None:
        given = (command.gamma, command.model_error, *command.policy_shift, *command.opponent_model)
        if any(text is not None for text in given):
            raise InputError("--from: give the errors there or as flags, not both")
        from bounds.planning.recorded_errors import load_profile

        return load_profile(command.from_run)
    for flag, text in (("--gamma", command.gamma), ("--model-error", command.model_error)):
        if text is None:
            raise InputError(f"{flag}: missing; give it, or --from a run")
    return setting_profile(
        Setting(
            gamma=str(command.gamma),
            model_error=str(command.model_error),
            policy_shift=command.policy_shift,
            opponent_model=command.opponent_model,
        )
    )


def run_allocate(command: Allocate) -> None:
    """Print the allocation of one parsed command."""
    from bounds.planning.opponent_lengths import Allocation, allocate, evaluated, paper_rule, pareto

    profile = setting_profile(
        Setting(
            gamma=command.gamma,
            k=command.k,
            model_error=command.model_error,
            policy_shift=command.policy_shift,
            opponent_model=command.opponent_model,
        )
    )
    last = command.last_action
    lengths = paper_rule(int(profile.k), profile.opponent_model)
    paper = evaluated(profile, lengths, last_action=last)
    calls = paper.calls if command.calls is None else whole("--calls", command.calls)
    front = pareto(profile, last_action=last)
    optimal = allocate(profile, calls, last_action=last)

    def shown(found: Allocation) -> dict[str, object]:
        return {"n": list(found.n), "calls": found.calls, "value": found.value}

    if command.json:
        answer = {
            "paper": shown(paper),
            "optimal": shown(optimal),
            "pareto": [{"calls": a.calls, "n": list(a.n), "value": a.value} for a in front],
            "last_action_counted": last,
        }
        print(json.dumps(answer))
        return
    print("coupling-sup as a fraction of the trivial bound, span/(1 - gamma)")
    print(
        "an opponent with n_j < k is also asked for action k + 1, in the last state: "
        + ("counted" if last else "not counted (--last-action counts it)")
    )
    for name, found in (("paper's rule", paper), (f"best with {calls} calls", optimal)):
        print(f"{name:<22} n = {list(found.n)}  calls {found.calls}  value {found.value:.4f}")
    print(f"Pareto front ({len(front)} points; all with --json):")
    for found in front[:: max(1, len(front) // 10)]:
        print(f"  calls {found.calls:<5} value {found.value:.4f}  n = {list(found.n)}")
