"""A return-discrepancy bound: one formula, its return convention, its hypotheses, its source.

``Bound.formula`` is a plain function of the names in ``bounds.formula.symbols``. It is the only
place where the bound is written down; the SymPy expression, the LaTeX, the exact value and the
vectorised value all come from calling it (with symbols, fractions or arrays).

Conventions. With η = E Σ_{t≥0} γᵗ R(s_t, a_t), a bound C

- in the ``unnormalised`` convention claims |η − η_model| ≤ C,
- in the ``normalised`` convention claims (1 − γ)|η − η_model| ≤ C.

The paper starts its sum at t = 1, which multiplies every discrepancy by γ ≤ 1. Values, checks and
verdicts are about the return from t = 0 throughout; ``Bound.first_t`` says from which time the
return of the bound's source counts, and a certificate against the bound is made for that one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bounds.formula.error_profile import ErrorProfile
from bounds.formula.symbols import About, read, sympy_symbol
from bounds.shared.numbers import InputError, Operand

if TYPE_CHECKING:
    import sympy

Convention = Literal["unnormalised", "normalised"]

#: Elements per block of a vectorised evaluation: the operands of a block stay in the cache.
BLOCK = 8192


@dataclass(frozen=True)
class Bound:
    """A claim |discrepancy| ≤ formula, with everything needed to evaluate and to check it.

    name: identifier, as in the case format and the ledger.
    about: the model return (unbranched) or the branched return.
    convention: which return the right-hand side is compared with (see the module).
    source: paper, theorem, page or section.
    hypotheses: what must hold, in words.
    valid: whether the library calls the bound valid. The audit tests it; a valid bound that fails
        makes ``tabular check`` exit with 1.
    formula: the right-hand side, a function of symbol names.
    value: how a profile is evaluated where the formula alone does not say it (opponent-wise
        lengths of the coupling bounds); None: the formula.
    exact_opponents: the bound has no opponent models and applies only where all are exact.
    first_t: the time from which the return of its source counts, 0 or 1 (see the module).
    claim: what the ledger calls the claim that the bound holds; None: by the bound's name.
    """

    name: str
    about: About
    convention: Convention
    source: str
    hypotheses: tuple[str, ...]
    valid: bool
    formula: Callable[..., Operand]
    value: Callable[[ErrorProfile], Operand] | None = None
    exact_opponents: bool = False
    first_t: Literal[0, 1] = 0
    claim: str | None = None

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """Names of the formula's parameters."""
        return tuple(inspect.signature(self.formula).parameters)

    @property
    def is_series(self) -> bool:
        """Whether the right-hand side is a sum over a recursion, not one expression."""
        return self.value is not None and not self.symbols

    def evaluate(self, profile: ErrorProfile) -> Operand:
        """The right-hand side at ``profile``: a Fraction if every number that enters is exact.

        Arrays in the profile broadcast. Raises ``InputError`` where an error that the bound needs
        is not in the profile.
        """
        if self.value is not None:
            return self.value(profile)
        return self(**{name: read(name, profile, self.about) for name in self.symbols})

    def __call__(self, **values: Operand) -> Operand:
        """The formula at ``values``, one keyword a symbol, broadcasting arrays against scalars.

        Large arrays are evaluated block by block, so that temporaries stay in the cache. Values are
        not validated here; ``ErrorProfile`` is the door for untrusted numbers.
        """
        if set(values) != set(self.symbols):
            raise InputError(f"{self.name} is a function of {', '.join(self.symbols)}")
        if not any(isinstance(v, np.ndarray) for v in values.values()):
            return self.formula(**values)
        values = {name: _inexact(v) for name, v in values.items()}
        arrays = {name: v for name, v in values.items() if isinstance(v, np.ndarray)}
        size = np.broadcast_shapes(*(a.shape for a in arrays.values()))
        if np.prod(size, dtype=np.int64) <= BLOCK:
            return self.formula(**values)
        return _by_blocks(self.formula, values, arrays)

    @property
    def expression(self) -> sympy.Expr:
        """The right-hand side as a SymPy expression in ``bounds.formula.symbols.sympy_symbol``."""
        import sympy

        return sympy.sympify(self.formula(**{name: sympy_symbol(name) for name in self.symbols}))

    @property
    def latex(self) -> str:
        """The right-hand side in LaTeX, in the paper's notation."""
        import sympy

        from bounds.formula.symbols import SYMBOLS

        names = {sympy_symbol(name): SYMBOLS[name].latex for name in self.symbols}
        if self.about == "branched":  # there eps_m is the error under the current policies
            names[sympy_symbol("eps_m")] = r"\epsilon'_m"
        return str(sympy.latex(self.expression, symbol_names=names))

    def largest(self, profile: ErrorProfile) -> Operand:
        """The largest discrepancy that any two returns can have in this convention."""
        return self.largest_of(profile.span, profile.gamma)

    def largest_of(self, span: Operand, gamma: Operand) -> Operand:
        """span/(1 − γ), or span in the normalised convention."""
        return span if self.convention == "normalised" else span / (1 - gamma)


def _inexact(value: Operand) -> Operand:
    """Floats and wide integers: what NumPy computes with in full speed and without wrapping."""
    if isinstance(value, np.ndarray):
        return value.astype(np.int64 if value.dtype.kind in "iu" else float, copy=False)
    return float(value) if isinstance(value, Fraction) else value


def _by_blocks(
    formula: Callable[..., Operand],
    values: dict[str, Operand],
    arrays: dict[str, np.ndarray[Operand, Operand]],
) -> Operand:
    scalars = {name: v for name, v in values.items() if name not in arrays}
    names = list(arrays)
    operands: Any = [*arrays.values(), None]
    flags: Any = [["readonly"]] * len(names) + [["writeonly", "allocate"]]
    iterator = np.nditer(
        operands,
        flags=["external_loop", "buffered", "delay_bufalloc"],
        op_flags=flags,
        op_dtypes=[*(a.dtype for a in arrays.values()), np.dtype(float)],
        buffersize=BLOCK,
    )
    with iterator:
        iterator.reset()
        for *blocks, out in iterator:
            out[...] = formula(**dict(zip(names, blocks, strict=True)), **scalars)
        return iterator.operands[-1]
