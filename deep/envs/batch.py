"""The interface of a world, and worlds side by side for every run, reset at the time limit.

``World`` is what a task offers, as ``deep.envs.particle``, ``deep.envs.game``, ``deep.envs.climb``
do. No task here ends by itself: an episode stops at the time limit, which cuts it off and is no
termination, so the value of its last state still counts. ``Transition`` keeps the two apart.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Protocol

import torch
from torch import Tensor

from bounds.shared.numbers import Array
from deep.envs.spaces import Space
from deep.seeding import Streams


class World(Protocol):
    """A task. States are frozen dataclasses of tensors [run, env, …] and a step count ``time``."""

    @property
    def name(self) -> str:
        """The task."""
        ...

    @property
    def agents(self) -> tuple[str, ...]:
        """Names of the agents."""
        ...

    @property
    def spaces(self) -> tuple[Space, ...]:
        """What each agent may do."""
        ...

    @property
    def observation_sizes(self) -> tuple[int, ...]:
        """Numbers that each agent observes, without the padding."""
        ...

    @property
    def episode_steps(self) -> int:
        """The time limit."""
        ...

    def reset(self, streams: Streams, *shape: int) -> Any:
        """New worlds, leading axes [run, *shape]."""
        ...

    def step(
        self, state: Any, actions: Tensor, streams: Streams | None = None
    ) -> tuple[Any, Tensor]:
        """The next state and the rewards [run, env, agent]."""
        ...

    def observe(self, state: Any) -> Tensor:
        """Observations [run, env, agent, number]."""
        ...

    def frame(self, state: Any, size: int = 240) -> Array:
        """A picture of one world, ``state.at(run, env)``."""
        ...


@dataclass(frozen=True, eq=False)
class Transition:
    """One step of all worlds.

    observations, next_observations: [run, env, agent, number]. actions: [run, env, agent, number].
    rewards: [run, env, agent]. terminated: [run, env], 1 where nothing follows.
    truncated: whether all worlds were at their time limit; ``next_observations`` are still those of
    the last state, not of the new episode.
    """

    observations: Tensor
    actions: Tensor
    rewards: Tensor
    next_observations: Tensor
    terminated: Tensor
    truncated: bool


class Environments:
    """``count`` worlds for every run of ``streams``, which they draw everything random from."""

    def __init__(self, world: World, streams: Streams, count: int) -> None:
        self.world, self.count = world, count
        self._streams = streams
        self._state = world.reset(streams, count)
        self.observations = world.observe(self._state)

    @property
    def state_now(self) -> Any:
        """The worlds' states, of the task's own kind, leading axes [run, env]."""
        return self._state

    def step(self, actions: Tensor) -> Transition:
        """Act in every world; ``observations`` are then those to act on next."""
        before = self.observations
        self._state, rewards = self.world.step(self._state, actions, self._streams)
        after = self.world.observe(self._state)
        truncated = self._state.time >= self.world.episode_steps
        if truncated:
            self._state = self.world.reset(self._streams, self.count)
        self.observations = self.world.observe(self._state) if truncated else after
        terminated = rewards.new_zeros(rewards.shape[:2])
        return Transition(
            observations=before,
            actions=actions,
            rewards=rewards,
            next_observations=after,
            terminated=terminated,
            truncated=truncated,
        )

    def state(self) -> dict[str, Tensor]:
        """Where every world and its random stream is."""
        parts = {f.name: getattr(self._state, f.name) for f in fields(self._state)}
        tensors = {k: torch.as_tensor(v).clone() for k, v in parts.items()}
        return tensors | {"streams": self._streams.state()}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go back to what ``state`` returned."""
        values: dict[str, Any] = {}
        for field in fields(self._state):
            now = getattr(self._state, field.name)
            saved = state[field.name]
            values[field.name] = saved.to(now.device) if isinstance(now, Tensor) else saved.item()
        self._state = type(self._state)(**values)
        self._streams.restore(state["streams"])
        self.observations = self.world.observe(self._state)
