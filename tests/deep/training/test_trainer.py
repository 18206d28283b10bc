"""Training: the same numbers however a run was cut up, all of them finite, and it learns."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bounds.shared.numbers import InputError
from deep.agents import losses
from deep.agents.actor_critic import ActorCritic
from deep.envs.batch import Environments
from deep.envs.tasks import world
from deep.seeding import streams
from deep.training import checkpoint
from deep.training.algorithms import ALGORITHMS
from deep.training.evaluation import evaluate
from deep.training.metrics import GLOSSARY
from deep.training.presets import preset
from deep.training.run import assemble, reopen, start, summary, train, trained
from deep.training.trainer import Trainer
from tabular.games.catalogue import find
from tabular.games.climb import equilibrium
from tests.support.runs import kept, last, new, same, small, table


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def test_rounds_follow_environment_steps_of_all_worlds(tmp_path: Path) -> None:
    settings = small(seeds=(0,), warm_up=40, update_every=20, updates=3)
    trainer = assemble(new(tmp_path, settings))
    for steps in range(1, 51):
        trainer.step()
        assert trainer.steps == 3 * steps
        # rounds at 20, 40, 60, … environment steps, without the one before the warm-up is over
        assert trainer.updates == 3 * max(0, 3 * steps // 20 - 1)
    assert trainer.episodes == 6
    assert trainer.replay.size == 150


def test_the_time_limit_cuts_off_and_does_not_terminate() -> None:
    env = Environments(world("spread", {}), streams((0, 1), "environment"), 3)
    for step in range(1, 60):
        seen = env.observations
        done = env.step(torch.zeros(2, 3, 3, 5))
        assert torch.equal(done.observations, seen)
        assert done.truncated == (step % 25 == 0)
        assert not done.terminated.any()
        # what follows is the last state's; only then the next episode begins
        assert torch.equal(done.next_observations, env.observations) != done.truncated
        moved = (done.next_observations - done.observations)[..., 2:4]
        assert moved.abs().max() < 0.5


@pytest.mark.parametrize("algorithm", ["masac", "maddpg", "aorpo", "aordpg"])
@pytest.mark.parametrize("task", ["speaker-listener", "climb", "game:unequal-coordination"])
def test_ten_steps_are_five_and_five_more(tmp_path: Path, task: str, algorithm: str) -> None:
    run = new(tmp_path, small(task, algorithm))
    straight = assemble(run)
    for _ in range(40):  # past the warm-up, in the middle of an episode
        straight.step()
    states = []
    for _ in range(10):
        straight.step()
        states.append(kept(straight))
    halfway = assemble(run)
    for _ in range(45):
        halfway.step()
    assert same(kept(halfway), states[4])
    path = checkpoint.save(tmp_path, 1, checkpoint.Checkpoint("{}", halfway.state()))
    again = assemble(run)
    again.restore(checkpoint.load(path).tensors)
    assert same(kept(again), states[4])
    for step in range(5, 10):
        again.step()
        assert same(kept(again), states[step])
    assert not torch.equal(states[4]["learner/policy"], states[9]["learner/policy"])


def test_a_run_that_was_stopped_ends_with_the_same_numbers(tmp_path: Path) -> None:
    straight = new(tmp_path, small(), "same")
    assert train(straight) == 0
    parts = tmp_path / "elsewhere"
    cut = start(small(episodes=12), parts / "same")
    assert train(cut) == 0
    assert train(reopen(cut.folder, 21)) == 0
    longer = reopen(cut.folder, 30)
    assert train(longer) == 0
    assert same(last(straight), last(longer))
    assert table(straight) == table(longer)
    assert (straight.folder / "metrics.csv").read_bytes() == (
        longer.folder / "metrics.csv"
    ).read_bytes()
    manifest = json.loads((longer.folder / "manifest.json").read_text(encoding="utf-8"))
    assert [again["from"] for again in manifest["resumed"]] == [12, 21]
    assert manifest["settings"]["episodes"] == 30


def test_training_is_the_same_with_and_without_evaluation(tmp_path: Path) -> None:
    often = new(tmp_path, small(evaluate_every=1), "often")
    never = new(tmp_path, small(evaluate_every=0), "never")
    assert train(often) == train(never) == 0
    assert same(last(often), last(never))
    rows = [(r["seed"], r["episode"], r["name"], r["value"]) for r in table(often)]
    without = [(r["seed"], r["episode"], r["name"], r["value"]) for r in table(never)]
    assert [row for row in rows if not row[2].startswith("evaluation")] == without
    assert len(rows) > len(without)
    before = last(never)
    place, learner, _ = trained(never)
    evaluate(place, learner, (3, 5), 5, "any")
    assert train(reopen(never.folder, 33)) == train(reopen(often.folder, 33)) == 0
    assert same(last(often), last(never))
    assert not same(before, last(never))


def test_a_run_does_not_depend_on_the_runs_beside_it(tmp_path: Path) -> None:
    beside = new(tmp_path, small(seeds=(0, 1, 2)), "run")
    alone = new(tmp_path / "other", small(seeds=(1,)), "run")
    assert train(beside) == train(alone) == 0
    mine = [row for row in table(beside) if row["seed"] == "1"]
    assert mine == table(alone)
    assert len({row["episode"] for row in mine}) > 3
    both, one = last(beside), last(alone)
    for name in ("learner/policy", "learner/critic", "replay/rows"):
        assert torch.equal(both[name][1], one[name][0])


def test_everything_recorded_is_in_the_glossary(tmp_path: Path) -> None:
    found = set()
    for algorithm in ALGORITHMS:
        run = new(tmp_path, small(algorithm=algorithm), algorithm)
        train(run)
        found |= {row["name"].partition("/")[0] for row in table(run)}
    assert found == set(GLOSSARY)


def test_recorded_returns_are_sums_of_rewards(tmp_path: Path) -> None:
    run = new(tmp_path, small(record_every=3, warm_up=10_000, capacity=20_000))
    assert train(run) == 0
    trainer = assemble(run)
    total = torch.zeros(2, 3, 2, dtype=torch.float64)
    ended = False
    while not ended:
        actions = trainer.learner.act(
            trainer.environments.observations, trainer.streams["explore"], greedy=False
        )
        done = trainer.environments.step(actions)
        total += done.rewards
        ended = done.truncated
    recorded = [
        float(row["value"])
        for row in table(run)
        if row["episode"] == "3" and row["name"].startswith("return/")
    ]
    assert recorded == total.mean(1).flatten().tolist()


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: float,
) -> None:
    update = ActorCritic.update
    calls = itertools.count()

    def broken(self: ActorCritic, batch: Any, given: Any) -> dict[str, Tensor]:
        metrics = update(self, batch, given)
        if next(calls) == 60:
            metrics["critic_loss"][1, 0] = number
        return metrics

    monkeypatch.setattr(ActorCritic, "update", broken)
    run = new(tmp_path, small())
    assert train(run) == 1
    error = capsys.readouterr().err
    assert f"diverged: critic_loss[0] of seed 5 is {number} after" in error
    good = checkpoint.paths(run.checkpoints)[-1]
    assert f"the last good checkpoint is {good.name}" in error
    assert error.count("\n") == 1
    assert all(
        t.isfinite().all() for t in checkpoint.load(good).tensors.values() if t.is_floating_point()
    )
    assert not (run.folder / "summary.json").exists()
    monkeypatch.undo()
    assert train(reopen(run.folder)) == 0


def test_parameters_that_are_not_finite_are_never_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    state = ActorCritic.state

    def broken(self: ActorCritic) -> dict[str, Tensor]:
        tensors = state(self)
        return tensors | {"target": torch.full_like(tensors["target"], float("nan"))}

    monkeypatch.setattr(ActorCritic, "state", broken)
    run = new(tmp_path, small())
    assert train(run) == 1
    assert "target[0][0][0] of seed 3 is nan" in capsys.readouterr().err
    assert checkpoint.paths(run.checkpoints) == []


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    ours, other = new(tmp_path, small()), new(tmp_path, small(updates=1), "other")
    assert train(ours) == train(other) == 0
    source, target = (checkpoint.paths(r.checkpoints)[-1] for r in (other, ours))
    target.write_bytes(source.read_bytes())
    with pytest.raises(InputError, match="written with other settings of updates") as error:
        train(ours)
    assert "\n" not in str(error.value)
    trainer = assemble(ours)
    for wrong in ({}, {"trainer/returns": torch.zeros(1)}):
        with pytest.raises(InputError):
            trainer.restore(wrong)


def test_a_table_that_lost_rows_is_refused(tmp_path: Path) -> None:
    run = new(tmp_path, small())
    assert train(run) == 0
    (run.folder / "metrics.csv").write_text("run,seed\n", encoding="utf-8")
    with pytest.raises(InputError, match="bytes, and the checkpoint knows"):
        train(run)


def test_two_processes_do_not_train_one_run(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    run = new(tmp_path, small())
    with (run.folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another process trains there"):
            train(run)
    assert train(run) == 0


def test_evaluation_has_the_errors_of_its_means(tmp_path: Path) -> None:
    run = new(tmp_path, small())
    trainer = assemble(run)
    place = trainer.environments.world
    found = evaluate(place, trainer.learner, (3, 5), 7, "test")
    again = evaluate(place, trainer.learner, (3, 5), 7, "test")
    other = evaluate(place, trainer.learner, (3, 5), 7, "another")
    assert torch.equal(found.returns, again.returns)
    assert not torch.equal(found.returns, other.returns)
    returns = found.returns.numpy()
    assert np.allclose(found.errors, returns.std(1, ddof=1) / np.sqrt(7), rtol=1e-12)
    single = evaluate(place, trainer.learner, (3, 5), 1, "test")
    assert summary(single)["standard_error"]["3"]["speaker_0"] is None


CLIMB = {"seeds": (0, 1, 2), "episodes": 360, "updates": 4, "capacity": 4000, "warm_up": 128}
GAME = {"seeds": (0, 1, 2), "episodes": 150, "updates": 2, "capacity": 4000, "warm_up": 128}


def learned(tmp_path: Path, task: str, changes: dict[str, Any]) -> Tensor:
    """Greedy actions [run, state, agent, number] in the two states of the task after training."""
    settings = preset("laptop", task, "masac")
    learner = replace(settings.learner, learning_rate=0.005, batch=128)
    trainer = assemble(new(tmp_path, replace(settings, learner=learner, **changes)))
    while trainer.episodes < changes["episodes"]:
        trainer.episode()
    runs = len(changes["seeds"])
    states = torch.eye(2)[None, :, None, :].expand(runs, 2, 2, 2).contiguous()
    return trainer.learner.act(states, streams(changes["seeds"], "test"), greedy=True)


def climbed(tmp_path: Path) -> bool:
    """Whether every seed has both agents near the equilibrium in both states.

    The landmarks are 1 apart: within 1/4 an agent is clearly at one of them, while actions that
    know nothing, 0, and those at the other landmark or the edge are at least 1/2 away.
    """
    actions = learned(tmp_path, "climb", CLIMB)[..., 0]
    goals = torch.tensor([[float(x) for x in equilibrium(state)] for state in (0, 1)])
    return bool(((actions - goals).abs() < 0.25).all())


def coordinated(tmp_path: Path) -> bool:
    """Whether every seed's greedy joint policy is one with the largest return, computed exactly."""
    game = find("unequal-coordination").build()
    transition, reward = game.transition.astype(float), game.reward[0].astype(float)

    def value(joint: tuple[int, int]) -> float:
        rows = transition[[0, 1], list(joint)], reward[[0, 1], list(joint)]
        v = np.linalg.solve(np.eye(2) - float(game.gamma) * rows[0], rows[1])
        return float(game.initial.astype(float) @ v)

    best = max(value(joint) for joint in itertools.product(range(6), repeat=2))
    own = learned(tmp_path, "game:unequal-coordination", GAME).argmax(-1)
    joint = (3 * own[..., 0] + own[..., 1]).tolist()
    # no two joint policies of this game differ by less than a rounding
    return all(value((first, second)) > best - 1e-9 for first, second in joint)


def test_it_learns_climb(tmp_path: Path) -> None:
    assert climbed(tmp_path)


def test_it_learns_to_coordinate(tmp_path: Path) -> None:
    assert coordinated(tmp_path)


def negated_rewards(monkeypatch: pytest.MonkeyPatch) -> None:
    step = Environments.step
    monkeypatch.setattr(
        Environments,
        "step",
        lambda self, actions: replace(done := step(self, actions), rewards=-done.rewards),
    )


def rewards_of_other_transitions(monkeypatch: pytest.MonkeyPatch) -> None:
    update = ActorCritic.update
    monkeypatch.setattr(
        ActorCritic,
        "update",
        lambda self, batch, given: update(
            self, replace(batch, rewards=batch.rewards.roll(1, 1)), given
        ),
    )


def policies_that_climb_their_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    loss = losses.expected_policy_loss
    monkeypatch.setattr(losses, "expected_policy_loss", lambda *given: -loss(*given))


def actions_that_are_not_played(monkeypatch: pytest.MonkeyPatch) -> None:
    step = Environments.step
    monkeypatch.setattr(
        Environments,
        "step",
        lambda self, actions: replace(step(self, actions.flip(-1)), actions=actions),
    )


def rounds_that_never_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Trainer, "learn", lambda _: None)


@pytest.mark.parametrize(
    "plant",
    [
        negated_rewards,
        rewards_of_other_transitions,
        policies_that_climb_their_loss,
        actions_that_are_not_played,
        rounds_that_never_come,
    ],
)
def test_coordination_fails_when_learning_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    plant(monkeypatch)
    assert not coordinated(tmp_path)


def test_climb_fails_when_rewards_are_negated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    negated_rewards(monkeypatch)
    assert not climbed(tmp_path)
