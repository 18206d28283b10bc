"""Learned dynamics at the paper's settings: table of ``deep.analysis.benchmark``, one thread."""

from typing import Any

from deep.analysis import benchmark as costs


def test_learned_dynamics(bench: Any) -> None:
    rows: list[costs.Row] = []
    bench.seconds(lambda: rows.extend(costs.table(turns=10)), rounds=1)
    for row in rows:
        bench.figure(row.what, row.value, row.unit, row.target)
        if row.ratio is not None:
            bench.figure(f"{row.what} / its products", row.ratio, "times", row.target)
