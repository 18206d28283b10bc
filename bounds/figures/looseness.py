"""How loose a bound is: its ratio to the coupling bound of the same hypothesis, which games attain.

Values are fractions of the trivial bound, the largest discrepancy in the bound's convention; at 1
and above a bound says nothing. The coupling bound in question is the one of the errors that the
bound is written in: ε_m under π_D or ε′_m, ε_sup, the least of them where it names several or none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from bounds.formula.bound import Bound
from bounds.formula.error_profile import ErrorProfile
from bounds.library import coupling
from bounds.library.published import find
from bounds.shared.figures import new_figure
from bounds.shared.numbers import Array, Operand, as_float


@dataclass(frozen=True)
class NamedSetting:
    """A setting that tables quote: γ, n agents, one number for each kind of error, and k."""

    name: str
    gamma: float
    n: int
    policy_shift: float
    opponent_model: float
    model_error: float
    k: int

    def profile(self, *, exact_opponents: bool = False) -> ErrorProfile:
        """The setting as a profile; all three model errors are the one number."""
        hat = 0.0 if exact_opponents else self.opponent_model
        return ErrorProfile(
            gamma=self.gamma,
            policy_shift=(self.policy_shift,) * self.n,
            opponent_model=(hat,) * (self.n - 1),
            model_data=self.model_error,
            model_current=self.model_error,
            model_sup=self.model_error,
            k=self.k,
        )


#: γ, the numbers of agents and the lengths k of the paper's experiments; errors small and large.
SETTINGS = tuple(
    NamedSetting(
        name=name,
        gamma=gamma,
        n=n,
        policy_shift=policy_shift,
        opponent_model=opponent_model,
        model_error=model_error,
        k=k,
    )
    for name, gamma, n, policy_shift, opponent_model, model_error, k in (
        ("paper scale, errors of 1/100", 0.95, 3, 0.01, 0.01, 0.01, 10),
        ("paper scale, larger errors", 0.95, 3, 0.05, 0.02, 0.02, 15),
        ("paper scale, accurate models", 0.95, 3, 0.05, 0.001, 0.001, 10),
        ("two agents", 0.95, 2, 0.02, 0.02, 0.02, 10),
        ("one agent", 0.95, 1, 0.02, 0.0, 0.02, 10),
        ("long horizon", 0.99, 3, 0.01, 0.01, 0.01, 15),
        ("short horizon, tiny errors", 0.9, 3, 0.0001, 0.0001, 0.0001, 5),
    )
)


@dataclass(frozen=True)
class Row:
    """A bound at a named setting, the coupling bound there, and their ratio."""

    setting: str
    value: float
    coupling: float
    looseness: float


def reference(bound: Bound, profile: ErrorProfile) -> Operand:
    """The coupling bound to compare ``bound`` with, as a fraction of the trivial one."""
    if bound.value is not None:  # a coupling bound itself
        return bound.evaluate(profile) / bound.largest(profile)
    used = set(bound.symbols)
    branched = bound.about == "branched"
    forms = []
    if used & {"eps_m_sup", "rho"}:
        forms.append(coupling.sup(profile, branched))
    if not forms or used & {"eps_m", "eps_m_data"}:
        forms.append(coupling.expected(profile, True) if branched else coupling.data(profile))
    least = reduce(np.minimum, forms)
    return least / find("coupling-sup", bound.about).largest(profile)


def table(bound: Bound, settings: Sequence[NamedSetting] = SETTINGS) -> tuple[Row, ...]:
    """One row for each of ``settings``."""
    rows = []
    for setting in settings:
        profile = setting.profile(exact_opponents=bound.exact_opponents)
        value = float(as_float(bound.evaluate(profile)) / bound.largest(profile))
        least = float(reference(bound, profile))
        rows.append(Row(setting.name, value, least, value / least if least > 0 else float("inf")))
    return tuple(rows)


def heat_map(bound: Bound, gamma: float = 0.95, n: int = 3) -> Any:
    """Figure: bound / coupling bound, with every ε the same number on the vertical axis.

    Over the branch length at the discount ``gamma`` for a bound about the branched return, over the
    discount for one about the model return. Hatched where the bound says nothing.
    """
    branched = bound.about == "branched"
    errors = np.logspace(-4, -0.05, 120)[:, None]
    across: Array = np.arange(0, 51) if branched else np.linspace(0, 0.99, 120)
    hat = 0 * errors if bound.exact_opponents else errors
    profile = ErrorProfile(
        gamma=gamma if branched else across[None, :],
        policy_shift=(errors,) * n,
        opponent_model=(hat,) * (n - 1),
        model_data=errors,
        model_current=errors,
        model_sup=errors,
        k=across[None, :] if branched else None,
    )
    shape = (errors.size, across.size)
    value = np.broadcast_to(as_float(bound.evaluate(profile)) / bound.largest(profile), shape)
    least = np.broadcast_to(reference(bound, profile), shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log10(value / least)
    return _drawn(across, errors[:, 0], np.ma.masked_invalid(ratio), value, branched, gamma, n)


def _drawn(
    across: Array, errors: Array, ratio: Any, value: Array, branched: bool, gamma: float, n: int
) -> Any:
    figure, axes = new_figure(7.4, 4.6)
    axes.grid(False)
    mesh = axes.pcolormesh(
        across, errors, ratio, cmap="viridis", shading="nearest", rasterized=True
    )
    steps = np.log10([1, 2, 5, 10, 20, 50, 100, 1000, 10_000])
    levels = [x for x in steps if ratio.min() < x < ratio.max()]
    if levels:
        lines = axes.contour(across, errors, ratio, levels=levels, colors="white", linewidths=0.9)
        axes.clabel(lines, fmt=lambda x: f"{10**x:.3g}x", fontsize=8)
    if (value >= 1).any():
        axes.contourf(across, errors, value >= 1, levels=[0.5, 1.5], colors="none", hatches=["//"])
    axes.set_yscale("log")
    axes.set_xlabel("branch length k" if branched else "discount γ")
    axes.set_ylabel("every ε (policies, opponent models, dynamics)")
    figure.colorbar(mesh, ax=axes, label="log₁₀(bound / coupling bound)")
    where = f"{n} agents" + (f", γ = {gamma:g}" if branched else "")
    axes.set_title(
        f"How loose the bound is, {where}; hatched: at or above the trivial bound", fontsize=9
    )
    return figure
