"""An actor and its critics, for every agent of every run: what MASAC and MADDPG have in common.

One update, for all agents and runs:

1. critics: a gradient step on ½(Q − y)² for each twin;
2. policies: a gradient step on their loss;
3. targets: target critics θ⁻ ← θ⁻ + τ(θ − θ⁻), and whatever else moves along.

What y and the policies' loss are is the ``Objective``: soft for MASAC, deterministic for MADDPG.
Where in a batch the agents find what they learn from is the ``Experience`` of the critics.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from bounds.shared.numbers import InputError, in_range, whole
from deep.agents import losses
from deep.agents.critics import Critics
from deep.agents.policies import Policies
from deep.data.batch import Batch
from deep.nn.adam import Adam, adam, clip
from deep.nn.tensors import positive, restore_tensors
from deep.seeding import Streams


@dataclass(frozen=True)
class ActorCriticSettings:
    """Settings that all actor-critics have."""

    learning_rate: float = 0.001
    """Adam's rate for policies and critics."""
    cool: int = 0
    """Updates over which that rate falls, in a straight line, to a tenth; 0: it stays."""
    batch: int = 1024
    """Transitions of a run in an update."""
    tau: float = 0.01
    """How far target networks move towards the trained ones at every update."""
    gamma: float = 0.95
    """Discount factor."""
    hidden: tuple[int, ...] = (64, 64)
    """Units of the hidden layers of policies and critics."""
    clip: float = 10.0
    """Largest norm of the gradient of a run's agent, policy and critics apart."""
    central: bool = True
    """Critics see all agents; otherwise their own only, so that each agent learns by itself."""
    relaxation: float = 1.0
    """Temperature of relaxed samples of choices."""
    standardise: bool = False
    """Policies and critics read observations with the mean and deviation of the warm-up's taken
    off, fixed from then on."""

    def __post_init__(self) -> None:
        in_range("learning_rate", self.learning_rate, 0, 1)
        whole("cool", self.cool)
        whole("batch", self.batch, 1)
        in_range("tau", self.tau, 0, 1)
        in_range("gamma", self.gamma, 0, 1, open_high=True)
        for layer, units in enumerate(self.hidden):
            whole(f"hidden[{layer}]", units, 1)
        if not self.hidden:
            raise InputError("hidden: no layer; give at least one")
        positive("clip", self.clip)
        positive("relaxation", self.relaxation)


@dataclass(frozen=True, eq=False)
class Views:
    """A batch as the agents meet it, each in its own rows.

    observations, actions, next_observations [run, agent, row, number]: each agent's own. rewards
    [run, agent, row]; terminated [run, agent or 1, row]. critic_inputs [run, group, row, number]:
    what the critics read of this state. next_joint: the batch's next observations of all agents.
    """

    observations: Tensor
    actions: Tensor
    rewards: Tensor
    terminated: Tensor
    next_observations: Tensor
    critic_inputs: Tensor
    next_joint: Tensor


class Objective(Protocol):
    """What critics are fitted to and policies minimise, and what moves along with them."""

    def target(
        self, views: Views, policies: Policies, targets: Critics, streams: Streams
    ) -> Tensor:
        """y [run, agent, row], a constant; ``targets`` are the target critics."""

    def policy_loss(
        self, views: Views, policies: Policies, critics: Critics, streams: Streams
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Losses [run, agent] with gradients for the policies, and what else was measured."""

    def follow(self, policies: Policies, measured: dict[str, Tensor]) -> dict[str, Tensor]:
        """Move along after a step of the policies, which ``measured`` that; metrics."""

    def state(self) -> dict[str, Tensor]:
        """Its own tensors, as ``Learner.state``."""


@dataclass(frozen=True, eq=False)
class ActorCritic:
    """A ``Learner``."""

    settings: ActorCriticSettings
    policies: Policies
    critics: Critics
    targets: Critics
    objective: Objective
    policy_adam: Adam
    critic_adam: Adam

    def act(self, observations: Tensor, streams: Streams, greedy: bool) -> Tensor:
        """See ``Learner``."""
        return self.policies.act(observations, streams, greedy)

    def begin(self, observations: Tensor) -> None:
        """See ``Learner``."""
        if self.policies.inputs is not None:
            self.policies.inputs.measure(observations)

    def update(self, batch: Batch, streams: Streams) -> dict[str, Tensor]:
        """See the module."""
        views = self.views(batch)
        metrics = self._fit_critics(views, streams)
        loss, measured = self.objective.policy_loss(views, self.policies, self.critics, streams)
        (gradient,) = torch.autograd.grad(loss.sum(), self.policies.stack.parameters)
        metrics |= {"policy_loss": loss.detach()} | measured
        metrics["policy_norm"] = clip(gradient, self.settings.clip)
        self.policy_adam.step(gradient)
        losses.polyak(
            self.targets.stack.parameters, self.critics.stack.parameters, self.settings.tau
        )
        return metrics | self.objective.follow(self.policies, measured)

    def views(self, batch: Batch) -> Views:
        """The batch as the agents meet it."""
        experience = self.critics.experience
        return Views(
            observations=experience.own(batch.observations),
            actions=experience.own(batch.actions),
            rewards=experience.own(batch.rewards.unsqueeze(-1)).squeeze(-1),
            terminated=experience.grouped(batch.terminated),
            next_observations=experience.own(batch.next_observations),
            critic_inputs=self.critics.inputs(batch.observations, batch.actions),
            next_joint=batch.next_observations,
        )

    def state(self) -> dict[str, Tensor]:
        """See ``Learner``."""
        return {
            **self.policy_adam.state("policy"),
            **self.critic_adam.state("critic"),
            "target": self.targets.stack.parameters,
            **self.objective.state(),
            **({} if self.policies.inputs is None else self.policies.inputs.state()),
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """See ``Learner``."""
        restore_tensors(self.state(), state)

    def _fit_critics(self, views: Views, streams: Streams) -> dict[str, Tensor]:
        target = self.objective.target(views, self.policies, self.targets, streams)
        q = self.critics(views.critic_inputs)
        loss = losses.critic_loss(q, target)
        (gradient,) = torch.autograd.grad(loss.sum(), self.critics.stack.parameters)
        norm = clip(gradient.view(*loss.shape, -1), self.settings.clip)
        self.critic_adam.step(gradient)
        return {"critic_loss": loss.detach(), "q": q.detach().mean((2, 3)), "critic_norm": norm}


def actor_critic(
    settings: ActorCriticSettings, policies: Policies, critics: Critics, objective: Objective
) -> ActorCritic:
    """A learner at its start: target critics as the critics are, optimisers at rest."""
    return ActorCritic(
        settings=settings,
        policies=policies,
        critics=critics,
        targets=critics.copied,
        objective=objective,
        policy_adam=adam(policies.stack.parameters, settings.learning_rate, settings.cool),
        critic_adam=adam(critics.stack.parameters, settings.learning_rate, settings.cool),
    )
