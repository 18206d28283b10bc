"""The command line of ``python -m bounds``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from bounds.commands.planning import Allocate, Plan, run_allocate, run_plan
from bounds.commands.setting import Setting, setting_profile
from bounds.formula.bound import Bound
from bounds.formula.symbols import SYMBOLS
from bounds.formula.tree import formula_text
from bounds.library.published import BOUNDS, find
from bounds.shared.command_line import run
from bounds.shared.numbers import InputError, Operand, decimal_text
from bounds.shared.text_table import aligned


@dataclass(frozen=True)
class List:
    """Every bound of the library: name, which return, convention, formula."""

    json: bool = False
    """Print one JSON object."""


@dataclass(frozen=True)
class Show:
    """One bound in full: formula, LaTeX, hypotheses, source."""

    name: tyro.conf.Positional[str]
    """Name of the bound, as in `list`."""


@dataclass(frozen=True)
class Evaluate(Setting):
    """The exact value of one bound."""

    name: tyro.conf.Positional[str] = tyro.MISSING
    """Name of the bound, as in `list`."""
    about: Literal["model", "branched"] | None = None
    """Which return, where one name covers both; left out: branched where --k is given."""
    json: bool = False
    """Print one JSON object."""


@dataclass(frozen=True)
class Plot(Setting):
    """A picture of bounds over one quantity, as fractions of the largest discrepancy."""

    names: tyro.conf.Positional[tuple[str, ...]] = tyro.MISSING
    """Names of the bounds, as in `list`."""
    gamma: str = "19/20"
    """Discount, 0 <= gamma < 1."""
    model_error: str = "1/50"
    """Model error."""
    policy_shift: tuple[str, ...] = ("1/20", "1/20", "1/20")
    """One policy shift an agent, the ego agent first."""
    opponent_model: tuple[str, ...] = ("1/50", "1/50")
    """One opponent model error an opponent."""
    k: str | None = "10"
    """Branch length where it is not what is plotted over."""
    over: Literal["k", "gamma", "model-error"] = "k"
    """The quantity on the horizontal axis."""
    start: str | None = None
    """Its first value (default: 0)."""
    stop: str | None = None
    """Its last value (default: 50 for k, 0.99 for gamma, 0.2 for model-error)."""
    out: Path | None = None
    """The picture's file (.png, .svg or .pdf); default NAME-over-QUANTITY.png."""


Commands = (
    Annotated[List, tyro.conf.subcommand("list")]
    | Annotated[Show, tyro.conf.subcommand("show")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Plot, tyro.conf.subcommand("plot")]
    | Annotated[Plan, tyro.conf.subcommand("plan")]
    | Annotated[Allocate, tyro.conf.subcommand("allocate")]
)


def execute(command: List | Show | Evaluate | Plot | Plan | Allocate) -> int:
    """Run one parsed command; returns the exit code."""
    match command:
        case List():
            _list(command)
        case Show():
            _show(command)
        case Evaluate():
            _evaluate(command)
        case Plot():
            _plot(command)
        case Plan():
            run_plan(command)
        case Allocate():
            run_allocate(command)
    return 0


def _list(command: List) -> None:
    if command.json:
        print(json.dumps({"bounds": [_described(b) for b in BOUNDS]}, indent=2, ensure_ascii=False))
        return
    rows = [
        (b.name, b.about, b.convention, formula_text(b) or "a sum; see its source") for b in BOUNDS
    ]
    print(aligned(rows))


def _described(bound: Bound) -> dict[str, object]:
    return {
        "name": bound.name,
        "about": bound.about,
        "convention": bound.convention,
        "valid": bound.valid,
        "formula": formula_text(bound),
        "hypotheses": list(bound.hypotheses),
        "source": bound.source,
    }


def _show(command: Show) -> None:
    find(command.name)
    for bound in (b for b in BOUNDS if b.name == command.name):
        print(f"{bound.name}, about the {bound.about} return, {bound.convention}")
        print(f"  source:     {bound.source}")
        for hypothesis in bound.hypotheses:
            print(f"  hypothesis: {hypothesis}")
        for name in bound.symbols:
            print(f"  symbol:     {name}: {SYMBOLS[name].meaning}")
        formula = formula_text(bound)
        print(f"  formula:    {formula or 'a sum over a recursion, see bounds.library.coupling'}")
        if formula:
            print(f"  LaTeX:      {bound.latex}")


def _evaluate(command: Evaluate) -> None:
    find(command.name)
    profile = setting_profile(command)
    about = command.about or ("branched" if command.k is not None else None)
    named = [b for b in BOUNDS if b.name == command.name]
    bound = next((b for b in named if b.about == about), named[0])
    if command.about is not None:
        bound = find(command.name, command.about)
    if bound.exact_opponents and any(e > 0 for e in profile.opponent_model):
        raise InputError(f"--opponent-model: {bound.name} has no opponent models; leave them at 0")
    value = bound.evaluate(profile)
    largest = bound.largest(profile)
    if command.json:
        sys.set_int_max_str_digits(0)
        answer = {
            "name": bound.name,
            "about": bound.about,
            "convention": bound.convention,
            "value": str(value),
            "float": _float(value),
            "largest": str(largest),
            "vacuous": bool(value >= largest),
            "source": bound.source,
        }
        print(json.dumps(answer, indent=2, ensure_ascii=False))
        return
    text = (
        str(value)
        if max(value.numerator.bit_length(), value.denominator.bit_length()) < 200
        else ""
    )
    print(f"{bound.name} ({bound.about} return, {bound.convention})")
    print(
        f"  value    {decimal_text(value, 10)}"
        + (f"  = {text}" if text else "  (exact with --json)")
    )
    print(
        f"  largest  {decimal_text(largest, 10)}  possible discrepancy in this convention"
        + (": the bound says nothing" if value >= largest else "")
    )


def _float(value: Operand) -> float | None:
    """The float of a number, None where there is none."""
    try:
        return float(value)
    except OverflowError:
        return None


def _plot(command: Plot) -> None:
    from bounds.figures.over_quantity import plot_over

    out = command.out or Path(f"{'-'.join(command.names)}-over-{command.over}.png")
    print(
        plot_over(
            command.names, setting_profile(command), command.over, command.start, command.stop, out
        )
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``python -m bounds``."""
    return run(
        Commands,
        execute,
        "python -m bounds",
        "Return-discrepancy bounds of model-based multi-agent reinforcement learning.",
        arguments,
    )
