"""Rollout lengths of all ego agents from estimated errors, by ``bounds.planning.schemes``.

What a scheme sees is ``Estimates``: of the agents' own history, rows that the models were not
fitted to. It never looks at a real policy, except at how far the agents' own have moved: where a
scheme asks for policy shifts every agent tells the others one number, its own.

The error of the dynamics model is left out: no estimate of its total variation means anything where
the world is deterministic (ledger: tv-bounds-on-deterministic-dynamics).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from bounds.formula.error_profile import ErrorProfile
from bounds.planning.schemes import Known, Scheme
from bounds.shared.numbers import InputError
from deep.nn.action_distributions import Categorical
from deep.opponents.errors import Estimate, match_rate, mismatch, pooled_residual
from deep.opponents.fitting import History
from deep.opponents.models import Opponents
from deep.opponents.two_sample import two_sample

#: How ε_π̂ is estimated.
ErrorEstimate = Literal["two-sample", "mismatch"]


@dataclass(frozen=True, eq=False)
class Estimates:
    """What is known when lengths are chosen.

    gamma: the discount factor. opponent_error[run, ego, opponent]: of ε_π̂, 0 about oneself.
    policy_shift[run, agent]: how far each agent's policy has moved, the mean of D_TV: for a scheme
    that asks, since D_env was collected; else since the last round. match_rate[run, ego,
    opponent]: None where the scheme does not ask.
    """

    gamma: float
    opponent_error: Tensor
    policy_shift: Tensor
    match_rate: Tensor | None = None


def opponent_error(
    opponents: Opponents | None, held_out: History, by: ErrorEstimate = "two-sample"
) -> Tensor:
    """The estimate of ε_π̂, [run, ego, opponent], float64.

    two-sample: what tells opponents from their models (``deep.opponents.two_sample``), a lower
    estimate, ``levelled``. mismatch: for choices ``deep.opponents.errors.mismatch``, an upper
    estimate that is mostly the opponents' entropy; for numbers, which never match,
    ``pooled_residual``, a lower one. Where the real policies are played in the place of models,
    None, nothing has to be estimated: no error.
    """
    if opponents is None:
        return torch.zeros(_by_ego(held_out), dtype=torch.float64)
    if by == "two-sample":
        return levelled(two_sample(opponents, held_out))
    if isinstance(opponents.head, Categorical):
        return mismatch(opponents, held_out).value
    return pooled_residual(opponents, held_out).value


def levelled(estimate: Estimate) -> Tensor:
    """The values, but for opponents whose interval meets that of the ego's best known one: its.

    So models that are equally good, as far as can be told, get equal lengths, whatever the noise.
    """
    itself = torch.eye(estimate.value.shape[1], dtype=torch.bool, device=estimate.value.device)
    others = estimate.value.masked_fill(itself, torch.inf)
    least, which = others.min(-1, keepdim=True)
    meets = estimate.low <= estimate.high.gather(-1, which)
    return torch.where(meets & ~itself, least, estimate.value)


def opponent_match_rate(opponents: Opponents | None, held_out: History) -> Tensor:
    """Match rates, [run, ego, opponent], 1 for real policies; ``InputError`` for numbers."""
    if opponents is None:
        return torch.ones(_by_ego(held_out), dtype=torch.float64)
    return match_rate(opponents, held_out).value


def lengths(scheme: Scheme, estimates: Estimates, k: int, calls: int = 0) -> tuple[Tensor, Tensor]:
    """k[run, ego] and nⱼ as lengths[run, ego, opponent], int64; an agent's own entry is its k.

    k: of the schedule; ``planned`` may choose a shorter one. calls: its budget. Errors and shifts
    above 1, which estimates can be, count as 1. ``InputError`` where an error is below 0 or not
    finite.
    """
    errors = _checked(estimates.opponent_error.cpu()).clamp(max=1)
    shift = estimates.policy_shift.cpu().clamp(max=1)
    runs, agents = errors.shape[:2]
    ks, n = errors.new_zeros(runs, agents, dtype=torch.int64), torch.zeros(errors.shape).long()
    for run in range(runs):
        for ego in range(agents):
            others = [j for j in range(agents) if j != ego]
            profile = ErrorProfile(
                gamma=estimates.gamma,
                policy_shift=tuple(shift[run, [ego, *others]].tolist()),
                opponent_model=tuple(errors[run, ego, others].tolist()),
                model_sup=0.0,
                k=k,
            )
            rates = None
            if estimates.match_rate is not None:
                rates = tuple(estimates.match_rate[run, ego, others].tolist())
            found = scheme.choose(Known(profile, shortest=1, calls=calls, match_rates=rates))
            ks[run, ego] = n[run, ego, ego] = found.k
            n[run, ego, others] = torch.tensor(found.n, dtype=torch.int64)
    return ks, n


def _by_ego(history: History) -> tuple[int, int, int]:
    runs, _, agents, _ = history.actions.shape
    return runs, agents, agents


def _checked(errors: Tensor) -> Tensor:
    others = ~torch.eye(errors.shape[1], dtype=torch.bool)
    bad = (~(errors.isfinite() & (errors >= 0)) & others).nonzero()
    if len(bad):
        run, ego, opponent = bad[0].tolist()
        raise InputError(
            f"errors[{run}][{ego}][{opponent}]: {float(errors[run, ego, opponent])}; "
            "give a finite number, 0 or more"
        )
    return errors
