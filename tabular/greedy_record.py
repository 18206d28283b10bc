"""Recorded runs of ``python -m deep train``, read as greedy returns over episodes, without torch.

A folder holds ``manifest.json``, ``summary.json`` and ``metrics.csv``, the tidy table of
``deep.metrics`` with the columns run, seed, episode, name, value. Read here: evaluation/AGENT, the
greedy return of an episode, not discounted, and calls/AGENT, how often the agent asked a real
opponent so far.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bounds.files import read_text
from bounds.numbers import Array, InputError
from tabular.training_record import MAX_BYTES, read_object

#: Where this project's own records are; they are no part of an installed package.
FOLDER = Path(__file__).parents[1] / "notebooks" / "data" / "training"
FILES = ("manifest.json", "summary.json", "metrics.csv")
#: Steps of an episode, by which the paper divides interactions.
EPISODE = 25

Cells = dict[tuple[int, int], float]


@dataclass(frozen=True, eq=False)
class GreedyRun:
    """One record: manifest and summary as written.

    episodes: int [moment], when there was an evaluation. returns: [moment, seed], means over
    agents. calls: [seed], of all agents to real opponents in the whole run. agents: how many.
    """

    name: str
    manifest: Mapping[str, Any]
    summary: Mapping[str, Any]
    episodes: Array
    returns: Array
    calls: Array
    agents: int

    @property
    def settings(self) -> Mapping[str, Any]:
        """What the run was started with."""
        return dict(self.manifest["settings"])

    @property
    def rounds(self) -> tuple[int, int]:
        """(updates of a round, environment steps between two rounds)."""
        return int(self.settings["updates"]), int(self.settings["update_every"])

    @property
    def length(self) -> int:
        """Episodes of each seed's run."""
        return int(self.summary["episodes"])

    @property
    def until(self) -> int:
        """Episode of the last evaluation."""
        return int(self.episodes[-1])

    @property
    def every(self) -> int:
        """Episodes between evaluations that were asked for."""
        return int(self.settings["evaluate_every"])

    @property
    def normalised(self) -> float:
        """Normalised agent interactions of the whole run, mean over seeds.

        (n · steps + calls)/n/25, where a run has 25 steps an episode.
        """
        return self.length + float(self.calls.mean()) / self.agents / EPISODE

    def first(self, least: float) -> int | None:
        """The first evaluation, by its episode, whose mean over seeds is at least ``least``."""
        return _first(self.episodes, self.returns.mean(1) >= least)

    def first_by_seed(self, least: float) -> list[int | None]:
        """The same for each seed by itself."""
        return [_first(self.episodes, reached) for reached in (self.returns >= least).T]

    def last_by(self, episode: int) -> int | None:
        """The moment of the last evaluation at or before ``episode``."""
        found = np.flatnonzero(self.episodes <= episode)
        return int(found[-1]) if found.size else None

    def first_from(self, episode: int) -> int | None:
        """The moment of the first evaluation at or after ``episode``."""
        found = np.flatnonzero(self.episodes >= episode)
        return int(found[0]) if found.size else None


def made_by(name: str) -> str:
    """The command that trains the run ``name`` and records it."""
    return f"python notebooks/record_training.py {name}"


def recorded(name: str, folder: Path = FOLDER) -> GreedyRun | None:
    """The record ``name`` in ``folder``; None where it is not there, or not all of it yet.

    ``InputError`` where a file is not what it should be, where an evaluation lacks a seed, or
    where there are fewer than two seeds, which have no interval.
    """
    if not all((folder / name / file).is_file() for file in FILES):
        return None
    manifest, summary = (read_object(folder / name / file, made_by(name)) for file in FILES[:2])
    where = f"{folder / name}: metrics.csv"
    series = _series(read_text(folder / name / "metrics.csv", MAX_BYTES), where)
    try:
        seeds = [int(seed) for seed in manifest["seeds"]]
        tables = [_table(series[key], seeds) for key in series if key.startswith("evaluation/")]
        asked = [_table(series[key], seeds) for key in series if key.startswith("calls/")]
        episodes = tables[0][0]
        if any(not np.array_equal(each, episodes) for each, _ in tables):
            raise InputError(f"{where}: evaluations of the agents are from different moments")
        run = GreedyRun(
            name,
            manifest,
            summary,
            episodes,
            np.mean([values for _, values in tables], axis=0),
            np.sum([values[-1] for _, values in asked], axis=0) if asked else np.zeros(len(seeds)),
            len(tables),
        )
        # what a row needs besides is there
        _ = run.rounds, run.length, run.every, summary["finished"], manifest["versions"]["torch"]
        _ = run.settings["algorithm"], run.settings["learner"]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{folder / name}: not the whole record of a run ({error!r}); {made_by(name)}"
        ) from error
    if len(seeds) < 2:
        raise InputError(f"{folder / name}: one seed has no interval; record two or more")
    return run


def _series(text: str, where: str) -> dict[str, Cells]:
    found: dict[str, Cells] = {}
    for number, row in enumerate(csv.DictReader(io.StringIO(text)), 2):
        try:
            name = row["name"]
            if name.startswith(("evaluation/", "calls/")):
                value = float(row["value"])
                if not np.isfinite(value):
                    raise ValueError(f"{value} is not finite")
                found.setdefault(name, {})[int(row["episode"]), int(row["seed"])] = value
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise InputError(f"{where}, line {number}: {error!r}") from error
    return found


def _table(cells: Cells, seeds: list[int]) -> tuple[Array, Array]:
    """Episodes [moment] and values [moment, seed]; ``KeyError`` where one is missing."""
    episodes = sorted({episode for episode, _ in cells})
    values = [[cells[episode, seed] for seed in seeds] for episode in episodes]
    return np.array(episodes), np.array(values)


def _first(episodes: Array, reached: Array) -> int | None:
    return int(episodes[reached.argmax()]) if reached.any() else None
