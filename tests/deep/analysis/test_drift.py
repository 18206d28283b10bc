"""Drift of branches by scheme: what is asked, and what separates the schemes."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from deep.agents.actor_critic import ActorCritic
from deep.analysis.drift import COMPARED, Drift, drift
from deep.aorpo.rounds import ModelBasedRounds
from deep.seeding import streams
from deep.training.run import assemble
from tests.support.runs import modelled, new, small

ERRORS = torch.tensor(
    [[[0.0, 0.2, 0.4], [0.3, 0.0, 0.1], [0.5, 0.5, 0.0]]], dtype=torch.float64
).expand(2, 3, 3)
STEPS = 4


def drifted(tmp_path: Path, **changes: object) -> Drift:
    torch.set_num_threads(1)
    settings = modelled(small("spread", "aorpo"), **changes)
    trainer = assemble(new(tmp_path, settings))
    for _ in range(50):
        trainer.step()
    assert isinstance(trainer.learner, ActorCritic)
    assert isinstance(trainer.rounds, ModelBasedRounds)
    return drift(
        trainer.environments.world,
        trainer.learner,
        trainer.rounds,
        ERRORS,
        STEPS,
        16,
        streams((3, 5), "drift"),
    )


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Drift:
    # inferred actions are drawn anew for every scheme, so they would part schemes that are the same
    return drifted(tmp_path_factory.mktemp("learned"), conditioned=False)


def test_schemes_ask_what_their_lengths_say(found: Drift) -> None:
    ks = torch.arange(1, STEPS + 1)
    assert torch.equal(found.calls["all-models"], torch.zeros(2, 3, STEPS, dtype=torch.int64))
    assert torch.equal(found.calls["all-real"], (2 * ks).expand(2, 3, STEPS))
    # errors of ratio 1 to 2, 1 to 3 and 1 to 1: k − ⌊k/2⌋, k − ⌊k/3⌋ and 0 calls
    wanted = torch.stack([ks - ks // 2, ks - ks // 3, torch.zeros_like(ks)])
    assert torch.equal(found.calls["adaptive"], wanted.expand(2, 3, STEPS))


def test_schemes_differ_where_models_play(found: Drift) -> None:
    for name in COMPARED:
        assert found.errors[name].shape == (2, 3, STEPS)
        assert bool((found.errors[name] > 0).all())
    # agent 2 trusts both equally: adaptive is all models
    assert torch.equal(found.errors["adaptive"][:, 2], found.errors["all-models"][:, 2])
    assert not torch.equal(found.errors["all-real"], found.errors["all-models"])


def test_opponents_that_are_real_add_nothing(tmp_path: Path) -> None:
    found = drifted(tmp_path, exact_opponents=True, conditioned=False)

    def same(a: Tensor, b: Tensor) -> bool:
        return torch.equal(a, b)

    assert same(found.errors["all-models"], found.errors["all-real"])
    assert same(found.errors["adaptive"], found.errors["all-real"])
