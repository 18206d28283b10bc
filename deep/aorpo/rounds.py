"""The rounds of AORPO, Algorithm 1: models fitted, errors measured, branches rolled, then updates.

In every round, for all ego agents of all runs:

1. every opponent model is fitted to the newest of D_env (line 11), and so are the models that the
   policies infer the others' actions with;
2. if ``refit`` steps of the environment have passed, the dynamics models are fitted (line 4);
3. ε_π̂ is estimated on held-out rows, and a scheme makes k and nⱼ of it (lines 12, 13);
4. M states are drawn from D_env and branches of k steps go into each ego's own D_model (14 to 22);
5. ``updates`` gradient steps of policies and critics, each on a batch of which ``share`` is from
   D_env and the rest from D_model (23).

In the first ``start`` episodes 2 to 4 are left out and all of a batch is real: the paper collects
data with the model-free algorithm first. k grows from 1 to its full length between two epochs
(``lengths.linear``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from bounds.shared.numbers import InputError, in_range, shown, whole
from deep.agents.actor_critic import ActorCritic
from deep.agents.rounds import RoundInputs
from deep.aorpo import length_rules as lengths
from deep.aorpo.communication import Communication
from deep.aorpo.model_errors import EVERY, WORLDS, met, of_branches, of_opponents
from deep.aorpo.rollouts import roll
from deep.aorpo.schemes import Evidence, Scheme
from deep.data.batch import Batch
from deep.data.model_replay import ModelReplay, mixed
from deep.data.replay import Replay
from deep.dynamics.ensemble import DynamicsSettings, Ensemble
from deep.dynamics.exact import Dynamics
from deep.dynamics.fitting import fit
from deep.dynamics.state_replay import StateReplay
from deep.envs.batch import World
from deep.nn.tensors import flat, part, restore_tensors
from deep.opponents import fitting as opponents_fit
from deep.opponents.fitting import OpponentSettings
from deep.opponents.models import OpponentModels, Opponents
from deep.opponents.policy_shift import policy_shift
from deep.seeding import Streams

#: The schemes by name.
Usage = Literal["adaptive", "all-models", "all-real", "planned", "released"]


@dataclass(frozen=True)
class ModelBased:
    """Settings of the models and of their use."""

    start: int = 1500
    """Episodes of each run before the dynamics model is used."""
    rollouts: int = 1024
    """Branches of each agent in a round, M."""
    k: int = 10
    """Steps of a branch, once it has its full length."""
    grow: tuple[int, int] = (3, 25)
    """Epochs between which branches grow from 1 step to k."""
    epoch: int = 300
    """Episodes of each run in an epoch."""
    share: float = 0.5
    """Share of real transitions in a batch."""
    keep: int = 1
    """Rounds of full-length branches that an agent's D_model holds."""
    refit: int = 3750
    """Environment steps of a run between fits of the dynamics models."""
    scheme: Usage = "adaptive"
    """Who plays an opponent at which step of a branch; see `deep.aorpo.schemes`."""
    calls: int = 10
    """Calls a branch that `planned` may spend."""
    conditioned: bool = True
    """Policies see inferred actions of the others (Eq. 4); otherwise their observation alone."""
    exact_dynamics: bool = False
    """For ablations: the world itself in the place of learned dynamics."""
    exact_opponents: bool = False
    """For ablations: the real policies in the place of models in branches and targets, no calls
    counted for that; their error is 0."""
    dynamics: DynamicsSettings = field(default_factory=DynamicsSettings)
    """Learned dynamics."""
    opponents: OpponentSettings = field(default_factory=OpponentSettings)
    """Opponent models."""

    def __post_init__(self) -> None:
        whole("model.start", self.start)
        whole("model.rollouts", self.rollouts, 1)
        whole("model.k", self.k, 1)
        if self.scheme not in get_args(Usage):
            known = ", ".join(get_args(Usage))
            raise InputError(f"model.scheme: {shown(self.scheme)} is not one of {known}")
        if len(self.grow) != 2:
            raise InputError(f"model.grow: {len(self.grow)} numbers; give two epochs")
        whole("model.grow[0]", self.grow[0])
        whole("model.grow[1]", self.grow[1], self.grow[0] + 1)
        whole("model.epoch", self.epoch, 1)
        in_range("model.share", self.share, 0, 1)
        whole("model.keep", self.keep, 1)
        whole("model.refit", self.refit, 1)
        whole("model.calls", self.calls)


@dataclass(frozen=True, eq=False)
class Minds:
    """What the agents believe: learned models, and what is played in branches.

    theirs, own: opponent models by the two views of ``deep.opponents.models``; own is None where
    policies are not conditioned. dynamics: as played in branches; ensemble: to be fitted, None if
    exact.
    """

    theirs: OpponentModels
    own: OpponentModels | None
    played: Opponents
    dynamics: Dynamics
    ensemble: Ensemble | None


@dataclass(eq=False)
class ModelBasedRounds:
    """``Rounds``. streams: "dynamics", "opponents" and "rollouts". fitted: of each run's steps, at
    how many the dynamics was fitted last; −1: never.
    """

    settings: ModelBased
    batch: int
    updates: int
    learner: ActorCritic
    minds: Minds
    scheme: Scheme
    communication: Communication
    model_buffer: ModelReplay
    kept: StateReplay | None
    streams: Mapping[str, Streams]
    before: Tensor
    fitted: int = -1

    def learn(self, parts: RoundInputs) -> Iterator[dict[str, Tensor]]:
        """See the module."""
        counted = self.communication.interactions
        counted.stepped(parts.steps - int(counted.steps[0]))
        measured = self.fit_opponents(parts.replay)
        if parts.episodes >= self.settings.start:
            if self.fitted < 0 or parts.steps - self.fitted >= self.settings.refit:
                measured |= self.fit_dynamics(parts.replay)
                self.fitted = parts.steps
            parts.check(self.model_state() | measured)
            evidence = self.evidence(parts.replay)
            grown = lengths.linear(
                parts.episodes // self.settings.epoch, *self.settings.grow, self.settings.k
            )
            k, n = self.scheme(evidence, grown)
            self.branch(parts.replay, k, n)
            measured |= {
                "opponent_error": over_opponents(evidence.errors),
                "k": k.double(),
                "model_steps": over_opponents(n.double()),
                "policy_shift": evidence.shift,
            }
        self.before.copy_(self.learner.policies.stack.parameters.detach())
        for _ in range(self.updates):
            yield self.learner.update(self.drawn(parts), parts.streams["update"]) | measured
            measured = {}

    def fit_opponents(self, replay: Replay) -> dict[str, Tensor]:
        """Fit all opponent models to the newest transitions; metrics of those that are played."""
        settings, streams = self.settings.opponents, self.streams["opponents"]
        history = opponents_fit.newest(replay, settings.rows)
        found = opponents_fit.fit(self.minds.theirs, settings, history, streams)
        if self.minds.own is not None:
            opponents_fit.fit(self.minds.own, settings, history, streams)
        return {name: over_opponents(each) for name, each in found.items()}

    def fit_dynamics(self, replay: Replay) -> dict[str, Tensor]:
        """Fit the dynamics models, if they are learned; metrics."""
        if self.minds.ensemble is None:
            return {}
        found = fit(self.minds.ensemble, replay, self.streams["dynamics"])
        return {f"dynamics_{name}": each for name, each in found.items()}

    def evidence(self, replay: Replay) -> Evidence:
        """What a scheme may know now."""
        settings = self.settings.opponents
        history = opponents_fit.newest(replay, settings.rows)
        held_out = opponents_fit.split(history, settings.held_out)[1]
        return Evidence(
            None if self.settings.exact_opponents else self.minds.played,
            held_out,
            policy_shift(self.learner.policies, self.before, held_out, self.streams["rollouts"]),
            self.learner.settings.gamma,
        )

    def branch(self, replay: Replay, k: Tensor, n: Tensor) -> None:
        """Roll out branches of k[run, ego] steps, with lengths n[run, ego, opponent]; keep them."""
        settings, streams = self.settings, self.streams["rollouts"]
        rows = streams.whole(replay.size, self.model_buffer.shape.agents, settings.rollouts)
        rows = rows.to(replay.rows.device)
        start = replay.batch(rows.flatten(1)).observations.unflatten(1, rows.shape[1:])

        def act(observations: Tensor, drawing: Streams) -> Tensor:
            return self.learner.policies.act_alone(observations, drawing, greedy=False)

        for step in roll(
            start,
            self.minds.dynamics.begin(rows),
            n,
            k,
            self.minds.dynamics,
            act,
            self.minds.played,
            self.communication,
            streams,
        ):
            rewards = step.rewards
            ended = rewards.new_zeros(rewards.shape[:3])
            made = Batch(step.observations, step.actions, rewards, step.next_observations, ended)
            self.model_buffer.add(made, step.alive)

    def drawn(self, parts: RoundInputs) -> Batch:
        """A batch for a gradient step: real and made-up transitions, all real while none is."""
        streams = parts.streams["replay"]
        if bool(self.model_buffer.added.any()):
            return mixed(parts.replay, self.model_buffer, self.batch, self.settings.share, streams)
        return parts.replay.sample_apart(streams, self.model_buffer.shape.agents, self.batch)

    def observe_state(self, state: Any) -> None:
        """Keep the states that exact dynamics start from."""
        if self.kept is not None:
            self.kept.add(state)

    def counters(self) -> dict[str, Tensor]:
        """Calls [run, agent] to others so far, and normalised agent interactions [run]."""
        counted = self.communication.interactions
        return {
            "calls": counted.calls.sum(-1).double(),
            "normalised_interactions": counted.normalised,
        }

    def oracle_metrics(self, world: World, streams: Streams) -> dict[str, Tensor]:
        """ORACLE: ``deep.aorpo.model_errors``, once the dynamics models are in use."""
        minds, policies, times = self.minds, self.learner.policies, range(world.episode_steps)
        if self.fitted < 0:
            return {}
        seen, states = met(world, policies, WORLDS, times[::EVERY], streams)
        found: dict[str, Tensor] = {}
        if not self.settings.exact_opponents:
            found |= of_opponents(minds.played, policies, minds.own, seen)
        if minds.ensemble is not None:
            model, k = minds.ensemble.mean_prediction, self.settings.k
            found |= of_branches(world, policies, minds.played, model, seen, states, k, streams)
        return found

    def model_state(self) -> dict[str, Tensor]:
        """See ``Rounds``."""
        minds = self.minds
        return flat(
            {
                "theirs": minds.theirs.state(),
                "own": {} if minds.own is None else minds.own.state(),
                "dynamics": {} if minds.ensemble is None else minds.ensemble.state(),
            }
        )

    def state(self) -> dict[str, Tensor]:
        """See ``Rounds``."""
        return self.model_state() | flat(
            {
                "interactions": self.communication.interactions.state(),
                "model_buffer": self.model_buffer.state(),
                "kept": {} if self.kept is None else self.kept.state(),
                "streams": {name: each.state() for name, each in self.streams.items()},
                "rounds": {"before": self.before, "fitted": torch.tensor(self.fitted)},
            }
        )

    def restore(self, state: dict[str, Tensor]) -> None:
        """See ``Rounds``."""
        self.minds.theirs.restore(part(state, "theirs"))
        if self.minds.own is not None:
            self.minds.own.restore(part(state, "own"))
        if self.minds.ensemble is not None:
            self.minds.ensemble.restore(part(state, "dynamics"))
        self.communication.interactions.restore(part(state, "interactions"))
        self.model_buffer.restore(part(state, "model_buffer"))
        if self.kept is not None:
            self.kept.restore(part(state, "kept"))
        for name, each in part(state, "streams").items():
            self.streams[name].restore(each)
        own = part(state, "rounds")
        restore_tensors({"before": self.before}, {"before": own["before"]})
        self.fitted = int(own["fitted"])


def over_opponents(values: Tensor) -> Tensor:
    """The mean over an ego's opponents, [run, ego] of [run, ego, opponent]."""
    others = ~torch.eye(values.shape[1], dtype=torch.bool, device=values.device)
    return (values * others).sum(-1) / (values.shape[1] - 1)
