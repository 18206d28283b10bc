"""Progress with the time left, on a terminal; silence everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")


class Progress:
    """Wraps loops; ``display`` is a rich progress display, or None for silence."""

    def __init__(self, display: Any = None) -> None:
        self._display = display

    def note(self, text: str) -> None:
        """Show ``text`` beside the loop that began last."""
        if self._display is not None and self._display.task_ids:
            self._display.update(self._display.task_ids[-1], note=text)

    def over(self, items: Iterable[Item], label: str, total: int | None = None) -> Iterator[Item]:
        """Yield ``items``, showing how many are done and how long the rest will take."""
        if total is None and isinstance(items, Sized):
            total = len(items)
        if self._display is None:
            yield from items
            return
        task = self._display.add_task(label, total=total, note="")
        for item in items:
            yield item
            self._display.advance(task)


@contextmanager
def progress() -> Iterator[Progress]:
    """A display on standard error while the block runs, if standard error is a terminal."""
    if not sys.stderr.isatty():
        yield Progress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Display

    columns = (
        TextColumn("{task.description:<20}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Display(*columns, console=Console(stderr=True)) as display:
        yield Progress(display)
