"""MADDPG: a central critic for every agent, policies without entropy (Lowe et al. 2017).

An ``ActorCritic`` with this objective:

- critics: y = r + γ(1 − d) Q⁻(s′, a′), with a′ of target policies;
- policies: −E Q(s, aⁱ, a⁻ⁱ), a⁻ⁱ of the batch, through the own action aⁱ: the continuous action
  itself, or a relaxed sample of a choice;
- target policies: θ⁻ ← θ⁻ + τ(θ − θ⁻).

Choices explore by being drawn, also in the target; continuous actions by noise that is added to
them where they are played. With ``central`` off each agent learns by itself (DDPG).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bounds.shared.numbers import in_range, whole
from deep.agents import losses
from deep.agents.actor_critic import ActorCritic, ActorCriticSettings, Views, actor_critic
from deep.agents.critics import Critics, critics
from deep.agents.experience import SHARED, Experience
from deep.agents.learner import Inference
from deep.agents.policies import Policies, policies
from deep.agents.standard_inputs import StandardInputs, standard_inputs
from deep.envs.spaces import Shape
from deep.nn.action_distributions import head
from deep.seeding import Streams


@dataclass(frozen=True)
class Maddpg(ActorCriticSettings):
    """Settings of MADDPG."""

    twins: int = 1
    """Critics of an agent; of more than one the least is believed (TD3)."""
    penalty: float = 0.001
    """Weight of the mean square of what a policy's network says."""
    noise: float = 0.1
    """Standard deviation of what continuous actions explore with, in half widths of their box."""

    def __post_init__(self) -> None:
        super().__post_init__()
        whole("twins", self.twins, 1)
        in_range("penalty", self.penalty, 0, 1e6)
        in_range("noise", self.noise, 0, 10)


@dataclass(frozen=True, eq=False)
class Deterministic:
    """An ``Objective``."""

    settings: Maddpg
    target_policies: Policies

    def target(
        self, views: Views, policies: Policies, targets: Critics, streams: Streams
    ) -> Tensor:
        """See ``Objective``; of the policies only the targets are asked."""
        del policies
        with torch.no_grad():
            outputs = self.target_policies.outputs(views.next_observations, streams)
            own, _ = self.target_policies.head.relaxed(outputs, streams)
            after = targets.next_inputs(views.next_joint, own, streams)
            return losses.deterministic_target(
                views.rewards, views.terminated, targets(after), self.settings.gamma
            )

    def policy_loss(
        self, views: Views, policies: Policies, critics: Critics, streams: Streams
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """See ``Objective``."""
        outputs = policies.outputs(views.observations, streams)
        own, _ = policies.head.relaxed(outputs, streams)
        q = critics.moved(views.critic_inputs, own - views.actions).amin(2)
        return losses.deterministic_policy_loss(q, outputs, self.settings.penalty), {}

    def follow(self, policies: Policies, measured: dict[str, Tensor]) -> dict[str, Tensor]:
        """Move the target policies."""
        del measured
        losses.polyak(
            self.target_policies.stack.parameters, policies.stack.parameters, self.settings.tau
        )
        return {}

    def state(self) -> dict[str, Tensor]:
        """See ``Objective``."""
        return {"target_policy": self.target_policies.stack.parameters}


def maddpg(
    shape: Shape,
    settings: Maddpg,
    streams: Streams,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
    inference: Inference | None = None,
    experience: Experience = SHARED,
    seen: StandardInputs | None = None,
) -> ActorCritic:
    """A new learner for the runs of ``streams``, from which it draws its first parameters.

    seen: how observations are made standard, where others read them in the same way.
    """
    policy = head(shape.spaces, device, settings.relaxation, settings.noise)
    if settings.standardise and seen is None:
        seen = standard_inputs(shape, streams.runs, dtype, device)
    actors = policies(
        shape=shape,
        head=policy,
        hidden=settings.hidden,
        streams=streams,
        dtype=dtype,
        device=device,
        inference=inference,
        seen=seen,
    )
    judges = critics(
        shape=shape,
        central=settings.central,
        twins=settings.twins,
        hidden=settings.hidden,
        streams=streams,
        dtype=dtype,
        device=device,
        experience=experience,
        seen=seen,
    )
    return actor_critic(settings, actors, judges, Deterministic(settings, actors.copied))
