"""What the notebooks show: figures, which are also written to files, and tables.

A figure ``name`` goes to ``figures/name.png`` and ``.svg`` beside this file, or to the folder that
the environment variable ``NOTEBOOK_FIGURES`` names (the tests use it).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from IPython.display import Image, Markdown

from bounds.formula.bound import Bound
from bounds.shared.figures import encoded, save

FIGURES = Path(__file__).parent / "figures"


def figure(drawn: Any, name: str) -> Image:
    """Write the Matplotlib figure ``drawn`` as PNG and SVG, and show it."""
    folder = Path(os.environ.get("NOTEBOOK_FIGURES", FIGURES))
    for suffix in ("png", "svg"):
        save(drawn, folder / f"{name}.{suffix}", replace=True)
    return Image(encoded(drawn, "png", dpi=110))


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> Markdown:
    """A table; floats in four significant digits, everything else as ``str`` writes it."""

    def cell(value: Any) -> str:
        return f"{value:.4g}" if isinstance(value, float) else str(value)

    lines = [heads, ["---"] * len(heads), *([cell(value) for value in row] for row in rows)]
    return Markdown("\n".join(f"| {' | '.join(line)} |" for line in lines))


def formula(bound: Bound) -> Markdown:
    """The right-hand side of ``bound`` as the library has it, and the return it is about."""
    return Markdown(f"$$\\text{{{bound.name}, {bound.convention}:}}\\quad {bound.latex}$$")
