"""The errors at which a command evaluates a bound, as flags."""

from __future__ import annotations

from dataclasses import dataclass

from bounds.formula.error_profile import ErrorProfile
from bounds.shared.numbers import InputError, parse_number, shown, whole

#: The longest branch on the command line, where everything is exact.
MAX_K = 10_000


@dataclass(frozen=True)
class Setting:
    """The errors at which a bound is evaluated. Numbers may be decimals or rationals p/q."""

    gamma: str
    """Discount, 0 <= gamma < 1."""
    k: str | None = None
    """Branch length; needed by bounds about the branched return."""
    model_error: str = "0"
    """Model error, of the kind (expected or sup) that the bound is stated in."""
    policy_shift: tuple[str, ...] = ()
    """One policy shift an agent, the ego agent first; left out: all 0."""
    opponent_model: tuple[str, ...] = ()
    """One opponent model error an opponent; left out: all 0."""
    opponent_lengths: tuple[str, ...] = ()
    """One length n_j an opponent; left out: all k."""
    r_max: str = "1"
    """max |R|."""
    span: str | None = None
    """max R - min R; left out: 2 r_max."""


def setting_profile(setting: Setting) -> ErrorProfile:
    """The exact ``ErrorProfile`` that a command line describes."""

    def number(flag: str, text: str) -> object:
        return parse_number(text, f"--{flag}")

    def each(flag: str, texts: tuple[str, ...]) -> tuple[object, ...]:
        return tuple(parse_number(text, f"--{flag}[{j}]") for j, text in enumerate(texts))

    shift = each("policy-shift", setting.policy_shift)
    hat = each("opponent-model", setting.opponent_model)
    n = len(shift) or len(hat) + 1
    k = None if setting.k is None else whole("--k", parse_number(setting.k, "--k"))
    if k is not None and k > MAX_K:
        raise InputError(f"--k: {shown(k)} is beyond {MAX_K}, the longest in exact arithmetic")
    lengths = tuple(
        whole(f"--opponent-lengths[{j}]", x)
        for j, x in enumerate(each("opponent-lengths", setting.opponent_lengths))
    )
    error = number("model-error", setting.model_error)
    return ErrorProfile(
        gamma=number("gamma", setting.gamma),
        policy_shift=shift or (0,) * n,
        opponent_model=hat or (0,) * (n - 1),
        model_data=error,
        model_current=error,
        model_sup=error,
        k=k,
        opponent_lengths=lengths or None,
        r_max=number("r-max", setting.r_max),
        span=None if setting.span is None else number("span", setting.span),
    )
