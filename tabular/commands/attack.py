"""The command ``attack`` of ``python -m tabular``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import tyro

from bounds.shared.numbers import InputError, parse_number, whole


@dataclass(frozen=True)
class Attack:
    """Gradient ascent on games and policies against bounds; 1 if a valid one is exceeded."""

    bounds: tyro.conf.Positional[tuple[str, ...]] = ()
    """Names of bounds, as in `python -m bounds list`; left out: all coupling bounds."""
    out: Path | None = None
    """Folder of the run; a run that was stopped goes on there. Left out: a new one under runs/."""
    caps: tuple[str, ...] = ("1", "1/20")
    """Largest value of every error that the bound reads; 1 is no cap."""
    least: str = "0"
    """Smallest model error, as a fraction of the cap (above 0 it cannot be left out)."""
    seeds: int = 1
    """Attacks on each shape of games."""
    seed: int = 0
    """Seed of everything random."""
    restarts: int = 64
    """Random starts in each attack."""
    steps: int = 300
    """Gradient steps from each start."""
    workers: int | None = None
    """Processes, one thread each; left out: one a core. With --ray: CPUs of a local cluster."""
    ray: bool = False
    """Run the jobs on a Ray cluster (needs the extra: ray)."""
    address: str | None = None
    """Address of the Ray cluster; left out: a local one is started."""
    plot: bool = False
    """Draw ratios over steps and over restarts into the folder."""


def run_attack(command: Attack) -> int:
    """Run one parsed command; returns the exit code."""
    from bounds.library.published import BOUNDS, find
    from tabular.search import attack
    from tabular.search.ascent import Effort
    from tabular.search.attack_jobs import TARGETS, Settings

    for name in command.bounds:
        find(name)
    named = tuple((b.name, b.about) for b in BOUNDS if b.name in command.bounds)
    caps = tuple(parse_number(text, "--caps") for text in command.caps)
    for cap in caps:
        if not 0 < cap <= 1:
            raise InputError(f"--caps: {cap} is not in (0, 1]; 1 is no cap")
    if not caps:
        raise InputError("--caps: none given; 1 is no cap")
    least = parse_number(command.least, "--least")
    if not 0 <= least < 1:
        raise InputError(f"--least: {least} is not in [0, 1); it is a fraction of the cap")
    if command.address is not None and not command.ray:
        raise InputError("--address: given without --ray; add --ray")
    settings = Settings(
        targets=named or TARGETS,
        caps=caps,
        least=least,
        seeds=whole("--seeds", command.seeds, 1),
        seed=whole("--seed", command.seed),
        effort=Effort(whole("--restarts", command.restarts, 1), whole("--steps", command.steps, 1)),
    )
    if command.workers is not None:
        whole("--workers", command.workers, 1)
    folder = command.out or Path("runs") / f"attack-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    code = attack.run_attack(
        settings, folder, workers=command.workers, ray=command.ray, address=command.address
    )
    if command.plot:
        from tabular.search.figures import save_picture

        print(save_picture(folder))
    return code
