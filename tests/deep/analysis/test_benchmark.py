"""The table of costs with the smallest settings: what is counted, not how long it takes."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from deep.analysis import benchmark, benchmark_hours
from deep.analysis.benchmark import Products, beside_products
from deep.analysis.benchmark_hours import ALGORITHMS, PLANS, Costs, Hours
from deep.aorpo.branches import Branches
from deep.aorpo.models import AgentModels
from deep.aorpo.rounds import ModelBasedRounds
from deep.commands.main import main
from deep.data.replay import Replay
from deep.dynamics.ensemble import UNIT
from deep.opponents.fitting import OpponentSettings, Split
from deep.seeding import Streams
from deep.training.presets import preset
from deep.training.run import Run, assemble
from deep.training.settings import Settings
from tests.support.runs import modelled, small


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is small: networks, rows, batches."""
    networks = replace(benchmark.SETTINGS, hidden=(32, 32), members=2, max_rows=2000)
    for name, value in (("SETTINGS", networks), ("TRANSITIONS", 2000), ("BRANCHES", 64)):
        monkeypatch.setattr(benchmark, name, value)
    monkeypatch.setattr(
        benchmark, "memory", lambda: benchmark.Row("memory", benchmark.peak(), "GB", None, "")
    )
    monkeypatch.setattr(benchmark, "paper", lambda a: modelled(small("spread", a, seeds=(0,))))


@pytest.mark.usefixtures("tiny")
def test_the_table() -> None:
    threads = torch.get_num_threads()
    rows = benchmark.table(turns=1)
    assert torch.get_num_threads() == threads
    assert [row.unit for row in rows] == ["s", "s", "s", "GB", "ms", "ms", "steps/s", "steps/s"]
    assert all(row.value > 0 for row in rows)
    assert [row.ratio is None for row in rows] == [row.unit in ("GB", "steps/s") for row in rows]
    assert all(row.ratio is None or row.ratio > 0 for row in rows)
    whole, _, epoch, *_ = (row.what for row in rows)
    assert whole == "whole rollout of 10 steps, 8 rows, one agent, all asked"
    assert epoch == "fitting epoch, 2,000 transitions, 2 members, one agent"
    titles, *lines = benchmark.lines(rows)
    assert titles == ("what", "measured", "/ its products", "target")
    assert [line[0] for line in lines] == [row.what for row in rows]


def test_what_is_timed_has_the_paper_s_size() -> None:
    settings = benchmark.paper("aorpo")
    model = settings.learner.model  # type: ignore[union-attr]
    assert (model.rollouts, model.conditioned, settings.learner.batch) == (1024, True, 1024)
    assert (benchmark.BRANCHES, benchmark.STEPS) == (1024, 10)
    assert (model.dynamics.hidden, model.dynamics.members) == ((512,) * 4, 8)
    assert (benchmark.SETTINGS.hidden, benchmark.SETTINGS.members) == ((512,) * 4, 8)
    rounds = benchmark.made(
        replace(settings, learner=modelled(small("spread", "aorpo")).learner)
    ).rounds
    assert isinstance(rounds, ModelBasedRounds)
    assert rounds.models.inference_opponents is not None


@pytest.mark.usefixtures("tiny")
def test_all_are_asked_in_the_whole_rollout(monkeypatch: pytest.MonkeyPatch) -> None:
    """In each of 10 steps every agent asks both others in all rows, and rows are kept."""
    seen = []
    roll = Branches.roll

    def watched(self: Branches, replay: Replay, k: Tensor, n: Tensor, drawing: Streams) -> None:
        before = self.communication.interactions.calls.clone()
        roll(self, replay, k, n, drawing)
        seen.append(self.communication.interactions.calls - before)

    monkeypatch.setattr(Branches, "roll", watched)
    benchmark.whole_rollout(1)
    assert all(torch.equal(each[0], 80 * (1 - torch.eye(3)).long()) for each in seen)


def test_products_are_done_again_as_they_were() -> None:
    a, b, out = torch.randn(2, 3, 4), torch.randn(2, 4, 5), torch.zeros(2, 3, 5)
    multiply, products = torch.bmm, Products()
    with products:
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


def counted(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """How often a run does what ``Costs`` are of: fits as many epochs as they may."""
    counts: Counter[str] = Counter()
    roll, fit_dynamics, fit_opponents = (
        Branches.roll,
        AgentModels.fit_dynamics,
        AgentModels.fit_opponents,
    )

    def rolled(self: Branches, replay: Replay, k: Tensor, n: Tensor, drawing: Streams) -> None:
        counts["branch"] += int(k.max())
        roll(self, replay, k, n, drawing)

    def fitted(self: AgentModels, replay: Replay, drawing: Streams) -> Any:
        if self.ensemble is not None:
            dynamics = self.ensemble.settings
            rows = min(replay.size, dynamics.max_rows)
            counts["epoch"] += rows * dynamics.max_epochs  # type: ignore[assignment]
        return fit_dynamics(self, replay, drawing)

    def modelled_(
        self: AgentModels, chosen: OpponentSettings, rows: Split, drawing: Streams
    ) -> Any:
        counts["opponents"] += chosen.max_epochs
        return fit_opponents(self, chosen, rows, drawing)

    monkeypatch.setattr(Branches, "roll", rolled)
    monkeypatch.setattr(AgentModels, "fit_dynamics", fitted)
    monkeypatch.setattr(AgentModels, "fit_opponents", modelled_)
    trainer = assemble(Run(Path(), "run", settings, "cpu"))
    while trainer.episodes < settings.episodes:
        trainer.step()
        counts["step"] += 1
    counts["update"] = trainer.updates
    return {**dict.fromkeys(("step", "update", "opponents", "branch", "epoch"), 0), **counts}


@pytest.mark.parametrize(
    ("algorithm", "changes"),
    [
        ("masac", {}),
        ("masac", {"environments": 7, "update_every": 33, "warm_up": 101}),
        ("aorpo", {}),
        ("aorpo", {"environments": 4, "update_every": 30, "episodes": 41}),
    ],
)
def test_hours_are_of_the_rounds_that_a_run_has(
    monkeypatch: pytest.MonkeyPatch, algorithm: str, changes: dict[str, Any]
) -> None:
    """One part costs 1, all others nothing: as many as a real run has of it, exactly."""
    settings = modelled(
        small("speaker-listener", algorithm, seeds=(0,), **changes), warmup_episodes=9, k=4
    )
    found = counted(settings, monkeypatch)
    for name, count in found.items():
        costs = replace(Costs(0.0, 0.0), **{name: 1.0})
        due = count / benchmark_hours.ROWS if name == "epoch" else count
        assert benchmark_hours.seconds(settings, costs, many=True) == pytest.approx(due, rel=1e-12)
        assert (count > 0) == (algorithm == "aorpo" or name in ("step", "update"))
        least = benchmark_hours.seconds(settings, costs, many=False)
        assert 0 <= least <= benchmark_hours.seconds(settings, costs, many=True)


def test_fits_that_stop_early_take_less() -> None:
    settings = preset("paper", "spread", "aorpo")
    dynamics = settings.learner.model.dynamics  # type: ignore[union-attr]
    costs = Costs(0.0, 0.0, epoch=1.0)
    least, most = (benchmark_hours.seconds(settings, costs, many) for many in (False, True))
    assert most / least == pytest.approx(dynamics.max_epochs / dynamics.patience)


@pytest.mark.parametrize("algorithm", ["masac", "aorpo"])
def test_costs_are_measured(monkeypatch: pytest.MonkeyPatch, algorithm: str) -> None:
    monkeypatch.setattr(benchmark_hours, "ROWS", 20 * UNIT)
    costs = benchmark_hours.measure(modelled(small("climb", algorithm)), 1)
    there = [costs.opponents > 0, costs.branch > 0, costs.epoch > 0]
    assert there == [algorithm == "aorpo"] * 3
    assert min(costs.step, costs.update) > 0
    exact = benchmark_hours.measure(modelled(small("climb", "aorpo"), exact_dynamics=True), 1)
    assert exact.epoch == 0


def test_the_command_prints_both_tables(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(benchmark, "table", lambda **_: [benchmark.Row("a", 0.123, "s", 1.25, "b")])
    monkeypatch.setattr(benchmark_hours, "measure", lambda *_: Costs(0.001, 0.01, 0.1, 0.1, 1.0))
    assert main(["bench"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[3].split() == ["a", "0.12", "s", "1.25", "b"]
    cases = sum(map(len, PLANS.values())) * len(ALGORITHMS)
    tasks = [line for line in out if line.endswith(" h")]
    assert len(tasks) == cases == len(out) - 9
    assert main(["bench", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["costs"] == [
        {"what": "a", "value": 0.123, "unit": "s", "ratio": 1.25, "target": "b"}
    ]
    assert len(found["hours"]) == cases
    first = Hours(**found["hours"][0])
    settings = preset(first.preset, first.task, first.algorithm)
    total = len(settings.seeds) * benchmark_hours.seconds(settings, Costs(0.001, 0.01), many=True)
    assert first.algorithm == "masac"
    assert first.least == first.most == pytest.approx(total / 3600)


def test_figures_have_two_or_three_digits() -> None:
    found = [benchmark.figure(x) for x in (0.0012345, 0.5, 9.87, 12.345, 163_981.9)]
    assert found == ["0.0012", "0.5", "9.9", "12.3", "163,982"]
