"""Recorded training runs read back: tables, gaps, interactions."""

import json
from pathlib import Path

import numpy as np
import pytest

from bounds.shared.numbers import InputError
from tabular.records.runs import read


def write(folder: Path, rows: list[str], seeds: tuple[int, ...] = (3, 1)) -> Path:
    (folder / "manifest.json").write_text(json.dumps({"seeds": seeds}))
    (folder / "metrics.csv").write_text("run,seed,episode,name,value\n" + "\n".join(rows) + "\n")
    return folder


ROWS = [
    f"r,{seed},{episode},{name}/{agent},{episode + 1000 * seed + shift}"
    for episode in (10, 20)
    for name in ("evaluation",)
    for agent, shift in (("a", 0), ("b", 2))
    for seed in (3, 1)
]


def test_a_record_is_read_back(tmp_path: Path) -> None:
    record = read(write(tmp_path, ROWS))
    episodes, values = record.over_agents("evaluation")
    assert episodes.tolist() == [10, 20]
    assert values.tolist() == [[3011, 1011], [3021, 1021]]
    with pytest.raises(InputError, match="q was not recorded"):
        record.over_agents("q")


def test_a_record_with_gaps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="after 20 episodes"):
        read(write(tmp_path, ROWS[:-1]))
    with pytest.raises(InputError, match="line 2"):
        read(write(tmp_path, ["r,1,x,q,0"]))
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(InputError, match="not that of a run"):
        read(tmp_path)
    (tmp_path / "manifest.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match="not that of a run"):
        read(tmp_path)


def test_agents_of_different_moments_have_no_mean(tmp_path: Path) -> None:
    record = read(write(tmp_path, ROWS + [f"r,{seed},30,evaluation/a,0" for seed in (3, 1)]))
    with pytest.raises(InputError, match="different moments"):
        record.of_agents("evaluation")


def test_calls_are_interactions(tmp_path: Path) -> None:
    """Two agents, 100 and 300 calls by episode 20 (seed 3), as many more by 40; none of seed 1."""
    record = read(write(tmp_path, ROWS))
    assert record.interactions(np.array([10, 20])).tolist() == [10, 20]
    calls = [
        f"r,{seed},{episode},calls/{agent},{(seed == 3) * many * episode // 20}"
        for episode in (20, 40)
        for agent, many in (("a", 100), ("b", 300))
        for seed in (3, 1)
    ]
    asked = read(write(tmp_path, ROWS + calls))
    # 400 calls by episode 20, 200 a seed; over 2 agents and 25 steps: 4 episodes
    found = asked.interactions(np.array([10, 20, 30, 40]))
    assert found.tolist() == pytest.approx([10 + 2, 20 + 4, 30 + 6, 40 + 8])
