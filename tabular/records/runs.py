"""Recorded runs of ``python -m deep train``, read back without torch: for tables and curves.

A folder holds ``manifest.json`` and ``metrics.csv``, the tidy table of ``deep.training.metrics``
with the columns run, seed, episode, name, value; a name is "name/agent" where each agent has a
value.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bounds.shared.files import read_text
from bounds.shared.numbers import Array, InputError
from tabular.records.interactions import EPISODE, normalised

#: Largest files that are read, in bytes.
MOST = 2**27


@dataclass(frozen=True, eq=False)
class Record:
    """A run's folder.

    manifest: as written. seeds: in its order. series: for each recorded name
    (``deep.training.metrics``) the episodes [moment], and the values [moment, seed].
    """

    folder: Path
    manifest: Mapping[str, Any]
    seeds: tuple[int, ...]
    series: Mapping[str, tuple[Array, Array]]

    def of_agents(self, name: str) -> tuple[Array, Array]:
        """Episodes [moment] and the values of ``name`` [moment, seed, agent]."""
        parts = [each for key, each in self.series.items() if key.partition("/")[0] == name]
        if not parts:
            raise InputError(f"{self.folder}: {name} was not recorded; see python -m deep metrics")
        episodes = parts[0][0]
        if any(not np.array_equal(each[0], episodes) for each in parts):
            raise InputError(f"{self.folder}: {name} of the agents is from different moments")
        return episodes, np.stack([each[1] for each in parts], -1)

    def over_agents(self, name: str) -> tuple[Array, Array]:
        """Episodes [moment] and the mean over agents of ``name`` [moment, seed]."""
        episodes, values = self.of_agents(name)
        return episodes, values.mean(-1)

    def interactions(self, episodes: Array) -> Array:
        """Normalised agent interactions after so many episodes, [moment], the mean over seeds.

        ``tabular.records.interactions``, of runs with 25 steps an episode; calls between recorded
        moments are on a straight line. Without calls these are the episodes.
        """
        if not any(key.startswith("calls/") for key in self.series):
            return episodes.astype(float)
        moments, calls = self.of_agents("calls")
        agents = calls.shape[-1]
        total = calls.sum(-1).mean(1)
        along = np.interp(episodes, [0, *moments], [0.0, *total])
        return np.asarray(normalised(EPISODE * episodes, along, agents))


def read(folder: Path) -> Record:
    """The record in ``folder``; ``InputError`` where it is not one, or its table has gaps."""
    try:
        manifest = json.loads(read_text(folder / "manifest.json", MOST))
        seeds = tuple(int(seed) for seed in manifest["seeds"])
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{folder}: manifest.json is not that of a run ({error!r})") from error
    found: dict[str, dict[int, dict[int, float]]] = {}
    text = read_text(folder / "metrics.csv", MOST)
    for number, row in enumerate(csv.DictReader(io.StringIO(text)), 2):
        try:
            value = float(row["value"])
            if not math.isfinite(value):
                raise ValueError(f"{value} is not finite")
            at = found.setdefault(row["name"], {}).setdefault(int(row["episode"]), {})
            at[int(row["seed"])] = value
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{folder}: metrics.csv, line {number}: {error!r}") from error
    series = {}
    for name, moments in found.items():
        for episode, values in moments.items():
            if set(values) != set(seeds):
                raise InputError(
                    f"{folder}: {name} after {episode} episodes is there for seeds "
                    f"{sorted(values)} of {sorted(seeds)}; record the run again"
                )
        episodes = sorted(moments)
        table = [[moments[episode][seed] for seed in seeds] for episode in episodes]
        series[name] = (np.array(episodes), np.array(table))
    return Record(folder, manifest, seeds, series)
