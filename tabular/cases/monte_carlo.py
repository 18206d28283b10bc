"""Monte Carlo returns with a stated confidence radius: an independent check on the closed forms.

One sample plays the game agent by agent: a time t is drawn with probability (1 − γ)γᵗ, the chain is
played to time t, and the sample is the reward there divided by 1 − γ. Its expectation is the
un-normalised return Σ_{t≥0} γᵗ E r_t, without truncation, and it lies in an interval of length
span/(1 − γ), so Hoeffding's inequality gives the radius.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt

import numpy as np

from bounds.shared.numbers import Array, in_range, whole
from tabular.cases.case import Case
from tabular.games.policy import replaced


@dataclass(frozen=True)
class Estimate:
    """|mean − expectation| ≤ radius with probability at least ``confidence``."""

    mean: float
    radius: float
    samples: int
    confidence: float


def simulate(
    case: Case,
    which: str,
    rng: np.random.Generator,
    *,
    samples: int = 100_000,
    confidence: float = 1 - 1e-9,
) -> Estimate:
    """Estimate the "real", "model" or "branched" return of a single dense ``case``.

    radius = span/(1 − γ) · √(ln(2/(1 − confidence)) / (2 samples)), Hoeffding's inequality.

    >>> from tabular.cases.case import case_of
    >>> from tabular.cases.returns import real_return
    >>> from tabular.games.catalogue import find
    >>> from tabular.games.policy import uniform
    >>> chicken = find("chicken").build()
    >>> case = case_of(chicken, ego=0, policies=uniform(chicken))
    >>> found = simulate(case, "real", np.random.default_rng(0), samples=1000)
    >>> abs(found.mean - float(real_return(case))) <= found.radius
    True
    """
    if which not in ("real", "model", "branched"):
        raise ValueError(f"{which}: not a return; real, model or branched")
    if which == "branched" and case.branch_length is None:
        raise ValueError("the case has no branch_length, so it has no branched return")
    whole("samples", samples, 1)
    in_range("confidence", confidence, 0, 1, open_high=True)
    gamma = float(case.gamma)
    # numpy's geometric counts trials up to the first success, from 1
    times = rng.geometric(1 - gamma, size=samples) - 1
    rewards = case.reward.astype(float)
    states = _draw(np.broadcast_to(case.initial.astype(float), (samples, case.n_states)), rng)
    k = case.branch_length or 0
    before = np.maximum(times - k, 0) if which == "branched" else np.zeros(samples, dtype=int)
    result = np.empty(samples)
    for t in range(int(times.max()) + 1):
        alive = np.flatnonzero(times >= t)
        data = alive[t < before[alive]]
        after = alive[t >= before[alive]]
        for step in np.unique(t - before[after]):
            now = after[t - before[after] == step]
            policies, transition = _world(case, which, int(step) + 1)
            action = _act(policies, states[now], case.actions, rng)
            done = times[now] == t
            result[now[done]] = rewards[states[now[done]], action[done]]
            moving = now[~done]
            rows = transition[states[moving], action[~done]].astype(float)
            states[moving] = _draw(rows, rng)
        if data.size:
            action = _act(case.data_policies, states[data], case.actions, rng)
            states[data] = _draw(case.transition[states[data], action].astype(float), rng)
    span = float(rewards.max() - rewards.min())
    radius = span / (1 - gamma) * sqrt(log(2 / (1 - confidence)) / (2 * samples))
    return Estimate(float(result.mean() / (1 - gamma)), radius, samples, confidence)


def _world(case: Case, which: str, step: int) -> tuple[Sequence[Array], Array]:
    """Who acts and what moves the state in action number ``step`` of a chain."""
    if which == "real":
        return case.policies, case.transition
    if which == "model":
        return replaced(case.policies, case.opponent_models), case.model_transition
    k, lengths = case.branch_length, case.lengths()
    models = tuple(
        model if step <= length or length == k else None
        for model, length in zip(case.opponent_models, lengths, strict=True)
    )
    return replaced(case.policies, models), case.model_transition


def _act(
    policies: Sequence[Array], states: Array, actions: Sequence[int], rng: np.random.Generator
) -> Array:
    own = tuple(_draw(policy[states].astype(float), rng) for policy in policies)
    return np.asarray(np.ravel_multi_index(own, tuple(actions)))


def _draw(rows: Array, rng: np.random.Generator) -> Array:
    """One index from each row of probabilities, by inversion."""
    edges = np.cumsum(rows, axis=-1)
    drawn = (rng.random((rows.shape[0], 1)) >= edges).sum(axis=-1)
    # a row that sums to a little less than 1 must not yield an index past its end
    return np.asarray(np.minimum(drawn, rows.shape[1] - 1))
