"""The settings of a run, and the presets: every default of training has its one place here.

Settings of the learning itself (rates, networks, batch, models) are those of the algorithm,
``Masac``, ``Maddpg``, ``Aorpo`` or ``Aordpg``, in the field ``learner``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass, replace
from difflib import get_close_matches
from math import ceil
from typing import Annotated, Any, Literal

import tyro

from bounds.numbers import InputError, shown, whole
from deep.algorithms import ALGORITHMS
from deep.aorpo import Aordpg, Aorpo
from deep.ensemble import DynamicsSettings
from deep.environments import World
from deep.held_out import off
from deep.maddpg import Maddpg
from deep.masac import Masac
from deep.model_based import ModelBased
from deep.opponents_fit import UNIT, OpponentSettings
from deep.policy_shift import measurable
from deep.seeding import streams
from deep.spaces import Choices
from deep.tasks import check_task, world

#: The most seeds, environments and threads: beyond these a number is a slip of the pen.
MOST = 100_000


@dataclass(frozen=True)
class Settings:
    """A training run."""

    task: str = "spread"
    """Name of the task; an unknown one is answered with the nearest."""
    algorithm: str = "masac"
    """masac, maddpg, aorpo or aordpg."""
    seeds: tuple[int, ...] = (0,)
    """One run each, all trained at once; none changes what another does."""
    episodes: int = 10_000
    """Episodes of each run, rounded up to a multiple of the environments."""
    environments: int = 15
    """Environments side by side in each run."""
    updates: int = 1
    """Gradient steps in a round; a round follows every `update_every` environment steps."""
    update_every: int = 100
    """Environment steps, of all environments of a run together, between rounds."""
    warm_up: int = 1500
    """Environment steps of a run before the first round; the batch at least."""
    capacity: int = 1_000_000
    """Transitions that the replay of a run holds; the oldest are overwritten."""
    learner: Annotated[
        tyro.conf.AvoidSubcommands[Masac | Maddpg | Aorpo | Aordpg], tyro.conf.arg(name="")
    ] = field(default_factory=Masac)
    """The algorithm's own settings."""
    agents: int | None = None
    """Number of agents, where the task has a choice; left out: the task's own."""
    landmarks: int | None = None
    """Number of landmarks, likewise."""
    adversaries: int | None = None
    """Number of adversaries, likewise."""
    prey: int | None = None
    """Number of prey, likewise."""
    obstacles: int | None = None
    """Number of obstacles, likewise."""
    integrator: Literal["original", "mpe2"] = "original"
    """Physics of the particle tasks: the original environments' or mpe2's."""
    continuous: bool = False
    """Act with numbers in place of choices in the particle tasks."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto: on the GPU if there is one."""
    threads: int = 1
    """Threads on the CPU. Numbers are reproduced bit for bit with the same number of threads."""
    dtype: Literal["float32", "float64"] = "float32"
    """Numbers of networks, worlds and replay."""
    record_every: int = 150
    """Episodes between rows in the table."""
    evaluate_every: int = 600
    """Episodes between evaluations; 0: none. Training is the same with and without."""
    evaluation_episodes: int = 100
    """Episodes in an evaluation of each run."""
    checkpoint_every: int = 1500
    """Episodes between checkpoints."""
    tensorboard: bool = False
    """Write TensorBoard files too."""

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of bodies that were chosen."""
        chosen = {name: getattr(self, name) for name in COUNTS}
        return {name: count for name, count in chosen.items() if count is not None}


#: Fields that are numbers of bodies in a task.
COUNTS = ("agents", "landmarks", "adversaries", "prey", "obstacles")


@dataclass(frozen=True)
class Plan:
    """What a preset chooses for a task.

    rate, alpha_rate, batch, environments: None for the usual ones. cool: updates in which the rate
    falls. models: those of AORPO and AORDPG. capacity: policies answer the actions of others that
    are in the replay, so where the best reply moves with them a short memory follows faster.
    """

    episodes: int
    updates: int = 1
    update_every: int = 100
    rate: float | None = None
    alpha_rate: float | None = None
    batch: int | None = None
    capacity: int = 1_000_000
    environments: int | None = None
    cool: int = 0
    models: ModelBased = field(default_factory=ModelBased)


#: Models that are fitted and rolled out in minutes on two cores.
SMALL = ModelBased(
    start=150,
    rollouts=256,
    k=5,
    grow=(1, 2),
    epoch=150,
    refit=1500,
    dynamics=DynamicsSettings(members=5, hidden=(128, 128), rows=20_000, most_epochs=20),
    opponents=OpponentSettings(rows=1024, epochs=2),
)
#: Plans that run in minutes on two cores.
LAPTOP = {
    "spread": Plan(15_000, rate=0.003, capacity=50_000),
    "speaker-listener": Plan(3_000, updates=10, capacity=15_000),
    "scheduling": Plan(10_000, rate=0.003, capacity=50_000),
    "climb": Plan(
        12_000,
        rate=0.0015,
        alpha_rate=0.0015,
        batch=512,
        capacity=60_000,
        environments=30,
        cool=3_700,
    ),
}
#: The same for AORPO and AORDPG, where their plan is another one than the model-free algorithm's.
#: Opponent models look at the newest transitions alone, as policies change within them.
LAPTOP_MODELLED = {
    "speaker-listener": Plan(
        2_000,
        updates=30,
        alpha_rate=0.003,
        capacity=15_000,
        models=replace(
            SMALL,
            start=60,
            rollouts=512,
            grow=(0, 1),
            epoch=60,
            share=0.3,
            refit=750,
            dynamics=replace(SMALL.dynamics, rows=10_000),
            opponents=OpponentSettings(rows=320, batch=64, rate=0.003, epochs=6),
        ),
    ),
    "climb": Plan(
        12_000,
        updates=5,
        update_every=500,
        rate=0.0015,
        alpha_rate=0.0015,
        batch=512,
        capacity=60_000,
        environments=30,
        cool=2_900,
        models=replace(
            SMALL,
            start=300,
            k=3,
            refit=15_000,
            dynamics=replace(SMALL.dynamics, members=3, hidden=(64, 64), rows=10_000),
            opponents=OpponentSettings(rows=2048, epochs=2, rate=0.003),
        ),
    ),
}
#: The paper's experiments: epochs times episodes an epoch in its appendix and code; the models are
#: those of the code.
PAPER = {
    "spread": Plan(100 * 300, rate=0.01, models=ModelBased(k=15, grow=(5, 25))),
    "speaker-listener": Plan(40 * 300, rate=0.005, models=ModelBased(k=10, grow=(3, 25))),
    "scheduling": Plan(50 * 300, rate=0.01, models=ModelBased(k=10, grow=(5, 25))),
}


def laptop(task: str, algorithm: str) -> Settings:
    """Settings that learn the task in minutes on two cores."""
    plan = LAPTOP.get(task, Plan(10_000))
    if issubclass(ALGORITHMS[algorithm].settings, Aorpo | Aordpg):
        plan = LAPTOP_MODELLED.get(task, replace(plan, models=SMALL))
    return _planned(task, algorithm, plan)


def paper(task: str, algorithm: str) -> Settings:
    """The paper's scale, and the rates of the authors' code (which also scales rewards)."""
    settings = _planned(task, algorithm, PAPER.get(task, Plan(10_000, rate=0.01)))
    return replace(
        settings, seeds=(0, 1, 2, 3, 4), learner=replace(settings.learner, tau=0.001, gamma=0.95)
    )


PRESETS: dict[str, Callable[[str, str], Settings]] = {"laptop": laptop, "paper": paper}


def preset(name: str, task: str, algorithm: str) -> Settings:
    """The preset ``name`` for a task and an algorithm, each of which must be known."""
    check_task(task)
    choice("algorithm", algorithm, ALGORITHMS)
    return PRESETS[choice("preset", name, PRESETS)](task, algorithm)


def _planned(task: str, algorithm: str, plan: Plan) -> Settings:
    learner = ALGORITHMS[algorithm].settings()
    if isinstance(learner, Aorpo | Aordpg):
        learner = replace(learner, model=plan.models)
    if isinstance(learner, Masac) and plan.alpha_rate is not None:
        learner = replace(learner, alpha_rate=plan.alpha_rate)
    if plan.rate is not None:
        learner = replace(learner, learning_rate=plan.rate)
    if plan.batch is not None:
        learner = replace(learner, batch=plan.batch)
    learner = replace(learner, cool=plan.cool)
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


def choice(where: str, name: str, known: Mapping[str, Any]) -> str:
    """``name`` if it is known; else ``InputError`` with the nearest name."""
    if name not in known:
        near = get_close_matches(name[:100].lower(), known, n=1, cutoff=0.0)[0]
        raise InputError(f"{where}: {shown(name)} is not known; the nearest name is {near}")
    return name


def check(settings: Settings) -> Settings:
    """``settings`` if a run can be made of them; else ``InputError``."""
    place = world(settings.task, settings.counts, continuous=settings.continuous)
    streams(settings.seeds, "check")
    algorithm = ALGORITHMS[choice("algorithm", settings.algorithm, ALGORITHMS)]
    if not isinstance(settings.learner, algorithm.settings):
        raise InputError(
            f"learner: {type(settings.learner).__name__} given for {settings.algorithm}; "
            f"give {algorithm.settings.__name__}"
        )
    for name in (
        "episodes",
        "updates",
        "update_every",
        "capacity",
        "record_every",
        "evaluation_episodes",
        "checkpoint_every",
    ):
        whole(name, getattr(settings, name), 1)
    whole("evaluate_every", settings.evaluate_every)
    whole("warm_up", settings.warm_up, 1)
    for name in ("environments", "threads"):
        whole(name, getattr(settings, name), 1, MOST)
    batch = settings.learner.batch
    if batch > settings.warm_up:
        raise InputError(
            f"batch: {batch} is larger than the warm-up of {settings.warm_up} steps; "
            f"give warm_up of {batch} or more, or a smaller batch"
        )
    if settings.warm_up > settings.capacity:
        raise InputError(
            f"capacity: {settings.capacity} transitions are fewer than the warm-up of "
            f"{settings.warm_up}; give more"
        )
    if isinstance(settings.learner, Aorpo | Aordpg):
        _check_models(settings, settings.learner, place)
    if settings.environments > settings.capacity:
        raise InputError(
            f"capacity: {settings.capacity} is below the {settings.environments} environments; "
            "give more"
        )
    return settings


def _check_models(settings: Settings, learner: Aorpo | Aordpg, place: World) -> None:
    """``InputError`` where there is nobody to model, or a scheme is not told what it asks for, or
    at the first fit too few rows are there to train on or to hold out.
    """
    model = learner.model
    if len(place.agents) < 2:
        raise InputError(
            f"algorithm: {settings.algorithm} models the others, and {settings.task} has one "
            "agent; take masac or maddpg"
        )
    if model.scheme == "planned" and not measurable(place.spaces, isinstance(learner, Aorpo)):
        raise InputError(
            "model.scheme: planned asks how far policies have moved, which has no closed form for "
            f"these actions of {settings.algorithm}; choose another scheme"
        )
    if model.scheme == "released" and not all(isinstance(x, Choices) for x in place.spaces):
        raise InputError(
            "model.scheme: released compares how often actions match, and numbers never do; "
            "choose another scheme"
        )
    for name, chosen in (("opponents", model.opponents), ("dynamics", model.dynamics)):
        rows = min(settings.warm_up, chosen.rows)
        least = min(chosen.held_out, 1 - chosen.held_out) * rows - off(rows)
        if least < UNIT:
            raise InputError(
                f"model.{name}.held_out: {chosen.held_out} of {rows} rows may leave "
                f"{max(0, ceil(least))} to train on or to hold out, and {UNIT} are needed; "
                "give more rows or warm_up"
            )


def as_json(settings: Settings) -> dict[str, Any]:
    """``settings`` as a JSON object, fields by name."""
    return {key: _plain(value) for key, value in asdict(settings).items()}


def from_json(value: Any, where: str) -> Settings:
    """The settings that ``as_json`` wrote; ``where`` names the file in error messages."""
    algorithm = value.get("algorithm") if isinstance(value, dict) else None
    if algorithm not in ALGORITHMS:
        raise InputError(f"{where}: algorithm {shown(algorithm)} is not of this version")
    learner = _filled(ALGORITHMS[algorithm].settings, value.get("learner"), f"{where}: learner")
    settings: Settings = _filled(Settings, value | {"learner": learner}, where)
    return settings


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _filled(kind: type[Any], value: Any, where: str) -> Any:
    """A ``kind`` with exactly the given fields, those that have fields themselves included."""
    names = {f.name for f in fields(kind)}
    given = set(value) if isinstance(value, dict) else set()
    if given != names:
        odd = min(given ^ names)
        raise InputError(f"{where}: the settings of another version ({odd}); use that version")
    inner = {f.name: f.default_factory for f in fields(kind) if f.default_factory is not MISSING}
    return kind(**{k: _value(inner.get(k), v, f"{where}: {k}") for k, v in value.items()})


def _value(kind: Any, value: Any, where: str) -> Any:
    if isinstance(value, dict) and is_dataclass(kind):
        return _filled(kind, value, where)  # type: ignore[arg-type]
    return tuple(value) if isinstance(value, list) else value
