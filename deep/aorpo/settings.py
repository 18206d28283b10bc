"""Settings of AORPO and AORDPG: those of MASAC or MADDPG, and of the models and their use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import tyro

from bounds.planning.schemes import SCHEMES
from bounds.shared.numbers import InputError, in_range, shown, whole
from deep.agents.actor_critic import ActorCriticSettings
from deep.agents.maddpg import Maddpg
from deep.agents.masac import Masac
from deep.dynamics.ensemble import DynamicsSettings
from deep.dynamics.rewards import RewardSettings
from deep.opponents.fitting import OpponentSettings


@dataclass(frozen=True)
class ModelBasedSettings:
    """Settings of the models and of their use."""

    warmup_episodes: int = 1500
    """Episodes of each run before the dynamics model is used."""
    rollouts: int = 1024
    """Branches of each agent in a round, M."""
    k: int = 10
    """Steps of a branch, once it has its full length."""
    rollout_length_epochs: tuple[int, int] = (3, 25)
    """Epochs between which branches grow from 1 step to k."""
    epoch: int = 300
    """Episodes of each run in an epoch."""
    real_ratio: float = 0.5
    """Share of real transitions in a batch."""
    buffer_rounds: int = 1
    """Rounds whose branches, as long as they are by now, are an agent's D_model."""
    fit_every: int = 3750
    """Environment steps of a run between fits of the dynamics models."""
    scheme: Annotated[
        str,
        tyro.conf.arg(
            help="Who plays an opponent at which step of a branch: "
            f"{', '.join(SCHEMES)} (see bounds.planning.schemes)."
        ),
    ] = "adaptive"
    opponent_error: Literal["two-sample", "mismatch"] = "two-sample"
    """How the errors of opponent models are estimated: by what tells an opponent from its model,
    which is 0 for a perfect model; or by how often their actions differ, which is 1 less the sum of
    squared probabilities for a perfect one."""
    calls: int = 10
    """Calls a branch that `planned` may spend."""
    conditioned: bool = True
    """Policies see inferred actions of the others (Eq. 4); otherwise their observation alone."""
    exact_dynamics: bool = False
    """For ablations: the world itself in the place of learned dynamics."""
    exact_opponents: bool = False
    """For ablations: the real policies in the place of models in branches and targets, no calls
    counted for that; their error is 0."""
    reward_source: Literal["network", "ensemble", "known"] = "network"
    """Where rewards of branches come from: a network of their own; the dynamics ensemble, along
    with the observations; or known, from the task, as a function of the next observations. Where
    next states are predicted, as in exact games, it is always the ensemble."""
    rewards: RewardSettings = field(default_factory=RewardSettings)
    """The rewards' own network."""
    dynamics: DynamicsSettings = field(default_factory=DynamicsSettings)
    """Learned dynamics."""
    opponents: OpponentSettings = field(default_factory=OpponentSettings)
    """Opponent models."""

    def __post_init__(self) -> None:
        whole("model.warmup_episodes", self.warmup_episodes)
        whole("model.rollouts", self.rollouts, 1)
        whole("model.k", self.k, 1)
        if self.scheme not in SCHEMES:
            raise InputError(
                f"model.scheme: {shown(self.scheme)} is not one of {', '.join(SCHEMES)}"
            )
        if len(self.rollout_length_epochs) != 2:
            raise InputError(
                f"model.rollout_length_epochs: {len(self.rollout_length_epochs)} numbers; "
                "give two epochs"
            )
        first, last = self.rollout_length_epochs
        whole("model.rollout_length_epochs[0]", first)
        whole("model.rollout_length_epochs[1]", last, first + 1)
        whole("model.epoch", self.epoch, 1)
        in_range("model.real_ratio", self.real_ratio, 0, 1)
        whole("model.buffer_rounds", self.buffer_rounds, 1)
        whole("model.fit_every", self.fit_every, 1)
        whole("model.calls", self.calls)

    @property
    def buffer_rows(self) -> int:
        """Transitions that an agent's model buffer holds."""
        return self.buffer_rounds * self.rollouts * self.k


@dataclass(frozen=True)
class Aorpo(Masac):
    """Settings of AORPO: those of MASAC, and of the models."""

    model: ModelBasedSettings = field(default_factory=ModelBasedSettings)
    """The models and their use."""


@dataclass(frozen=True)
class Aordpg(Maddpg):
    """Settings of AORDPG: those of MADDPG, and of the models."""

    model: ModelBasedSettings = field(default_factory=ModelBasedSettings)
    """The models and their use."""


def model_settings(learner: ActorCriticSettings) -> ModelBasedSettings | None:
    """The settings of a learner's models, None where it has none."""
    found = getattr(learner, "model", None)
    return found if isinstance(found, ModelBasedSettings) else None
