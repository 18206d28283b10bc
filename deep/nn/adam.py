"""Adam for stacks of parameters, and norms clipped for each run and agent apart.

Adam acts number by number, so that stacking runs, agents and twins changes nothing:

    m ← β₁ m + (1 − β₁) g,   v ← β₂ v + (1 − β₂) g²,
    θ ← θ − η m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε)                        (Kingma and Ba 2015)

η may fall: with ``cool`` steps it is η max(1/10, 1 − 9t/(10 cool)), a straight line to a tenth.

What is not elementwise, the gradient's norm, is taken over the axes of one run and agent.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Adam:
    """The moments of ``parameters``, which it changes in place. Leading axis [run] everywhere.

    mean, square: m and v; steps[run]: t, on the CPU and the same in all runs; rate: η; cool: steps
    over which it falls, 0: never.
    """

    parameters: Tensor
    rate: float
    mean: Tensor
    square: Tensor
    steps: Tensor
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    cool: int = 0

    def step(self, gradient: Tensor) -> None:
        """One step down ``gradient``."""
        with torch.no_grad():
            self.steps.add_(1)
            t = int(self.steps[0])
            self.mean.lerp_(gradient, 1 - self.beta1)
            self.square.mul_(self.beta2).addcmul_(gradient, gradient, value=1 - self.beta2)
            root = self.square.sqrt().mul_((1 - self.beta2**t) ** -0.5).add_(self.epsilon)
            rate = self.rate
            if self.cool:
                rate *= max(0.1, 1 - 0.9 * t / self.cool)
            self.parameters.addcdiv_(self.mean, root, value=-rate / (1 - self.beta1**t))

    def state(self, name: str) -> dict[str, Tensor]:
        """The parameters, moments and steps, as they are (no copies)."""
        return {
            name: self.parameters.detach(),
            f"{name}.mean": self.mean,
            f"{name}.square": self.square,
            f"{name}.steps": self.steps,
        }


def adam(parameters: Tensor, rate: float, cool: int = 0) -> Adam:
    """Adam at step 0."""
    parameters = parameters.detach()
    return Adam(
        parameters=parameters,
        rate=rate,
        mean=torch.zeros_like(parameters),
        square=torch.zeros_like(parameters),
        steps=torch.zeros(parameters.shape[0], dtype=torch.int64),
        cool=cool,
    )


def clip(gradient: Tensor, largest: float, axes: int = 2) -> Tensor:
    """Scale ``gradient`` in place to a norm of at most ``largest``; its norms before that.

    The first ``axes`` axes, [run, agent], are clipped apart; the norms have this shape.
    """
    norms: Tensor = torch.linalg.vector_norm(gradient.flatten(axes), dim=-1)
    # a norm of 0 gives infinity, which the limit 1 takes back
    scale = (largest / norms).clamp_(max=1.0)
    gradient.mul_(scale.reshape(*scale.shape, *[1] * (gradient.ndim - axes)))
    return norms
