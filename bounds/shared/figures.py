"""Figures that every picture shares: axes, curves that differ in grey, files without dates."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from bounds.shared.files import write_bytes
from bounds.shared.numbers import Array, InputError

FORMATS = ("png", "svg", "pdf")

STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)), (0, (7, 3)))

MARKS = ("o", "s", "^", "D", "v", "P", "X")


def new_figure(width: float = 7.0, height: float = 4.4) -> tuple[Any, Any]:
    """A figure with one plain axes: no display is needed or opened."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.3, linewidth=0.6)
    return figure, axes


def curve(axes: Any, x: Array, y: Array, number: int, label: str) -> None:
    """One curve in style ``number``, with a mark on about every tenth point."""
    every = max(1, len(x) // 10)
    axes.plot(
        x,
        y,
        linestyle=STYLES[number % len(STYLES)],
        marker=MARKS[number % len(MARKS)],
        markevery=(number % every, every),
        markersize=4.5,
        linewidth=1.6,
        color=f"C{number}",
        label=label,
    )


def encoded(figure: Any, suffix: str, dpi: int = 150) -> bytes:
    """The picture as PNG, SVG or PDF; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    metadata: dict[str, Any] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    from matplotlib import rc_context

    with rc_context({"svg.hashsalt": "opponentwise"}):
        figure.savefig(buffer, format=suffix, dpi=dpi, metadata=metadata[suffix])
    return buffer.getvalue()


def save(figure: Any, path: Path, *, replace: bool = False) -> Path:
    """Write the figure atomically; the file's ending chooses PNG, SVG or PDF."""
    suffix = path.suffix.lower().lstrip(".")
    if suffix not in FORMATS:
        raise InputError(f"{path}: not a picture's name; end it in .{', .'.join(FORMATS)}")
    return write_bytes(path, encoded(figure, suffix), replace=replace)
