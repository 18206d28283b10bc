"""The presets: what is chosen for a task, at the scale of a laptop and of the paper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from deep.agents.masac import Masac
from deep.aorpo.settings import ModelBasedSettings, model_settings
from deep.dynamics.ensemble import DynamicsSettings
from deep.dynamics.rewards import RewardSettings
from deep.envs.tasks import check_task
from deep.opponents.fitting import OpponentSettings
from deep.training.algorithms import ALGORITHMS
from deep.training.settings import Settings, choice


@dataclass(frozen=True)
class Plan:
    """What a preset chooses for a task.

    learning_rate, alpha_rate, batch, environments: None for the usual ones. cool: updates in which
    the rate falls. standardise: whether inputs are of one size. models: those of AORPO and AORDPG;
    None: ``SMALL``. capacity: policies answer the actions of others that are in the replay, so
    where the best reply moves with them a short memory follows faster.
    """

    episodes: int
    updates: int = 1
    update_every: int = 100
    learning_rate: float | None = None
    alpha_rate: float | None = None
    batch: int | None = None
    capacity: int = 1_000_000
    environments: int | None = None
    cool: int = 0
    standardise: bool = False
    models: ModelBasedSettings | None = None


#: Models that are fitted and rolled out in minutes on two cores. Opponent models look at the newest
#: transitions alone, as policies change within them, and policies do not infer others' actions: in
#: communication those that do learn more slowly.
SMALL = ModelBasedSettings(
    warmup_episodes=60,
    rollouts=512,
    k=5,
    rollout_length_epochs=(0, 1),
    epoch=60,
    fit_every=1000,
    conditioned=False,
    dynamics=DynamicsSettings(
        members=2,
        hidden=(128, 128),
        batch=64,
        max_rows=5_000,
        max_epochs=30,
        improvement=0.002,
        patience=6,
    ),
    opponents=OpponentSettings(max_rows=320, batch=64, learning_rate=0.003, max_epochs=6),
)
#: The same where there is more to learn: rewards of nearest distances and touches.
LARGER = replace(
    SMALL,
    warmup_episodes=150,
    epoch=150,
    fit_every=2500,
    rewards=RewardSettings(hidden=(256, 256)),
    opponents=replace(SMALL.opponents, max_rows=640),
    dynamics=replace(SMALL.dynamics, max_rows=15_000),
)
#: Plans that run in minutes on two cores: inputs of one size, large steps, small batches.
LAPTOP = {
    "spread": Plan(
        2_400,
        updates=10,
        learning_rate=0.003,
        alpha_rate=0.003,
        batch=256,
        capacity=50_000,
        standardise=True,
        models=LARGER,
    ),
    "speaker-listener": Plan(
        600,
        updates=30,
        learning_rate=0.003,
        alpha_rate=0.009,
        batch=256,
        capacity=15_000,
        standardise=True,
    ),
    "scheduling": Plan(
        1_000,
        updates=10,
        learning_rate=0.003,
        alpha_rate=0.003,
        batch=256,
        capacity=15_000,
        standardise=True,
        models=replace(LARGER, warmup_episodes=105),
    ),
    "climb": Plan(
        12_000,
        learning_rate=0.0015,
        alpha_rate=0.0015,
        batch=512,
        capacity=60_000,
        environments=30,
        cool=3_700,
    ),
}
#: The same for AORPO and AORDPG, where their plan is another one than the model-free algorithm's.
LAPTOP_MODELLED = {
    "climb": replace(
        LAPTOP["climb"],
        updates=5,
        update_every=500,
        cool=2_900,
        models=ModelBasedSettings(
            warmup_episodes=300,
            rollouts=256,
            k=3,
            rollout_length_epochs=(1, 2),
            epoch=150,
            fit_every=15_000,
            dynamics=DynamicsSettings(members=3, hidden=(64, 64), max_rows=10_000, max_epochs=20),
            opponents=OpponentSettings(max_rows=2048, max_epochs=2, learning_rate=0.003),
        ),
    ),
}
#: Models at the paper's scale: its M; networks no larger than what they predict needs.
_RIGHT_SIZED = ModelBasedSettings(
    dynamics=DynamicsSettings(members=4, hidden=(128, 128), max_rows=20_000, max_epochs=20),
    rewards=RewardSettings(hidden=(256, 256)),
    opponents=OpponentSettings(max_epochs=10),
)
#: The paper's experiments: epochs times episodes an epoch in its appendix and code, its k, and the
#: updates of a round of the model-based algorithms, G.
PAPER = {
    "spread": Plan(
        100 * 300,
        learning_rate=0.01,
        models=replace(_RIGHT_SIZED, k=15, rollout_length_epochs=(5, 25)),
    ),
    "speaker-listener": Plan(
        40 * 300,
        learning_rate=0.005,
        models=replace(_RIGHT_SIZED, k=10, rollout_length_epochs=(3, 25)),
    ),
    "scheduling": Plan(
        50 * 300,
        learning_rate=0.01,
        models=replace(_RIGHT_SIZED, k=10, rollout_length_epochs=(5, 25)),
    ),
}
#: G of the model-based algorithms; the model-free ones have one update a round.
PAPER_UPDATES = {"speaker-listener": 10}
USUAL_UPDATES = 20


def laptop(task: str, algorithm: str) -> Settings:
    """Settings that learn the task in minutes on two cores."""
    plan = LAPTOP.get(task, Plan(10_000))
    if model_settings(ALGORITHMS[algorithm].settings()) is not None:
        plan = LAPTOP_MODELLED.get(task, plan)
    return _planned(task, algorithm, plan)


def paper(task: str, algorithm: str) -> Settings:
    """The paper's scale, and the rates of the authors' code (which also scales rewards).

    Dynamics models have the size that held-out rows ask for.
    """
    plan = PAPER.get(task, Plan(10_000, learning_rate=0.01, models=_RIGHT_SIZED))
    if model_settings(ALGORITHMS[algorithm].settings()) is not None:
        plan = replace(plan, updates=PAPER_UPDATES.get(task, USUAL_UPDATES))
    settings = _planned(task, algorithm, replace(plan, standardise=True))
    return replace(
        settings, seeds=(0, 1, 2, 3, 4), learner=replace(settings.learner, tau=0.001, gamma=0.95)
    )


def paper_code(task: str, algorithm: str) -> Settings:
    """The same with the models of the authors' code.

    An ensemble of eight networks of four layers of 512 for every ego, rewards among what they
    predict, drawn from their laws.
    """
    settings = paper(task, algorithm)
    learner: Any = settings.learner
    model = model_settings(learner)
    if model is None:
        return settings
    larger = replace(
        model,
        dynamics=DynamicsSettings(per_ego=True, deterministic=False),
        reward_source="ensemble",
        opponents=OpponentSettings(),
        opponent_error="mismatch",
    )
    return replace(settings, learner=replace(learner, model=larger))


PRESETS: dict[str, Callable[[str, str], Settings]] = {
    "laptop": laptop,
    "paper": paper,
    "paper-code": paper_code,
}


def preset(name: str, task: str, algorithm: str) -> Settings:
    """The preset ``name`` for a task and an algorithm, each of which must be known."""
    check_task(task)
    choice("algorithm", algorithm, ALGORITHMS)
    return PRESETS[choice("preset", name, PRESETS)](task, algorithm)


def _planned(task: str, algorithm: str, plan: Plan) -> Settings:
    learner: Any = ALGORITHMS[algorithm].settings()
    if model_settings(learner) is not None:
        learner = replace(learner, model=plan.models or SMALL)
    if isinstance(learner, Masac) and plan.alpha_rate is not None:
        learner = replace(learner, alpha_rate=plan.alpha_rate)
    if plan.learning_rate is not None:
        learner = replace(learner, learning_rate=plan.learning_rate)
    if plan.batch is not None:
        learner = replace(learner, batch=plan.batch)
    learner = replace(learner, cool=plan.cool, standardise=plan.standardise)
    settings = Settings(
        task=task,
        algorithm=algorithm,
        episodes=plan.episodes,
        updates=plan.updates,
        update_every=plan.update_every,
        capacity=plan.capacity,
        learner=learner,
    )
    if plan.environments is not None:
        settings = replace(settings, environments=plan.environments)
    return settings
