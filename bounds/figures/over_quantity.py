"""Pictures of bounds over one quantity; in grey, dashes and marks tell the curves apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bounds.formula.bound import Bound
from bounds.formula.error_profile import ErrorProfile
from bounds.library.published import BOUNDS, find
from bounds.shared.figures import curve, new_figure, save
from bounds.shared.numbers import Array, InputError, Operand, in_range, parse_number, whole

#: What the axis of each quantity is called, and its default range.
AXES = {
    "k": ("branch length k", 0, 50),
    "gamma": ("discount γ", 0, 0.99),
    "model-error": ("model error ε_m", 0, 0.2),
}


def plot_over(
    names: Sequence[str],
    profile: ErrorProfile,
    over: str,
    start: str | None,
    stop: str | None,
    out: Path,
) -> Path:
    """Draw the bounds ``names`` over k, gamma or model-error, every other number from ``profile``.

    The vertical axis is bound / largest possible discrepancy, so that conventions are comparable:
    at 1 and above a bound says nothing. Returns the path written.
    """
    if not names:
        raise InputError("names: none given; name at least one bound of `list`")
    if out.exists():
        raise InputError(f"--out: {out} exists; choose another name or remove it first")
    chosen = [bound for name in names for bound in _named(name, over)]
    x = _axis(over, start, stop)
    figure, axes = new_figure()
    for number, bound in enumerate(chosen):
        at = _at(profile, over, x)
        y = np.broadcast_to(bound.evaluate(at) / bound.largest(at), x.shape)
        curve(axes, x, y, number, f"{bound.name} ({bound.convention})")
    axes.axhline(1, color="black", linewidth=0.8)
    axes.annotate("says nothing from here up", (x[-1], 1), ha="right", va="bottom", fontsize=8)
    axes.set_yscale("log")
    axes.set_xlabel(AXES[over][0])
    axes.set_ylabel("bound / largest possible discrepancy")
    axes.set_title(_settings(profile, over), fontsize=9)
    figure.legend(loc="outside lower center", ncols=2, fontsize=8, frameon=False)
    return save(figure, out)


def _named(name: str, over: str) -> list[Bound]:
    found = [bound for bound in BOUNDS if bound.name == name] or [find(name)]
    if over == "k":
        branched = [bound for bound in found if bound.about == "branched"]
        return branched or found
    return found


def _axis(over: str, start: str | None, stop: str | None) -> Array:
    _, low, high = AXES[over]
    first: Operand = low if start is None else parse_number(start, "--start")
    last: Operand = high if stop is None else parse_number(stop, "--stop")
    if over == "k":
        first, last = whole("--start", first), whole("--stop", last, 0, 100_000)
    else:
        in_range("--start", first, 0, 1, open_high=over == "gamma")
        in_range("--stop", last, 0, 1, open_high=over == "gamma")
    if first >= last:
        raise InputError(f"--stop: {last} is not beyond --start {first}; choose a later one")
    if over == "k":
        return np.unique(np.linspace(first, last, min(400, last - first + 1)).astype(int))
    return np.linspace(float(first), float(last), 400)


def _at(profile: ErrorProfile, over: str, x: Array) -> ErrorProfile:
    if over == "k":
        return profile.with_(k=x, opponent_lengths=None)
    if over == "gamma":
        return profile.with_(gamma=x)
    return profile.with_(model_data=x, model_current=x, model_sup=x)


def _settings(profile: ErrorProfile, over: str) -> str:
    parts = {
        "gamma": f"γ = {float(profile.gamma):g}",
        "model-error": f"ε_m = {float(profile.model_current):g}",
        "k": "" if profile.k is None else f"k = {profile.k}",
    }
    shown = [text for name, text in parts.items() if name != over and text]
    shown.append("ε_π = " + ", ".join(f"{float(e):g}" for e in profile.policy_shift))
    if profile.opponent_model:
        shown.append("ε_π̂ = " + ", ".join(f"{float(e):g}" for e in profile.opponent_model))
    return "   ".join(shown)
