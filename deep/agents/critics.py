"""Centralised and independent critics: their inputs, and Q where one agent changes its action.

A central critic of agent i reads the observations and actions of all agents, Qⁱ(o, a¹..aⁿ); an
independent one those of its own agent, Qⁱ(oⁱ, aⁱ). That is the difference between MASAC and a SAC
for every agent, and between MADDPG and DDPG. Where all agents learn from the same transitions their
central critics read the same, and are one group of networks; otherwise there is a group an agent.

A policy's step asks for Qⁱ where agent i alone changes its action. In the first layer's sums that
is a difference W(aⁱ_new − aⁱ_old) in the columns W of the agent's own action, so the rest of the
first layer is computed once for all actions that are compared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from deep.agents.experience import SHARED, Experience
from deep.agents.standard_inputs import StandardInputs
from deep.envs.spaces import Shape
from deep.nn.action_distributions import Categorical
from deep.nn.stacked_mlp import Networks, networks
from deep.seeding import Streams


@dataclass(frozen=True, eq=False)
class Critics:
    """``twins`` critics an agent. stack: groups and members as ``critics`` makes them.

    seen: None: observations as they are.
    """

    shape: Shape
    central: bool
    experience: Experience
    stack: Networks
    seen: StandardInputs | None = None

    def inputs(self, observations: Tensor, actions: Tensor) -> Tensor:
        """What the critics read, [run, group, row, number].

        observations, actions: of all agents, with a batch's axes (see ``deep.agents.experience``).
        """
        own = self.experience.own
        if not self.central:
            return self._of_one(own(observations), own(actions))
        joint = observations.flatten(-2) if self.seen is None else self.seen.joint(observations)
        seen = torch.cat((joint, actions.flatten(-2)), -1)
        if self._columns is not None:
            seen = seen.index_select(-1, self._columns)
        return self.experience.grouped(seen)

    def next_inputs(self, observations: Tensor, own: Tensor, streams: Streams) -> Tensor:
        """What they read in the next state, where each agent does ``own[run, agent, row, number]``.

        What the others do there, ``experience`` says.
        """
        if not self.central:
            return self._of_one(self.experience.own(observations), own)
        return self.inputs(observations, self.experience.after(observations, own, streams))

    def __call__(self, inputs: Tensor) -> Tensor:
        """Q [run, agent, twin, row], with gradients for the parameters."""
        return self._by_agent(self.stack(inputs))

    def moved(self, inputs: Tensor, difference: Tensor) -> Tensor:
        """Q [run, agent, twin, row] where agent i alone adds ``difference`` to its action.

        difference[run, agent, row, number], which gets a gradient.
        """
        outputs = self.stack.moved(inputs, self._twice(difference), self._own_weights)
        return self._by_agent(outputs)

    def options(self, inputs: Tensor, actions: Tensor, own: Tensor, policy: Categorical) -> Tensor:
        """Q [run, agent, twin, row, option] where agent i alone takes each option; no gradient.

        actions[run, agent, row, number]: what is in ``inputs``. own: what the agent's choices other
        than the option's are set to.
        """
        with torch.no_grad():
            weights, q = self._own_weights, []
            for options, others in policy.others:
                kept = own * others.to(own.dtype).unsqueeze(1) - actions
                q.append(self.stack.options(inputs, self._twice(kept), weights, options))
            return self._split(torch.cat(q, -1) if len(q) > 1 else q[0])

    @property
    def copied(self) -> Critics:
        """The same critics on numbers of their own, without gradients."""
        return replace(self, stack=self.stack.copied)

    @property
    def twins(self) -> int:
        """Critics of an agent."""
        _, groups, members, _ = self.stack.parameters.shape
        return groups * members // self.shape.agents

    @property
    def _own_weights(self) -> Tensor:
        """The first layer's weights of the own action, [run, group, member, unit, number]."""
        weight = self._split(self.stack.layers[0][0].unflatten(0, self.stack.axes))
        columns, present = self._own_columns
        index = columns[:, None, None].expand(len(weight), -1, self.twins, weight.shape[3], -1)
        own = weight.gather(-1, index) * present[:, None, None].to(weight.dtype)
        return own.view(self._wide(own))

    @cached_property
    def _own_columns(self) -> tuple[Tensor, Tensor]:
        """[agent, number]: where the own action is in the inputs, and whether it is there."""
        agents, width = self.shape.agents, self.shape.action_width
        sizes = [space.width for space in self.shape.spaces]
        columns = torch.zeros(agents, width, dtype=torch.int64)
        present = torch.zeros(agents, width, dtype=torch.bool)
        start = sum(self.shape.observation_sizes) if self.central else self.shape.observation_width
        for agent, size in enumerate(sizes):
            columns[agent, :size] = torch.arange(start, start + size)
            present[agent, :size] = True
            start += size if self.central else 0
        device = self.stack.parameters.device
        return columns.to(device), present.to(device)

    @cached_property
    def _columns(self) -> Tensor | None:
        """Numbers of the padded observations and actions that are not padding; None: all."""
        columns: list[int] = []
        wide = start = 0
        for width, sizes in (
            (self.shape.observation_width, self.shape.observation_sizes),
            (self.shape.action_width, [space.width for space in self.shape.spaces]),
        ):
            for size in sizes:
                columns += range(start, start + size)
                start += width
            wide += width * len(sizes)
        if len(columns) == wide:
            return None
        return torch.tensor(columns, device=self.stack.parameters.device)

    def _of_one(self, observations: Tensor, actions: Tensor) -> Tensor:
        observations = observations if self.seen is None else self.seen.own(observations)
        return torch.cat((observations, actions), -1).contiguous()

    def _split(self, wide: Tensor) -> Tensor:
        """[run, group, member, ...] to [run, agent, twin, ...]."""
        return wide.view(wide.shape[0], self.shape.agents, self.twins, *wide.shape[3:])

    def _wide(self, split: Tensor) -> tuple[int, ...]:
        """The shape of [run, agent, twin, ...] as [run, group, member, ...]."""
        return (*self.stack.parameters.shape[:3], *split.shape[3:])

    def _twice(self, change: Tensor) -> Tensor:
        """[run, agent, row, number] for every twin, as [run, group, member, row, number]."""
        each = change.unsqueeze(2).expand(-1, -1, self.twins, -1, -1)
        return each.reshape(self._wide(each))

    def _by_agent(self, outputs: Tensor) -> Tensor:
        return self._split(outputs).squeeze(-1)


def critics(
    shape: Shape,
    central: bool,
    twins: int,
    hidden: tuple[int, ...],
    streams: Streams,
    dtype: torch.dtype,
    device: str,
    experience: Experience = SHARED,
    seen: StandardInputs | None = None,
) -> Critics:
    """New critics, in as many groups as read something different."""
    actions = [space.width for space in shape.spaces]
    groups = experience.groups(shape.agents) if central else shape.agents
    if central:
        width = sum(shape.observation_sizes) + sum(actions)
        read = [width] * groups
    else:
        width = shape.observation_width + shape.action_width
        read = [a + b for a, b in zip(shape.observation_sizes, actions, strict=True)]
    stack = networks(
        sizes=(width, *hidden, 1),
        groups=groups,
        members=twins * shape.agents // groups,
        streams=streams,
        dtype=dtype,
        device=device,
        inputs=read,
    )
    return Critics(shape=shape, central=central, experience=experience, stack=stack, seen=seen)
