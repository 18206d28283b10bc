"""AORPO trained on finite games with the theory in the loop: one row an epoch, and its check.

Small networks, all seeds at once, in float64, so that the roundings of another processor start
small. ``verify`` trains anew and compares:

- with the processor and versions of the record, every number must be the same in the ten digits
  that are recorded: the run is bit for bit reproducible;
- elsewhere roundings differ from the first sum on and training carries them further, so numbers
  may differ by ``ELSEWHERE`` (see there for what was measured);
- everywhere the bounds must hold at every moment, and the ledger's rows must have the same status.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bounds.shared.checkout import git_state
from bounds.shared.files import write_json, write_text
from bounds.shared.numbers import InputError
from deep.analysis.exact_tables import watched
from deep.aorpo.rollout_schedule import linear
from deep.aorpo.rounds import ModelBasedRounds
from deep.aorpo.settings import Aorpo, ModelBasedSettings
from deep.dynamics.ensemble import DynamicsSettings
from deep.opponents.fitting import OpponentSettings
from deep.training import installation
from deep.training.run import Run, assemble
from deep.training.settings import Settings, as_json, check
from tabular.audit.rows.adaptive_lengths import claims_of
from tabular.games.catalogue import find
from tabular.records.theory import ROUNDING, Record, load, parse, row, table
from tabular.records.theory_checks import broken
from tabular.records.theory_row import measured

FORMAT = "theory-record/1"
COMMAND = "python notebooks/record_theory.py"
GAMES = ("coordination", "public-goods", "garnet")
SEEDS = (0, 1, 2, 3, 4)
EPOCH, EPOCHS = 25, 20
#: How far numbers may differ on another processor or with other versions, as ``difference`` counts.
#: With the plainest code of torch and MKL in the place of AVX-512 it was at most 3.6e-9, so this
#: leaves room. One action drawn otherwise would change all that follows; its chance is that of a
#: number in [0, 1) that close to an edge.
ELSEWHERE = 1e-6
MODEL = ModelBasedSettings(
    warmup_episodes=EPOCH,
    rollouts=256,
    k=8,
    rollout_length_epochs=(1, 10),
    epoch=EPOCH,
    fit_every=500,
    dynamics=DynamicsSettings(members=3, hidden=(32, 32), batch=128, max_rows=5000, max_epochs=10),
    opponents=OpponentSettings(
        hidden=(32,), learning_rate=0.003, max_rows=512, batch=128, max_epochs=5
    ),
)


def settings(game: str, seeds: tuple[int, ...] = SEEDS, epochs: int = EPOCHS) -> Settings:
    """The settings of the recorded run on ``game``; the learner's discount is the game's."""
    return check(
        Settings(
            task=f"game:{game}",
            algorithm="aorpo",
            seeds=seeds,
            episodes=epochs * EPOCH,
            environments=5,
            updates=4,
            update_every=100,
            warm_up=500,
            capacity=5000,
            dtype="float64",
            device="cpu",
            learner=Aorpo(
                learning_rate=0.003,
                batch=128,
                hidden=(32, 32),
                gamma=float(find(game).build().gamma),
                model=MODEL,
            ),
        )
    )


def train(chosen: Settings) -> Iterator[dict[str, Any]]:
    """The rows of one run, epoch by epoch from the first fit of the dynamics on, as it trains."""
    torch.set_num_threads(chosen.threads)
    trainer = assemble(Run(Path(), "", chosen, chosen.device))
    loop, rounds = watched(trainer), trainer.rounds
    assert isinstance(rounds, ModelBasedRounds)
    model = rounds.settings
    all_real = 0
    while trainer.episodes < chosen.episodes:
        before, updates = trainer.episodes, trainer.updates
        done = False
        while not done:
            done = loop.step()
            if trainer.updates > updates and trainer.episodes >= model.warmup_episodes:
                k = linear(trainer.episodes // model.epoch, *model.rollout_length_epochs, model.k)
                all_real += model.rollouts * (loop.game.n - 1) * k
            updates = trainer.updates
        if trainer.episodes // model.epoch == before // model.epoch or rounds.last_dynamics_fit < 0:
            continue
        # the k that the rounds just done had, not the next epoch's
        k = linear(before // model.epoch, *model.rollout_length_epochs, model.k)
        means, calls = trainer.averages.means(), rounds.counters()["calls"]
        trainer.averages.clear()
        steps = trainer.environments.world.episode_steps
        for run, cases in enumerate(loop.cases()):
            for ego, case in enumerate(cases):
                learner = {
                    "training_return": float(means["return"][run, ego]) / steps,
                    "estimate": float(means["opponent_error"][run, ego]),
                    "calls": int(calls[run, ego]),
                    "calls_all_real": all_real,
                }
                found = measured(case, k)
                yield row(
                    seed=chosen.seeds[run],
                    episode=trainer.episodes,
                    ego=ego,
                    found=found,
                    learner=learner,
                )


def record(folder: Path, games: tuple[str, ...] = GAMES) -> Path:
    """Train on all games and write the tables and the manifest to ``folder``; its path."""
    began = time.monotonic()
    for game in games:
        write_text(folder / f"{game}.csv", table(train(settings(game))), replace=True)
    manifest = {
        "format": FORMAT,
        "command": COMMAND,
        "games": list(games),
        "seeds": list(SEEDS),
        "settings": {game: as_json(settings(game)) for game in games},
        "seconds": round(time.monotonic() - began, 1),
        "finished": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "versions": installation.versions(),
        "git": git_state(),
    }
    return write_json(folder / "manifest.json", manifest, replace=True)


def verify(folder: Path) -> int:
    """Train anew, compare with the record in ``folder``, print what is found; 0 if all agrees."""
    began = time.monotonic()
    manifest, recorded = load(folder)
    found, good = [], True
    here = processor() == manifest["processor"] and installation.versions() == manifest["versions"]
    most = ROUNDING if here else ELSEWHERE
    for old in recorded:
        if as_json(settings(old.game)) != manifest["settings"][old.game]:
            raise InputError(f"{folder}: {old.game}: other settings than the code's; {COMMAND}")
        new = parse(old.game, table(train(settings(old.game))), old.game)
        found.append(new)
        gap, where = difference(old, new)
        wrong = broken(new)
        good &= gap <= most and not wrong
        print(
            f"{old.game}: {len(new)} moments, largest difference {gap:.2g}"
            f"{f' ({where})' if where else ''}, allowed {most:.2g}; bounds "
            f"{'hold' if not wrong else 'BROKEN: ' + wrong[0]}"
        )
    for old_claim, new_claim in zip(
        claims_of(manifest, recorded), claims_of(manifest, found), strict=True
    ):
        good &= old_claim.status == new_claim.status
        print(f"{new_claim.id}: {new_claim.status} (recorded: {old_claim.status})")
        print(f"  {new_claim.summary.rpartition('; ')[0]}")
    where = "the record's processor and versions" if here else f"{processor()}, not the record's"
    print(f"{'all agree' if good else 'DIFFERENT'}; on {where}; {time.monotonic() - began:.0f} s")
    return 0 if good else 1


def processor() -> str:
    """What rounds the numbers: the vector instructions that torch uses here."""
    return f"{platform.machine()}, torch with {torch.backends.cpu.get_cpu_capability()}"


def difference(recorded: Record, now: Record) -> tuple[float, str]:
    """The largest difference of two tables, and where; whole numbers and empty places count too.

    In units of 1, or of the largest number of a column where that is more. Infinite where tables
    have other rows or columns.
    """
    if set(recorded.columns) != set(now.columns) or len(recorded) != len(now):
        return float("inf"), "rows or columns"
    worst, where = 0.0, ""
    for name, old in recorded.columns.items():
        new = now[name]
        if (np.isnan(old) != np.isnan(new)).any():
            return float("inf"), name
        scale = np.nanmax(np.abs(old), initial=1.0)
        gap = float(np.nanmax(np.abs(new - old), initial=0.0) / scale)
        if gap > worst:
            worst, where = gap, name
    return worst, where
