r"""Return-discrepancy bounds of model-based multi-agent reinforcement learning.

Notation (Zhang et al., IJCAI 2021, Section 4). Agents 1..n, ego agent i, opponents j ≠ i. Policies:
π current, π_D data-collecting, π̂ modelled; T real, T̂ learned dynamics; D_TV(p‖q) = ½ Σ|p − q|.

- ε_πʲ = max_s D_TV(πʲ‖π_Dʲ), every agent; ε_π̂ʲ = max_s D_TV(πʲ‖π̂ʲ), every opponent
- ε_m, ε′_m = max_t E D_TV(T‖T̂) under π_D and under π, in T; ε_sup = max_{s,a} D_TV(T‖T̂)
- η = E Σ_{t≥0} γᵗ R; a normalised bound speaks of (1 − γ)η; the paper's sum starts at t = 1

>>> from fractions import Fraction
>>> from bounds import ErrorProfile, find
>>> profile = ErrorProfile(gamma=Fraction(19, 20), policy_shift=(0,), model_data=Fraction(1, 100))
>>> find("theorem1-printed").evaluate(profile)
Fraction(19, 50)
"""

from bounds.formula.bound import Bound
from bounds.formula.error_profile import ErrorProfile
from bounds.library.published import BOUNDS, find, names
from bounds.shared.numbers import InputError

__all__ = ["BOUNDS", "Bound", "ErrorProfile", "InputError", "find", "names"]
