"""The training loop: act in all worlds, store transitions, learn a round every so many steps.

    for every step of all worlds:
        act (sampled actions), step, add the transitions to the replay
        for every ``update_every``-th environment step of a run, once the warm-up is over:
            a round (``deep.agents.rounds``): gradient steps of all agents

Environment steps of a run count those of all its worlds: with 15 worlds a step of all is 15 of
them. A trainer is its parts, and a checkpoint is theirs: each can say its ``state`` as tensors by
name and ``restore`` it, bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from bounds.shared.numbers import InputError
from deep.agents.learner import Learner
from deep.agents.rounds import RoundInputs, Rounds
from deep.data.replay import Replay
from deep.envs.batch import Environments
from deep.nn.tensors import flat, part
from deep.seeding import Streams
from deep.training.metrics import Averages


class DivergedError(Exception):
    """A number is not finite. The message is one line and names it."""


@dataclass(frozen=True)
class Cadence:
    """When to learn, in environment steps of a run; see the module."""

    update_every: int
    warm_up: int


class Trainer:
    """The parts of a run of several seeds, and how they go together.

    streams: those of acting, "explore", of batches, "replay", and of gradient steps, "update".
    averages: what was measured since it was last cleared. steps, episodes: of each run. updates:
    gradient steps.
    """

    def __init__(
        self,
        seeds: tuple[int, ...],
        environments: Environments,
        replay: Replay,
        learner: Learner,
        rounds: Rounds,
        streams: Mapping[str, Streams],
        cadence: Cadence,
    ) -> None:
        self.seeds, self.environments, self.replay = seeds, environments, replay
        self.learner, self.rounds = learner, rounds
        self.streams, self.cadence = dict(streams), cadence
        self.averages = Averages()
        self.steps = self.episodes = self.updates = 0
        shape = (len(seeds), environments.count, len(environments.world.agents))
        self._returns = environments.observations.new_zeros(shape, dtype=torch.float64)

    def episode(self) -> None:
        """Go on until the worlds are at their time limit."""
        while not self.step():
            pass

    def step(self) -> bool:
        """One step of all worlds and what is due after it; whether that ended the episodes."""
        seen = self.environments.observations
        actions = self.learner.act(seen, self.streams["explore"], greedy=False)
        self.rounds.observe_state(self.environments.state_now)
        done = self.environments.step(actions)
        self.replay.add(
            done.observations, done.actions, done.rewards, done.next_observations, done.terminated
        )
        self._returns += done.rewards
        if done.truncated:
            self.averages.add({"return": self._returns.mean(1)})
            self._returns.zero_()
            self.episodes += self.environments.count
        before = self.steps
        self.steps += self.environments.count
        if self.steps >= self.cadence.warm_up:
            every = self.cadence.update_every
            for _ in range(self.steps // every - before // every):
                self.learn()
        return done.truncated

    def learn(self) -> None:
        """One round; ``DivergedError`` where what was measured or learned is not finite."""
        if self.updates == 0:
            rows = torch.arange(self.replay.size).expand(len(self.seeds), -1)
            met = self.replay.batch(rows.to(self.replay.rows.device))
            self.learner.begin(met.observations)
        inputs = RoundInputs(
            replay=self.replay,
            streams=self.streams,
            steps=self.steps,
            episodes=self.episodes,
            check=self._diverged,
        )
        for measured in self.rounds.learn(inputs):
            self.averages.add(measured)
            self.updates += 1
        # a number that is not finite stays so in the sums
        if not self.averages.finite():
            # what is made of broken models breaks the learner too: they are named first
            self._diverged(self.rounds.model_state())
            self._diverged(self.averages.means())

    def check(self) -> None:
        """``DivergedError`` where a tensor of the learner or of the rounds is not finite."""
        self._diverged(self.learner.state() | self.rounds.state())

    def _diverged(self, tensors: Mapping[str, Tensor]) -> None:
        for name, tensor in tensors.items():
            if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
                run, *index = (~tensor.isfinite()).nonzero()[0].tolist()
                value = tensor[(run, *index)].item()
                where = "".join(f"[{i}]" for i in index)
                raise DivergedError(
                    f"{name}{where} of seed {self.seeds[run]} is {value} after {self.updates} "
                    f"updates and {self.episodes} episodes of each run"
                )

    def state(self) -> dict[str, Tensor]:
        """Every part, by name."""
        counters = {name: torch.tensor(getattr(self, name)) for name in _COUNTERS}
        return flat(
            {
                "environments": self.environments.state(),
                "replay": self.replay.state(),
                "learner": self.learner.state(),
                "rounds": self.rounds.state(),
                "streams": {name: stream.state() for name, stream in self.streams.items()},
                "averages": self.averages.state(),
                "trainer": counters | {"returns": self._returns},
            }
        )

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Go back to what ``state`` returned; ``InputError`` where that was of another trainer."""
        # what is averaged differs from moment to moment; all else must be there, and no more
        wanted, given = (
            {name for name in names if not name.startswith(("averages/", "run/"))}
            for names in (self.state(), tensors)
        )
        if wanted != given:
            odd = min(wanted ^ given)
            raise InputError(
                f"checkpoint: {odd} is {'missing' if odd in wanted else 'not of this run'}; "
                "go on with the version that wrote it, or from the checkpoint before it"
            )
        try:
            self.environments.restore(part(tensors, "environments"))
            self.replay.restore(part(tensors, "replay"))
            self.learner.restore(part(tensors, "learner"))
            self.rounds.restore(part(tensors, "rounds"))
            for name, state in part(tensors, "streams").items():
                self.streams[name].restore(state)
            self.averages.restore(part(tensors, "averages"))
            own = part(tensors, "trainer")
            self._returns = own["returns"].to(self._returns.device).clone()
            for name in _COUNTERS:
                setattr(self, name, int(own[name]))
        except (KeyError, RuntimeError, ValueError) as error:
            raise InputError(
                f"checkpoint: does not fit these settings ({str(error).splitlines()[0]}); "
                "go on with the version that wrote it"
            ) from error


_COUNTERS = ("steps", "episodes", "updates")
