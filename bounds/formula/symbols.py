"""The names that a bound may be written in: meaning, LaTeX, and value in an ``ErrorProfile``.

A bound is a plain function whose parameters carry these names. The same function, given SymPy
symbols, yields its expression; given fractions, its exact value; given arrays, its values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Literal

from bounds.formula.error_profile import ErrorProfile
from bounds.formula.operations import apply
from bounds.shared.numbers import InputError, Operand

if TYPE_CHECKING:
    import sympy

#: Which return of the model a bound speaks about: of unbranched or of branched rollouts.
About = Literal["model", "branched"]


@dataclass(frozen=True)
class Symbol:
    """One name: its LaTeX, its meaning, and how to read its value off a profile."""

    name: str
    latex: str
    meaning: str
    read: Callable[[ErrorProfile, About], Operand]


def total(values: tuple[Operand, ...]) -> Operand:
    """Σ values; 0 for none."""
    return sum(values[1:], values[0]) if values else 0


def largest(values: tuple[Operand, ...]) -> Operand:
    """max values; 0 for none."""
    return reduce(lambda x, y: apply("max", x, y), values, 0)


def survival(values: tuple[Operand, ...]) -> Operand:
    """Π (1 − value); 1 for none."""
    return reduce(lambda product, e: product * (1 - e), values, 1)


def joint_policy_shift(profile: ErrorProfile) -> Operand:
    """max_s D_TV(π‖π_D) of the joint policies: measured, or else at most 1 − Π(1 − ε_π)."""
    if profile.joint_policy_shift is not None:
        return profile.joint_policy_shift
    return 1 - survival(profile.policy_shift)


def _expected(profile: ErrorProfile, about: About) -> Operand:
    field = "model_data" if about == "model" else "model_current"
    return profile.require(field, f"a bound about the {about} return")


def _branch_length(profile: ErrorProfile, about: About) -> Operand:
    return profile.require("k", "a bound about the branched return")


SYMBOLS: dict[str, Symbol] = {
    s.name: s
    for s in (
        Symbol("gamma", r"\gamma", "discount γ", lambda p, _: p.gamma),
        Symbol("k", "k", "branch length", _branch_length),
        Symbol("n", "n", "number of agents", lambda p, _: p.n),
        Symbol("r_max", r"r_{\max}", "max |Rⁱ|", lambda p, _: p.r_max),
        Symbol("span", r"\operatorname{span}R", "max Rⁱ − min Rⁱ", lambda p, _: p.span),
        Symbol(
            "eps_m",
            r"\epsilon_m",
            "expected model error: ε_m (under π_D) about the model return, "
            "ε′_m (under π) about the branched return",
            _expected,
        ),
        Symbol(
            "eps_m_data",
            r"\epsilon_m",
            "expected model error ε_m under the data policies π_D",
            lambda p, _: p.require("model_data", "a bound in ε_m"),
        ),
        Symbol(
            "eps_m_sup",
            r"\epsilon_{\sup}",
            "max_{s,a} D_TV(T‖T̂)",
            lambda p, _: p.require("model_sup", "a bound in ε_sup"),
        ),
        Symbol(
            "eps_pi_ego", r"\epsilon_\pi^i", "policy shift of the ego agent",
            lambda p, _: p.policy_shift[0],
        ),
        Symbol(
            "sum_eps_pi_opp", r"\textstyle\sum_{j\ne i}\epsilon_\pi^j",
            "Σ policy shifts of the opponents", lambda p, _: total(p.policy_shift[1:]),
        ),
        Symbol(
            "sum_eps_pi", r"\textstyle\sum_j\epsilon_\pi^j",
            "Σ policy shifts of all agents", lambda p, _: total(p.policy_shift),
        ),
        Symbol(
            "eps_pi_joint", r"\epsilon_\pi", "policy shift of the joint policy",
            lambda p, _: joint_policy_shift(p),
        ),
        Symbol(
            "sum_eps_hat", r"\textstyle\sum_{j\ne i}\epsilon_{\hat\pi}^j",
            "Σ errors of the opponent models", lambda p, _: total(p.opponent_model),
        ),
        Symbol(
            "max_eps_hat", r"\textstyle\max_{j\ne i}\epsilon_{\hat\pi}^j",
            "largest error of the opponent models, 0 where there is no opponent",
            lambda p, _: largest(p.opponent_model),
        ),
        Symbol(
            "sum_n_eps_hat", r"\textstyle\sum_{j\ne i}(n_j+1)\epsilon_{\hat\pi}^j",
            "Σ (nⱼ + 1) ε_π̂ʲ, nⱼ the opponent-wise lengths (all k where none are given)",
            lambda p, about: total(
                tuple(
                    (length + 1) * e
                    for length, e in zip(lengths(p, about), p.opponent_model, strict=True)
                )
            ),
        ),
        Symbol(
            "q", "q", "Π_j (1 − ε_πʲ)", lambda p, _: survival(p.policy_shift),
        ),
        Symbol(
            "c_bar", r"\bar c", "Π_{j≠i} (1 − ε_π̂ʲ)", lambda p, _: survival(p.opponent_model),
        ),
        Symbol(
            "rho", r"\rho", "c̄ (1 − ε_sup)",
            lambda p, _: survival(p.opponent_model)
            * (1 - p.require("model_sup", "a bound in ε_sup")),
        ),
    )
}  # fmt: skip


def lengths(profile: ErrorProfile, about: About = "branched") -> tuple[Operand, ...]:
    """nⱼ of every opponent: the profile's, or k for all."""
    if profile.opponent_lengths is not None:
        return profile.opponent_lengths
    return (_branch_length(profile, about),) * (profile.n - 1)


def read(name: str, profile: ErrorProfile, about: About) -> Operand:
    """The value of symbol ``name`` in ``profile``, for a bound about ``about``."""
    if name not in SYMBOLS:
        raise InputError(f"{name}: not a symbol of a bound; one of {', '.join(SYMBOLS)}")
    return SYMBOLS[name].read(profile, about)


def sympy_symbol(name: str) -> sympy.Symbol:
    """The SymPy symbol of ``name`` (real and non-negative; k and n whole)."""
    import sympy

    return sympy.Symbol(name, nonnegative=True, integer=True if name in ("k", "n") else None)
