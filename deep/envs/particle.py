"""Particle environments: a scenario on the physics, batched over runs and worlds.

A scenario says which bodies there are, what is drawn at a reset, what each agent observes and
earns; ``deep.envs.scenarios`` has one file a task. The reward of a step is that of the state it
leads to. Worlds of a batch are reset together and last ``episode_steps`` steps: a time limit, so
values are bootstrapped past it, not a termination.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from bounds.shared.numbers import Array
from deep.envs.observation import PARTS, Entry, Reader, reader
from deep.envs.physics import Physics, contact_forces, integrate, moves
from deep.envs.render import Colour, Disc, draw
from deep.envs.spaces import Box, Choices, Space
from deep.seeding import Streams, choose


@dataclass(frozen=True, eq=False)
class State:
    """A batch of worlds; the leading axes are [run, env], or any others.

    position, velocity: [..., agent, 2]. landmark: positions [..., landmark, 2].
    message: what was said in the last step, the words of all agents in turn, [..., number].
    goal: landmarks drawn as goals, int64 [..., goal]. private: what agents know beyond positions
    and messages, constant in an episode, [..., number]. time: steps since the reset.
    """

    position: Tensor
    velocity: Tensor
    landmark: Tensor
    message: Tensor
    goal: Tensor
    private: Tensor
    time: int

    def at(self, *index: int) -> State:
        """One world, or the worlds of one run, with those leading axes gone."""
        parts = (getattr(self, name)[index] for name in (*PARTS, "goal"))
        p, v, landmark, message, private, goal = parts
        return State(
            position=p,
            velocity=v,
            landmark=landmark,
            message=message,
            goal=goal,
            private=private,
            time=self.time,
        )


@dataclass(frozen=True)
class Body:
    """A disc: an agent or a landmark.

    multiplier: c of the physics, None for the ordinary one. words: sizes of the words that an agent
    says in every step. speed: its largest.
    """

    name: str
    size: float
    colour: Colour
    movable: bool = True
    collides: bool = False
    multiplier: float | None = None
    speed: float = float("inf")
    words: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Scenario:
    """A task.

    observed: what each agent sees (``deep.envs.observation``). reward: of a state, [..., agent].
    goals: for every goal that is drawn (a landmark, uniformly), the agents that it is meant for.
    private: private numbers [..., number] from the landmarks' positions and the goals.
    spread: landmarks are uniform on [−spread, spread]²; agents always on [−1, 1]².
    observed_reward: the same reward [..., agent] from joint observations [..., agent, number] of
    the state, for models that know it; None where they do not tell.
    """

    name: str
    agents: tuple[Body, ...]
    landmarks: tuple[Body, ...]
    observed: tuple[Sequence[Entry], ...]
    reward: Callable[[State], Tensor]
    goals: tuple[tuple[int, ...], ...] = ()
    private: Callable[[Tensor, Tensor], Tensor] | None = None
    spread: float = 1.0
    episode_steps: int = 25
    observed_reward: Callable[[Tensor], Tensor] | None = None


@dataclass(frozen=True, eq=False)
class ParticleEnv:
    """A scenario to act in. ``continuous``: actions are boxes in place of one-hots.

    An action is the five numbers (stay, ±x, ±x, ±y, ±y) of an agent that moves, then its words. The
    force is c(a₁ − a₂, a₃ − a₄) in the original physics and its opposite in mpe2's; words are heard
    as they are.
    """

    scenario: Scenario
    physics: Physics = field(default_factory=Physics)
    continuous: bool = False
    dtype: torch.dtype = torch.float32
    device: str = "cpu"

    @property
    def name(self) -> str:
        """The task."""
        return self.scenario.name

    @property
    def agents(self) -> tuple[str, ...]:
        """Names of the agents."""
        return tuple(body.name for body in self.scenario.agents)

    @property
    def episode_steps(self) -> int:
        """The time limit."""
        return self.scenario.episode_steps

    @cached_property
    def spaces(self) -> tuple[Space, ...]:
        """What each agent may do."""
        choices = [
            Choices((5,) * body.movable + body.words, words=len(body.words))
            for body in self.scenario.agents
        ]
        return tuple(Box(space.width) for space in choices) if self.continuous else tuple(choices)

    @property
    def observation_sizes(self) -> tuple[int, ...]:
        """Numbers that each agent observes, without the padding."""
        return tuple(len(entries) for entries in self.scenario.observed)

    def reset(self, streams: Streams, *shape: int) -> State:
        """New worlds, leading axes [run, *shape], every one with its own positions and goals."""
        n, m = len(self.scenario.agents), len(self.scenario.landmarks)
        count = len(self.scenario.goals)
        drawn = streams.uniform(*shape, 2 * (n + m) + count)
        where, goals = drawn.split([2 * (n + m), count], -1)
        points = (2 * where - 1).unflatten(-1, (n + m, 2)).to(self.device, self.dtype)
        landmark = points[..., n:, :] * self.scenario.spread
        return self.place(points[..., :n, :].contiguous(), landmark, choose(goals, m))

    def place(self, position: Tensor, landmark: Tensor, goal: Tensor) -> State:
        """Worlds at time 0 with these positions and goals, at rest and silent."""
        batch = position.shape[:-2]
        goal = goal.to(position.device)
        private = self.scenario.private
        return State(
            position=position,
            velocity=torch.zeros_like(position),
            landmark=landmark,
            message=position.new_zeros((*batch, len(self._words))),
            goal=goal,
            private=private(landmark, goal) if private else position.new_zeros((*batch, 0)),
            time=0,
        )

    def step(
        self, state: State, actions: Tensor, streams: Streams | None = None
    ) -> tuple[State, Tensor]:
        """The next state and the rewards [..., agent] for actions [..., agent, number].

        Nothing is random here, so ``streams`` is not read.
        """
        del streams
        with torch.no_grad():
            force = moves(self.physics, actions) * self._multiplier
            if self._reach is not None:
                force += contact_forces(
                    self.physics, state.position, self._colliders(state), self._reach
                )
            position, velocity = integrate(
                physics=self.physics,
                position=state.position,
                velocity=state.velocity,
                force=force,
                max_speed=self._max_speed,
            )
            message = state.message
            if self._words.numel():
                message = actions.flatten(-2).index_select(-1, self._words)
            after = State(
                position=position,
                velocity=velocity,
                landmark=state.landmark,
                message=message,
                goal=state.goal,
                private=state.private,
                time=state.time + 1,
            )
            return after, self.scenario.reward(after)

    def observe(self, state: State) -> Tensor:
        """Observations [..., agent, number], zeros where an agent observes fewer numbers."""
        return self._reader(
            (
                state.position.flatten(-2),
                state.velocity.flatten(-2),
                state.landmark.flatten(-2),
                state.message,
                state.private,
            )
        )

    def frame(self, state: State, size: int = 240) -> Array:
        """A picture of a world: landmarks, goals ringed in their agents' colour, agents, words."""
        agents, landmarks = self.scenario.agents, self.scenario.landmarks
        marks = state.landmark.tolist()
        discs = [_disc(body, p) for body, p in zip(landmarks, marks, strict=True)]
        for k, (goal, meant_for) in enumerate(
            zip(state.goal.tolist(), self.scenario.goals, strict=True)
        ):
            radius = landmarks[goal].size + 0.04 * (k + 1)
            x, y = marks[goal]
            discs.append(Disc(x, y, radius, agents[meant_for[0]].colour, ring=True))
        discs += [_disc(body, p) for body, p in zip(agents, state.position.tolist(), strict=True)]
        sizes = [size for body in agents for size in body.words]
        return draw(discs, [word.tolist() for word in state.message.split(sizes)], size)

    @cached_property
    def _multiplier(self) -> Tensor:
        """c of each agent, [agent, 1]; 0 for those that cannot move."""
        own = [
            (self.physics.multiplier if body.multiplier is None else body.multiplier) * body.movable
            for body in self.scenario.agents
        ]
        return self._tensor(own).unsqueeze(-1)

    @cached_property
    def _max_speed(self) -> Tensor | None:
        speeds = self._tensor([body.speed for body in self.scenario.agents])
        return speeds if bool(speeds.isfinite().any()) else None

    @cached_property
    def _landmarks_collide(self) -> bool:
        return any(body.collides for body in self.scenario.landmarks)

    def _colliders(self, state: State) -> Tensor:
        if self._landmarks_collide:
            return torch.cat((state.position, state.landmark), -2)
        return state.position

    @cached_property
    def _reach(self) -> Tensor | None:
        """``reach`` of ``contact_forces``; None where nothing collides."""
        bodies = self.scenario.agents
        if self._landmarks_collide:
            bodies += self.scenario.landmarks
        reach = [
            [
                a.size + b.size
                if i != j and a.collides and b.collides and a.movable
                else -float("inf")
                for j, b in enumerate(bodies)
            ]
            for i, a in enumerate(self.scenario.agents)
        ]
        tensor = self._tensor(reach)
        return tensor if bool(tensor.isfinite().any()) else None

    @cached_property
    def _words(self) -> Tensor:
        """Where in the flat actions [agent, number] the words are."""
        width = max(space.width for space in self.spaces)
        where = [
            agent * width + 5 * body.movable + i
            for agent, body in enumerate(self.scenario.agents)
            for i in range(sum(body.words))
        ]
        return torch.tensor(where, dtype=torch.int64, device=self.device)

    @cached_property
    def _reader(self) -> Reader:
        sizes = {
            "position": 2 * len(self.scenario.agents),
            "velocity": 2 * len(self.scenario.agents),
            "landmark": 2 * len(self.scenario.landmarks),
            "message": len(self._words),
            "private": self._private_size,
        }
        return reader(self.scenario.observed, sizes, torch.device(self.device))

    @cached_property
    def _private_size(self) -> int:
        if self.scenario.private is None:
            return 0
        landmark = self._tensor([[0.0, 0.0]] * len(self.scenario.landmarks))
        goal = torch.zeros(len(self.scenario.goals), dtype=torch.int64, device=self.device)
        return self.scenario.private(landmark, goal).shape[-1]

    def _tensor(self, values: Sequence[object]) -> Tensor:
        return torch.tensor(values, dtype=self.dtype, device=self.device)


def _disc(body: Body, position: Sequence[float]) -> Disc:
    x, y = position
    return Disc(x, y, body.size, body.colour)
