"""Every bound the library knows, each written once.

Published: Theorems 1 and 2 of Zhang et al. (IJCAI 2021), Eqs. (2) and (3), as printed (against the
paper's un-normalised return) and as normalised (the same right-hand side against (1 − γ)η); the
centralised variant; Theorems 4.1–4.3 of Janner et al. (2019) in joint-policy form; the classical
simulation lemma. Ours: the coupling bounds (``bounds.library.coupling``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from difflib import get_close_matches

from bounds.formula.bound import Bound
from bounds.formula.error_profile import ErrorProfile
from bounds.formula.symbols import About
from bounds.library import coupling
from bounds.shared.numbers import InputError, Operand, shown

AORPO = "Zhang et al., IJCAI 2021"
MBPO = "Janner et al., NeurIPS 2019"

_SHIFTS = "ε_πʲ = max_s D_TV(πʲ‖π_Dʲ) for every agent"
_MODELS = "ε_π̂ʲ = max_s D_TV(πʲ‖π̂ʲ) for every opponent"
_DATA = "ε_m = max_t E_{π_D,T} D_TV(T‖T̂)"
_CURRENT = "ε′_m = max_t E_{π,T} D_TV(T‖T̂)"
_EXACT = "no opponent models: π̂ʲ = πʲ for every opponent"


def theorem1(
    gamma: Operand,
    r_max: Operand,
    eps_m: Operand,
    eps_pi_ego: Operand,
    sum_eps_pi_opp: Operand,
    sum_eps_hat: Operand,
) -> Operand:
    """2 r_max [γ(ε_m + 2ε_πⁱ + 2Σε_πʲ + Σε_π̂ʲ)/(1−γ) + 2ε_πⁱ + 2Σε_πʲ + Σε_π̂ʲ], Eq. (2)."""
    actions = 2 * eps_pi_ego + 2 * sum_eps_pi_opp + sum_eps_hat
    return 2 * r_max * (gamma * (eps_m + actions) / (1 - gamma) + actions)


def theorem2(
    gamma: Operand,
    k: Operand,
    r_max: Operand,
    eps_m: Operand,
    eps_pi_ego: Operand,
    sum_eps_pi_opp: Operand,
    sum_eps_hat: Operand,
) -> Operand:
    """2 r_max [kε′_m + (k+1)Σε_π̂ʲ + γ^{k+1}(ε_πⁱ+Σε_πʲ) + γ^{k+1}(ε_πⁱ+Σε_πʲ)/(1−γ)], Eq. (3)."""
    shift = gamma ** (k + 1) * (eps_pi_ego + sum_eps_pi_opp)
    return 2 * r_max * (k * eps_m + (k + 1) * sum_eps_hat + shift + shift / (1 - gamma))


def theorem2_without_third_term(
    gamma: Operand,
    k: Operand,
    r_max: Operand,
    eps_m: Operand,
    sum_eps_pi: Operand,
    sum_eps_hat: Operand,
) -> Operand:
    """2 r_max [kε′_m + (k+1)Σε_π̂ʲ + γ^{k+1}Σε_π/(1−γ)]: Eq. (3) without its third term."""
    shift = gamma ** (k + 1) * sum_eps_pi / (1 - gamma)
    return 2 * r_max * (k * eps_m + (k + 1) * sum_eps_hat + shift)


def theorem2_opponent_wise(
    gamma: Operand,
    k: Operand,
    r_max: Operand,
    eps_m: Operand,
    sum_eps_pi: Operand,
    sum_n_eps_hat: Operand,
) -> Operand:
    """Eq. (3) with the opponent term Σ(nⱼ+1)ε_π̂ʲ of Section 5.1."""
    shift = gamma ** (k + 1) * sum_eps_pi
    return 2 * r_max * (k * eps_m + sum_n_eps_hat + shift + shift / (1 - gamma))


def centralised1(gamma: Operand, r_max: Operand, eps_m: Operand, sum_eps_pi: Operand) -> Operand:
    """2 r_max [γ(ε_m + 2Σε_π)/(1−γ) + 2Σε_π]: Eq. (2) without opponent models."""
    return 2 * r_max * (gamma * (eps_m + 2 * sum_eps_pi) / (1 - gamma) + 2 * sum_eps_pi)


def centralised2(
    gamma: Operand, k: Operand, r_max: Operand, eps_m: Operand, sum_eps_pi: Operand
) -> Operand:
    """2 r_max [kε′_m + γ^{k+1}Σε_π + γ^{k+1}Σε_π/(1−γ)]: Eq. (3) without opponent models."""
    shift = gamma ** (k + 1) * sum_eps_pi
    return 2 * r_max * (k * eps_m + shift + shift / (1 - gamma))


def mbpo41(gamma: Operand, r_max: Operand, eps_m: Operand, eps_pi_joint: Operand) -> Operand:
    """2γ r_max (ε_m + 2ε_π)/(1−γ)² + 4 r_max ε_π/(1−γ)."""
    return 2 * gamma * r_max * (eps_m + 2 * eps_pi_joint) / (
        1 - gamma
    ) ** 2 + 4 * r_max * eps_pi_joint / (1 - gamma)


def mbpo42(
    gamma: Operand, k: Operand, r_max: Operand, eps_m_data: Operand, eps_pi_joint: Operand
) -> Operand:
    """2 r_max [γ^{k+1}ε_π/(1−γ)² + (γᵏ+2)ε_π/(1−γ) + k(ε_m+2ε_π)/(1−γ)]."""
    return (
        2
        * r_max
        * (
            gamma ** (k + 1) * eps_pi_joint / (1 - gamma) ** 2
            + (gamma**k + 2) * eps_pi_joint / (1 - gamma)
            + k * (eps_m_data + 2 * eps_pi_joint) / (1 - gamma)
        )
    )


def mbpo43(
    gamma: Operand, k: Operand, r_max: Operand, eps_m: Operand, eps_pi_joint: Operand
) -> Operand:
    """2 r_max [γ^{k+1}ε_π/(1−γ)² + γᵏε_π/(1−γ) + kε′_m/(1−γ)]."""
    return (
        2
        * r_max
        * (
            gamma ** (k + 1) * eps_pi_joint / (1 - gamma) ** 2
            + gamma**k * eps_pi_joint / (1 - gamma)
            + k * eps_m / (1 - gamma)
        )
    )


def simulation_lemma(gamma: Operand, r_max: Operand, eps_m_sup: Operand) -> Operand:
    """2γ r_max ε_sup/(1−γ)²."""
    return 2 * gamma * r_max * eps_m_sup / (1 - gamma) ** 2


def coupling_sup_model(gamma: Operand, span: Operand, c_bar: Operand, rho: Operand) -> Operand:
    """span [1/(1−γ) − c̄/(1−γρ)]."""
    return span * (1 / (1 - gamma) - c_bar / (1 - gamma * rho))


def coupling_sup_branched(
    gamma: Operand, k: Operand, span: Operand, c_bar: Operand, rho: Operand, q: Operand
) -> Operand:
    """span {1/(1−γ) − c̄[(1−(γρ)^{k+1})/(1−γρ) + (γρ)ᵏ γq/(1−γq)]}, all nⱼ = k."""
    together = gamma * rho
    rest = gamma * q
    return span * (
        1 / (1 - gamma)
        - c_bar * ((1 - together ** (k + 1)) / (1 - together) + together**k * rest / (1 - rest))
    )


_THEOREM1 = Bound(
    name="theorem1-printed",
    about="model",
    convention="unnormalised",
    source=f"{AORPO}, Theorem 1, Eq. (2)",
    hypotheses=(_SHIFTS, _MODELS, _DATA),
    valid=False,
    formula=theorem1,
    first_t=1,
)
_THEOREM2 = Bound(
    name="theorem2-printed",
    about="branched",
    convention="unnormalised",
    source=f"{AORPO}, Theorem 2, Eq. (3)",
    hypotheses=(_SHIFTS, _MODELS, _CURRENT),
    valid=False,
    formula=theorem2,
    first_t=1,
)
_NORMALISED = ", read for the normalised return (1 − γ)η"
_COUPLING = "coupling of the real and the model chain; docstring of bounds.library.coupling"


def _coupling(
    name: str,
    about: About,
    hypotheses: tuple[str, ...],
    formula: Callable[..., Operand],
    value: Callable[[ErrorProfile], Operand],
) -> Bound:
    return Bound(
        name=name,
        about=about,
        convention="unnormalised",
        source=_COUPLING,
        hypotheses=hypotheses,
        valid=True,
        formula=formula,
        value=value,
    )


def _series() -> Operand:
    raise InputError("this bound is a sum over a recursion, not one expression; evaluate it")


BOUNDS: tuple[Bound, ...] = (
    _THEOREM1,
    replace(
        _THEOREM1,
        name="theorem1-normalised",
        convention="normalised",
        source=_THEOREM1.source + _NORMALISED,
        valid=True,
        first_t=0,
    ),
    _THEOREM2,
    replace(
        _THEOREM2,
        name="theorem2-normalised",
        convention="normalised",
        source=_THEOREM2.source + _NORMALISED,
        valid=True,
        first_t=0,
    ),
    Bound(
        name="theorem2-without-third-term",
        about="branched",
        convention="normalised",
        source=f"{AORPO}, Theorem 2 without its third term{_NORMALISED}",
        hypotheses=(_SHIFTS, _MODELS, _CURRENT),
        valid=True,
        formula=theorem2_without_third_term,
        claim="theorem2-third-term-unneeded",
    ),
    Bound(
        name="theorem2-opponent-wise",
        about="branched",
        convention="normalised",
        source=f"{AORPO}, Theorem 2 with the opponent term of Section 5.1{_NORMALISED}",
        hypotheses=(_SHIFTS, _MODELS, _CURRENT, "opponent j's model plays nⱼ of the k steps"),
        valid=True,
        formula=theorem2_opponent_wise,
    ),
    Bound(
        name="centralised1-normalised",
        about="model",
        convention="normalised",
        source=f"{AORPO}, Theorem 1 with every opponent known; the paper's own Appendix A is not "
        "public, this is Eq. (2) at Σε_π̂ = 0",
        hypotheses=(_SHIFTS, _DATA, _EXACT),
        valid=True,
        formula=centralised1,
        exact_opponents=True,
    ),
    Bound(
        name="centralised2-normalised",
        about="branched",
        convention="normalised",
        source=f"{AORPO}, Theorem 2 with every opponent known; the paper's own Appendix A is not "
        "public, this is Eq. (3) at Σε_π̂ = 0",
        hypotheses=(_SHIFTS, _CURRENT, _EXACT),
        valid=True,
        formula=centralised2,
        exact_opponents=True,
    ),
    Bound(
        name="mbpo-4.1",
        about="model",
        convention="unnormalised",
        source=f"{MBPO}, Theorem 4.1, joint policy in place of the single agent's",
        hypotheses=("ε_π = max_s D_TV(π‖π_D), joint policies", _DATA, _EXACT),
        valid=True,
        formula=mbpo41,
        exact_opponents=True,
    ),
    Bound(
        name="mbpo-4.2",
        about="branched",
        convention="unnormalised",
        source=f"{MBPO}, Theorem 4.2, joint policy in place of the single agent's",
        hypotheses=("ε_π = max_s D_TV(π‖π_D), joint policies", _DATA, _EXACT),
        valid=True,
        formula=mbpo42,
        exact_opponents=True,
    ),
    Bound(
        name="mbpo-4.3",
        about="branched",
        convention="unnormalised",
        source=f"{MBPO}, Theorem 4.3, joint policy in place of the single agent's",
        hypotheses=("ε_π = max_s D_TV(π‖π_D), joint policies", _CURRENT, _EXACT),
        valid=True,
        formula=mbpo43,
        exact_opponents=True,
    ),
    Bound(
        name="simulation-lemma",
        about="model",
        convention="unnormalised",
        source="Kearns and Singh, Machine Learning 49 (2002), Lemma 4, in its discounted "
        "total-variation form",
        hypotheses=("ε_sup = max_{s,a} D_TV(T‖T̂)", _EXACT),
        valid=True,
        formula=simulation_lemma,
        exact_opponents=True,
    ),
    _coupling(
        "coupling-sup",
        "model",
        (_MODELS, "ε_sup = max_{s,a} D_TV(T‖T̂)"),
        coupling_sup_model,
        lambda profile: coupling.sup(profile, branched=False),
    ),
    _coupling(
        "coupling-sup",
        "branched",
        (_SHIFTS, _MODELS, "ε_sup = max_{s,a} D_TV(T‖T̂)"),
        coupling_sup_branched,
        lambda profile: coupling.sup(profile, branched=True),
    ),
    _coupling(
        "coupling-expected",
        "model",
        (_MODELS, _CURRENT),
        _series,
        lambda profile: coupling.expected(profile, branched=False),
    ),
    _coupling(
        "coupling-expected",
        "branched",
        (_SHIFTS, _MODELS, _CURRENT),
        _series,
        lambda profile: coupling.expected(profile, branched=True),
    ),
    _coupling(
        "coupling-data",
        "model",
        (_SHIFTS, _MODELS, _DATA),
        _series,
        coupling.data,
    ),
)


def names() -> tuple[str, ...]:
    """The names of all bounds, each once, in the library's order."""
    return tuple(dict.fromkeys(bound.name for bound in BOUNDS))


def find(name: str, about: str | None = None) -> Bound:
    """The bound called ``name`` (and, where one name covers two returns, about ``about``).

    Raises ``InputError`` with the nearest name for an unknown one.
    """
    named = [bound for bound in BOUNDS if bound.name == name]
    if not named:
        near = get_close_matches(name, names(), n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(names())}"
        raise InputError(f"{shown(name)} is not a bound of this library; {hint}")
    chosen = [bound for bound in named if about is None or bound.about == about]
    if not chosen:
        raise InputError(f"{name} is not about the {about} return")
    return chosen[0]
