"""Searching for games on which a bound fails: an evolution of small cases, then a tidy exact one.

The search knows nothing of the bounds but their values. A population of small float cases (a batch)
is scored by discrepancy / bound; the best are copied with mutated logits, rewards and error sizes.
The winner is rounded to rationals of small denominator and simplified one number at a time for as
long as it still refutes the bound, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from bounds.formula.bound import Bound
from bounds.shared.numbers import Array
from tabular.cases.case import Case, case_at
from tabular.cases.check import check
from tabular.certificates.build import rationalised

#: Probabilities below this are set to 0, so that deterministic rows are found and kept.
_FLOOR = 1e-3
#: Bounds below this fraction of the largest discrepancy are not scored: errors so small would not
#: survive the rounding to plain rationals.
_SMALLEST_VALUE = 1e-2
#: Times looked at for expected errors while searching; the winner is checked in full.
_HORIZON = 60


@dataclass(frozen=True)
class Shape:
    """The size of the games that are searched."""

    n_states: int
    actions: tuple[int, ...]
    gamma: Fraction
    branch_length: int
    opponent_lengths: tuple[int | None, ...] | None = None

    @property
    def joint_actions(self) -> int:
        """|A|."""
        return int(np.prod(self.actions))


@dataclass(frozen=True, eq=False)
class SearchResult:
    """The best float case of a search: its ratio discrepancy / bound, and how many were games."""

    case: Case
    ratio: float
    games: int


Genes = dict[str, Array]


def evolve(
    bound: Bound,
    shape: Shape,
    rng: np.random.Generator,
    *,
    population: int = 1000,
    generations: int = 30,
    exact_opponents: bool = False,
) -> SearchResult:
    """The largest discrepancy / bound that ``generations`` rounds of selection find."""
    genes = _random_genes(shape, population, rng)
    best: SearchResult | None = None
    for generation in range(generations):
        batch = _decode(genes, shape, exact_opponents)
        score = _score(batch, bound)
        order = np.argsort(-score)
        top = int(order[0])
        if best is None or score[top] > best.ratio:
            best = SearchResult(case_at(batch, top), float(score[top]), 0)
        if generation < generations - 1:
            parents = order[rng.integers(0, max(2, population // 10), size=population)]
            parents[0] = top
            genes = _mutated({name: g[parents] for name, g in genes.items()}, rng)
    assert best is not None
    return SearchResult(best.case, best.ratio, population * generations)


def _score(batch: Case, bound: Bound) -> Array:
    result = check(batch, [bound], max_horizon=_HORIZON)
    if not result.verdicts:
        return np.zeros(batch.initial.shape[0])
    verdict = result.verdicts[0]
    floor = _SMALLEST_VALUE * result.errors.span / (1 - batch.gamma)
    usable = (verdict.value > floor) & (floor > 0)
    return np.where(usable, verdict.discrepancy / np.where(usable, verdict.value, 1), 0)


def _random_genes(shape: Shape, population: int, rng: np.random.Generator) -> Genes:
    s, a = shape.n_states, shape.joint_actions
    sizes: dict[str, tuple[int, ...]] = {"initial": (s,), "T": (s, a, s), "T_else": (s, a, s)}
    for j, own in enumerate(shape.actions):
        sizes |= {f"{name}{j}": (s, own) for name in ("pi", "data_else", "hat_else")}
        sizes |= {f"{name}{j}": (s, 1) for name in ("data_weight", "hat_weight")}
    genes = {name: rng.normal(0, 6, size=(population, *size)) for name, size in sizes.items()}
    genes["T_weight"] = rng.normal(-2, 3, size=(population, s, a, 1))
    genes["reward"] = rng.uniform(-1, 1, size=(population, s, a))
    return genes


def _mutated(genes: Genes, rng: np.random.Generator) -> Genes:
    out = {}
    for name, g in genes.items():
        noise = rng.standard_cauchy(g.shape) * (rng.random(g.shape) < 0.2)  # few, sometimes large
        noise[0] = 0  # the best survives as it is
        scale = 0.3 if name == "reward" else 1.0
        moved = g + scale * np.clip(noise, -8, 8)
        out[name] = np.clip(moved, -1, 1) if name == "reward" else np.clip(moved, -20, 20)
    return out


def _softmax(logits: Array) -> Array:
    p = np.exp(logits - logits.max(axis=-1, keepdims=True))
    p = np.where(p < _FLOOR, 0, p)
    return np.asarray(p / p.sum(axis=-1, keepdims=True))


def _near(truth: Array, other: Array, raw_weight: Array) -> Array:
    weight = 1 / (1 + np.exp(-raw_weight))
    weight = np.where(weight < _FLOOR, 0, weight)
    return np.asarray((1 - weight) * truth + weight * _softmax(other))


def _decode(genes: Genes, shape: Shape, exact_opponents: bool) -> Case:
    transition = _softmax(genes["T"])
    agents = range(len(shape.actions))
    policies = tuple(_softmax(genes[f"pi{j}"]) for j in agents)

    def near(name: str, j: int) -> Array:
        return _near(policies[j], genes[f"{name}_else{j}"], genes[f"{name}_weight{j}"])

    return Case(
        gamma=float(shape.gamma),
        actions=shape.actions,
        ego=0,
        initial=_softmax(genes["initial"]),
        transition=transition,
        reward=genes["reward"],
        policies=policies,
        data_policies=tuple(near("data", j) for j in agents),
        model_transition=_near(transition, genes["T_else"], genes["T_weight"]),
        opponent_models=tuple(
            None if j == 0 or exact_opponents else near("hat", j) for j in agents
        ),
        branch_length=shape.branch_length,
        opponent_lengths=shape.opponent_lengths,
    )


def simplest_refutation(case: Case, still: Callable[[Case], bool]) -> Case | None:
    """An exact case near the float ``case`` with ``still`` true and numbers as plain as can be.

    Tries denominators 2, 5, 10, 20, 100, 1000 in turn, then simplifies greedily. None if no
    rounding keeps ``still`` true.
    """
    for denominator in (2, 5, 10, 20, 100, 1000):
        rounded = rationalised(case, denominator)
        if still(rounded):
            return _simplified(rounded, still)
    return None


def _simplified(case: Case, still: Callable[[Case], bool]) -> Case:
    improved = True
    while improved:
        improved = False
        for candidate in _simpler(case):
            if _weight(candidate) < _weight(case) and still(candidate):
                case, improved = candidate, True
                break
    return case


def _weight(case: Case) -> int:
    """How much there is to read in a case: digits of all numbers, differences from the truth."""
    digits = 0
    for array in _arrays(case):
        digits += sum(
            (x not in (0, 1)) * (len(str(abs(x.numerator))) + len(str(x.denominator)) + (x < 0))
            + (x != 0)
            for x in array.ravel()
        )
    different = np.sum(case.transition != case.model_transition)
    for j, policy in enumerate(case.policies):
        different += np.sum(policy != case.data_policies[j])
        model = case.opponent_models[j]
        different += 0 if model is None else 1 + np.sum(policy != model)
    return int(digits + 4 * different)


def _arrays(case: Case) -> Iterator[Array]:
    yield from (case.initial, case.transition, case.model_transition, case.reward)
    yield from case.policies
    yield from case.data_policies
    yield from (m for m in case.opponent_models if m is not None)


def _simpler(case: Case) -> Iterator[Case]:
    """Candidates one step simpler: whole parts replaced by the truth, then rows, then rewards."""
    yield replace(case, data_policies=case.policies)
    yield replace(case, opponent_models=(None,) * case.n)
    yield replace(case, model_transition=case.transition)
    for name in ("initial", "transition", "model_transition"):
        for array in _simpler_rows(getattr(case, name), case.transition):
            change: dict[str, Any] = {name: array}
            yield replace(case, **change)
    for name in ("policies", "data_policies", "opponent_models"):
        given = getattr(case, name)
        for j, policy in enumerate(given):
            if policy is None:
                continue
            for array in _simpler_rows(policy, case.policies[j]):
                change = {name: (*given[:j], array, *given[j + 1 :])}
                yield replace(case, **change)
    for index in np.ndindex(case.reward.shape):
        for value in (Fraction(0), Fraction(1), Fraction(-1)):
            if case.reward[index] != value:
                reward = case.reward.copy()
                reward[index] = value
                yield replace(case, reward=reward)


def _simpler_rows(array: Array, truth: Array) -> Iterator[Array]:
    for index in np.ndindex(array.shape[:-1]):
        row = array[index]
        options: list[Any] = []
        if truth.shape == array.shape and any(row != truth[index]):
            options.append(truth[index])
        if max(row) < 1:
            options += [[Fraction(i == j) for i in range(len(row))] for j in range(len(row))]
            for denominator in (2, 10, 100):
                rounded = [Fraction(round(x * denominator), denominator) for x in row]
                if sum(rounded) == 1 and any(a != b for a, b in zip(rounded, row, strict=True)):
                    options.append(rounded)
        for option in options:
            changed = array.copy()
            changed[index] = option
            yield changed
