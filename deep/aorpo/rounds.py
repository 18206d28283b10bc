"""The rounds of AORPO, Algorithm 1: models fitted, errors measured, branches rolled, then updates.

In every round, for all ego agents of all runs:

1. every opponent model is fitted to the newest of D_env (line 11), and so are the models that the
   policies infer the others' actions with;
2. if ``fit_every`` steps of the environment have passed, the dynamics models are fitted (line 4);
3. ε_π̂ is estimated on held-out rows, and a scheme makes k and nⱼ of it (lines 12, 13);
4. M states are drawn from D_env and branches of k steps go into each ego's own D_model (14 to 22);
5. ``updates`` gradient steps of policies and critics, each on a batch of which ``real_ratio`` is
   from D_env and the rest from D_model (23).

In the first ``warmup_episodes`` 2 to 4 are left out and all of a batch is real: the paper collects
data with the model-free algorithm first. k grows from 1 to its full length between two epochs
(``deep.aorpo.rollout_schedule``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bounds.planning.schemes import SCHEMES
from deep.agents.actor_critic import ActorCritic
from deep.agents.rounds import RoundInputs
from deep.aorpo.branches import Branches
from deep.aorpo.data_policies import DataPolicies
from deep.aorpo.model_errors import oracle_metrics
from deep.aorpo.models import AgentModels
from deep.aorpo.rollout_schedule import linear
from deep.aorpo.schemes import Estimates, lengths, opponent_error, opponent_match_rate
from deep.aorpo.settings import ModelBasedSettings
from deep.data.batch import Batch
from deep.data.replay import Replay
from deep.envs.batch import World
from deep.nn.tensors import flat, part, restore_tensors
from deep.opponents.fitting import History, Split, newest, split
from deep.opponents.policy_shift import policy_shift
from deep.seeding import Streams


@dataclass(eq=False)
class ModelBasedRounds:
    """``Rounds``.

    batch: transitions of an ego agent in an update. updates: of a round. streams: "dynamics",
    "opponents" and "rollouts". policies_before_round: the policies' parameters when the last round
    began its updates. data_policies: those that collected D_env. last_dynamics_fit: of each run's
    steps, at how many; −1: never.
    """

    settings: ModelBasedSettings
    batch: int
    updates: int
    learner: ActorCritic
    models: AgentModels
    branches: Branches
    streams: Mapping[str, Streams]
    policies_before_round: Tensor
    data_policies: DataPolicies
    last_dynamics_fit: int = -1

    def learn(self, inputs: RoundInputs) -> Iterator[dict[str, Tensor]]:
        """See the module."""
        settings, steps = self.settings, inputs.steps
        counted = self.branches.communication.interactions
        counted.stepped(steps - int(counted.steps[0]))
        rows = self.opponent_rows(inputs.replay)
        self.data_policies.remember(self.learner.policies, inputs.replay)
        fitted = self.models.fit_opponents(settings.opponents, rows, self.streams["opponents"])
        metrics = {name: over_opponents(each) for name, each in fitted.items()}
        if inputs.episodes >= settings.warmup_episodes:
            last = self.last_dynamics_fit
            if last < 0 or steps - last >= settings.fit_every:
                metrics |= self.models.fit_dynamics(inputs.replay, self.streams["dynamics"])
                self.last_dynamics_fit = steps
            inputs.check(self.model_state() | metrics)
            metrics |= self.roll(inputs, rows.held_out)
        self.policies_before_round.copy_(self.learner.policies.stack.parameters.detach())
        for _ in range(self.updates):
            yield self.learner.update(self.draw(inputs), inputs.streams["update"]) | metrics
            metrics = {}

    def opponent_rows(self, replay: Replay) -> Split:
        """The newest transitions, which opponent models are fitted to and judged by."""
        chosen = self.settings.opponents
        return split(newest(replay, chosen.max_rows), chosen.validation_share)

    def roll(self, inputs: RoundInputs, held_out: History) -> dict[str, Tensor]:
        """Estimate errors, choose lengths and roll branches out (lines 12 to 22); metrics."""
        settings, estimates = self.settings, self.estimates(held_out)
        epoch = inputs.episodes // settings.epoch
        longest = linear(epoch, *settings.rollout_length_epochs, settings.k)
        k, n = lengths(SCHEMES[settings.scheme], estimates, longest, settings.calls)
        self.branches.roll(inputs.replay, k, n, self.streams["rollouts"])
        return {
            "opponent_error": over_opponents(estimates.opponent_error),
            "k": k.double(),
            "model_steps": over_opponents(n.double()),
            "model_steps_least": n.amin(-1).double(),
            "opponent_error_largest": estimates.opponent_error.amax(-1),
            "policy_shift": estimates.policy_shift,
        }

    def estimates(self, held_out: History) -> Estimates:
        """What a scheme may know now, from rows that no model was fitted to."""
        models, settings = self.models, self.settings
        opponents = None if settings.exact_opponents else models.played_opponents
        scheme, policies = SCHEMES[settings.scheme], self.learner.policies
        drawing = self.streams["rollouts"]
        if scheme.policy_shift:
            shift = self.data_policies.shift(policies, held_out, drawing)
        else:
            shift = policy_shift(policies, self.policies_before_round, held_out, drawing)
        return Estimates(
            gamma=self.learner.settings.gamma,
            opponent_error=opponent_error(opponents, held_out, settings.opponent_error),
            policy_shift=shift,
            match_rate=opponent_match_rate(opponents, held_out) if scheme.match_rates else None,
        )

    def draw(self, inputs: RoundInputs) -> Batch:
        """A batch for a gradient step."""
        return self.branches.batch(
            inputs.replay, self.batch, self.settings.real_ratio, inputs.streams["replay"]
        )

    def observe_state(self, state: Any) -> None:
        """See ``Rounds``."""
        self.branches.observe_state(state)

    def counters(self) -> dict[str, Tensor]:
        """Calls [run, agent] to others so far, and normalised agent interactions [run]."""
        counted = self.branches.communication.interactions
        return {
            "calls": counted.calls.sum(-1).double(),
            "normalised_interactions": counted.normalised,
        }

    def oracle_metrics(self, world: World, streams: Streams) -> dict[str, Tensor]:
        """ORACLE: ``deep.aorpo.model_errors``, once the dynamics models are in use."""
        if self.last_dynamics_fit < 0:
            return {}
        return oracle_metrics(
            world=world,
            policies=self.learner.policies,
            models=self.models,
            settings=self.settings,
            streams=streams,
        )

    def model_state(self) -> dict[str, Tensor]:
        """See ``Rounds``."""
        return flat({"models": self.models.state()})

    def state(self) -> dict[str, Tensor]:
        """See ``Rounds``."""
        return self.model_state() | flat(
            {
                "branches": self.branches.state(),
                "data_policies": self.data_policies.state(),
                "streams": {name: each.state() for name, each in self.streams.items()},
                "rounds": {
                    "policies_before_round": self.policies_before_round,
                    "last_dynamics_fit": torch.tensor(self.last_dynamics_fit),
                },
            }
        )

    def restore(self, state: dict[str, Tensor]) -> None:
        """See ``Rounds``."""
        self.models.restore(part(state, "models"))
        self.branches.restore(part(state, "branches"))
        self.data_policies.restore(part(state, "data_policies"))
        for name, each in part(state, "streams").items():
            self.streams[name].restore(each)
        own = part(state, "rounds")
        self.last_dynamics_fit = int(own.pop("last_dynamics_fit"))
        restore_tensors({"policies_before_round": self.policies_before_round}, own)


def over_opponents(values: Tensor) -> Tensor:
    """The mean over an ego's opponents, [run, ego] of [run, ego, opponent]."""
    others = ~torch.eye(values.shape[1], dtype=torch.bool, device=values.device)
    return (values * others).sum(-1) / (values.shape[1] - 1)
