"""Start, resume and read a training run.

``manifest.json`` (settings, versions, device, state of the code), ``metrics.csv`` of
``deep.training.metrics``, ``checkpoints/`` of ``deep.training.checkpoint``, ``tensorboard/`` if
wanted, and at the end ``summary.json``: a greedy evaluation and the time. Whatever stops a run
costs what came after the last checkpoint; going on does that stretch again, with the same numbers.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from bounds.shared.checkout import git_state
from bounds.shared.files import read_text, write_json
from bounds.shared.numbers import InputError, whole
from bounds.shared.progress import progress
from deep.agents.learner import Learner
from deep.aorpo.settings import model_settings
from deep.data.replay import replay
from deep.envs.batch import Environments, World
from deep.envs.spaces import Shape, action_width
from deep.envs.tasks import world
from deep.nn.tensors import flat, part
from deep.seeding import streams
from deep.training import checkpoint, installation
from deep.training.algorithms import ALGORITHMS, Agent
from deep.training.evaluation import Evaluation, evaluate
from deep.training.metrics import Board, Table, rows
from deep.training.settings import Settings, as_json, check, from_json
from deep.training.trainer import Cadence, DivergedError, Trainer

FORMAT = "deep-run/1"
#: Largest manifest that is read, in bytes.
MAX_BYTES = 2**20
#: The most resumptions that a manifest keeps.
MOST_NOTES = 100


@dataclass(frozen=True)
class Run:
    """What a folder's manifest says. ``name``: of the run in tables, the folder's first name."""

    folder: Path
    name: str
    settings: Settings
    device: str

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.folder / "checkpoints"

    @property
    def total(self) -> int:
        """Episodes to train: the settings', rounded up to whole rows of environments."""
        side = self.settings.environments
        return -(-self.settings.episodes // side) * side


def start(settings: Settings, folder: Path) -> Run:
    """A new run in ``folder``, which must be empty or not there yet."""
    check(settings)
    device = installation.device(settings.device)
    _check_memory(settings, device)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"--out: {folder} holds something already; name a new folder")
    run = Run(folder, folder.name, settings, device)
    write_json(folder / "manifest.json", _manifest(run))
    return run


def reopen(folder: Path, episodes: int | None = None, device: str | None = None) -> Run:
    """The run in ``folder``; with more ``episodes``, or on another ``device``, if given."""
    path = folder / "manifest.json"
    if not path.is_file():
        raise InputError(f"{folder}: holds no manifest.json, so it is not a run; give its folder")
    try:
        manifest = json.loads(read_text(path, MAX_BYTES))
        found = manifest["format"]
        if found != FORMAT:
            raise InputError(f"{path}: format {found!r}, and this version reads {FORMAT}")
        settings = from_json(manifest["settings"], str(path))
        run = Run(folder, str(manifest["run"]), settings, str(manifest["device"]))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not the manifest of a run ({error!r})") from error
    settings = check(run.settings)
    if episodes is not None:
        settings = replace(settings, episodes=whole("--episodes", episodes, settings.episodes))
    chosen = installation.device(device or run.device)
    return replace(run, settings=settings, device=chosen)


def train(run: Run) -> int:
    """Train until the run's episodes are done, from its last checkpoint on; the exit code."""
    torch.set_num_threads(run.settings.threads)
    with _alone(run.folder):
        trainer = assemble(run)
        kept = _last(run)
        if kept is not None:
            trainer.restore(kept.tensors)
            _note(run, trainer.episodes)
        measured = part(kept.tensors, "run") if kept else {}
        table = Table(run.folder / "metrics.csv", int(measured.get("table", 0)))
        before = float(measured.get("seconds", 0.0))
        del kept, measured
        board = None
        if run.settings.tensorboard:
            board = Board(run.folder / "tensorboard", run.settings.seeds, trainer.episodes)
        try:
            _go_on(run=run, trainer=trainer, table=table, board=board, before=before)
        except DivergedError as error:
            last = [path.name for path in checkpoint.paths(run.checkpoints)]
            good = f"the last good checkpoint is {last[-1]}" if last else "there is no checkpoint"
            print(f"{run.folder}: diverged: {error}; {good}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print(f"python -m deep resume {run.folder} goes on", file=sys.stderr)
            raise
        finally:
            table.close()
            if board is not None:
                board.close()
    return 0


def assemble(run: Run) -> Trainer:
    """A trainer at its start."""
    settings = run.settings
    dtype = getattr(torch, settings.dtype)
    env = _world(run)
    shape = Shape(env.observation_sizes, env.spaces)
    agent = _agent(run, env)
    return Trainer(
        seeds=settings.seeds,
        environments=Environments(
            env, streams(settings.seeds, "environment"), settings.environments
        ),
        replay=replay(
            shape=shape,
            runs=len(settings.seeds),
            capacity=settings.capacity,
            dtype=dtype,
            device=run.device,
        ),
        learner=agent.learner,
        rounds=agent.rounds,
        streams={
            purpose: streams(settings.seeds, purpose) for purpose in ("explore", "replay", "update")
        },
        cadence=Cadence(settings.update_every, settings.warm_up),
    )


def trained(run: Run) -> tuple[World, Learner, Path]:
    """The world, the learner of the last checkpoint, and that checkpoint."""
    torch.set_num_threads(run.settings.threads)
    env = _world(run)
    agent = _agent(run, env)
    kept = _last(run)
    if kept is None:
        raise InputError(f"{run.folder}: has no checkpoint yet; train it first")
    agent.learner.restore(part(kept.tensors, "learner"))
    agent.rounds.restore(part(kept.tensors, "rounds"))
    return env, agent.learner, checkpoint.paths(run.checkpoints)[-1]


def summary(found: Evaluation) -> dict[str, Any]:
    """Mean returns and their standard errors, by seed and agent, as JSON."""

    def table(values: torch.Tensor) -> dict[str, dict[str, float | None]]:
        return {
            str(seed): {
                agent: value if value == value else None  # noqa: PLR0124 (NaN)
                for agent, value in zip(found.agents, row, strict=True)
            }
            for seed, row in zip(found.seeds, values.tolist(), strict=True)
        }

    return {
        "episodes": found.returns.shape[1],
        "return": table(found.means),
        "standard_error": table(found.errors),
    }


def _go_on(run: Run, trainer: Trainer, table: Table, board: Board | None, before: float) -> None:
    settings, began = run.settings, time.monotonic()
    agents = trainer.environments.world.agents

    def record(values: dict[str, torch.Tensor]) -> None:
        lines = rows(
            run=run.name,
            seeds=settings.seeds,
            agents=agents,
            episode=trainer.episodes,
            values=values,
        )
        table.add(lines)
        if board is not None:
            board.add(lines)

    def seconds() -> float:
        return before + time.monotonic() - began

    left = range(trainer.episodes, run.total, settings.environments)
    with progress() as bar:
        for done in bar.over(left, f"{settings.algorithm} {settings.task}"):
            trainer.episode()

            def due(every: int, done: int = done) -> bool:
                return every > 0 and trainer.episodes // every > done // every

            if due(settings.record_every):
                means = trainer.averages.means()
                record(means | trainer.rounds.counters())
                trainer.averages.clear()
                bar.note(_in_short(means["return"]))
            if due(settings.evaluate_every):
                found = _evaluated(run, trainer)
                own = streams(settings.seeds, f"examination after {trainer.episodes}")
                examined = trainer.rounds.oracle_metrics(trainer.environments.world, own)
                record({"evaluation": found.means} | examined)
            if due(settings.checkpoint_every) or trainer.episodes == run.total:
                trainer.check()
                _save(run, trainer, table, seconds())
    write_json(
        run.folder / "summary.json",
        {
            "episodes": trainer.episodes,
            "steps": trainer.steps,
            "updates": trainer.updates,
            "seconds": round(seconds(), 1),
            "finished": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            "evaluation": summary(_evaluated(run, trainer)),
        },
        replace=True,
    )


def _evaluated(run: Run, trainer: Trainer) -> Evaluation:
    return evaluate(
        world=trainer.environments.world,
        learner=trainer.learner,
        seeds=run.settings.seeds,
        episodes=run.settings.evaluation_episodes,
        purpose=f"evaluation after {trainer.episodes}",
    )


def _in_short(returns: torch.Tensor) -> str:
    """Mean over agents of every run's return."""
    return "return " + " ".join(f"{value:.1f}" for value in returns.mean(-1).tolist())


def _save(run: Run, trainer: Trainer, table: Table, seconds: float) -> None:
    own = {"table": torch.tensor(table.length()), "seconds": torch.tensor(seconds).double()}
    content = checkpoint.Checkpoint(
        json.dumps(as_json(run.settings)), trainer.state() | flat({"run": own})
    )
    checkpoint.save(run.checkpoints, trainer.episodes, content)


def _last(run: Run) -> checkpoint.Checkpoint | None:
    """The newest checkpoint, which must be of a run with the same settings."""
    found = checkpoint.paths(run.checkpoints)
    if not found:
        return None
    kept = checkpoint.load(found[-1])
    try:
        saved = json.loads(kept.settings)
    except ValueError as error:
        raise InputError(f"{found[-1]}: its settings are not JSON; remove it") from error
    for name, value in as_json(run.settings).items():
        if name not in ("episodes", "device") and saved.get(name) != value:
            raise InputError(
                f"{found[-1]}: written with other settings of {name} than the manifest has; "
                "restore the manifest"
            )
    return kept


def _world(run: Run) -> World:
    settings = run.settings
    return world(
        settings.task,
        settings.counts,
        integrator=settings.integrator,
        continuous=settings.continuous,
        dtype=getattr(torch, settings.dtype),
        device=run.device,
    )


def _agent(run: Run, env: World) -> Agent:
    settings = run.settings
    assemble = ALGORITHMS[settings.algorithm].assemble
    return assemble(settings, env, getattr(torch, settings.dtype), run.device)


def _manifest(run: Run) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "run": run.name,
        "settings": as_json(run.settings),
        "seeds": list(run.settings.seeds),
        "episodes": run.total,
        "threads": run.settings.threads,
        **_here(run),
        "resumed": [],
    }


def _here(run: Run) -> dict[str, Any]:
    """Where and with what it runs."""
    return {
        "device": run.device,
        "device_name": installation.device_name(run.device),
        "platform": f"{platform.system()} {platform.machine()}",
        "versions": installation.versions(),
        "git": git_state(),
        "started": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    }


def _note(run: Run, episode: int) -> None:
    """Add to the manifest that the run goes on here from ``episode``."""
    path = run.folder / "manifest.json"
    manifest = json.loads(read_text(path, MAX_BYTES))
    resumed = [*manifest.get("resumed", []), {"from": episode, **_here(run)}][-MOST_NOTES:]
    changed = {"settings": as_json(run.settings), "episodes": run.total, "resumed": resumed}
    write_json(path, manifest | changed, replace=True)


def _check_memory(settings: Settings, device: str) -> None:
    """``InputError`` where the replays would not fit into this machine's memory."""
    if device != "cpu" or not hasattr(os, "sysconf"):
        return
    env = _world(Run(Path(), "", settings, device))
    agents, seen = len(env.agents), max(env.observation_sizes)
    numbers = agents * (2 * seen + action_width(env.spaces) + 1) + 1
    filled = min(settings.capacity, settings.episodes * env.episode_steps)
    size = 8 if settings.dtype == "float64" else 4
    runs, row = len(settings.seeds), numbers * size
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    parts = {f"capacity: {settings.capacity} transitions of {runs} runs": filled}
    model = model_settings(settings.learner)
    if model is not None:
        what = (
            f"model.rollouts: {model.buffer_rounds} x {model.rollouts} branches of {model.k} steps"
        )
        parts[f"{what} of {agents} agents in {runs} runs"] = agents * model.buffer_rows
    needed = 0
    for what, filled in parts.items():
        needed += runs * filled * row
        if needed > there:
            raise InputError(
                f"{what} come to {needed / 2**30:.1f} GiB, and this machine has "
                f"{there / 2**30:.1f}; give fewer"
            )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from training in ``folder``; the system lets go when a process dies."""
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        yield
        return
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"{folder}: another process trains there; wait for its end") from None
        yield
