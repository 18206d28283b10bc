"""The prediction heads of a dynamics model: their interface, and target standardisation.

Everything is predicted for all agents at once, given their joint observation and action:
``deep.dynamics.gaussian_outcomes`` predicts what agents observe as numbers,
``deep.dynamics.categorical_outcomes`` the next state where all observe it. A loss is in nats a
target, and targets are made standard per run by the mean and deviation of the training rows; a
target that never varied is in no loss and keeps its value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from deep.nn.standard import Affine, Standard
from deep.seeding import Streams


class Outcomes(Protocol):
    """What the ensemble asks of a kind of prediction.

    outputs[..., row, number]: the networks' numbers; variance_bounds[..., number]: learned beside
    the networks; targets[..., row, number] are standard where ``scaled`` says so.
    """

    @property
    def read(self) -> Sequence[int]:
        """Which numbers of the flat padded observations, then actions, the networks read."""

    @property
    def outputs(self) -> int:
        """Numbers that a network has to give."""

    @property
    def scaled(self) -> Sequence[bool]:
        """Whether each target is made standard."""

    @property
    def initial_log_variance_bounds(self) -> Sequence[float]:
        """Numbers learned beside a network, at the start."""

    def targets(self, observations: Tensor, following: Tensor, rewards: Tensor) -> Tensor:
        """[..., number], not standard, of [..., agent, number] and rewards [..., agent]."""

    def loss(
        self, outputs: Tensor, variance_bounds: Tensor, targets: Tensor, weights: Tensor
    ) -> Tensor:
        """What held-out rows are judged by, in nats a target, [...].

        ``weights[..., number]`` is 0 for targets that are constants, else 1.
        """

    def objective(
        self, outputs: Tensor, variance_bounds: Tensor, targets: Tensor, weights: Tensor
    ) -> Tensor:
        """What training minimises, [...]; gradients for ``outputs`` and ``variance_bounds``."""

    def rescale(
        self, layer: tuple[Tensor, Tensor], variance_bounds: Tensor, change: Affine
    ) -> None:
        """Change the last layer in place so that predictions stay while targets ``change``.

        layer: weights [network, output, unit] and biases [network, 1, output];
        variance_bounds[network, number].
        """

    def draw(
        self,
        outputs: Tensor,
        variance_bounds: Tensor,
        seen: Tensor,
        scale: Standard,
        streams: Streams,
    ) -> tuple[Tensor, Tensor]:
        """Next observations [run, ego, row, agent, number] and rewards [run, ego, row, agent].

        outputs[run, ego, row, number]; variance_bounds[run, ego, row or 1, number]; seen: the
        observations now; scale: of the targets.
        """

    def mean_prediction(
        self, outputs: Tensor, seen: Tensor, scale: Standard
    ) -> tuple[Tensor, Tensor]:
        """As ``draw`` of outputs[run, ego, member, row, number], but nothing is drawn.

        Means over the members of numbers and the mixture's likeliest state.
        """

    def errors(self, outputs: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
        """Mean squared error of the members' mean, [run, ego], of standard targets."""

    def coverage(
        self,
        outputs: Tensor,
        variance_bounds: Tensor,
        targets: Tensor,
        weights: Tensor,
        share: float,
    ) -> Tensor:
        """Share of the targets in the members' mixture's central interval, [run, ego].

        outputs[run, ego, member, row, number], variance_bounds[run, ego, member, number],
        targets[run, 1, row, number], weights[run, 1, number]. It is ``share`` where the mixture is
        right.
        """


def average(each: Tensor, weights: Tensor) -> Tensor:
    """Σ w·each / (rows Σ w) over each[..., row, number]; 0 where every weight is 0."""
    total = (each * weights.unsqueeze(-2)).flatten(-2).mean(-1)
    return total * (each.shape[-1] / weights.sum(-1).clamp(min=1.0))


def present(sizes: Sequence[int], width: int) -> list[int]:
    """Flat columns of [agent, number], padded to ``width``, that are not padding."""
    return [width * agent + number for agent, size in enumerate(sizes) for number in range(size)]
