"""Opponent models: one policy for each ordered pair of agents, and the real ones in their place.

The ego agent i of a run models every opponent j ≠ i by π̂ʲ, fitted by maximum likelihood to what j
was seen to do in the agents' own history (``deep.opponents.fitting``). Choices are categorical,
boxes tanh-Gaussian (``deep.nn.action_distributions``).

What a model reads is its view:

- ``opponent_view``: oʲ, what the modelled agent sees, as in π̂ʲ(·|s): a rollout simulates the
  observations of all agents, so s holds oʲ.
- ``ego_view``: oⁱ, what the ego agent sees. That is all it has when it acts, so
  opponent-conditioned policies πⁱ(a|oⁱ, â⁻ⁱ) of Eq. (4) need this view.

In fully observed games both are the same.

Axes are [run, ego, row, agent, number]. Entries of an agent about itself, [.., i, .., i, ..], are
zeros. Inside, the pairs (i, j) lie on one axis, row-major.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from bounds.shared.numbers import InputError
from deep.agents.learner import Inference
from deep.agents.standard_inputs import StandardInputs
from deep.envs.spaces import Shape
from deep.nn.action_distributions import (
    LOG_DEVIATIONS,
    Categorical,
    Head,
    TanhGaussian,
    TanhPoint,
    head,
    limits,
)
from deep.nn.stacked_mlp import Networks, networks
from deep.nn.tensors import restore_tensors
from deep.seeding import Streams

#: (ego, opponent) to the agent whose observation the ego's model of the opponent reads.
View = Callable[[int, int], int]

#: How far inside of its box an action counts to lie at least, in half widths: rounding may have put
#: it on the edge, where a density would be taken at infinity.
INSIDE = 1e-6


def opponent_view(ego: int, opponent: int) -> int:
    """Models read what the modelled agent sees."""
    del ego
    return opponent


def ego_view(ego: int, opponent: int) -> int:
    """Models read what the ego agent sees."""
    del opponent
    return ego


def pairs(agents: int) -> tuple[tuple[int, int], ...]:
    """All (ego, opponent), row-major; ``InputError`` where there is no opponent."""
    if agents < 2:
        raise InputError(f"agents: {agents}; an agent needs another one to have an opponent")
    return tuple((i, j) for i in range(agents) for j in range(agents) if i != j)


@dataclass(frozen=True, eq=False)
class Opponents:
    """Opponents that can be played: learned models, or the real policies in their place.

    head: the distribution of the modelled agents, a pair in the place of an agent. outputs: of the
    networks, [run, pair, row, number] for observations [run, ego, row, agent, number].
    """

    shape: Shape
    head: Categorical | TanhGaussian | TanhPoint
    outputs: Callable[[Tensor, Streams | None], Tensor]

    def sample(self, observations: Tensor, streams: Streams) -> Tensor:
        """Actions â ~ π̂, [run, ego, row, agent, number]."""
        with torch.no_grad():
            actions, _ = self.head.sample(self.outputs(observations, streams), streams)
            return self._spread(actions)

    def best(self, observations: Tensor, streams: Streams | None = None) -> Tensor:
        """The likeliest choices, or the actions at the mean, [run, ego, row, agent, number]."""
        with torch.no_grad():
            return self._spread(self.head.best(self.outputs(observations, streams)))

    def log_probability(
        self, observations: Tensor, actions: Tensor, streams: Streams | None = None
    ) -> Tensor:
        """log π̂ʲ(aʲ|·) of actions [run, ego, row, agent, number]; [run, ego, row, agent].

        A density where actions are numbers. ``TypeError`` where the opponents have none.
        """
        with torch.no_grad():
            if isinstance(self.head, TanhPoint):
                raise TypeError("log_probability: these opponents have no density")
            outputs = self.outputs(observations, streams)
            played = torch.stack([actions[:, i, :, j] for i, j in self._pairs], 1)
            logs = self.head.log_probability(outputs, inside(self.head, played))
            return self._spread(logs.unsqueeze(-1)).squeeze(-1)

    def probabilities(self, observations: Tensor, streams: Streams | None = None) -> Tensor:
        """π̂ of every option, [run, ego, row, agent, option]; ``TypeError`` unless they choose."""
        if not isinstance(self.head, Categorical):
            raise TypeError("probabilities: these opponents do not choose among options")
        with torch.no_grad():
            return self._spread(self.head.probabilities(self.outputs(observations, streams))[0])

    def normals(
        self, observations: Tensor, streams: Streams | None = None
    ) -> tuple[Tensor, Tensor]:
        """(μ, σ) of u where a = tanh u, scaled to the box: [run, ego, row, agent, number] both.

        ``TypeError`` unless the opponents are tanh-Gaussian.
        """
        if not isinstance(self.head, TanhGaussian):
            raise TypeError("normals: these opponents are not tanh-Gaussian")
        with torch.no_grad():
            mean, log_deviation = self.outputs(observations, streams).chunk(2, -1)
            deviation = log_deviation.clamp(*LOG_DEVIATIONS).exp()
            return self._spread(mean), self._spread(deviation)

    @cached_property
    def _pairs(self) -> tuple[tuple[int, int], ...]:
        return pairs(self.shape.agents)

    def _spread(self, values: Tensor) -> Tensor:
        """[run, ego, row, agent, number] of [run, pair, row, number]."""
        agents = self.shape.agents
        runs, _, rows, width = values.shape
        spread = values.new_zeros(runs, agents, rows, agents, width)
        for pair, (i, j) in enumerate(self._pairs):
            spread[:, i, :, j] = values[:, pair]
        return spread


@dataclass(frozen=True, eq=False)
class OpponentModels:
    """Learned models. stack: a group of one network for each pair; see the module for ``view``.

    seen: how observations are made standard, None: not.
    """

    shape: Shape
    view: View
    head: Categorical | TanhGaussian
    stack: Networks
    seen: StandardInputs | None = None

    @cached_property
    def opponents(self) -> Opponents:
        """The models as opponents to play; they follow every fit."""
        return Opponents(self.shape, self.head, lambda seen, _: self._outputs(self.inputs(seen)))

    def inputs(self, observations: Tensor) -> Tensor:
        """What the models read, [run, pair, row, number], of [run, ego, row, agent, number]."""
        seen = [observations[:, i, :, self.view(i, j)] for i, j in pairs(self.shape.agents)]
        return self._standard(torch.stack(seen, 1))

    def inferred(self, observations: Tensor, streams: Streams) -> Tensor:
        """â⁻ⁱ ~ π̂⁻ⁱ(·|oⁱ) for own observations [run, agent, row, number].

        [run, agent, row, number]: the actions of the others in order, each as wide as the widest.
        """
        agents = self.shape.agents
        seen = observations.repeat_interleave(agents - 1, 1)
        with torch.no_grad():
            actions, _ = self.head.sample(self._outputs(self._standard(seen)), streams)
            each: Tensor = actions.unflatten(1, (agents, agents - 1))
            return each.transpose(2, 3).flatten(3)

    @property
    def inference(self) -> Inference:
        """What conditioned policies ask; ``InputError`` unless the view is ``ego_view``."""
        for i, j in pairs(self.shape.agents):
            if self.view(i, j) != i:
                raise InputError(
                    f"view: agent {i}'s model of agent {j} reads what agent {self.view(i, j)} "
                    "sees, which it does not know when it acts; give the view ego_view"
                )
        return Inference((self.shape.agents - 1) * self.shape.action_width, self.inferred)

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the next steps depend on, leading axis [run]; not copies."""
        return {"opponents": self.stack.parameters.detach()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set the models to what ``state`` returned, bit for bit."""
        restore_tensors(self.state(), state)

    def _standard(self, seen: Tensor) -> Tensor:
        """As the policies read it, [run, pair, row, number]."""
        if self.seen is None:
            return seen
        return self.seen.own(seen, [self.view(i, j) for i, j in pairs(self.shape.agents)])

    def _outputs(self, inputs: Tensor) -> Tensor:
        return self.stack(inputs).squeeze(2)


def opponent_models(
    shape: Shape,
    hidden: tuple[int, ...],
    view: View,
    streams: Streams,
    dtype: torch.dtype,
    device: str,
    seen: StandardInputs | None = None,
) -> OpponentModels:
    """New models for the runs of ``streams``, from which they draw their first parameters."""
    both = pairs(shape.agents)
    modelled = head([shape.spaces[j] for _, j in both], device, 1.0)
    assert isinstance(modelled, Categorical | TanhGaussian)  # no noise was given
    stack = networks(
        sizes=(shape.observation_width, *hidden, modelled.outputs),
        groups=len(both),
        members=1,
        streams=streams,
        dtype=dtype,
        device=device,
        inputs=[shape.observation_sizes[view(i, j)] for i, j in both],
    )
    return OpponentModels(shape=shape, view=view, head=modelled, stack=stack, seen=seen)


def real_opponents(
    shape: Shape,
    policy: Head,
    outputs: Callable[[Tensor, Streams], Tensor],
) -> Opponents:
    """The real policies in the place of models: an oracle, for ablations and tests.

    outputs: what the policies' networks say of own observations, both [run, agent, row, number], as
    ``deep.agents.policies.Policies.outputs``. Nothing is counted as a call. Streams have to be
    given to every method where the policies infer others' actions. ``TypeError`` where no pair can
    have a distribution like ``policy``.
    """
    both = pairs(shape.agents)

    def paired_outputs(observations: Tensor, streams: Streams | None) -> Tensor:
        drawing = Streams(()) if streams is None else streams
        with torch.no_grad():
            each = outputs(observations.flatten(1, 2).transpose(1, 2), drawing)
        each = each.unflatten(2, observations.shape[1:3])
        return torch.stack([each[:, j, i] for i, j in both], 1)

    return Opponents(shape, _of_pairs(policy, both), paired_outputs)


def inside(policy: Categorical | TanhGaussian, actions: Tensor) -> Tensor:
    """Actions [run, agent, row, number], those on the edge of their box moved in by ``INSIDE``."""
    if isinstance(policy, Categorical):
        return actions
    box = limits(policy.spaces, policy.device)
    return box.scaled(box.unscaled(actions).clamp(INSIDE - 1, 1 - INSIDE))


def _of_pairs(
    policy: Head, both: tuple[tuple[int, int], ...]
) -> Categorical | TanhGaussian | TanhPoint:
    if isinstance(policy, Categorical):
        return replace(policy, spaces=tuple(policy.spaces[j] for _, j in both))
    if isinstance(policy, TanhGaussian | TanhPoint):
        return replace(policy, spaces=tuple(policy.spaces[j] for _, j in both))
    raise TypeError(f"policy: a {type(policy).__name__} cannot be that of pairs of agents")
