"""The command line of ``python -m deep``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from bounds.shared.command_line import run
from bounds.shared.numbers import InputError, whole
from bounds.shared.text_table import aligned
from deep.commands.bias import Bias, run_bias_command
from deep.envs.tasks import names
from deep.training.algorithms import ALGORITHMS
from deep.training.presets import PRESETS, preset
from deep.training.settings import Settings, choice


@dataclass(frozen=True)
class Train:
    """Train agents, all seeds at once; defaults are those of the preset for the task."""

    settings: Annotated[Settings, tyro.conf.arg(name="")]
    """Everything about the run."""
    preset: str = "laptop"
    """laptop: learns in minutes; paper: the paper's scale; paper-code: with its code's models."""
    out: Path | None = None
    """Folder of the run; left out: a new one under runs/."""


@dataclass(frozen=True)
class Resume:
    """Go on with a run that was stopped, from its last checkpoint, to the same numbers."""

    run: tyro.conf.Positional[Path]
    """The run's folder."""
    episodes: int | None = None
    """Train on to more episodes than the run was begun with."""
    device: Literal["auto", "cpu", "cuda"] | None = None
    """Go on on another device than before."""


@dataclass(frozen=True)
class Evaluate:
    """Play the agents of a run's last checkpoint; training stays bit for bit the same."""

    run: tyro.conf.Positional[Path]
    """The run's folder."""
    episodes: int = 500
    """Episodes of each seed."""
    seed: int = 0
    """Which starts: the same seed plays the same ones."""
    sample: bool = False
    """Sample actions as in training, in place of the most probable ones."""
    device: Literal["auto", "cpu", "cuda"] | None = None
    """Play on another device than the run's."""
    json: bool = False
    """Print one JSON object."""
    render: Path | None = None
    """Write the first episode of the first seed as a GIF to this new file."""


@dataclass(frozen=True)
class Metrics:
    """What every name in metrics.csv means."""


@dataclass(frozen=True)
class Doctor:
    """Versions, device, threads, and which optional parts are there."""

    json: bool = False
    """Print one JSON object."""


@dataclass(frozen=True)
class Bench:
    """Measure the costs of AORPO's parts here, and the hours that the presets will take."""

    json: bool = False
    """Print one JSON object."""


def commands(arguments: Sequence[str]) -> Any:
    """The union of the commands, with the defaults of the preset that ``arguments`` choose."""
    default = Train(_defaults(arguments))
    return (
        Annotated[Train, tyro.conf.subcommand("train", default=default)]
        | Annotated[Resume, tyro.conf.subcommand("resume")]
        | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
        | Annotated[Bias, tyro.conf.subcommand("bias")]
        | Annotated[Metrics, tyro.conf.subcommand("metrics")]
        | Annotated[Doctor, tyro.conf.subcommand("doctor")]
        | Annotated[Bench, tyro.conf.subcommand("bench")]
    )


def _defaults(arguments: Sequence[str]) -> Settings:
    """Of the names that are known; those that are not are answered when the command runs."""
    peek = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    usual: dict[str, tuple[Collection[str], str]] = {
        "preset": (PRESETS, "laptop"),
        "task": (names(), "spread"),
        "algorithm": (ALGORITHMS, "masac"),
    }
    for name in usual:
        peek.add_argument(f"--{name}", nargs="?")
    given = vars(peek.parse_known_args(list(arguments))[0])
    chosen = [given[n] if given[n] in known else default for n, (known, default) in usual.items()]
    return preset(*chosen)


def execute(command: Train | Resume | Evaluate | Bias | Metrics | Doctor | Bench) -> int:
    """Run one parsed command; returns the exit code."""
    match command:
        case Train():
            return _train(command)
        case Resume():
            from deep.training.run import reopen, train

            again = reopen(command.run, command.episodes, command.device)
            return _trained(train(again), again.folder)
        case Evaluate():
            return _evaluate(command)
        case Bias():
            return run_bias_command(command)
        case Metrics():
            from deep.training.metrics import GLOSSARY

            print(aligned(list(GLOSSARY.items())))
            return 0
        case Doctor():
            from deep.training.installation import report

            rows = report()
            if command.json:
                print(json.dumps(dict(rows), ensure_ascii=False))
            else:
                print(aligned(rows))
            return 0
        case Bench():
            return _bench(command)


def _bench(command: Bench) -> int:
    from bounds.shared.progress import progress
    from deep.analysis import benchmark, benchmark_hours
    from deep.training.installation import device_name

    with progress() as bar:
        rows, hours = benchmark.table(bar=bar), benchmark_hours.table(bar=bar)
    if command.json:
        found = {"device": device_name("cpu"), "threads": 1}
        lists = {"costs": [asdict(row) for row in rows], "hours": [asdict(row) for row in hours]}
        print(json.dumps(found | lists, ensure_ascii=False))
        return 0
    print(f"{device_name('cpu')}, one thread; processor time\n")
    print(aligned(benchmark.lines(rows), numbers=1))
    print(
        "\nhours that a preset takes, all seeds in one process, computed from costs of its parts;"
    )
    print(
        "a fit stops after `patience` epochs at the earliest, at its largest number at the latest\n"
    )
    print(aligned(benchmark_hours.lines(hours), numbers=1))
    return 0


def _train(command: Train) -> int:
    from deep.training.run import start, train

    choice("--preset", command.preset, PRESETS)
    settings = command.settings
    task = settings.task.replace(":", "-")
    name = f"{task}-{settings.algorithm}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    begun = start(settings, command.out or Path("runs") / name)
    threads = f"{settings.threads} thread" + "s" * (settings.threads > 1)
    seeds = " ".join(map(str, settings.seeds))
    print(f"{begun.folder}: {begun.total} episodes, seeds {seeds}, {begun.device}, {threads}")
    return _trained(train(begun), begun.folder)


def _trained(code: int, folder: Path) -> int:
    if code == 0:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        print(f"{folder}: {summary['episodes']} episodes in {summary['seconds']} s")
        _print_returns(summary["evaluation"])
    return code


def _evaluate(command: Evaluate) -> int:
    from deep.training.evaluation import evaluate
    from deep.training.run import reopen, summary, trained

    whole("--episodes", command.episodes, 1)
    whole("--seed", command.seed)
    if command.render is not None and command.render.exists():
        raise InputError(f"--render: {command.render} exists; choose another name")
    if command.render is not None and command.render.suffix.lower() != ".gif":
        raise InputError(f"--render: {command.render} does not end in .gif; name a GIF file")
    opened = reopen(command.run, device=command.device)
    world, learner, path = trained(opened)
    purpose, seeds = f"evaluation with seed {command.seed}", opened.settings.seeds
    found = evaluate(world, learner, seeds, command.episodes, purpose, greedy=not command.sample)
    if command.json:
        print(json.dumps({"checkpoint": str(path)} | summary(found), ensure_ascii=False))
    else:
        print(f"{path}: {command.episodes} episodes")
        _print_returns(summary(found))
    if command.render is not None:
        from deep.analysis.animation import episode, save_gif

        pictures = episode(world, learner, seeds, purpose, greedy=not command.sample)
        written = save_gif(pictures, command.render)
        print(written, file=sys.stderr if command.json else sys.stdout)
    return 0


def _print_returns(found: dict[str, Any]) -> None:
    """One line a seed: the mean return of every agent and its standard error."""
    for seed, means in found["return"].items():
        errors = found["standard_error"][seed]
        cells = (
            f"{agent} {mean:.2f}" + (f" ± {errors[agent]:.2f}" if errors[agent] is not None else "")
            for agent, mean in means.items()
        )
        print(f"seed {seed}: {', '.join(cells)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``python -m deep``."""
    return run(
        commands=commands,
        execute=execute,
        prog="python -m deep",
        description="Multi-agent learners in batched environments, many seeds at once.",
        arguments=arguments,
    )
