"""Usages of opponents in a rollout: who plays an opponent at which step, model or real agent.

A scheme turns what is believed of the opponents' errors into the rollout lengths k[run, ego] and
nⱼ[run, ego, opponent] (``deep.aorpo.length_rules``). The paper's is ``adaptive``; ``all-models``
and ``all-real`` are those that it compares with (Fig. 5), ``planned`` is the project's own planner
under a budget of calls, and ``released`` is what the authors' code does.

What a scheme sees is ``Evidence``: the agents' own history, rows that the models were not fitted
to. It never looks at a real policy, except at how far the agents' own have moved: in ``planned``
every agent tells the others one number, its own shift.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from deep.aorpo import length_rules as lengths
from deep.nn.action_distributions import Categorical
from deep.opponents import errors as opponent_errors
from deep.opponents.fitting import History
from deep.opponents.models import Opponents


@dataclass(frozen=True, eq=False)
class Evidence:
    """What is known when lengths are chosen.

    opponents: the models, None where the real policies are played in their place, of which nothing
    has to be estimated: no error, every action matched. held_out: rows of D_env that the models
    were not fitted to. shift[run, agent]: how far each agent's policy has moved since the last
    round, the mean of D_TV. gamma: the discount factor.
    """

    opponents: Opponents | None
    held_out: History
    shift: Tensor
    gamma: float

    @cached_property
    def errors(self) -> Tensor:
        """The estimate of ε_π̂, [run, ego, opponent].

        For choices ``opponent_errors.mismatch``, an upper estimate; for numbers, which never match,
        ``opponent_errors.pooled_residual``, a lower one.
        """
        if self.opponents is None:
            return torch.zeros(self._shape, dtype=torch.float64)
        if isinstance(self.opponents.head, Categorical):
            return opponent_errors.mismatch(self.opponents, self.held_out).value
        return opponent_errors.pooled_residual(self.opponents, self.held_out).value

    @property
    def rates(self) -> Tensor:
        """Match rates, [run, ego, opponent]; ``InputError`` where actions are numbers."""
        if self.opponents is None:
            return torch.ones(self._shape, dtype=torch.float64)
        return opponent_errors.match_rate(self.opponents, self.held_out).value

    @property
    def _shape(self) -> tuple[int, int, int]:
        runs, _, agents, _ = self.held_out.actions.shape
        return runs, agents, agents


#: (what is known, k of the schedule) to k[run, ego] and lengths[run, ego, opponent].
Scheme = Callable[[Evidence, int], tuple[Tensor, Tensor]]


def adaptive(evidence: Evidence, k: int) -> tuple[Tensor, Tensor]:
    """nⱼ = ⌊k min ε_π̂ / ε_π̂ʲ⌋, Section 5.1."""
    return _same(evidence, k), lengths.adaptive(evidence.errors, k)


def all_models(evidence: Evidence, k: int) -> tuple[Tensor, Tensor]:
    """Nobody is asked."""
    return _same(evidence, k), lengths.all_models(evidence.errors, k)


def all_real(evidence: Evidence, k: int) -> tuple[Tensor, Tensor]:
    """Everybody is asked in every step."""
    return _same(evidence, k), lengths.all_real(evidence.errors, k)


def planned(calls: int) -> Scheme:
    """At most ``calls`` calls a branch, spent by the planner, which may also choose a shorter k.

    Its bound counts the opponents' errors and the agents' shifts. The error of the dynamics model
    is left out: no estimate of its total variation means anything where the world is deterministic
    (ledger: tv-bounds-on-deterministic-dynamics).
    """

    def scheme(evidence: Evidence, k: int) -> tuple[Tensor, Tensor]:
        exact = torch.zeros(evidence.errors.shape[:2], dtype=torch.float64)
        found = lengths.planned(
            evidence.errors.cpu(), evidence.shift.cpu(), exact, evidence.gamma, calls, k
        )
        return found.k, found.lengths

    return scheme


def released(evidence: Evidence, k: int) -> tuple[Tensor, Tensor]:
    """Ratios of match rates, and a model used for nⱼ − 1 steps, as in the authors' code."""
    return _same(evidence, k), lengths.one_less(lengths.released_match_rates(evidence.rates, k))


def _same(evidence: Evidence, k: int) -> Tensor:
    return torch.full(evidence.errors.shape[:2], k, dtype=torch.int64)
