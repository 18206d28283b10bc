"""The settings of a run; ``deep.training.presets`` has the choices for tasks.

Settings of the learning itself (rates, networks, batch, models) are those of the algorithm,
``Masac``, ``Maddpg``, ``Aorpo`` or ``Aordpg``, in the field ``learner``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from math import ceil
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import tyro

from bounds.planning.schemes import SCHEMES
from bounds.shared.numbers import InputError, shown, whole
from deep.agents.masac import Masac
from deep.aorpo.build import known_reward
from deep.aorpo.settings import ModelBasedSettings, model_settings
from deep.data.validation_split import off
from deep.envs.batch import World
from deep.envs.spaces import Choices
from deep.envs.tasks import world
from deep.opponents.fitting import UNIT
from deep.opponents.policy_shift import measurable
from deep.seeding import streams
from deep.training.algorithms import ALGORITHMS, LearnerSettings

#: The most seeds, environments and threads: beyond these a number is a slip of the pen.
MOST = 100_000
#: The most threads; far beyond the cores of a machine torch cannot start them all.
MOST_THREADS = 256


@dataclass(frozen=True)
class Settings:
    """A training run."""

    task: str = "spread"
    """Name of the task; an unknown one is answered with the nearest."""
    algorithm: Annotated[str, tyro.conf.arg(help=f"One of {', '.join(ALGORITHMS)}.")] = "masac"
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
    learner: Annotated[tyro.conf.AvoidSubcommands[LearnerSettings], tyro.conf.arg(name="")] = field(
        default_factory=Masac
    )
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


def choice(where: str, name: str, known: Mapping[str, Any]) -> str:
    """``name`` if it is known; else ``InputError`` with the nearest name."""
    if name not in known:
        near = get_close_matches(name[:100].lower(), known, n=1, cutoff=0.0)[0]
        raise InputError(f"{where}: {shown(name)} is not known; the nearest name is {near}")
    return name


def check(settings: Settings) -> Settings:
    """``settings`` if a run can be made of them; else ``InputError``."""
    env = world(settings.task, settings.counts, continuous=settings.continuous)
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
    whole("environments", settings.environments, 1, MOST)
    whole("threads", settings.threads, 1, MOST_THREADS)
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
    models = model_settings(settings.learner)
    if models is not None:
        _check_models(settings, models, env)
    if settings.environments > settings.capacity:
        raise InputError(
            f"capacity: {settings.capacity} is below the {settings.environments} environments; "
            "give more"
        )
    return settings


def _check_models(settings: Settings, model: ModelBasedSettings, env: World) -> None:
    """``InputError`` where there is nobody to model, a scheme is not told what it asks for, rewards
    are to be known that are not, or at the first fit too few rows are there to train on or to hold
    out.
    """
    scheme, policies_have_density = SCHEMES[model.scheme], isinstance(settings.learner, Masac)
    if len(env.agents) < 2:
        raise InputError(
            f"algorithm: {settings.algorithm} models the others, and {settings.task} has one "
            "agent; take masac or maddpg"
        )
    if model.reward_source == "known":
        known_reward(env)
    if scheme.policy_shift and not measurable(env.spaces, policies_have_density):
        raise InputError(
            f"model.scheme: {model.scheme} asks how far policies have moved, which has no closed "
            f"form for these actions of {settings.algorithm}; choose another scheme"
        )
    if scheme.match_rates and not all(isinstance(x, Choices) for x in env.spaces):
        raise InputError(
            f"model.scheme: {model.scheme} compares how often actions match, and numbers never do; "
            "choose another scheme"
        )
    for name, chosen in (("opponents", model.opponents), ("dynamics", model.dynamics)):
        share = chosen.validation_share
        rows = min(settings.warm_up, chosen.max_rows)
        least = min(share, 1 - share) * rows - off(rows)
        if least < UNIT:
            raise InputError(
                f"model.{name}.validation_share: {share} of {rows} rows may leave "
                f"{max(0, ceil(least))} to train on or to hold out, and {UNIT} are needed; "
                "give more max_rows or warm_up"
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
    hints = get_type_hints(kind)
    return kind(**{k: _value(hints[k], v, f"{where}: {k}") for k, v in value.items()})


def _value(kind: Any, value: Any, where: str) -> Any:
    """``value`` as the ``kind`` of a field; ``InputError`` where it is of another type."""
    if is_dataclass(kind) and isinstance(kind, type) and isinstance(value, dict):
        return _filled(kind, value, where)
    if get_origin(kind) is tuple:
        inner = get_args(kind)[0]
        if not isinstance(value, list):
            raise InputError(f"{where}: {shown(value)} is not a list")
        return tuple(_value(inner, x, f"{where}[{i}]") for i, x in enumerate(value))
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise InputError(f"{where}: {shown(value)} is not one of {', '.join(get_args(kind))}")
        return value
    allowed = {type(None) if x is None else x for x in get_args(kind) or (kind,)}
    fits = type(value) in allowed or (float in allowed and type(value) is int)
    if isinstance(kind, type | UnionType) and not is_dataclass(kind) and not fits:
        raise InputError(f"{where}: {shown(value)} is not {_KINDS.get(kind, 'what it should be')}")
    return value


#: Types of fields, in words.
_KINDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    int | None: "a whole number or null",
}
