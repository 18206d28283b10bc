"""Rounds as an object: what a trainer counts, averages and keeps of them, whatever they do."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from deep.agents.rounds import ModelFree, RoundInputs
from deep.envs.batch import World
from deep.seeding import Streams, streams
from deep.training import checkpoint
from deep.training.algorithms import ALGORITHMS, Agent, Chosen
from deep.training.metrics import Averages
from deep.training.run import assemble, reopen, start, train
from tests.support.runs import kept, last, new, same, small


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@dataclass(eq=False)
class Counting:
    """Rounds with something of their own: numbers from a stream, summed up and spoken of at times.

    Odd rounds have two gradient steps, even ones three; only the last step of every fourth round
    measures "sum" [run] and "twice the sum" [run, agent].
    """

    inner: ModelFree
    streams: Streams
    total: Tensor
    rounds: int = 0
    seen: list[tuple[int, int]] = field(default_factory=list)

    def learn(self, inputs: RoundInputs) -> Iterator[dict[str, Tensor]]:
        self.rounds += 1
        self.seen.append((inputs.steps, inputs.episodes))
        self.total += self.streams.uniform()
        steps = 2 + (self.rounds + 1) % 2
        for step, measured in enumerate(replace(self.inner, updates=steps).learn(inputs)):
            if self.rounds % 4 == 0 and step == steps - 1:
                twice = 2 * self.total.unsqueeze(-1).expand(-1, inputs.replay.shape.agents)
                yield measured | {"sum": self.total, "twice the sum of all": twice}
            else:
                yield measured

    def observe_state(self, state: object) -> None:
        del state

    def counters(self) -> dict[str, Tensor]:
        return {}

    def oracle_metrics(self, world: World, streams: Streams) -> dict[str, Tensor]:
        del world, streams
        return {}

    def model_state(self) -> dict[str, Tensor]:
        return {}

    def state(self) -> dict[str, Tensor]:
        rounds = torch.tensor(self.rounds)
        return {"total": self.total, "rounds": rounds, "streams": self.streams.state()}

    def restore(self, state: dict[str, Tensor]) -> None:
        self.total.copy_(state["total"])
        self.rounds = int(state["rounds"])
        self.streams.restore(state["streams"])


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """MASAC trained by these rounds."""

    usual = ALGORITHMS["masac"].assemble

    def assemble(chosen: Chosen, world: World, dtype: torch.dtype, device: str) -> Agent:
        total = torch.zeros(len(chosen.seeds), dtype=torch.float64)
        agent = usual(chosen, world, dtype, device)
        inner = ModelFree(agent.learner, 8, 0)
        return replace(agent, rounds=Counting(inner, streams(chosen.seeds, "rounds"), total))

    monkeypatch.setitem(ALGORITHMS, "masac", replace(ALGORITHMS["masac"], assemble=assemble))


def test_model_free_rounds_sample_and_step(tmp_path: Path) -> None:
    run = new(tmp_path, small())
    one, two = assemble(run), assemble(run)
    for trainer in (one, two):
        trainer.cadence = replace(trainer.cadence, warm_up=10_000)
        trainer.episode()
    measured = list(
        ModelFree(one.learner, 8, 3).learn(
            RoundInputs(
                replay=one.replay,
                streams=one.streams,
                steps=one.steps,
                episodes=one.episodes,
                check=lambda _: None,
            )
        )
    )
    for expected in measured:
        batch = two.replay.sample(two.streams["replay"], 8)
        found = two.learner.update(batch, two.streams["update"])
        assert same(found, expected)
    assert len(measured) == 3
    assert same(kept(one), kept(two))


def counted(every: int, warm_up: int, environments: int, to: int) -> int:
    """Gradient steps of ``Counting`` up to step ``to`` of all worlds, one by one."""
    steps = rounds = updates = 0
    while steps < to * environments:
        steps += environments
        if steps >= warm_up:
            for _ in range(steps // every - (steps - environments) // every):
                rounds += 1
                updates += 2 + (rounds + 1) % 2
    return updates


@pytest.mark.usefixtures("counting")
def test_gradient_steps_are_counted_and_the_moment_is_told(tmp_path: Path) -> None:
    trainer = assemble(new(tmp_path, small()))
    for step in range(1, 60):
        trainer.step()
        assert trainer.updates == counted(20, 40, 3, step)
    assert isinstance(trainer.rounds, Counting)
    # three worlds: rounds after the first multiple of 3 that is at or past a multiple of 20
    assert trainer.rounds.seen[:4] == [(42, 0), (60, 0), (81, 3), (102, 3)]


@pytest.mark.usefixtures("counting")
def test_what_comes_now_and_then_is_recorded_and_averaged(tmp_path: Path) -> None:
    run = new(tmp_path, small(record_every=3))
    assert train(run) == 0
    with (run.folder / "metrics.csv").open(encoding="utf-8", newline="") as file:
        table = [row for row in csv.DictReader(file) if row["seed"] == "5"]
    episodes = [row["episode"] for row in table if row["name"] == "sum"]
    assert 0 < len(episodes) < len({row["episode"] for row in table})
    draws = torch.cumsum(streams([5], "rounds").uniform(200)[0], 0)
    spoken = {float(total) for total in draws[3::4]}
    for row in table:
        value = float(row["value"])
        if row["name"] == "sum":
            assert any(value == pytest.approx(total, rel=1e-12) for total in spoken)
        if row["name"].startswith("twice the sum of all/"):
            assert any(value == pytest.approx(2 * total, rel=1e-12) for total in spoken)
    agents = {r["name"] for r in table if r["name"].startswith("twice")}
    assert len(agents) == 2


@pytest.mark.usefixtures("counting")
def test_rounds_go_on_bit_for_bit(tmp_path: Path) -> None:
    straight = new(tmp_path, small(), "same")
    assert train(straight) == 0
    cut = start(small(episodes=12), tmp_path / "elsewhere" / "same")
    assert train(cut) == train(reopen(cut.folder, 30)) == 0
    assert same(last(straight), last(cut))
    assert {name for name in last(cut) if name.startswith("rounds/")} == {
        "rounds/total",
        "rounds/rounds",
        "rounds/streams",
    }
    tables = [(r.folder / "metrics.csv").read_bytes() for r in (straight, cut)]
    assert tables[0] == tables[1]
    assert b"twice the sum of all/" in tables[0]


@pytest.mark.usefixtures("counting")
def test_rounds_that_are_not_restored_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counting, "restore", lambda *_: None)
    with pytest.raises(AssertionError):
        test_rounds_go_on_bit_for_bit(tmp_path)


@pytest.mark.usefixtures("counting")
def test_what_rounds_measure_stops_a_run_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    learn = Counting.learn

    def broken(self: Counting, inputs: RoundInputs) -> Iterator[dict[str, Tensor]]:
        for measured in learn(self, inputs):
            yield measured | ({"sum": self.total * float("inf")} if self.rounds == 9 else {})

    monkeypatch.setattr(Counting, "learn", broken)
    run = new(tmp_path, small())
    assert train(run) == 1
    assert "diverged: sum of seed 3 is inf after" in capsys.readouterr().err
    assert checkpoint.paths(run.checkpoints)


def test_model_free_rounds_leave_checkpoints_as_they_were(tmp_path: Path) -> None:
    trainer = assemble(new(tmp_path, small()))
    assert not [name for name in trainer.state() if name.startswith("rounds")]
    trainer.rounds.restore({})


Adds = list[dict[str, Tensor]]


@pytest.mark.parametrize("change", [lambda x: x, lambda x: x.float()])
def test_averages_count_each_name_by_itself(change: Callable[[Tensor], Tensor]) -> None:
    averages, added = Averages(), {"a": 0, "b of c": 0}
    for i in range(6):
        values = {"a": change(torch.full((2, 3), float(i)))}
        if i % 3 == 2:
            values["b of c"] = change(torch.tensor([1.0, 2.0]) * i)
        averages.add(values)
        for name in values:
            added[name] += 1
        assert averages.finite()
    assert added == {"a": 6, "b of c": 2}
    again = Averages()
    again.restore(averages.state())
    for one in (averages, again):
        means = one.means()
        assert torch.equal(means["a"], torch.full((2, 3), 2.5).double())
        assert torch.equal(means["b of c"], torch.tensor([3.5, 7.0]).double())
    again.add({"b of c": torch.tensor([float("nan"), 0])})
    assert not again.finite()
    assert averages.finite()
    averages.clear()
    assert averages.finite()
    assert averages.means() == {}
