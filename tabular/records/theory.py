"""The tables of recorded training on finite games: one row an epoch, seed and ego agent.

A folder holds ``manifest.json`` and ``NAME.csv`` for every game. Columns:

- seed, episode, ego;
- the fields of ``ErrorProfile``: gamma, r_max, span, k, policy_shift[0] (the ego agent's), …,
  opponent_model[0], …, joint_policy_shift, model_data, model_current, model_sup;
- real, model: η and η̂; theorem1, coupling_data, coupling_expected, coupling_sup;
- for every scheme of ``tabular.records.theory_row``: n_NAME[0], …, discrepancy_NAME, coupling_NAME,
  theorem2_NAME;
- k_printed and k_coupling (empty: no limit is best), k_within (``bounds.planning.rollout_length``);
- what the learner had: training_return of a step of the ego agent, mean over the epoch; estimate,
  the mean ε_π̂ that it measured; calls it made so far, calls_all_real that ``all-real`` would have.

Returns, discrepancies and bounds are un-normalised (see ``tabular.records.theory_row``). Numbers
are written in ten digits. ``bounds.planning.recorded_errors`` reads such a file too.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bounds.formula.error_profile import ErrorProfile
from bounds.shared.checkout import RECORDED
from bounds.shared.files import read_text
from bounds.shared.numbers import Array, InputError
from tabular.records.theory_row import Measured

#: Where this project's own record is.
FOLDER = RECORDED / "theory"
#: Largest file that is read, in bytes.
MAX_BYTES = 64 * 2**20
#: Digits of a number, and how far it may be off by rounding to them.
DIGITS = 10
ROUNDING = 10.0 ** (1 - DIGITS)


@dataclass(frozen=True, eq=False)
class Record:
    """One game's table. columns: float64 [row] by name, NaN where empty."""

    game: str
    columns: Mapping[str, Array]

    def __getitem__(self, name: str) -> Array:
        return self.columns[name]

    def __len__(self) -> int:
        return len(self.columns["seed"])

    @property
    def trivial(self) -> Array:
        """The largest possible discrepancy, span/(1 − γ), [row]."""
        return np.asarray(self["span"] / (1 - self["gamma"]))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The runs."""
        return tuple(int(seed) for seed in np.unique(self["seed"]))

    @property
    def schemes(self) -> tuple[str, ...]:
        """The schemes that were compared, by the columns n_NAME[0]."""
        heads = (re.fullmatch(r"n_(.+)\[0\]", name) for name in self.columns)
        return tuple(head[1] for head in heads if head)

    @property
    def opponents(self) -> int:
        """Opponents of an agent."""
        return sum(name.startswith("opponent_model[") for name in self.columns)

    def lengths(self, scheme: str) -> Array:
        """nⱼ, [row, opponent]."""
        return np.stack([self[f"n_{scheme}[{j}]"] for j in range(self.opponents)], 1).astype(int)

    def calls(self, scheme: str) -> Array:
        """Σ(k − nⱼ) a branch, [row]."""
        return np.asarray((self["k"][:, None] - self.lengths(scheme)).sum(axis=1))

    def errors(self, row: int) -> ErrorProfile:
        """The recorded errors of one row."""
        return self._profile(lambda name: self[name][row].item())

    @property
    def profile(self) -> ErrorProfile:
        """The recorded errors of all rows, as arrays."""
        return self._profile(lambda name: self[name])

    def by_seed(self, values: Array) -> Array:
        """Means over the rows of each seed, [seed]."""
        return np.array([values[self["seed"] == seed].mean() for seed in self.seeds])

    def _profile(self, of: Any) -> ErrorProfile:
        k: Any = of("k")
        return ErrorProfile(
            gamma=of("gamma"),
            policy_shift=tuple(of(f"policy_shift[{j}]") for j in range(self.opponents + 1)),
            opponent_model=tuple(of(f"opponent_model[{j}]") for j in range(self.opponents)),
            model_data=of("model_data"),
            model_current=of("model_current"),
            model_sup=of("model_sup"),
            k=k.astype(int) if isinstance(k, np.ndarray) else int(k),
            r_max=of("r_max"),
            span=of("span"),
            joint_policy_shift=of("joint_policy_shift"),
        )


def row(
    seed: int, episode: int, ego: int, found: Measured, learner: Mapping[str, float]
) -> dict[str, Any]:
    """One row of the table; learner: its own four columns."""
    errors, plan = found.errors, found.plan
    line: dict[str, Any] = {"seed": seed, "episode": episode, "ego": ego}
    line |= {name: getattr(errors, name) for name in ("gamma", "r_max", "span", "k")}
    line |= _entries("policy_shift", errors.policy_shift)
    line |= _entries("opponent_model", errors.opponent_model)
    for name in ("joint_policy_shift", "model_data", "model_current", "model_sup"):
        line[name] = getattr(errors, name)
    for name in ("real", "model", "theorem1"):
        line[name] = getattr(found, name)
    for name in ("coupling_data", "coupling_expected", "coupling_sup"):
        line[name] = getattr(found, name)
    for name, branch in found.branches.items():
        line |= _entries(f"n_{name}", branch.n)
        for field in ("discrepancy", "coupling", "theorem2"):
            line[f"{field}_{name}"] = getattr(branch, field)
    line |= {
        "k_printed": "" if plan.k_printed is None else plan.k_printed,
        "k_coupling": "" if plan.k_coupling is None else plan.k_coupling,
        "k_within": plan.k_within,
    }
    return line | dict(learner)


def table(rows: Iterable[Mapping[str, Any]]) -> str:
    """CSV text of ``rows``, which all have the same columns."""
    lines = list(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _written(value) for name, value in line.items()} for line in lines)
    return text.getvalue()


def parse(game: str, text: str, where: str) -> Record:
    """The record that ``table`` wrote; ``InputError`` where a number is none."""
    lines = list(csv.reader(io.StringIO(text)))
    try:
        heads, body = lines[0], lines[1:]
        values = np.array([[float(x or "nan") for x in line] for line in body])
        record = Record(game, dict(zip(heads, values.T, strict=True)))
        if not record.schemes:
            raise KeyError("n_NAME[0]")
        for scheme in record.schemes:
            record.lengths(scheme)
    except (ValueError, IndexError, KeyError) as error:
        raise InputError(f"{where}: not a table of recorded training ({error!r})") from error
    return record


def load(folder: Path = FOLDER) -> tuple[dict[str, Any], tuple[Record, ...]]:
    """(manifest, records) of ``folder``; ``InputError`` where there is no manifest."""
    manifest = read_object(folder / "manifest.json", "python notebooks/record_theory.py")
    return manifest, tuple(
        parse(game, read_text(folder / f"{game}.csv", MAX_BYTES), f"{game}.csv")
        for game in manifest["games"]
    )


def read_object(path: Path, made_by: str) -> dict[str, Any]:
    """The JSON object in the file ``path`` of a record; else ``InputError``.

    made_by: the command that writes it.
    """
    if not path.is_file():
        raise InputError(f"{path.parent}: holds no {path.name}; {made_by}")
    try:
        value = json.loads(read_text(path, MAX_BYTES))
    except (json.JSONDecodeError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path}: not JSON ({reason}); {made_by}") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: holds no JSON object; {made_by}")
    return value


def _entries(name: str, values: Iterable[Any]) -> dict[str, Any]:
    return {f"{name}[{j}]": value for j, value in enumerate(values)}


def _written(value: Any) -> Any:
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else value
