"""The interface of a dynamics model, and the world itself as its own, exact model.

Every ego agent of every run has a model of its own (Algorithm 1), so the axes are [run, ego, row,
agent, number]; ``ego`` may have any length. A rollout starts in rows of the replay:

    memory = dynamics.begin(rows)
    memory, observations, rewards = dynamics.step(memory, observations, actions, streams)

``memory`` is what the model knows of a branch beyond the observations: nothing (None) for learned
models and for worlds whose state is observed, and the world's state for particle worlds, whose
agents together do not observe all of it. Whoever uses the exact particle dynamics therefore keeps
the states beside the replay, one flat row for each transition (``packed``).

Exact dynamics are the simulator used as a model: for tests, and for ablations that ask what a
perfect model would give.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, Protocol

import torch
from torch import Tensor

from bounds.shared.numbers import InputError
from deep.envs.batch import World
from deep.envs.climb import ClimbEnv, ClimbState
from deep.envs.game import GameEnv, GameState
from deep.envs.particle import ParticleEnv, State
from deep.seeding import Streams


class Dynamics(Protocol):
    """A model of the world for every run and ego."""

    def begin(self, rows: Tensor) -> Any:
        """The memory of branches that start in the replay's rows ``rows[run, ego, row]``, int64."""
        ...

    def step(
        self, memory: Any, observations: Tensor, actions: Tensor, streams: Streams
    ) -> tuple[Any, Tensor, Tensor]:
        """Memory, next observations and rewards.

        observations [run, ego, row, agent, number] and actions likewise, both padded with zeros;
        next observations likewise; rewards [run, ego, row, agent].
        """
        ...


@dataclass(frozen=True, eq=False)
class Observed:
    """Exact dynamics of a world whose state is in the observations. read: the state from them."""

    world: World
    read: Callable[[Tensor], Any]

    def begin(self, rows: Tensor) -> None:
        """Nothing to remember."""
        del rows

    def step(
        self, memory: None, observations: Tensor, actions: Tensor, streams: Streams
    ) -> tuple[None, Tensor, Tensor]:
        """One step of the world itself."""
        after, rewards = self.world.step(self.read(observations), actions, streams)
        return memory, self.world.observe(after), rewards


@dataclass(frozen=True, eq=False)
class Remembered:
    """Exact dynamics of a particle world. states[run, replay row, number]: see ``packed``."""

    world: ParticleEnv
    states: Tensor

    def begin(self, rows: Tensor) -> State:
        """The states in these rows."""
        index = rows.flatten(1).unsqueeze(-1).expand(-1, -1, self.states.shape[-1])
        found = self.states.gather(1, index)
        return unpacked(self.world, found.view(*rows.shape, -1))

    def step(
        self, memory: State, observations: Tensor, actions: Tensor, streams: Streams
    ) -> tuple[State, Tensor, Tensor]:
        """One step of the world itself; the observations are not read."""
        del observations
        after, rewards = self.world.step(memory, actions, streams)
        return after, self.world.observe(after), rewards


def exact(world: World, states: Tensor | None = None) -> Dynamics:
    """The world as its own model. states: beside the replay, for particle worlds only.

    ``InputError`` for a particle world without them.
    """
    if isinstance(world, GameEnv):
        return Observed(world, _game_state)
    if isinstance(world, ClimbEnv):
        return Observed(world, _climb_state)
    if not isinstance(world, ParticleEnv):
        raise TypeError(f"no exact dynamics of a {type(world).__name__}")
    if states is None:
        raise InputError(
            f"states: none given, but observations of {world.name} do not hold all of its state; "
            "keep the states beside the replay"
        )
    return Remembered(world, states)


def packed(state: State) -> Tensor:
    """The numbers of particle worlds, [..., number]; ``time`` is left out, no step reads it."""
    parts = _parts(state)
    like, batch = state.position, state.position.shape[:-2]
    return torch.cat([part.to(like.dtype).reshape(*batch, -1) for part in parts.values()], -1)


def unpacked(world: ParticleEnv, numbers: Tensor) -> State:
    """The particle worlds of ``packed``, at time 0."""
    form = _parts(world.place(*_form(world, numbers)))
    batch = numbers.shape[:-1]
    sizes = [part.numel() for part in form.values()]
    pieces = zip(form.items(), numbers.split(sizes, -1), strict=True)
    parts = {
        name: piece.reshape(*batch, *part.shape).to(part.dtype) for (name, part), piece in pieces
    }
    return State(**parts, time=0)


def _parts(state: State) -> dict[str, Tensor]:
    return {f.name: getattr(state, f.name) for f in fields(state) if f.name != "time"}


def _form(world: ParticleEnv, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Positions, landmarks and goals of some world."""
    task = world.scenario
    position, landmark = (like.new_zeros(len(x), 2) for x in (task.agents, task.landmarks))
    goal = torch.zeros(len(task.goals), dtype=torch.int64, device=like.device)
    return position, landmark, goal


def _game_state(observations: Tensor) -> GameState:
    return GameState(observations[..., 0, :].argmax(-1), 0)


def _climb_state(observations: Tensor) -> ClimbState:
    state = observations[..., 0, :].argmax(-1)
    return ClimbState(state, observations.new_zeros(*state.shape, 2), 0)
