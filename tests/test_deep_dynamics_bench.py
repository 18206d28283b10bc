"""The table of costs with the smallest settings: what is counted, not how long it takes."""

from dataclasses import replace

import pytest
import torch

from deep import bench
from deep.bench import Products, beside_products


def test_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    small = replace(bench.SETTINGS, hidden=(32, 32), members=2, rows=2000)
    for name, value in (("SETTINGS", small), ("TRANSITIONS", 2000), ("BRANCHES", 64)):
        monkeypatch.setattr(bench, name, value)
    monkeypatch.setattr(bench, "memory", lambda: bench.Row("memory", bench.peak(), "GB", None, ""))
    threads = torch.get_num_threads()
    rows = bench.table(turns=1)
    assert torch.get_num_threads() == threads
    assert [row.unit for row in rows] == ["s", "s", "GB"]
    assert all(row.value > 0 for row in rows)
    assert all(row.ratio is not None and row.ratio > 0 for row in rows[:2])
    assert "2,000 transitions, 2 members" in rows[1].what


def test_products_are_done_again_as_they_were() -> None:
    a, b, out = torch.randn(2, 3, 4), torch.randn(2, 4, 5), torch.zeros(2, 3, 5)
    multiply, products = torch.bmm, Products()
    with products.recorded():
        torch.bmm(a, b, out=out)
        torch.bmm(a, b)
    assert torch.bmm is multiply
    expected = out.clone()
    out.zero_()
    products.again()
    assert torch.equal(out, expected)
    assert len(products.calls) == 2


def test_the_least_of_the_turns() -> None:
    seconds, products = beside_products(
        lambda: torch.bmm(torch.ones(1, 2, 2), torch.ones(1, 2, 2)), 3
    )
    assert products > 0
    assert 0 < seconds < float("inf")
