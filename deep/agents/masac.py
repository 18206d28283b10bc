"""MASAC: soft actor-critic (Haarnoja et al. 2018) with a central critic for every agent.

An ``ActorCritic`` with this objective:

- critics: y from actions that the policies draw in the next state (``losses.soft_target``);
- policies: E[α log π − Q]. Where agents have few options Q is taken at every one of them and
  weighted with π (``losses.expected_policy_loss``); otherwise at one relaxed sample
  (``losses.sampled_policy_loss``). The others' actions are those of the batch (Eq. 4);
  The mean square of choices' logits is added with a small weight, as MADDPG has it: a softmax that
  is nearly certain has hardly a gradient left, and an agent that is certain of what has become the
  worse option (a word that means two goals) would stay with it;
- temperatures: a step that moves each agent's entropy towards its target.

With ``signal``, which the paper does not have, words earn something by themselves
(``losses.signalling``), and their entropy is left out of the target.

With ``central`` off each agent learns by itself (SAC).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bounds.shared.numbers import InputError, in_range, whole
from deep.agents import losses
from deep.agents.actor_critic import ActorCritic, ActorCriticSettings, Views, actor_critic
from deep.agents.critics import Critics, critics
from deep.agents.experience import SHARED, Experience
from deep.agents.learner import Inference
from deep.agents.policies import Policies, policies
from deep.agents.standard_inputs import StandardInputs, standard_inputs
from deep.envs.spaces import Shape
from deep.nn.action_distributions import Categorical, head
from deep.nn.adam import Adam, adam
from deep.nn.tensors import positive
from deep.seeding import Streams


@dataclass(frozen=True)
class Masac(ActorCriticSettings):
    """Settings of MASAC."""

    alpha: float = 0.1
    """Temperature at the start."""
    alpha_rate: float = 0.001
    """Adam's rate for the logarithms of temperatures; 0 holds them."""
    target_entropy: float = 0.2
    """Entropy to hold, as a share of the largest one of an agent's choices; for continuous actions
    it is −1 a number on [−1, 1]."""
    penalty: float = 0.001
    """Weight of the mean square of the logits of choices, which keeps them within reach."""
    signal: float = 0.0
    """Weight of positive signalling (`deep.agents.losses.signalling`): agents are paid for words
    that tell states apart. An addition to the paper's objective; 0: the paper's. Where agents have
    a reason to hide something it has to be 0."""
    expect_up_to: int = 16
    """Policies learn from Q at every option where no agent has more options than these, else from
    one relaxed sample."""

    def __post_init__(self) -> None:
        super().__post_init__()
        positive("alpha", self.alpha)
        in_range("alpha_rate", self.alpha_rate, 0, 1)
        in_range("target_entropy", self.target_entropy, 0, 1)
        in_range("penalty", self.penalty, 0, 1e6)
        in_range("signal", self.signal, 0, 1e6)
        whole("expect_up_to", self.expect_up_to)


@dataclass(frozen=True, eq=False)
class Soft:
    """An ``Objective``. log_alpha, target_entropy: [run, agent]."""

    settings: Masac
    log_alpha: Tensor
    target_entropy: Tensor
    alpha_adam: Adam

    @property
    def alpha(self) -> Tensor:
        """The temperatures, a constant."""
        return self.log_alpha.detach().exp()

    def target(
        self, views: Views, policies: Policies, targets: Critics, streams: Streams
    ) -> Tensor:
        """See ``Objective``."""
        with torch.no_grad():
            outputs = policies.outputs(views.next_observations, streams)
            own, entropy = policies.head.sample(outputs, streams)
            after = targets.next_inputs(views.next_joint, own, streams)
            return losses.soft_target(
                rewards=views.rewards,
                terminated=views.terminated,
                next_q=targets(after),
                next_entropy=entropy,
                alpha=self.alpha,
                gamma=self.settings.gamma,
            )

    def policy_loss(
        self, views: Views, policies: Policies, critics: Critics, streams: Streams
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """See ``Objective``; measured is the mean entropy."""
        policy, actions, alpha = policies.head, views.actions, self.alpha
        outputs = policies.outputs(views.observations, streams)
        if isinstance(policy, Categorical) and policy.outputs <= self.settings.expect_up_to:
            chances, logs = policy.probabilities(outputs)
            own = policy.sample(outputs.detach(), streams)[0] if policy.several else actions
            q = critics.options(views.critic_inputs, actions, own, policy).amin(2)
            if self.settings.signal:
                q = q + self.settings.signal * losses.signalling(chances, logs, policy.words)
            entropy = -(chances.detach() * logs.detach()).sum(-1)
            loss = losses.expected_policy_loss(chances, logs, q, alpha)
        else:
            own, entropy = policy.relaxed(outputs, streams)
            q = critics.moved(views.critic_inputs, own - actions).amin(2)
            loss = losses.sampled_policy_loss(q, entropy, alpha)
        if isinstance(policy, Categorical):
            loss = loss + self.settings.penalty * outputs.square().mean((-2, -1))
        return loss, {"entropy": entropy.detach().mean(-1)}

    def follow(self, policies: Policies, measured: dict[str, Tensor]) -> dict[str, Tensor]:
        """Move the temperatures; the metrics are those that the update used."""
        del policies
        alpha = self.alpha
        loss = losses.temperature_loss(self.log_alpha, measured["entropy"], self.target_entropy)
        (gradient,) = torch.autograd.grad(loss.sum(), self.log_alpha)
        self.alpha_adam.step(gradient)
        return {"alpha": alpha}

    def state(self) -> dict[str, Tensor]:
        """See ``Objective``."""
        return self.alpha_adam.state("log_alpha")


def masac(
    shape: Shape,
    settings: Masac,
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
    policy = head(shape.spaces, device, settings.relaxation)
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
        twins=2,
        hidden=settings.hidden,
        streams=streams,
        dtype=dtype,
        device=device,
        experience=experience,
        seen=seen,
    )
    axes = (streams.runs, shape.agents)
    log_alpha = torch.full(axes, math.log(settings.alpha), dtype=dtype, device=device)
    log_alpha.requires_grad_()
    aim = policy.target_entropy(settings.target_entropy)
    if settings.signal:
        if not isinstance(policy, Categorical) or policy.outputs > settings.expect_up_to:
            raise InputError(
                f"signal: {settings.signal} is for agents that choose among at most expect_up_to "
                f"= {settings.expect_up_to} options; give 0"
            )
        aim = policy.silent_entropy(settings.target_entropy)
    soft = Soft(
        settings,
        log_alpha,
        torch.tensor(aim, dtype=dtype, device=device).expand(axes),
        adam(log_alpha, settings.alpha_rate),
    )
    return actor_critic(settings, actors, judges, soft)
