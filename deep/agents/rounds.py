"""The interface of a training round, and the model-free one: batches and gradient steps.

``ModelFree``: so many times, draw a batch and make a gradient step of all agents. A model-based
round fits its models, rolls them out and steps on what it made up; whatever it keeps between rounds
is its own ``state``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from deep.agents.learner import Learner
from deep.data.replay import Replay
from deep.envs.batch import World
from deep.seeding import Streams


@dataclass(frozen=True, eq=False)
class RoundInputs:
    """What a trainer lends to a round.

    replay: what was really met. streams: by purpose, of batches "replay" and of gradient steps
    "update" among them. steps, episodes: of each run, so far. check: stops training with the name
    of the first of some tensors [run, ...] that is not finite.
    """

    replay: Replay
    streams: Mapping[str, Streams]
    steps: int
    episodes: int
    check: Callable[[Mapping[str, Tensor]], None]


class Rounds(Protocol):
    """A kind of round."""

    def learn(self, inputs: RoundInputs) -> Iterator[dict[str, Tensor]]:
        """One round; for every gradient step of the learner what was measured, [run(, agent)].

        What a round measures beside its steps goes with one of them, under names of its own. Work
        is done while the trainer asks for the next one.
        """

    def observe_state(self, state: Any) -> None:
        """The worlds' states [run, env, ...], before every step."""

    def counters(self) -> dict[str, Tensor]:
        """What is counted over the whole of training, [run(, agent)], float64."""

    def oracle_metrics(self, world: World, streams: Streams) -> dict[str, Tensor]:
        """How wrong what is learned beside the learner is, as only the world can say, [run, agent].

        Nothing is drawn but from ``streams``, and nothing of it comes back into training.
        """

    def model_state(self) -> dict[str, Tensor]:
        """What is trained beside the learner, [run, ...], by the names of ``state``; not copies."""

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the next rounds depend on, beyond the ``RoundInputs``; not copies."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set the rounds to what ``state`` returned, bit for bit."""


@dataclass(frozen=True, eq=False)
class ModelFree:
    """``updates`` gradient steps of ``learner``, each on ``batch`` transitions of a run."""

    learner: Learner
    batch: int
    updates: int

    def learn(self, inputs: RoundInputs) -> Iterator[dict[str, Tensor]]:
        """See ``Rounds``."""
        for _ in range(self.updates):
            batch = inputs.replay.sample(inputs.streams["replay"], self.batch)
            yield self.learner.update(batch, inputs.streams["update"])

    def observe_state(self, state: Any) -> None:
        """Nothing to look at."""
        del state

    def counters(self) -> dict[str, Tensor]:
        """Nothing."""
        return {}

    def oracle_metrics(self, world: World, streams: Streams) -> dict[str, Tensor]:
        """Nothing."""
        del world, streams
        return {}

    def model_state(self) -> dict[str, Tensor]:
        """Nothing."""
        return {}

    def state(self) -> dict[str, Tensor]:
        """Nothing."""
        return {}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Nothing to restore."""
        del state
