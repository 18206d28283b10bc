"""Tables of text for a terminal: cells of a column under each other, two spaces between columns."""

from __future__ import annotations

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], numbers: int | None = None) -> str:
    """One line a row, all rows with the same number of cells.

    numbers: the first column of those that hold numbers and are flushed right, all after it too;
    None: every column is flushed left.

    >>> print(aligned([("bound", "value"), ("simulation-lemma", "0.38")], numbers=1))
    bound             value
    simulation-lemma   0.38
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = len(widths) if numbers is None else numbers
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )
