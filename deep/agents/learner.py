"""The interface of a learner: act, update, state and restore.

A learner trains all agents of all runs. It draws from streams that it is given, named by purpose
("initialise", "explore", "update"), so that a run's numbers do not depend on the runs beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

from deep.seeding import Streams

if TYPE_CHECKING:
    from deep.data.batch import Batch


@dataclass(frozen=True, eq=False)
class Inference:
    """What each agent believes the others to do: input for opponent-conditioned policies.

    size: numbers for an agent. infer: each agent's own observations [run, agent, row, number] to
    what it infers from them, [run, agent, row, size], drawing from the streams.
    """

    size: int
    infer: Callable[[Tensor, Streams], Tensor]


class Learner(Protocol):
    """Policies of all agents in all runs, and how they get better."""

    def act(self, observations: Tensor, streams: Streams, greedy: bool) -> Tensor:
        """Actions [run, env, agent, number] for observations [run, env, agent, number].

        Drawn from the policies, or, ``greedy``, the likeliest; a choice is a one-hot.
        """

    def begin(self, observations: Tensor) -> None:
        """Before the first update: the warm-up's observations, [run, row, agent, number]."""

    def update(self, batch: Batch, streams: Streams) -> dict[str, Tensor]:
        """One gradient step of everything; metrics [run, agent] (see ``deep.training.metrics``).

        Whether the batch's agents share their rows or not, the learner was built for one of the two
        (see ``deep.agents.experience``).
        """

    def state(self) -> dict[str, Tensor]:
        """Every tensor that the next steps depend on, leading axis [run]; not copies."""

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set the learner to what ``state`` returned, bit for bit."""
