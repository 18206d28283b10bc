"""Inputs of one size: measured once, read by all, and the same as inputs that were standard."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from bounds.shared.numbers import InputError
from deep.agents.actor_critic import ActorCritic
from deep.agents.maddpg import Maddpg, maddpg
from deep.agents.masac import Masac, masac
from deep.agents.standard_inputs import standard_inputs
from deep.data.batch import Batch
from deep.nn.standard import standard
from deep.seeding import streams
from tests.support.teams import TEAMS, data

SEEDS = [0, 1]
TEAM = TEAMS["several"]


def learner(kind: str, seeds: list[int], *, standardise: bool) -> ActorCritic:
    drawing = streams(seeds, "initialise")
    if kind == "masac":
        return masac(TEAM, Masac(standardise=standardise), drawing, torch.float64)
    return maddpg(TEAM, Maddpg(standardise=standardise), drawing, torch.float64)


def stretched(batch: Batch) -> Batch:
    """The same in other units, agent by agent and number by number."""
    seen = batch.observations
    factor = torch.logspace(-2, 2, seen.shape[2] * seen.shape[3], dtype=seen.dtype)
    factor = factor.view(seen.shape[2:])
    return replace(
        batch,
        observations=5 * factor + factor * seen,
        next_observations=5 * factor + factor * batch.next_observations,
    )


def made_standard(batch: Batch, met: Tensor) -> Batch:
    """The batch with the mean and deviation of ``met`` taken off by hand."""
    found = standard(met.flatten(-2))

    def by_hand(x: Tensor) -> Tensor:
        return found(x.flatten(-2)).view(x.shape)

    return replace(
        batch,
        observations=by_hand(batch.observations),
        next_observations=by_hand(batch.next_observations),
    )


@pytest.mark.parametrize("kind", ["masac", "maddpg"])
def test_an_update_is_that_of_standard_inputs(kind: str) -> None:
    batch = stretched(data(TEAM, SEEDS, 64, torch.float64))
    met = stretched(data(TEAM, SEEDS, 500, torch.float64)).observations
    inside, by_hand = (learner(kind, SEEDS, standardise=on) for on in (True, False))
    inside.begin(met)
    by_hand.begin(met)  # it does not look
    first = inside.update(batch, streams(SEEDS, "u"))
    second = by_hand.update(made_standard(batch, met), streams(SEEDS, "u"))
    for name, value in second.items():
        torch.testing.assert_close(first[name], value)
    for name, value in by_hand.state().items():
        torch.testing.assert_close(inside.state()[name], value)


def test_units_do_not_matter() -> None:
    """What is learned in other units is the same."""
    plain = data(TEAM, SEEDS, 64, torch.float64)
    updates = []
    for batch in (plain, stretched(plain)):
        made = learner("masac", SEEDS, standardise=True)
        made.begin(batch.observations)
        made.update(batch, streams(SEEDS, "u"))
        updates.append(made.policies.stack.parameters.detach().clone())
    torch.testing.assert_close(*updates)


def test_they_are_measured_once_and_come_back() -> None:
    made, again = (learner("masac", SEEDS, standardise=True) for _ in range(2))
    assert made.policies.inputs is made.critics.seen is made.targets.seen
    made.begin(data(TEAM, SEEDS, 100, torch.float64).observations * 3)
    kept = {name: each.clone() for name, each in made.state().items()}
    assert {"inputs.mean", "inputs.deviation"} < set(kept)
    made.update(data(TEAM, SEEDS, 64, torch.float64), streams(SEEDS, "u"))
    assert torch.equal(made.state()["inputs.mean"], kept["inputs.mean"])
    again.restore(kept)
    assert again.policies.inputs is not None
    assert torch.equal(again.policies.inputs.scale.deviation, kept["inputs.deviation"])
    with pytest.raises(InputError, match=r"inputs\.deviation: missing in the learner"):
        learner("masac", SEEDS, standardise=False).restore(kept)


def test_a_run_is_measured_by_itself() -> None:
    met = data(TEAM, SEEDS, 100, torch.float64).observations
    both, alone = (standard_inputs(TEAM, runs, torch.float64, "cpu") for runs in (2, 1))
    both.measure(met)
    alone.measure(met[1:])
    assert torch.equal(both.scale.mean[1:], alone.scale.mean)
    assert torch.equal(both.scale.deviation[1:], alone.scale.deviation)


def test_agents_read_their_own_scale() -> None:
    made = standard_inputs(TEAM, 2, torch.float64, "cpu")
    met = stretched(data(TEAM, SEEDS, 100, torch.float64)).observations
    made.measure(met)
    own = met.transpose(1, 2)
    joint = made.joint(met).view(met.shape)
    torch.testing.assert_close(made.own(own), joint.transpose(1, 2))
    chosen = [2, 0, 0]
    torch.testing.assert_close(made.own(own[:, chosen], chosen), joint.transpose(1, 2)[:, chosen])
