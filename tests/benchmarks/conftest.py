"""What the benchmarks found, in one table at the end of a run: ``figure`` adds a row to it."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

ROWS = pytest.StashKey[list[tuple[str, str, str]]]()


@dataclass
class Bench:
    """One benchmark: times functions, keeps figures beside what they should be."""

    benchmark: Any
    rows: list[tuple[str, str, str]]
    times: list[float] = field(default_factory=list)

    def seconds(self, function: Callable[[], Any], rounds: int) -> float:
        """The shortest of ``rounds`` runs, after one that is not counted if there are more."""

        def timed() -> None:
            start = time.perf_counter()
            function()
            self.times.append(time.perf_counter() - start)

        self.benchmark.pedantic(timed, rounds=rounds, warmup_rounds=min(1, rounds - 1))
        return min(self.times[-rounds:])

    def figure(self, what: str, value: float, unit: str, target: str = "") -> None:
        """Report ``value``; ``target`` says what it should be, nothing asserts it."""
        text = f"{value:,.0f} {unit}" if value >= 1000 else f"{value:.3g} {unit}"
        self.benchmark.extra_info[what] = f"{text}{f' (target {target})' if target else ''}"
        self.rows.append((what, text, target))


@pytest.fixture
def bench(benchmark: Any, request: pytest.FixtureRequest) -> Bench:
    return Bench(benchmark, request.config.stash.setdefault(ROWS, []))


def shortest(function: Callable[[], Any], rounds: int) -> float:
    """The shortest time of ``rounds`` runs, for what a benchmark is compared with."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


@pytest.fixture
def compare() -> Callable[[Callable[[], Any], int], float]:
    return shortest


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    rows = config.stash.get(ROWS, [])
    if not rows:
        return
    rows = [("what", "figure", "target"), *rows]
    first, second = (max(len(row[i]) for row in rows) for i in range(2))
    terminalreporter.section(f"figures, Python {sys.version.split()[0]}")
    for a, b, c in rows:
        terminalreporter.write_line(f"{a:<{first}}  {b:>{second}}  {c}".rstrip())
