"""States beside the replay: the row of a transition holds the state that it began in."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from deep.aorpo.rounds import ModelBasedRounds
from deep.dynamics.exact import packed, unpacked
from deep.dynamics.state_replay import StateReplay, state_replay
from deep.envs.particle import ParticleEnv, State
from deep.envs.tasks import world
from deep.seeding import streams
from deep.training.run import Run, assemble
from deep.training.trainer import Trainer
from tests.support.runs import modelled, small


def spread() -> ParticleEnv:
    task = world("spread", {}, dtype=torch.float64)
    assert isinstance(task, ParticleEnv)
    return task


def filled(
    capacity: int, times: int, seeds: tuple[int, ...] = (0, 1)
) -> tuple[StateReplay, Tensor]:
    """What is kept, and all numbers in the order in which they came, [run, state, number]."""
    task, drawing, came = spread(), streams(seeds, "s"), []
    kept = state_replay(task.reset(streams(seeds, "like"), 1), capacity)
    for _ in range(times):
        state = task.reset(drawing, 3)
        kept.add(state)
        came.append(packed(state))
    return kept, torch.cat(came, 1)


@pytest.mark.parametrize(("capacity", "times"), [(30, 4), (12, 4), (7, 5), (3, 3)])
def test_the_newest_states_are_in_a_ring(capacity: int, times: int) -> None:
    kept, came = filled(capacity, times)
    assert kept.added == came.shape[1] == 3 * times
    for number in range(max(0, kept.added - capacity), kept.added):
        assert torch.equal(kept.rows[:, number % capacity], came[:, number])


@pytest.mark.parametrize("times", [2, 6])
def test_they_come_back_bit_for_bit_and_go_on(times: int) -> None:
    kept, _ = filled(10, times)
    saved = {name: tensor.clone() for name, tensor in kept.state().items()}
    assert saved["rows"].shape[1] == min(10, 3 * times)
    again, _ = filled(10, 1, (5, 6))
    again.restore(saved)
    more = spread().reset(streams((8, 9), "more"), 3)
    for one in (kept, again):
        one.add(more)
    assert again.added == kept.added
    size = min(10, kept.added)
    assert torch.equal(again.rows[:, :size], kept.rows[:, :size])


def trained(**changes: Any) -> Trainer:
    """Speaker-listener with exact dynamics, 80 steps of three worlds in, past three episodes."""
    settings = small(algorithm="aorpo", capacity=150, dtype="float64", warm_up=10**4)
    settings = modelled(settings, exact_dynamics=True, **changes)
    trainer = assemble(Run(Path(), "run", settings, "cpu"))
    for _ in range(80):
        trainer.step()
    return trainer


def matches(trainer: Trainer) -> bool:
    """Whether in every row of the replay the kept state is what its observations are of."""
    task, rounds = trainer.environments.world, trainer.rounds
    assert isinstance(task, ParticleEnv)
    assert isinstance(rounds, ModelBasedRounds)
    assert rounds.branches.state_replay is not None
    rows = torch.arange(trainer.replay.size)
    batch = trainer.replay.batch(rows.expand(2, -1))
    state = unpacked(task, rounds.branches.state_replay.rows)
    following, rewards = task.step(state, batch.actions)
    return (
        torch.equal(task.observe(state), batch.observations)
        and torch.equal(task.observe(following), batch.next_observations)
        and torch.equal(rewards, batch.rewards)
    )


def test_the_row_of_a_transition_holds_its_state() -> None:
    """Bit for bit, in a replay that has turned over, and after a restart."""
    trainer = trained()
    assert trainer.replay.added > trainer.replay.capacity
    assert matches(trainer)
    again = trained()
    again.restore({name: tensor.clone() for name, tensor in trainer.state().items()})
    for _ in range(30):
        again.step()
    assert matches(again)


def test_states_that_are_kept_too_late_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    add = StateReplay.add
    last: dict[int, State] = {}

    def late(self: StateReplay, state: State) -> None:
        add(self, last.get(id(self), state))
        last[id(self)] = state

    monkeypatch.setattr(StateReplay, "add", late)
    assert not matches(trained())


def test_nothing_is_kept_where_nobody_asks() -> None:
    for task, changes in (("speaker-listener", {}), ("climb", {"exact_dynamics": True})):
        settings = modelled(small(task, "aorpo"), **changes)
        rounds = assemble(Run(Path(), "run", settings, "cpu")).rounds
        assert isinstance(rounds, ModelBasedRounds)
        assert rounds.branches.state_replay is None
