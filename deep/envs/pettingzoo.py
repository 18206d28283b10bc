"""Environments as PettingZoo ``ParallelEnv``s: one world at a time, observations as float32 arrays.

Spaces: ``Choices`` become ``Discrete``, or ``MultiDiscrete`` where there are several at once; a
``Box`` stays one. Rewards keep the convention of the task's file. Every episode ends at its time
limit, by truncation.

    env = ParallelWorld(ParticleEnv(scenario("spread")), render_mode="rgb_array")
    observations, infos = env.reset(seed=0)
"""

from __future__ import annotations

import secrets
from typing import Any, Protocol

import numpy as np
import torch
from gymnasium import spaces as gymnasium_spaces
from pettingzoo import ParallelEnv
from torch import Tensor

from bounds.shared.numbers import Array, InputError, shown
from deep.envs.batch import World
from deep.envs.spaces import Choices, Space, action_width, one_hot
from deep.seeding import Streams, streams


class Pictured(World, Protocol):
    """A world that can be drawn, and says where and in what precision it computes."""

    @property
    def dtype(self) -> torch.dtype:
        """Of actions, observations and rewards."""
        ...

    @property
    def device(self) -> str:
        """Where tensors are."""
        ...

    def frame(self, state: Any, size: int = 240) -> Array:
        """A picture of one world, [row, column, channel], uint8."""
        ...


class ParallelWorld(ParallelEnv[str, Array, Any]):
    """``world``, one of it, for everything that takes a ``ParallelEnv``.

    render_mode: None, or "rgb_array" for pictures from ``render``.

    >>> from deep.envs.tasks import world
    >>> env = ParallelWorld(world("spread", {}))
    >>> observations, _ = env.reset(seed=0)
    >>> {name: seen.shape for name, seen in observations.items()}
    {'agent_0': (18,), 'agent_1': (18,), 'agent_2': (18,)}
    >>> actions = {name: env.action_space(name).sample() for name in env.agents}
    >>> _, rewards, *_ = env.step(actions)
    >>> sorted(rewards)
    ['agent_0', 'agent_1', 'agent_2']
    """

    def __init__(self, world: Pictured, render_mode: str | None = None) -> None:
        if render_mode not in (None, "rgb_array"):
            raise InputError(
                f"render_mode: {shown(render_mode)} is not known; give rgb_array or None"
            )
        self.world, self.render_mode = world, render_mode
        self.metadata = {"name": world.name, "render_modes": ["rgb_array"], "render_fps": 10}
        self.possible_agents = list(world.agents)
        self.agents: list[str] = []
        self.action_spaces = {
            name: gymnasium_space(space)
            for name, space in zip(world.agents, world.spaces, strict=True)
        }
        self.observation_spaces = {
            name: gymnasium_spaces.Box(-np.inf, np.inf, (size,), np.float32)
            for name, size in zip(world.agents, world.observation_sizes, strict=True)
        }
        self._streams: Streams | None = None
        self._state: Any = None

    def observation_space(self, agent: str) -> gymnasium_spaces.Space[Any]:
        """What ``agent`` observes."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> gymnasium_spaces.Space[Any]:
        """What ``agent`` may do."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Array], dict[str, dict[str, Any]]]:
        """A new episode; without a seed the random stream goes on, or starts anywhere."""
        del options
        if seed is not None or self._streams is None:
            self._streams = streams([secrets.randbits(63) if seed is None else seed], "environment")
        self.agents = self.possible_agents[:]
        self._state = self.world.reset(self._streams, 1)
        return self._observations(), {name: {} for name in self.agents}

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[
        dict[str, Array],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Act, every agent once; ``InputError`` for an action that is not in the agent's space."""
        if not self.agents:
            raise InputError("step: no episode is running; call reset first")
        played = self._actions(actions).unsqueeze(0).unsqueeze(0)
        self._state, earned = self.world.step(self._state, played, self._streams)
        names, over = self.agents, self._state.time >= self.world.episode_steps
        if over:
            self.agents = []
        return (
            self._observations(),
            dict(zip(names, earned[0, 0].tolist(), strict=True)),
            dict.fromkeys(names, False),
            dict.fromkeys(names, over),
            {name: {} for name in names},
        )

    def render(self) -> Array | None:
        """The picture of now, [row, column, channel], uint8; None without a render mode."""
        if self.render_mode is None:
            return None
        if self._state is None:
            raise InputError("render: no episode was started; call reset first")
        return self.world.frame(self._state.at(0, 0))

    def close(self) -> None:
        """Nothing is held open."""

    def _observations(self) -> dict[str, Array]:
        seen = self.world.observe(self._state)[0, 0].to("cpu", torch.float32).numpy()
        sizes = zip(self.possible_agents, self.world.observation_sizes, strict=True)
        return {name: seen[i, :size].copy() for i, (name, size) in enumerate(sizes)}

    def _actions(self, actions: dict[str, Any]) -> Tensor:
        """The actions as vectors [agent, number]."""
        rows = torch.zeros(len(self.agents), action_width(self.world.spaces))
        for i, (name, space) in enumerate(zip(self.agents, self.world.spaces, strict=True)):
            if name not in actions:
                raise InputError(f"actions: none for {name}; give one for every agent")
            action = actions[name]
            if not self.action_spaces[name].contains(action):
                allowed = str(self.action_spaces[name])
                raise InputError(f"actions[{name}]: {shown(action)} is not in {allowed}")
            if isinstance(space, Choices):
                index = torch.as_tensor(np.atleast_1d(action)).long()
                rows[i, : space.width] = one_hot((space,), index.unsqueeze(0), rows.dtype)[0]
            else:
                rows[i, : space.width] = torch.as_tensor(action)
        return rows.to(self.world.device, self.world.dtype)


def gymnasium_space(space: Space) -> gymnasium_spaces.Space[Any]:
    """The same space in Gymnasium's terms."""
    if isinstance(space, Choices):
        if len(space.sizes) == 1:
            return gymnasium_spaces.Discrete(space.sizes[0])
        return gymnasium_spaces.MultiDiscrete(list(space.sizes))
    return gymnasium_spaces.Box(space.low, space.high, (space.width,), np.float32)
