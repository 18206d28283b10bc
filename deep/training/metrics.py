"""Metrics of a run: one tidy table, and the formula of every name in it.

``metrics.csv`` has the columns run, seed, episode, name, value: the run's folder, the seed, the
episodes finished in that seed's run, a name of ``GLOSSARY`` ("name/agent" where there is one value
an agent), and a float64 in full digits. Rows are only added at the end, and a checkpoint knows how
long the table was: going on from it cuts off what came later, so no row is there twice.

Values are means over all that happened since the last record.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bounds.shared.numbers import InputError

COLUMNS = ("run", "seed", "episode", "name", "value")

#: Every recorded name and its formula. D: the batch drawn from the replay, of |D| transitions;
#: twins k; yⁱ: what agent i's critics are fitted to; a sum over t is over one episode.
GLOSSARY = {
    "return": "Σ_{t<T} rⁱ_t, not discounted, mean over training episodes, actions sampled",
    "evaluation": "the same over episodes of evaluation, from own random streams, greedy actions",
    "critic_loss": "Σ_k 1/|D| Σ_D ½ (Qⁱ_k(o, a) − yⁱ)², before the gradient step",
    "q": "mean over D and k of Qⁱ_k(o, a), before the gradient step",
    "critic_norm": "‖∇ critic_loss‖₂ over the agent's critics, before it is cut to `clip`",
    "policy_loss": "masac: 1/|D| Σ_D E_{a ~ πⁱ}[αⁱ log πⁱ(a|oⁱ) − min_k Qⁱ_k]; maddpg: −Qⁱ; "
    "with the penalty",
    "policy_norm": "‖∇ policy_loss‖₂ over the agent's policy, before it is cut to `clip`",
    "entropy": "1/|D| Σ_D −E_{a ~ πⁱ} log πⁱ(a|oⁱ), in nats",
    "alpha": "αⁱ, the temperature that the update used",
    "opponent_loss": "mean over opponents j of −log π̂ʲ(aʲ|oʲ) on held-out rows, after a fit",
    "opponent_epochs": "mean over opponents of the passes over the rows until the best fit",
    "opponent_error": "mean over opponents of the estimated ε_π̂ʲ (see `deep.aorpo.schemes`)",
    "opponent_error_largest": "the same of the opponent whose model is the worst",
    "dynamics_held_out_loss": "−log T̂(s′, r|s, a) a predicted number, held-out rows, after a fit",
    "dynamics_epochs": "mean over members of the epochs of a fit",
    "dynamics_rmse": "root mean square of (predicted − true), in deviations of what is predicted",
    "dynamics_coverage_50": "share of true numbers in the middle 50 % of the predicted law",
    "dynamics_coverage_90": "the same of the middle 90 %",
    "reward_r2": "1 − Σ(r̂ − r)²/Σ(r − r̄)² of held-out rows, the rewards' own network, after a fit",
    "reward_slope": "covariance of predicted and true rewards over the true ones' variance, there",
    "oracle_opponent_error": "mean over opponents and states met of D_TV(πʲ‖π̂ʲ), exact; no agent "
    "knows it; with the evaluations (``deep.aorpo.model_errors``)",
    "oracle_opponent_largest": "the same with the largest over the states for their mean",
    "compounding_dynamics": "ε_c(k) of the mean prediction, from states met, under real actions",
    "compounding_drawn": "the same of what branches draw",
    "fresh_reward_r2": "as reward_r2, in states met now, of what branches predict in one step",
    "fresh_reward_slope": "as reward_slope, there",
    "compounding": "the same as compounding_dynamics, opponents by their models, all greedy",
    "k": "steps of a branch",
    "model_steps": "mean over opponents of nⱼ, the steps in which a model plays j",
    "model_steps_least": "the least of an ego's nⱼ",
    "policy_shift": "mean over rows of D_TV(πⁱ now, πⁱ at the last round), for `planned` πⁱ when "
    "D_env was collected; 0 if not known",
    "calls": "calls Comm(s, j) of agent i so far, over all opponents j",
    "normalised_interactions": "(n · steps + calls of all agents) / n / 25 so far",
}


class Averages:
    """Means of named tensors over many additions; sums are float64.

    Each name is counted by itself: what is measured now and then is a mean over those times.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Count one more value of each name, [run] or [run, agent]."""
        for name, value in values.items():
            wide = value.detach().double()
            # a copy: whoever measured may go on counting in the same tensor
            self._sums[name] = self._sums[name] + wide if name in self._sums else wide.clone()
            self._counts[name] = self._counts.get(name, 0) + 1

    def finite(self) -> bool:
        """Whether all that was added is finite; one look at the device."""
        if not self._sums:
            return True
        totals = list(self._sums.values())
        # some may be counted on the CPU while the learner is elsewhere
        flat = [total.flatten().to(totals[-1].device) for total in totals]
        return bool(torch.cat(flat).isfinite().all())

    def means(self) -> dict[str, Tensor]:
        """The mean of each name, on the CPU, without forgetting."""
        return {name: total.cpu() / self._counts[name] for name, total in self._sums.items()}

    def clear(self) -> None:
        """Forget everything."""
        self._sums, self._counts = {}, {}

    def state(self) -> dict[str, Tensor]:
        """Sums and counts."""
        counts = {f"count of {k}": torch.tensor(v) for k, v in self._counts.items()}
        return {f"sum of {k}": v for k, v in self._sums.items()} | counts

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go back to what ``state`` returned."""
        self.clear()
        for key, value in state.items():
            kind, _, name = key.partition(" of ")
            if kind == "sum":
                self._sums[name] = value
            else:
                self._counts[name] = int(value)


def rows(
    run: str, seeds: Sequence[int], agents: Sequence[str], episode: int, values: dict[str, Tensor]
) -> list[tuple[Any, ...]]:
    """Rows of the table from values [run] or [run, agent]."""
    return [
        (run, seed, episode, name, value)
        for key, tensor in values.items()
        for i, seed in enumerate(seeds)
        for name, value in _named(key, tensor[i].tolist(), agents)
    ]


def _named(key: str, values: Any, agents: Sequence[str]) -> Iterable[tuple[str, float]]:
    if isinstance(values, float):
        return [(key, values)]
    return [(f"{key}/{agent}", value) for agent, value in zip(agents, values, strict=True)]


class Table:
    """``metrics.csv`` of a run, open for adding rows after its first ``length`` bytes."""

    def __init__(self, path: Path, length: int = 0) -> None:
        self.path = path
        try:
            # opened for reading too, so that an existing table is kept
            self._file = path.open("r+b" if path.exists() else "w+b")
            there = self._file.seek(0, os.SEEK_END)
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror})") from error
        if there < length:
            self._file.close()
            raise InputError(
                f"{path}: {there} bytes, and the checkpoint knows {length}; restore the table"
            )
        self._file.truncate(length)
        self._file.seek(length)
        if length == 0:
            self.add([COLUMNS])

    def add(self, lines: Iterable[Sequence[Any]]) -> None:
        """Add rows, all in one write."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(lines)
        try:
            self._file.write(text.getvalue().encode())
            self._file.flush()
        except OSError as error:
            raise InputError(f"{self.path}: cannot be written ({error.strerror})") from error

    def length(self) -> int:
        """Bytes so far, all of them on the disk."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Board:
    """The same values as TensorBoard event files, one folder a seed; needs tensorboard."""

    def __init__(self, folder: Path, seeds: Sequence[int], episode: int) -> None:
        try:
            from torch.utils.tensorboard.writer import SummaryWriter
        except ImportError:
            raise InputError(
                "--tensorboard: tensorboard is not installed; pip install 'opponentwise[deep]'"
            ) from None
        # what an interrupted run wrote after the checkpoint is hidden
        self._writers = {
            seed: SummaryWriter(str(folder / f"seed-{seed}"), purge_step=episode) for seed in seeds
        }

    def add(self, lines: Iterable[Sequence[Any]]) -> None:
        """Add rows of the table."""
        for _, seed, episode, name, value in lines:
            self._writers[seed].add_scalar(name, value, episode)

    def close(self) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()
