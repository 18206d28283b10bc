"""The models of the agents: of the opponents and of the dynamics, fitted, saved and restored.

Every ego agent has a model of each opponent for its branches, which reads what the opponent sees,
and, where its policy is conditioned on inferred actions (Eq. 4), another one that reads what the
ego agent sees itself. Its dynamics are learned, or for ablations the world's own.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from deep.data.replay import Replay
from deep.dynamics import fitting as dynamics_fitting
from deep.dynamics.ensemble import Ensemble
from deep.dynamics.exact import Dynamics
from deep.dynamics.rewards import RewardNetwork
from deep.nn.tensors import flat, part
from deep.opponents import fitting as opponent_fitting
from deep.opponents.fitting import OpponentSettings, Split
from deep.opponents.models import OpponentModels, Opponents
from deep.seeding import Streams


@dataclass(frozen=True, eq=False)
class AgentModels:
    """The models of all agents of all runs.

    rollout_opponents: learned, of the opponents in branches. inference_opponents: learned, what
    policies infer others' actions with, None where they do not. played_opponents: who plays in
    branches and targets, ``rollout_opponents`` or the real policies. dynamics: as played in
    branches. ensemble: the dynamics to be fitted, None if they are exact. rewards: their own
    network, None if they come from elsewhere.
    """

    rollout_opponents: OpponentModels
    inference_opponents: OpponentModels | None
    played_opponents: Opponents
    dynamics: Dynamics
    ensemble: Ensemble | None
    rewards: RewardNetwork | None

    def fit_opponents(
        self, settings: OpponentSettings, rows: Split, streams: Streams
    ) -> dict[str, Tensor]:
        """Fit all opponent models; metrics [run, ego, opponent] of those of branches."""
        metrics = opponent_fitting.fit(self.rollout_opponents, settings, rows, streams)
        if self.inference_opponents is not None:
            opponent_fitting.fit(self.inference_opponents, settings, rows, streams)
        return metrics

    def fit_dynamics(self, replay: Replay, streams: Streams) -> dict[str, Tensor]:
        """Fit the models of dynamics and rewards that are learned.

        Metrics [run, ego]: dynamics_NAME, the same for all egos where they share one ensemble, and
        reward_NAME of the agents' own rewards.
        """
        metrics: dict[str, Tensor] = {}
        if self.ensemble is None:
            return metrics
        agents = self.ensemble.shape.agents
        for name, each in dynamics_fitting.fit(self.ensemble, replay, streams).items():
            metrics[f"dynamics_{name}"] = each.expand(-1, agents)
        if self.rewards is not None:
            share = self.ensemble.settings.validation_share
            for name, each in self.rewards.fit(replay, share, streams).items():
                metrics[f"reward_{name}"] = each
        return metrics

    def state(self) -> dict[str, Tensor]:
        """Every tensor that was learned, leading axis [run]; not copies."""
        return flat({name: model.state() for name, model in self._learned.items()})

    def restore(self, state: dict[str, Tensor]) -> None:
        """Set the models to what ``state`` returned, bit for bit."""
        for name, model in self._learned.items():
            model.restore(part(state, name))

    @property
    def _learned(self) -> dict[str, OpponentModels | Ensemble | RewardNetwork]:
        models = {
            "rollout_opponents": self.rollout_opponents,
            "inference_opponents": self.inference_opponents,
            "dynamics": self.ensemble,
            "rewards": self.rewards,
        }
        return {name: model for name, model in models.items() if model is not None}
