"""MASAC: soft actor-critic (Haarnoja et al. 2018) with a central critic for every agent.

One update, for all agents and runs:

1. critics: a gradient step on ½(Q − y)² for each twin, y from actions that the policies draw in the
   next state (``losses.soft_target``);
2. policies: a gradient step on E[α log π − Q]. Where agents have few options Q is taken at every
   one of them and weighted with π (``losses.expected_policy_loss``); otherwise at one relaxed
   sample (``losses.sampled_policy_loss``). The others' actions are those of the replay (Eq. 4);
3. temperatures: a step that moves each agent's entropy towards its target;
4. target critics: θ⁻ ← θ⁻ + τ(θ − θ⁻).

With ``central`` off each agent learns by itself (SAC).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bounds.numbers import in_range, whole
from deep import losses
from deep.critics import Critics, critics
from deep.distributions import Categorical, head
from deep.learner import Inference, Learner, Shape, check_common, positive, restore_tensors
from deep.optimiser import Adam, adam, clip
from deep.policies import Policies, policies
from deep.replay import Batch
from deep.seeding import Streams


@dataclass(frozen=True)
class Masac:
    """Settings of MASAC."""

    learning_rate: float = 0.001
    """Adam's rate for policies and critics."""
    batch: int = 1024
    """Transitions of a run in an update."""
    tau: float = 0.01
    """How far target critics move towards the critics at every update."""
    gamma: float = 0.95
    """Discount factor."""
    hidden: tuple[int, ...] = (64, 64)
    """Units of the hidden layers of policies and critics."""
    clip: float = 10.0
    """Largest norm of the gradient of a run's agent, policy and critics apart."""
    central: bool = True
    """Critics see all agents; otherwise their own only (SAC for every agent)."""
    alpha: float = 0.1
    """Temperature at the start."""
    alpha_rate: float = 0.001
    """Adam's rate for the logarithms of temperatures; 0 holds them."""
    target_entropy: float = 0.2
    """Entropy to hold, as a share of the largest one of an agent's choices; for continuous actions
    it is −1 a number on [−1, 1]."""
    expect_up_to: int = 16
    """Policies learn from Q at every option where no agent has more options than these, else from
    one relaxed sample."""
    relaxation: float = 1.0
    """Temperature of relaxed samples of choices."""

    def __post_init__(self) -> None:
        check_common(self)
        positive("alpha", self.alpha)
        in_range("alpha_rate", self.alpha_rate, 0, 1)
        in_range("target_entropy", self.target_entropy, 0, 1)
        whole("expect_up_to", self.expect_up_to)


@dataclass(frozen=True, eq=False)
class MasacLearner:
    """A ``Learner``. log_alpha, target_entropy: [run, agent]."""

    settings: Masac
    policies: Policies
    critics: Critics
    targets: Critics
    log_alpha: Tensor
    target_entropy: Tensor
    policy_adam: Adam
    critic_adam: Adam
    alpha_adam: Adam

    def act(self, observations: Tensor, streams: Streams, greedy: bool) -> Tensor:
        """See ``Learner``."""
        return self.policies.act(observations, streams, greedy)

    def update(self, batch: Batch, streams: Streams) -> dict[str, Tensor]:
        """See the module."""
        alpha = self.log_alpha.detach().exp()
        seen = self.critics.inputs(batch.observations, batch.actions)
        metrics = self._fit_critics(batch, seen, alpha, streams)
        metrics |= self._improve_policies(batch, seen, alpha, streams)
        loss = losses.temperature_loss(self.log_alpha, metrics["entropy"], self.target_entropy)
        (gradient,) = torch.autograd.grad(loss.sum(), self.log_alpha)
        self.alpha_adam.step(gradient)
        losses.polyak(
            self.targets.stack.parameters, self.critics.stack.parameters, self.settings.tau
        )
        return metrics | {"alpha": alpha}

    def target(self, batch: Batch, alpha: Tensor, streams: Streams) -> Tensor:
        """What the critics are fitted to, [run, agent, row]."""
        with torch.no_grad():
            said = self.policies.outputs(batch.next_observations, streams)
            actions, entropy = self.policies.head.sample(said, streams)
            after = self.targets.inputs(batch.next_observations, actions.transpose(1, 2))
            return losses.soft_target(
                batch.rewards.transpose(1, 2),
                batch.terminated,
                self.targets(after),
                entropy,
                alpha,
                self.settings.gamma,
            )

    def policy_loss(
        self, batch: Batch, seen: Tensor, alpha: Tensor, streams: Streams
    ) -> tuple[Tensor, Tensor]:
        """The policies' losses [run, agent], and their mean entropies."""
        policy, actions = self.policies.head, batch.actions.transpose(1, 2)
        said = self.policies.outputs(batch.observations, streams)
        if isinstance(policy, Categorical) and policy.outputs <= self.settings.expect_up_to:
            chances, logs = policy.probabilities(said)
            own = policy.sample(said.detach(), streams)[0] if policy.several else actions
            q = self.critics.options(seen, actions, own, policy).amin(2)
            entropy = -(chances.detach() * logs.detach()).sum(-1)
            return losses.expected_policy_loss(chances, logs, q, alpha), entropy.mean(-1)
        own, entropy = policy.relaxed(said, streams)
        q = self.critics.moved(seen, own - actions).amin(2)
        return losses.sampled_policy_loss(q, entropy, alpha), entropy.detach().mean(-1)

    def state(self) -> dict[str, Tensor]:
        """See ``Learner``."""
        return {
            **self.policy_adam.state("policy"),
            **self.critic_adam.state("critic"),
            "target": self.targets.stack.parameters,
            **self.alpha_adam.state("log_alpha"),
        }

    def restore(self, state: dict[str, Tensor]) -> None:
        """See ``Learner``."""
        restore_tensors(self.state(), state)

    def _fit_critics(
        self, batch: Batch, seen: Tensor, alpha: Tensor, streams: Streams
    ) -> dict[str, Tensor]:
        target = self.target(batch, alpha, streams)
        q = self.critics(seen)
        loss = losses.critic_loss(q, target)
        (gradient,) = torch.autograd.grad(loss.sum(), self.critics.stack.parameters)
        norm = clip(gradient.view(*loss.shape, -1), self.settings.clip)
        self.critic_adam.step(gradient)
        return {
            "critic_loss": loss.detach(),
            "q": q.detach().mean((2, 3)),
            "critic_norm": norm,
        }

    def _improve_policies(
        self, batch: Batch, seen: Tensor, alpha: Tensor, streams: Streams
    ) -> dict[str, Tensor]:
        loss, entropy = self.policy_loss(batch, seen, alpha, streams)
        (gradient,) = torch.autograd.grad(loss.sum(), self.policies.stack.parameters)
        norm = clip(gradient, self.settings.clip)
        self.policy_adam.step(gradient)
        return {"policy_loss": loss.detach(), "entropy": entropy, "policy_norm": norm}


def masac(
    shape: Shape,
    settings: Masac,
    streams: Streams,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
    inference: Inference | None = None,
) -> Learner:
    """A new learner for the runs of ``streams``, from which it draws its first parameters."""
    policy = head(shape.spaces, device, settings.relaxation)
    actors = policies(shape, policy, settings.hidden, streams, dtype, device, inference)
    judges = critics(shape, settings.central, 2, settings.hidden, streams, dtype, device)
    axes = (streams.runs, shape.agents)
    log_alpha = torch.full(axes, math.log(settings.alpha), dtype=dtype, device=device)
    log_alpha.requires_grad_()
    aim = policy.target_entropy(settings.target_entropy)
    return MasacLearner(
        settings,
        actors,
        judges,
        judges.copied,
        log_alpha,
        torch.tensor(aim, dtype=dtype, device=device).expand(axes),
        adam(actors.stack.parameters, settings.learning_rate),
        adam(judges.stack.parameters, settings.learning_rate),
        adam(log_alpha, settings.alpha_rate),
    )
