"""Recorded runs (``tabular.records.runs``) as greedy returns over episodes, and what they asked.

evaluation/AGENT is the greedy return of an episode, not discounted, calls/AGENT how often the agent
asked a real opponent so far; ``summary.json`` says when the run was finished.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bounds.shared.checkout import RECORDED
from bounds.shared.numbers import Array, InputError
from tabular.records.interactions import EPISODE, normalised
from tabular.records.runs import read
from tabular.records.theory import read_object

#: Where this project's own records are.
FOLDER = RECORDED / "training"
FILES = ("manifest.json", "summary.json", "metrics.csv")


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
    def trained_episodes(self) -> int:
        """Episodes of each seed's run."""
        return int(self.summary["episodes"])

    @property
    def last_evaluation(self) -> int:
        """Episode of the last evaluation."""
        return int(self.episodes[-1])

    @property
    def evaluate_every(self) -> int:
        """Episodes between evaluations that were asked for."""
        return int(self.settings["evaluate_every"])

    @property
    def normalised(self) -> float:
        """Normalised agent interactions of the whole run, mean over seeds."""
        return float(normalised(EPISODE * self.trained_episodes, self.calls.mean(), self.agents))

    def first(self, least: float) -> int | None:
        """The first evaluation, by its episode, whose mean over seeds is at least ``least``."""
        return _first(self.episodes, self.returns.mean(1) >= least)

    def first_by_seed(self, least: float) -> list[int | None]:
        """The same for each seed by itself."""
        return [_first(self.episodes, reached) for reached in (self.returns >= least).T]

    def moment_by(self, episode: int) -> int | None:
        """The moment of the last evaluation at or before ``episode``."""
        found = np.flatnonzero(self.episodes <= episode)
        return int(found[-1]) if found.size else None

    def moment_from(self, episode: int) -> int | None:
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
    record = read(folder / name)
    summary = read_object(folder / name / "summary.json", made_by(name))
    episodes, returns = record.of_agents("evaluation")
    calls = np.zeros(len(record.seeds))
    if any(key.startswith("calls/") for key in record.series):
        calls = record.of_agents("calls")[1][-1].sum(-1)
    agents = returns.shape[-1]
    run = GreedyRun(
        name=name,
        manifest=record.manifest,
        summary=summary,
        episodes=episodes,
        returns=returns.mean(-1),
        calls=calls,
        agents=agents,
    )
    try:
        # what a row needs besides is there
        _ = run.rounds, run.trained_episodes, run.evaluate_every, summary["finished"]
        _ = run.settings["algorithm"], run.settings["learner"], run.manifest["versions"]["torch"]
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{folder / name}: not the whole record of a run ({error!r}); {made_by(name)}"
        ) from error
    if len(record.seeds) < 2:
        raise InputError(f"{folder / name}: one seed has no interval; record two or more")
    return run


def _first(episodes: Array, reached: Array) -> int | None:
    return int(episodes[reached.argmax()]) if reached.any() else None
