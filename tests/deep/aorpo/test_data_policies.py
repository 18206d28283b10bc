"""The policies that collected the replay: which are remembered, and how far off they are."""

from dataclasses import replace

import torch

from deep.agents.masac import Masac, masac
from deep.aorpo.data_policies import KEPT, data_policies
from deep.data.batch import Batch
from deep.data.replay import Replay, replay
from deep.opponents.fitting import newest
from deep.opponents.policy_shift import policy_shift
from deep.seeding import streams
from tests.support.teams import TEAMS, data

SEEDS = [0, 1]
TEAM = TEAMS["padded"]


def added(kept: Replay, batch: Batch) -> None:
    kept.add(
        batch.observations, batch.actions, batch.rewards, batch.next_observations, batch.terminated
    )


def test_policies_are_remembered_over_the_length_of_the_replay() -> None:
    policies = masac(TEAM, Masac(), streams(SEEDS, "i"), torch.float64).policies
    memory = data_policies(policies)
    kept = replay(TEAM, 2, 160, torch.float64, "cpu")
    versions = []
    for step in range(30):
        added(kept, data(TEAM, SEEDS, 10))
        with torch.no_grad():
            policies.stack.parameters.add_(0.01)
        memory.remember(policies, kept)
        if step % 2 == 0:  # every 160/8 transitions
            versions.append(policies.stack.parameters.detach().clone())
    assert int(memory.taken) == len(versions)
    for version in versions[-KEPT:]:
        assert any(torch.equal(memory.parameters[:, i], version) for i in range(KEPT))
    # together they are the mean
    history, drawing = newest(kept, 64), streams(SEEDS, "d")
    each = [policy_shift(policies, p, history, drawing) for p in versions[-KEPT:]]
    found = memory.shift(policies, history, drawing)
    torch.testing.assert_close(found, torch.stack(each).mean(0))
    assert bool((found > policy_shift(policies, versions[-1], history, drawing)).all())


def test_nothing_remembered_has_not_moved_and_all_comes_back() -> None:
    policies = masac(TEAM, Masac(), streams(SEEDS, "i"), torch.float64).policies
    kept = replay(TEAM, 2, 80, torch.float64, "cpu")
    added(kept, data(TEAM, SEEDS, 64))
    memory, again = data_policies(policies), data_policies(policies)
    assert not memory.shift(policies, newest(kept, 64), streams(SEEDS, "d")).any()
    memory.remember(policies, kept)
    with torch.no_grad():
        policies.stack.parameters.mul_(2)
    again.restore({name: each.clone() for name, each in memory.state().items()})
    shifts = [m.shift(policies, newest(kept, 64), streams(SEEDS, "d")) for m in (memory, again)]
    assert torch.equal(*shifts)
    assert bool((shifts[0] > 0).all())
    still = replace(policies, stack=policies.stack.copied)
    memory.remember(still, kept)  # not due yet
    assert int(memory.taken) == 1
