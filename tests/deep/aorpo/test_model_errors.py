"""What only the simulator can say of models: right on models whose errors are known."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from deep.agents.actor_critic import ActorCritic
from deep.aorpo.model_errors import every_ego, met, of_branches, of_opponents, of_rewards
from deep.aorpo.rounds import ModelBasedRounds
from deep.dynamics.exact import Dynamics, exact
from deep.opponents.errors import oracle
from deep.opponents.models import real_opponents
from deep.seeding import Streams, streams
from deep.training.run import assemble, train
from deep.training.trainer import Trainer
from tests.support.runs import kept, modelled, new, same, small, table

K = 4
#: What is said of fresh rewards.
FRESH = {"fresh_reward_r2", "fresh_reward_slope"}


def begun(
    tmp_path: Path, task: str = "spread", algorithm: str = "aorpo", **changes: Any
) -> Trainer:
    """A trainer whose models are fitted."""
    torch.set_num_threads(1)
    settings = replace(modelled(small("spread", algorithm), **changes), dtype="float64")
    trainer = assemble(new(tmp_path, settings))
    while not trainer.updates:
        trainer.step()
    return trainer


def parts(trainer: Trainer) -> tuple[ActorCritic, ModelBasedRounds]:
    assert isinstance(trainer.learner, ActorCritic)
    assert isinstance(trainer.rounds, ModelBasedRounds)
    return trainer.learner, trainer.rounds


def draws() -> Streams:
    return streams((3, 5), "test")


@dataclass(frozen=True)
class Shifted:
    """The world, but for one number that it observes of one agent."""

    world: Dynamics
    by: float

    def begin(self, rows: Tensor) -> Any:
        return self.world.begin(rows)

    def step(self, memory: Any, observations: Tensor, actions: Tensor, streams: Streams) -> Any:
        memory, seen, rewards = self.world.step(memory, observations, actions, streams)
        seen = seen.clone()
        seen[..., 1, 0] += self.by
        return memory, seen, rewards


def test_perfect_models_have_no_error(tmp_path: Path) -> None:
    trainer = begun(tmp_path, conditioned=False)
    learner, rounds = parts(trainer)
    world, policies = trainer.environments.world, learner.policies
    seen, states = met(world, policies, 5, range(0, 25, 5), draws())
    real = real_opponents(policies.shape, policies.head, policies.outputs)
    for value in of_opponents(real, policies, None, seen).values():
        # both are the same softmax, summed in another order
        assert torch.allclose(value, torch.zeros(2, 3, dtype=torch.float64), atol=1e-14)
    model = exact(world, states)
    found = of_branches(world, policies, real, model, model, seen, states, K, draws())
    assert found.keys() == {"compounding_dynamics", "compounding_drawn", "compounding"}
    assert of_rewards(world, policies, model, seen, states, draws()).keys() == FRESH
    assert all(
        bool((value == 1).all())
        for value in of_rewards(world, policies, model, seen, states, draws()).values()
    )
    assert not any(value.any() for value in found.values())
    modelled = of_branches(
        world, policies, rounds.models.played_opponents, model, model, seen, states, K, draws()
    )
    assert not modelled["compounding_dynamics"].any()
    assert bool((modelled["compounding"] > 0).all())


def test_a_known_shift_is_measured_in_squared_units(tmp_path: Path) -> None:
    """Where actions are given the world's memory is right, so each step is off by the shift."""
    trainer = begun(tmp_path)
    learner, rounds = parts(trainer)
    world, policies = trainer.environments.world, learner.policies
    seen, states = met(world, policies, 5, range(0, 25, 5), draws())
    model = Shifted(exact(world, states), 0.3)
    found = of_branches(
        world,
        policies,
        rounds.models.played_opponents,
        exact(world, states),
        model,
        seen,
        states,
        K,
        draws(),
    )
    assert not found["compounding_dynamics"].any()
    found["compounding_dynamics"] = found["compounding_drawn"]
    wanted = torch.full((2, 3), 0.3**2, dtype=torch.float64)
    assert torch.allclose(found["compounding_dynamics"], wanted, rtol=1e-9, atol=0)


def test_errors_of_opponents_are_those_of_the_oracle(tmp_path: Path) -> None:
    trainer = begun(tmp_path, conditioned=False)
    learner, rounds = parts(trainer)
    policies, played = learner.policies, rounds.models.played_opponents
    seen, _ = met(trainer.environments.world, policies, 5, range(0, 25, 5), draws())
    real = real_opponents(policies.shape, policies.head, policies.outputs)
    wanted = oracle(played, real, every_ego(seen))
    found = of_opponents(played, policies, None, seen)
    for name, error in (("error", wanted.mean), ("largest", wanted.largest)):
        # three agents: two opponents
        mean = error.sum(-1) / 2
        assert torch.allclose(found[f"oracle_opponent_{name}"], mean, rtol=0, atol=1e-12)
        assert bool((mean > 0.01).all())


def test_states_are_those_that_policies_meet(tmp_path: Path) -> None:
    """Replayed by hand: the observations at these times, and states that observe so."""
    trainer = begun(tmp_path)
    learner, _ = parts(trainer)
    world: Any = trainer.environments.world
    seen, states = met(world, learner.policies, 3, range(0, 11, 5), draws())
    again = draws()
    state, looked = world.reset(again, 3), []
    for _ in range(11):
        looked.append(world.observe(state))
        actions = learner.act(looked[-1], again, greedy=False)
        state, _ = world.step(state, actions, again)
    assert torch.equal(seen, torch.cat([looked[0], looked[5], looked[10]], 1))
    assert states is not None
    memory = exact(world, states).begin(torch.arange(9).expand(2, 1, 9))
    assert torch.equal(world.observe(memory)[:, 0], seen)


@pytest.mark.parametrize("algorithm", ["aorpo", "aordpg"])
def test_looking_changes_nothing(tmp_path: Path, algorithm: str) -> None:
    trainer = begun(tmp_path, algorithm=algorithm)
    before = kept(trainer)
    found = trainer.rounds.oracle_metrics(trainer.environments.world, draws())
    assert same(before, kept(trainer))
    assert len(found) == 7
    assert all(value.shape == (2, 3) for value in found.values())
    errors = {name: value for name, value in found.items() if name not in FRESH}
    assert all(bool((value > 0).all()) for value in errors.values())
    again = trainer.rounds.oracle_metrics(trainer.environments.world, draws())
    assert all(torch.equal(value, again[name]) for name, value in found.items())


def test_errors_of_a_run_do_not_depend_on_the_runs_beside_it(tmp_path: Path) -> None:
    found = {}
    for name, seeds in (("both", (3, 5)), ("one", (5,))):
        settings = replace(modelled(small("spread", "aorpo", seeds=seeds)), dtype="float64")
        trainer = assemble(new(tmp_path, settings, name))
        while not trainer.updates:
            trainer.step()
        examined = streams(seeds, "test")
        found[name] = trainer.rounds.oracle_metrics(trainer.environments.world, examined)
    assert found["one"].keys() == found["both"].keys()
    for name, value in found["one"].items():
        assert torch.equal(value[0], found["both"][name][1])
        assert not torch.equal(value[0], found["both"][name][0])


def test_ablations_have_nothing_to_look_at(tmp_path: Path) -> None:
    trainer = begun(tmp_path, exact_dynamics=True, exact_opponents=True)
    assert not trainer.rounds.oracle_metrics(trainer.environments.world, draws())
    learned = begun(tmp_path / "other", exact_dynamics=True)
    found = learned.rounds.oracle_metrics(learned.environments.world, draws())
    assert found.keys() == {"oracle_opponent_error", "oracle_opponent_largest"}


def test_numbers_have_no_exact_errors(tmp_path: Path) -> None:
    settings = replace(modelled(small("spread", "aorpo")), continuous=True)
    trainer = assemble(new(tmp_path, settings))
    while not trainer.updates:
        trainer.step()
    found = trainer.rounds.oracle_metrics(trainer.environments.world, draws())
    assert found.keys() == {"compounding_dynamics", "compounding_drawn", "compounding"} | FRESH


def test_they_are_recorded_with_evaluations_once_models_are_used(tmp_path: Path) -> None:
    run = new(
        tmp_path, replace(modelled(small("climb", "aorpo"), warmup_episodes=9), evaluate_every=3)
    )
    assert train(run) == 0
    moments: dict[str, set[int]] = {}
    for row in table(run):
        moments.setdefault(row["name"].partition("/")[0], set()).add(int(row["episode"]))
    assert moments["evaluation"] == set(range(3, 31, 3))
    assert moments["compounding"] == moments["compounding_dynamics"] == set(range(12, 31, 3))
