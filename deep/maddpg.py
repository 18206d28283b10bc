"""MADDPG: a central critic for every agent, policies without entropy (Lowe et al. 2017).

One update, for all agents and runs:

1. critics: a gradient step on ½(Q − y)², y = r + γ(1 − d) Q⁻(s′, a′) with a′ of target policies;
2. policies: a gradient step on −E Q(s, aⁱ, a⁻ⁱ), a⁻ⁱ of the replay, through the own action aⁱ: the
   continuous action itself, or a relaxed sample of a choice;
3. target critics and target policies: θ⁻ ← θ⁻ + τ(θ − θ⁻).

Choices explore by being drawn, also in the target; continuous actions by noise that is added to
them where they are played. With ``central`` off each agent learns by itself (DDPG).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bounds.numbers import in_range, whole
from deep import losses
from deep.critics import Critics, critics
from deep.distributions import head
from deep.learner import Inference, Learner, Shape, check_common, restore_tensors
from deep.optimiser import Adam, adam, clip
from deep.policies import Policies, policies
from deep.replay import Batch
from deep.seeding import Streams


@dataclass(frozen=True)
class Maddpg:
    """Settings of MADDPG."""

    learning_rate: float = 0.001
    """Adam's rate for policies and critics."""
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
    """Critics see all agents; otherwise their own only (DDPG for every agent)."""
    twins: int = 1
    """Critics of an agent; of more than one the least is believed (TD3)."""
    penalty: float = 0.001
    """Weight of the mean square of what a policy's network says."""
    noise: float = 0.1
    """Standard deviation of what continuous actions explore with, in half widths of their box."""
    relaxation: float = 1.0
    """Temperature of relaxed samples of choices."""

    def __post_init__(self) -> None:
        check_common(self)
        whole("twins", self.twins, 1)
        in_range("penalty", self.penalty, 0, 1e6)
        in_range("noise", self.noise, 0, 10)


@dataclass(frozen=True, eq=False)
class MaddpgLearner:
    """A ``Learner``."""

    settings: Maddpg
    policies: Policies
    target_policies: Policies
    critics: Critics
    targets: Critics
    policy_adam: Adam
    critic_adam: Adam

    def act(self, observations: Tensor, streams: Streams, greedy: bool) -> Tensor:
        """See ``Learner``."""
        return self.policies.act(observations, streams, greedy)

    def update(self, batch: Batch, streams: Streams) -> dict[str, Tensor]:
        """See the module."""
        seen = self.critics.inputs(batch.observations, batch.actions)
        metrics = self._fit_critics(batch, seen, streams)
        metrics |= self._improve_policies(batch, seen, streams)
        for target, source in (
            (self.targets.stack, self.critics.stack),
            (self.target_policies.stack, self.policies.stack),
        ):
            target.parameters.lerp_(source.parameters.detach(), self.settings.tau)
        return metrics

    def target(self, batch: Batch, streams: Streams) -> Tensor:
        """What the critics are fitted to, [run, agent, row]."""
        with torch.no_grad():
            said = self.target_policies.outputs(batch.next_observations, streams)
            actions, _ = self.policies.head.relaxed(said, streams)
            after = self.targets.inputs(batch.next_observations, actions.transpose(1, 2))
            return losses.deterministic_target(
                batch.rewards.transpose(1, 2),
                batch.terminated,
                self.targets(after),
                self.settings.gamma,
            )

    def policy_loss(self, batch: Batch, seen: Tensor, streams: Streams) -> Tensor:
        """The policies' losses, [run, agent]."""
        said = self.policies.outputs(batch.observations, streams)
        own, _ = self.policies.head.relaxed(said, streams)
        change = own - batch.actions.transpose(1, 2)
        q = self.critics.moved(seen, change).amin(2)
        return losses.deterministic_policy_loss(q, said, self.settings.penalty)

    def state(self) -> dict[str, Tensor]:
        """See ``Learner``."""
        return {
            **self.policy_adam.state("policy"),
            **self.critic_adam.state("critic"),
            "target_policy": self.target_policies.stack.parameters,
            "target": self.targets.stack.parameters,
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """See ``Learner``."""
        restore_tensors(self.state(), state)

    def _fit_critics(self, batch: Batch, seen: Tensor, streams: Streams) -> dict[str, Tensor]:
        target = self.target(batch, streams)
        q = self.critics(seen)
        loss = losses.critic_loss(q, target)
        (gradient,) = torch.autograd.grad(loss.sum(), self.critics.stack.parameters)
        norm = clip(gradient.view(*loss.shape, -1), self.settings.clip)
        self.critic_adam.step(gradient)
        return {"critic_loss": loss.detach(), "q": q.detach().mean((2, 3)), "critic_norm": norm}

    def _improve_policies(self, batch: Batch, seen: Tensor, streams: Streams) -> dict[str, Tensor]:
        loss = self.policy_loss(batch, seen, streams)
        (gradient,) = torch.autograd.grad(loss.sum(), self.policies.stack.parameters)
        norm = clip(gradient, self.settings.clip)
        self.policy_adam.step(gradient)
        return {"policy_loss": loss.detach(), "policy_norm": norm}


def maddpg(
    shape: Shape,
    settings: Maddpg,
    streams: Streams,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
    inference: Inference | None = None,
) -> Learner:
    """A new learner for the runs of ``streams``, from which it draws its first parameters."""
    policy = head(shape.spaces, device, settings.relaxation, settings.noise)
    actors = policies(shape, policy, settings.hidden, streams, dtype, device, inference)
    judges = critics(
        shape, settings.central, settings.twins, settings.hidden, streams, dtype, device
    )
    return MaddpgLearner(
        settings,
        actors,
        actors.copied,
        judges,
        judges.copied,
        adam(actors.stack.parameters, settings.learning_rate),
        adam(judges.stack.parameters, settings.learning_rate),
    )
