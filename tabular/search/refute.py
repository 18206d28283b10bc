"""The refuter: a bound is valid, refuted by an exact game, or undecided.

The box is all n ≥ 1, k ≥ 0, 0 ≤ γ < 1, 0 ≤ ε ≤ 1. Three answers:

- refuted: an exact game breaks the bound, and the independent checker accepts the certificate. The
  hunt compares the bound with the closed forms of the attaining games
  (``tabular.extremal.families``), climbs to where the ratio is largest, and makes the numbers
  plain.
- valid: the bound was proved to be at least a coupling bound on the whole box
  (``bounds.proofs.dominance``).
- undecided: neither; then exact games at the corners of the box are tried
  (``tabular.search.corners``), games that know no theory are bred against it
  (``tabular.search.evolution``), and the tightest game found is reported. So too where the time
  that was given is over, which the answer then says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from bounds.formula.bound import Bound
from bounds.formula.error_profile import ErrorProfile
from bounds.formula.symbols import read
from bounds.proofs.dominance import dominates
from bounds.shared.numbers import Array, InputError, as_float, decimal_text
from bounds.shared.progress import Progress
from bounds.shared.time_limit import OutOfTimeError, time_limit
from tabular.cases.case import Case
from tabular.cases.check import check
from tabular.certificates.build import refutation
from tabular.extremal.families import FAMILIES, Family
from tabular.search.corners import corners
from tabular.search.evolution import Shape, evolve, simplest_refutation
from tabular.search.settings import Box, drawn, exact_profile, mutated, profiles, simpler, weight

Answer = Literal["valid", "refuted", "undecided"]

#: Numbers of agents that are searched; a bound that falls with n is asked about many.
AGENTS = (1, 2, 3, 6, 40)
#: Settings drawn for each family and number of agents; the best of them climb.
DRAWN = 4000
CLIMBERS = 48
ROUNDS = 60
#: A float excess counts from this fraction of the trivial bound on: sums of the coupling bounds
#: carry about 10⁻¹⁵/(1 − γ) of it, and 1 − γ goes down to 10⁻⁵.
ROUNDING = 1e-9
#: Discrepancies below this fraction of the trivial bound give no ratio.
SMALLEST = 1e-6
#: Denominators that a counterexample's numbers are tried in, plainest first.
DENOMINATORS = (2, 4, 5, 10, 20, 50, 100, 1000, 10_000)
#: Games without theory that an undecided bound is attacked with.
SHAPES = (
    Shape(2, (2, 2), Fraction(9, 10), 1),
    Shape(3, (2, 2), Fraction(19, 20), 3),
)


@dataclass(frozen=True, eq=False)
class Tightest:
    """The largest discrepancy / bound that was found, and where.

    ratio: in the bound's convention; inf where the bound is 0 or below and the discrepancy is not.
    family: the attaining game, or "bred" for one from the search without theory.
    setting: its parameters, ``model_sup`` being the game's one model-error parameter; None if bred.
    case: the game where it is small enough to be built, else None.
    """

    ratio: float
    family: str
    setting: ErrorProfile | None
    case: Case | None


@dataclass(frozen=True, eq=False)
class Result:
    """What is known of a bound.

    how: in words, how the answer was established. certificate: of a refutation.
    settings: how many settings the bound was compared at. looseness: the quantiles 0, 1/4, 1/2,
    3/4, 1 of bound / discrepancy over the settings drawn evenly (not the climbers).
    """

    bound: Bound
    answer: Answer
    how: tuple[str, ...]
    certificate: dict[str, Any] | None
    tightest: Tightest | None
    settings: int
    looseness: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class _Hunted:
    """Best rows of one family and number of agents, best first, with their ratios."""

    family: Family
    box: Box
    rows: Array
    ratios: Array
    drawn: Array  # ratios of the rows drawn first


def refute(
    bound: Bound, seed: int = 0, bar: Progress | None = None, seconds: float | None = None
) -> Result:
    """Decide ``bound``, about either return, in its convention, in ``seconds`` (None: no limit).

    Raises ``InputError`` where the bound has no real value somewhere in the box.
    """
    if bound.value is not None:
        return Result(
            bound=bound,
            answer="valid",
            how=("it is a coupling bound itself; its proof is in bounds.proofs.coupling",),
            certificate=None,
            tightest=None,
            settings=0,
            looseness=(),
        )
    result = Result(
        bound=bound,
        answer="undecided",
        how=(),
        certificate=None,
        tightest=None,
        settings=0,
        looseness=(),
    )
    try:
        with time_limit(seconds):
            for stage in _stages(result, np.random.default_rng([seed, 9]), bar or Progress()):
                result = stage
    except OutOfTimeError:
        stopped = f"stopped after {seconds:g} seconds, before every proof and search had its turn"
        return replace(result, how=(stopped, *_undecided_words(result)))
    if result.answer == "undecided":
        return replace(result, how=_undecided_words(result))
    return result


def _stages(result: Result, rng: np.random.Generator, bar: Progress) -> Iterator[Result]:
    """What is known of ``result.bound``, more and more; the last is what can be known here."""
    bound = result.bound
    jobs = [(family, box) for family in FAMILIES for box in _boxes(bound, family)]
    hunted: list[_Hunted] = []
    for family, box in bar.over(jobs, "worst cases"):
        hunted.append(_hunt(bound, family, box, rng))
        result = _compared(result, hunted)
        yield result
    for setting, family in _counterexamples(bound, hunted):
        case = family.build(setting, bound.about)
        certificate = _certified(bound, case)
        if certificate is not None:
            yield _refuted(result, certificate, family.name, setting, case)
            return
    proof = dominates(bound)
    if proof.holds:
        yield replace(result, answer="valid", how=proof.steps)
        return
    for setting, family in _failing_corners(bound):
        case = family.build(setting, bound.about)
        certificate = _certified(bound, case)
        if certificate is not None:
            yield _refuted(result, certificate, family.name, setting, case)
            return
    yield from _bred(result, rng)


def _compared(result: Result, hunted: list[_Hunted]) -> Result:
    """``result`` with what the worst cases say so far."""
    ratios = np.concatenate([h.drawn for h in hunted])
    loose = 1 / ratios[(ratios > 0) & np.isfinite(ratios)]
    return replace(
        result,
        tightest=_tightest(hunted),
        settings=len(hunted) * (DRAWN + CLIMBERS * ROUNDS),
        looseness=tuple(np.quantile(loose, [0, 0.25, 0.5, 0.75, 1]).tolist()) if loose.size else (),
    )


def _undecided_words(result: Result) -> tuple[str, ...]:
    """What was found, as the largest ratio has it."""
    tightest = result.tightest
    if tightest is not None and tightest.ratio > 1:
        return (
            f"below an attaining game in floats, {tightest.ratio:.6g} times too small, but no "
            "exact game that is small enough for a certificate was found to break it",
        )
    return (
        f"not below the attaining games at {result.settings:,} settings, and no proof that it "
        "never is",
    )


def _failing_corners(bound: Bound) -> Iterator[tuple[ErrorProfile, Family]]:
    """The exact corners of the box at which the bound fails, made plainer."""
    for family in FAMILIES:
        for box in _boxes(bound, family):
            for setting in corners(bound, box):
                if _fails(bound, family, setting):
                    yield _simplified(bound, family, setting), family


def _refuted(
    result: Result,
    certificate: dict[str, Any],
    family: str,
    setting: ErrorProfile | None,
    case: Case,
) -> Result:
    """``result`` once an exact case of ``family`` breaks the bound."""
    return replace(
        result,
        answer="refuted",
        how=(f"an exact game ({family}) breaks it; the independent checker accepts it",),
        certificate=certificate,
        tightest=Tightest(_ratio(certificate), family, setting, case),
    )


def _ratio(certificate: dict[str, Any]) -> float:
    left, right = Fraction(certificate["left"]), Fraction(certificate["right"])
    return float(as_float(left / right)) if right > 0 else float("inf")


def _boxes(bound: Bound, family: Family) -> Iterator[Box]:
    if bound.about not in family.about:
        return
    for n in AGENTS:
        max_k = family.max_k if bound.about == "branched" else None
        yield Box(n, max_k, family.shifts, not bound.exact_opponents)


def _hunt(bound: Bound, family: Family, box: Box, rng: np.random.Generator) -> _Hunted:
    rows = drawn(rng, DRAWN, box)
    first = _ratios(bound, family, box, rows)
    order = np.argsort(-first)[:CLIMBERS]
    rows, best = rows[order], first[order]
    for _ in range(ROUNDS):
        trial = mutated(rng, rows, box)
        ratios = _ratios(bound, family, box, trial)
        better = ratios > best
        rows, best = np.where(better[:, None], trial, rows), np.where(better, ratios, best)
    order = np.argsort(-best)
    return _Hunted(family=family, box=box, rows=rows[order], ratios=best[order], drawn=first)


def _ratios(bound: Bound, family: Family, box: Box, rows: Array) -> Array:
    """discrepancy / bound [row]; 0 where both are too small to say, inf where the bound is ≤ 0."""
    measured = family.measured(profiles(rows, box))
    gap = np.asarray(family.discrepancy(measured, bound.about))
    scale = 1 - measured.gamma if bound.convention == "normalised" else 1.0
    gap = gap * scale
    largest = np.asarray(bound.largest(measured))
    value = np.broadcast_to(as_float(bound.evaluate(measured)), gap.shape)
    if np.isnan(value).any():
        _undefined(bound, measured, int(np.flatnonzero(np.isnan(value))[0]))
    beyond = gap - value > ROUNDING * largest + (largest == 0)
    usable = (gap > SMALLEST * largest) | beyond
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        ratio = np.where(value > 0, gap / value, np.where(beyond, np.inf, 0.0))
    # a ratio above 1 that rounding may explain is none
    return np.where(usable, np.where(beyond, ratio, np.minimum(ratio, 1.0)), 0.0)


def _undefined(bound: Bound, profile: ErrorProfile, index: int) -> None:
    values = []
    for name in bound.symbols:
        value = np.asarray(read(name, profile, bound.about))
        values.append(f"{name} = {decimal_text(float(value[index] if value.ndim else value))}")
    raise InputError(
        f"the bound has no real value at {', '.join(values)}; a bound needs one at every setting, "
        "so guard divisions, logarithms and roots with max(...)"
    )


def _tightest(hunted: list[_Hunted]) -> Tightest | None:
    best = max(hunted, key=lambda h: float(h.ratios[0]))
    if best.ratios[0] <= 0:
        return None
    setting = exact_profile(best.rows[0], best.box, 10**6)
    return Tightest(float(best.ratios[0]), best.family.name, setting, None)


def tightest_game(result: Result) -> Case | None:
    """The tightest game found, built near its setting; None where it is too large to build."""
    tightest = result.tightest
    if tightest is None or tightest.setting is None:
        return None if tightest is None else tightest.case
    family = next(f for f in FAMILIES if f.name == tightest.family)
    if not family.small(tightest.setting):
        return None
    return family.build(tightest.setting, result.bound.about)


def _counterexamples(bound: Bound, hunted: list[_Hunted]) -> Iterator[tuple[ErrorProfile, Family]]:
    """Plain exact settings at which the bound fails: fewest agents first, then the plainest."""
    for n in AGENTS:
        found: list[tuple[int, ErrorProfile, Family]] = []
        for h in (h for h in hunted if h.box.n == n):
            settings = (
                exact_profile(row, h.box, denominator)
                for row in h.rows[h.ratios > 1][:8]
                for denominator in DENOMINATORS
            )
            failing = [s for s in settings if _fails(bound, h.family, s)]
            # of the families, the first have the smallest games
            more = 8 * FAMILIES.index(h.family)
            found += [(weight(s) + more, s, h.family) for s in sorted(failing, key=weight)[:2]]
        found.sort(key=lambda entry: entry[0])
        for _, setting, family in found:
            yield _simplified(bound, family, setting), family


def _fails(bound: Bound, family: Family, setting: ErrorProfile) -> bool:
    """Whether the exact game of ``setting`` breaks the bound; by a margin where it is a float."""
    if not family.small(setting):
        return False
    measured = family.measured(setting)
    gap = family.discrepancy(measured, bound.about)
    if bound.convention == "normalised":
        gap = gap * (1 - setting.gamma)
    value = bound.evaluate(measured)
    if isinstance(value, float):
        return float(gap) > value + ROUNDING * float(bound.largest(measured))
    return bool(gap > value)


def _simplified(bound: Bound, family: Family, setting: ErrorProfile) -> ErrorProfile:
    improved = True
    while improved:
        improved = False
        for candidate in simpler(setting):
            if weight(candidate) < weight(setting) and _fails(bound, family, candidate):
                setting, improved = candidate, True
                break
    return setting


def _certified(bound: Bound, case: Case) -> dict[str, Any] | None:
    try:
        return refutation(case, bound)
    except InputError:
        return None


def _bred(result: Result, rng: np.random.Generator) -> Iterator[Result]:
    """Attack an undecided bound with games that know no theory."""
    bound = result.bound
    for shape in SHAPES:
        found = evolve(
            bound, shape, rng, population=600, generations=20, exact_opponents=bound.exact_opponents
        )
        ratio = min(found.ratio, 1.0)  # above 1 without an exact game that confirms it: rounding
        if result.tightest is None or ratio > result.tightest.ratio:
            result = replace(result, tightest=Tightest(ratio, "bred", None, found.case))
            yield result
        if found.ratio <= 1:
            continue

        def still(case: Case) -> bool:
            verdicts = check(case, [bound]).verdicts
            return bool(verdicts and verdicts[0].refuted) and _certified(bound, case) is not None

        plain = simplest_refutation(found.case, still)
        if plain is not None:
            yield _refuted(result, refutation(plain, bound), "bred", None, plain)
            return
