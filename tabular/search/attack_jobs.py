"""An attack on a bound, in independent jobs: ascend, round to rationals, check exactly.

A job is one bound, one shape of games, one cap on the errors and one seed. Its ratio is not the
ascent's: the best float cases are rounded to rationals of several denominators, each is checked
exactly (``tabular.cases.check``), those whose errors exceed the cap, or whose model error has
become too small, are dropped, and the largest discrepancy / bound of the rest is reported, with
expected model errors at their *proved* upper values. So a ratio above 1 is a refutation, and
nothing else is.

The jobs know nothing of one another: they run in any order, in any process, on any machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from bounds.formula.bound import Bound
from bounds.library.published import find
from tabular.cases.case import Case
from tabular.cases.check import Check, check
from tabular.cases.files import case_json
from tabular.certificates.build import rationalised
from tabular.games.number_text import rational_text
from tabular.search.ascent import Effort, ascend
from tabular.search.ascent_bounds import expected_kind
from tabular.search.evolution import Shape

_F = Fraction

#: (name, about) of the bounds that are attacked unless others are named: all coupling bounds.
TARGETS = (
    ("coupling-sup", "model"),
    ("coupling-sup", "branched"),
    ("coupling-expected", "model"),
    ("coupling-expected", "branched"),
    ("coupling-data", "model"),
)
#: Sizes of the games. Agents with one action make no errors: there the model error stands alone.
SHAPES = (
    Shape(2, (2, 2), _F(9, 10), 1),
    Shape(3, (2, 2), _F(4, 5), 3),
    Shape(3, (2,), _F(9, 10), 2),
    Shape(4, (3, 3), _F(4, 5), 5),
    Shape(5, (2, 2), _F(19, 20), 2),
    Shape(5, (1,), _F(9, 10), 4),
    Shape(5, (1,), _F(1, 2), 2),
    Shape(
        n_states=3,
        actions=(2, 2, 2),
        gamma=_F(9, 10),
        branch_length=3,
        opponent_lengths=(None, 1, 3),
    ),
    Shape(
        n_states=4,
        actions=(2, 2, 2),
        gamma=_F(1, 2),
        branch_length=2,
        opponent_lengths=(None, 0, 1),
    ),
    Shape(4, (2, 2), _F(9, 10), 0),
)
#: Denominators of the rounding. Small ones make near-deterministic games deterministic.
DENOMINATORS = (2, 5, 10, 20, 100, 1000, 10**6)
#: How far within the cap and the least model error the ascent stays, relatively, so that most
#: roundings stay within them too.
ROOM = 1e-3
#: Times that the exact check looks at; the proved upper values hold for all later ones.
HORIZON = 200
#: The longest exact ratio that is written out, in characters.
LONGEST = 200


@dataclass(frozen=True)
class Job:
    """One attack. number: its place in the list of jobs, part of its random stream."""

    number: int
    bound: str
    about: str
    cap: Fraction
    shape: Shape
    seed: int
    effort: Effort
    least: Fraction = Fraction(0)

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.number:04d}-{self.bound}-{self.about}"


@dataclass(frozen=True)
class Settings:
    """What an attack is made of: everything that its results depend on.

    caps: largest value of any error that a bound reads; 1 is no cap. least: smallest model error,
    as a fraction of the cap (without it, the best games often have errors of one kind only).
    seeds: attacks on each shape.
    """

    targets: tuple[tuple[str, str], ...] = TARGETS
    caps: tuple[Fraction, ...] = (Fraction(1), Fraction(1, 20))
    shapes: tuple[Shape, ...] = SHAPES
    least: Fraction = Fraction(0)
    seeds: int = 1
    seed: int = 0
    effort: Effort = field(default_factory=Effort)

    def jobs(self) -> list[Job]:
        """All jobs, in a fixed order; bounds in nⱼ are attacked where the shape has nⱼ."""
        parts = [
            (name, about, cap, shape)
            for _ in range(self.seeds)
            for name, about in self.targets
            for cap in self.caps
            for shape in self.shapes
            if shape.opponent_lengths or "sum_n_eps_hat" not in find(name, about).symbols
        ]
        return [
            Job(
                number=i,
                bound=name,
                about=about,
                cap=cap,
                shape=shape,
                seed=self.seed,
                effort=self.effort,
                least=self.least * cap,
            )
            for i, (name, about, cap, shape) in enumerate(parts)
        ]

    def as_json(self) -> dict[str, Any]:
        """The settings as a JSON object."""
        return {
            "targets": [list(target) for target in self.targets],
            "caps": [rational_text(cap) for cap in self.caps],
            "shapes": [shape_json(shape) for shape in self.shapes],
            "least": rational_text(self.least),
            "seeds": self.seeds,
            "seed": self.seed,
            "restarts": self.effort.restarts,
            "steps": self.effort.steps,
            "step_size": self.effort.step_size,
        }


def shape_json(shape: Shape) -> dict[str, Any]:
    """A shape as a JSON object."""
    lengths = shape.opponent_lengths
    return {
        "states": shape.n_states,
        "actions": list(shape.actions),
        "gamma": rational_text(shape.gamma),
        "branch_length": shape.branch_length,
        "opponent_lengths": None if lengths is None else list(lengths),
    }


def run_job(job: Job) -> dict[str, Any]:
    """The job's result as JSON; the same wherever it runs."""
    return attack(find(job.bound, job.about), job)


def attack(bound: Bound, job: Job) -> dict[str, Any]:
    """Attack ``bound`` as ``job`` says: its best exact case, and the record of the ascent.

    ``ratio`` is the float of the exact ratio; ``case`` is the case in the case format; both are
    None where every rounding was dropped.
    """
    rng = np.random.default_rng([job.seed, job.number])
    cap = float(job.cap) * (1 - ROOM) if job.cap < 1 else 1.0
    least = float(job.least) * (1 + ROOM)
    found = ascend(bound, job.shape, job.effort, rng, cap=cap, least=least)
    best: tuple[Fraction, Check] | None = None
    for result in _checked(bound, found.cases):
        ratio = proved_ratio(bound, result)
        errors = read_errors(bound, result)
        model = errors[expected_kind(bound) or "model_sup"]
        within = max(errors.values()) <= job.cap and model >= job.least
        if ratio is not None and within and (best is None or ratio > best[0]):
            best = ratio, result
    answer: dict[str, Any] = {
        "bound": job.bound,
        "about": job.about,
        "cap": rational_text(job.cap),
        "shape": shape_json(job.shape),
        "ratio": None,
        "refuted": False,
    }
    if best is not None:
        text = rational_text(best[0])
        answer["ratio"] = float(best[0])
        answer["exact_ratio"] = text if len(text) <= LONGEST else None
        answer["refuted"] = bool(best[1].verdicts[0].refuted)
        errors = read_errors(bound, best[1])
        answer["errors"] = {name: float(e) for name, e in errors.items()}
    return answer | {
        "history": [list(point) for point in found.history],
        "restarts": list(found.ratios),
        "case": None if best is None else case_json(best[1].case),
    }


def _checked(bound: Bound, cases: Sequence[Case]) -> Iterator[Check]:
    """Exact checks of all roundings of ``cases``."""
    for case in cases:
        for denominator in DENOMINATORS:
            result = check(rationalised(case, denominator), [bound], max_horizon=HORIZON)
            if result.verdicts:
                yield result


def proved_ratio(bound: Bound, result: Check) -> Fraction | None:
    """discrepancy / bound at the proved upper values of ε_m and ε′_m; None for 0/0."""
    from tabular.cases.errors import profile

    value = bound.evaluate(profile(result.case, result.errors, proved=True))
    gap = result.verdicts[0].discrepancy
    return Fraction(gap) / value if value > 0 else None


def read_errors(bound: Bound, result: Check) -> dict[str, Fraction]:
    """The errors that the cap is about: policies, opponent models, and the model error it reads."""
    errors = result.errors
    named = {f"policy_shift[{j}]": e for j, e in enumerate(errors.policy_shift)}
    named |= {
        f"opponent_model[{j}]": e for j, e in enumerate(errors.opponent_model) if e is not None
    }
    kind = expected_kind(bound)
    expected = {"model_data": errors.data, "model_current": errors.current}
    model = expected[kind].upper if kind else errors.model_sup
    return named | {kind or "model_sup": model}
