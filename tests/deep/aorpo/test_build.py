"""Whole AORPO agents: what a round does, what it may look at, and that it is the same twice.

That a run goes on bit for bit, killed or not, is in ``tests.deep.training.test_trainer`` and
``tests.deep.training.test_killed``, for all algorithms; that branches have the law and the return
that Algorithm 1 gives them in ``tests.deep.aorpo.test_rollouts``. Four mistakes are planted, and
noticed, in

- nⱼ off by one:
  ``tests.deep.aorpo.test_rollouts.test_one_model_step_too_many_or_too_few_is_noticed`` (law) and
  ``test_the_return_tells_lengths_apart`` (return);
- a member averaged in place of drawn:
  ``tests.deep.dynamics.test_ensemble.test_an_average_member_is_noticed`` (states) and
  ``test_an_average_of_two_modes_is_noticed`` (numbers);
- a variance used as a standard deviation:
  ``tests.deep.dynamics.test_ensemble.test_a_variance_used_as_a_deviation_is_noticed`` (draws) and
  ``tests.deep.dynamics.test_fitting.test_wrong_variances_are_noticed`` (calibration);
- a stale action: ``tests.deep.aorpo.test_rollouts.test_a_stale_action_is_noticed``, of a model, of
  a real agent and of the ego agent.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from bounds.planning.schemes import SCHEMES
from deep.agents.actor_critic import ActorCritic
from deep.agents.rounds import RoundInputs
from deep.aorpo.branches import Branches
from deep.aorpo.models import AgentModels
from deep.aorpo.rollout_schedule import linear
from deep.aorpo.rounds import ModelBasedRounds
from deep.aorpo.schemes import Estimates, lengths
from deep.data.replay import Replay
from deep.dynamics.rewards import WithRewards
from deep.envs.particle import ParticleEnv
from deep.seeding import Streams, streams
from deep.training import checkpoint
from deep.training.run import Run, assemble, reopen, train, trained
from deep.training.trainer import Trainer
from tabular.games.catalogue import find
from tabular.games.chains import induced_transition
from tabular.games.policy import joint_policy
from tests.support.runs import kept, last, modelled, new, same, small

THREE = "game:three-player-matching-pennies"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def made(
    task: str = "speaker-listener",
    algorithm: str = "aorpo",
    run: dict[str, Any] | None = None,
    **model: Any,
) -> Trainer:
    """A small trainer; ``run``: settings of the run, the others of its models."""
    settings = modelled(small(task, algorithm, **(run or {})), **model)
    return assemble(Run(Path(), "run", settings, "cpu"))


def rounds_of(trainer: Trainer) -> ModelBasedRounds:
    assert isinstance(trainer.rounds, ModelBasedRounds)
    return trainer.rounds


def learner_of(trainer: Trainer) -> ActorCritic:
    assert isinstance(trainer.learner, ActorCritic)
    return trainer.learner


def inputs_of(trainer: Trainer) -> RoundInputs:
    return RoundInputs(
        replay=trainer.replay,
        streams=trainer.streams,
        steps=trainer.steps,
        episodes=trainer.episodes,
        check=lambda _: None,
    )


def until(trainer: Trainer, rounds: int) -> Trainer:
    """Train for so many rounds."""
    before = trainer.updates
    while trainer.updates - before < 2 * rounds:
        trainer.step()
    return trainer


# ---- runs beside each other


def alike(three: dict[str, Tensor], one: dict[str, Tensor]) -> bool:
    """Whether run 1 of ``three`` is ``one``; what a longer memory holds beyond it is not there."""
    if three.keys() != one.keys():
        return False
    for name, alone in one.items():
        beside = three[name]
        if beside.ndim and len(beside) == 3 * len(alone):
            beside = beside[1:2]
        if name == "rounds/branches/model_buffer/rows":
            beside = beside[:, :, : alone.shape[2]]
        if not torch.equal(beside, alone):
            return False
    return True


CASES = [("speaker-listener", "aorpo", scheme) for scheme in SCHEMES]
CASES += [("climb", "aorpo", "adaptive"), ("climb", "aordpg", "adaptive")]
CASES += [(THREE, "aordpg", "planned"), (THREE, "aorpo", "released")]


@pytest.mark.parametrize(("task", "algorithm", "scheme"), CASES)
def test_a_run_does_not_depend_on_the_runs_beside_it(
    task: str, algorithm: str, scheme: str
) -> None:
    """Seeds 0, 1, 2 against 1 alone: everything that a checkpoint holds, bit for bit."""
    beside, alone = (
        until(made(task, algorithm, {"seeds": seeds}, scheme=scheme), 4)
        for seeds in ((0, 1, 2), (1,))
    )
    assert alike(kept(beside), kept(alone))
    assert bool(rounds_of(alone).branches.model_buffer.added.all())
    other = until(made(task, algorithm, {"seeds": (2,)}, scheme=scheme), 4)
    assert not alike(kept(beside), kept(other))


@pytest.mark.parametrize(
    ("task", "algorithm", "model"),
    [
        ("speaker-listener", "aorpo", {"exact_dynamics": True, "scheme": "planned"}),
        ("climb", "aordpg", {"exact_dynamics": True, "exact_opponents": True}),
        (THREE, "aorpo", {"conditioned": False, "scheme": "released", "warmup_episodes": 6}),
    ],
)
def test_other_kinds_of_rounds_go_on_bit_for_bit(
    task: str, algorithm: str, model: dict[str, Any]
) -> None:
    straight = until(made(task, algorithm, **model), 4)
    halfway = kept(straight)
    until(straight, 5)
    again = made(task, algorithm, **model)
    again.restore(halfway)
    assert same(kept(again), halfway)
    assert same(kept(until(again, 5)), kept(straight))
    assert not same(kept(straight), halfway)


def test_a_run_that_is_read_plays_as_it_did(tmp_path: Path) -> None:
    """Conditioned policies act with the models of the checkpoint, which are part of the rounds."""
    run = new(tmp_path, modelled(small(algorithm="aorpo")))
    assert train(run) == 0
    _, learner, path = trained(run)
    trainer = assemble(run)
    seen = wide("seen", 2, trainer.replay.shape.observation_width)
    drawn = [learner.act(seen, streams((3, 5), "play"), greedy=False)]
    drawn.append(trainer.learner.act(seen, streams((3, 5), "play"), greedy=False))
    trainer.restore(checkpoint.load(path).tensors)
    drawn.append(trainer.learner.act(seen, streams((3, 5), "play"), greedy=False))
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])


# ---- what a round does


def test_calls_are_those_of_the_lengths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Σ_j (k − nⱼ) M for every run, ego and opponent, round by round; nothing in the warm-up."""
    roll = Branches.roll
    seen: list[tuple[Tensor, Tensor]] = []

    def watched(self: Branches, replay: Replay, k: Tensor, n: Tensor, drawing: Streams) -> None:
        before = self.communication.interactions.calls.clone()
        roll(self, replay, k, n, drawing)
        others = ~torch.eye(n.shape[-1], dtype=torch.bool)
        due = (k.unsqueeze(-1) - n) * others * self.rollouts
        assert torch.equal(self.communication.interactions.calls - before, due)
        seen.append((k, n))

    monkeypatch.setattr(Branches, "roll", watched)
    for scheme in SCHEMES:
        seen.clear()
        settings = made(
            "spread", scheme=scheme, warmup_episodes=6, calls=2, opponent_error="mismatch"
        )
        trainer = until(settings, 12)
        counted = rounds_of(trainer).branches.communication.interactions
        others = ~torch.eye(3, dtype=torch.bool)
        each = [8 * (k.unsqueeze(-1) - n) * others for k, n in seen]
        total = torch.stack(each).sum((0, 2, 3))
        assert len(seen) > 3
        if scheme == "planned":
            assert all(bool((every.sum(-1) <= 8 * 2).all()) for every in each)
        assert torch.equal(counted.calls.sum((1, 2)), total)
        assert bool(counted.calls.any()) == (scheme != "all-models")
        acts = (3 * counted.steps + total).double()
        normalised = rounds_of(trainer).counters()["normalised_interactions"]
        assert torch.equal(normalised, acts / 3 / 25)


def test_the_warm_up_uses_no_dynamics_and_no_call() -> None:
    trainer = made(run={"environments": 3}, warmup_episodes=9)
    rounds = rounds_of(trainer)
    before = {name: each.state().clone() for name, each in rounds.streams.items()}
    model = rounds.models.ensemble
    assert model is not None
    parameters = model.stack.parameters.clone()
    while trainer.episodes < 9:
        trainer.step()
    assert trainer.updates > 0
    assert rounds.last_dynamics_fit == -1
    assert not bool(rounds.branches.model_buffer.added.any())
    assert not bool(rounds.branches.communication.interactions.calls.any())
    for name in ("dynamics", "rollouts"):
        assert torch.equal(rounds.streams[name].state(), before[name])
    assert not torch.equal(rounds.streams["opponents"].state(), before["opponents"])
    assert torch.equal(model.stack.parameters, parameters)
    until(trainer, 1)
    assert rounds.last_dynamics_fit == trainer.steps
    assert bool(rounds.branches.model_buffer.added.all())
    assert not torch.equal(model.stack.parameters, parameters)


def test_dynamics_are_fitted_every_so_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[int] = []
    fit = AgentModels.fit_dynamics

    def watched(self: AgentModels, replay: Replay, drawing: Streams) -> dict[str, Tensor]:
        fitted.append(replay.added)
        return fit(self, replay, drawing)

    monkeypatch.setattr(AgentModels, "fit_dynamics", watched)
    until(made(fit_every=50), 20)
    # rounds every 20 steps in steps of 3: the first one 50 or more after the last fit
    assert len(fitted) > 4
    assert all(50 <= later - earlier < 73 for earlier, later in itertools.pairwise(fitted))


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_batch_has_its_share_of_real_rows(share: float) -> None:
    """Made-up rewards are replaced by 1000 + the ego's number; real ones are 0 or less."""
    trainer = until(made(real_ratio=share), 2)
    rounds = rounds_of(trainer)
    widths = (
        2 * rounds.branches.model_buffer.shape.observation_width
        + 2 * rounds.branches.model_buffer.shape.action_width
    )
    for ego in range(2):
        rounds.branches.model_buffer.rows[:, ego, :, widths : widths + 2] = 1000.0 + ego
    batch = rounds.draw(inputs_of(trainer))
    assert batch.rewards.shape == (2, 2, 8, 2)
    real = round(8 * share)
    assert bool((batch.rewards[:, :, :real] <= 0).all())
    for ego in range(2):
        assert bool((batch.rewards[:, ego, real:] == 1000 + ego).all())


def test_made_up_rows_turn_over() -> None:
    """A round of full length replaces all of D_model; one of k = 1 of 3 a third of it."""
    for k, left in ((3, 0), (1, 2)):
        trainer = until(made(buffer_rounds=1), 4)
        rounds = rounds_of(trainer)
        assert bool(
            (rounds.branches.model_buffer.sizes == rounds.branches.model_buffer.capacity).all()
        )
        assert rounds.branches.model_buffer.capacity == 8 * 3
        rounds.branches.model_buffer.rows.fill_(1e6)
        rounds.branches.roll(
            trainer.replay,
            torch.full((2, 2), k),
            torch.zeros(2, 2, 2).long(),
            rounds.streams["rollouts"],
        )
        old = (rounds.branches.model_buffer.rows == 1e6).all(-1).sum(-1)
        assert bool((old == 8 * left).all())


def test_branches_grow_as_the_schedule_says(monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[tuple[int, int]] = []
    learn = ModelBasedRounds.learn

    def watched(self: ModelBasedRounds, inputs: RoundInputs) -> Any:
        for measured in learn(self, inputs):
            if "k" in measured:
                assert len(measured["k"].unique()) == 1
                found.append((inputs.episodes, int(measured["k"][0, 0])))
            yield measured

    monkeypatch.setattr(ModelBasedRounds, "learn", watched)
    until(made(k=5, rollout_length_epochs=(1, 4), epoch=6, warmup_episodes=3), 40)
    assert {k for _, k in found} == {1, 2, 3, 5} or {k for _, k in found} == {1, 2, 3, 4, 5}
    for episodes, k in found:
        assert episodes >= 3
        assert k == linear(episodes // 6, 1, 4, 5)


# ---- the world itself in the place of models


def test_exact_branches_are_what_the_world_would_do() -> None:
    """Speaker-listener: predicted observations and rewards from the state that was observed.

    The listener is put where it is, at the origin, with its velocity and the word that it hears;
    landmarks where it sees them, the goal the one whose colour the speaker sees. Nothing else
    matters to one step, so the world's own next observations are those predicted, up to the
    rounding of moving everything to the origin.
    """
    trainer = until(
        made(
            run={"dtype": "float64"},
            exact_dynamics=True,
            exact_opponents=True,
            rollout_length_epochs=(0, 1),
        ),
        8,
    )
    rounds, task = rounds_of(trainer), trainer.environments.world
    assert isinstance(task, ParticleEnv)
    # branches step after step, M rows each
    rounds.branches.model_buffer.clear()
    rounds.branches.roll(
        trainer.replay, torch.full((2, 2), 3), torch.full((2, 2, 2), 3), rounds.streams["rollouts"]
    )
    batch = rounds.branches.model_buffer.batch(torch.arange(24).expand(2, 2, -1))
    seen, after = batch.observations, batch.next_observations
    assert torch.equal(seen[:, :, 8:], after[:, :, :16])
    listener = seen[..., 1, :]
    origin = torch.zeros(2, 2, 24, 2, 2, dtype=torch.float64)
    landmarks = listener[..., 2:8].unflatten(-1, (3, 2))
    colours = [
        task.observe(task.place(origin, landmarks, torch.full((2, 2, 24, 1), goal)))[..., 0, :3]
        for goal in range(3)
    ]
    same = torch.stack([(c == seen[..., 0, :3]).all(-1) for c in colours], -1)
    assert bool((same.sum(-1) == 1).all())
    goal = same.long().argmax(-1, keepdim=True)
    state = replace(
        task.place(origin, landmarks, goal),
        velocity=torch.stack((torch.zeros_like(listener[..., :2]), listener[..., :2]), -2),
        message=listener[..., 8:11],
    )
    following, rewards = task.step(state, batch.actions)
    torch.testing.assert_close(task.observe(following), after, rtol=0, atol=1e-12)
    torch.testing.assert_close(rewards, batch.rewards, rtol=0, atol=1e-12)
    assert not bool(rounds.branches.communication.interactions.calls.any())
    # power: another goal, or actions of other rows, give other numbers
    wrong, _ = task.step(state, batch.actions.roll(1, 2))
    assert float((task.observe(wrong) - after).abs().max()) > 0.01


LEVEL = 1e-6


def law_is_the_game_s(name: str, **model: Any) -> bool:
    """Chi-square at ``LEVEL``: (state, joint action) in steps 1..3 of branches of a finite game.

    Policies, not conditioned, are read off in every state; branches start from the replay's states.
    """
    game = find(name).build()
    run = {"seeds": (0,), "capacity": 400}
    trainer = until(made(f"game:{name}", run=run, conditioned=False, rollouts=4096, **model), 6)
    rounds, learner = rounds_of(trainer), learner_of(trainer)
    eye = torch.eye(game.n_states).expand(1, game.n, -1, -1)
    said = learner.policies.outputs(eye, streams([0], "x"))
    chances = learner.policies.head.probabilities(said)[0][0].detach().double()  # type: ignore[attr-defined]
    policies = [chances[i, :, :size].numpy() for i, size in enumerate(game.actions)]
    joint = joint_policy([policy / policy.sum(1, keepdims=True) for policy in policies])
    moved = induced_transition(game.transition.astype(float), joint)
    everything = trainer.replay.batch(torch.arange(trainer.replay.size).expand(1, -1))
    state = everything.observations[0, :, 0].double().mean(0).numpy()
    k, n = torch.full((1, game.n), 3), torch.full((1, game.n, game.n), 3)
    rounds.branches.model_buffer.clear()
    rounds.branches.roll(trainer.replay, k, n, rounds.streams["rollouts"])
    batch = rounds.branches.model_buffer.batch(torch.arange(3 * 4096).expand(1, game.n, -1))
    for p in range(3):
        part = slice(4096 * p, 4096 * (p + 1))
        law = (state[:, None] * joint).ravel()
        for ego in range(game.n):
            own = batch.actions[0, ego, part].argmax(-1).numpy()
            flat = np.ravel_multi_index(tuple(own.T), game.actions)
            at = batch.observations[0, ego, part, 0].argmax(-1).numpy()
            counts = np.bincount(at * game.joint_actions + flat, minlength=law.size)
            large = law * 4096 >= 8
            if counts[law == 0].any():
                return False
            seen = np.append(counts[large], counts[~large].sum())
            due = np.append(law[large], law[~large].sum()) * 4096
            if due[-1] < 8:
                seen, due = seen[:-1], due[:-1] * seen[:-1].sum() / due[:-1].sum()
            if stats.chisquare(seen, due * seen.sum() / due.sum()).pvalue <= LEVEL:
                return False
        state = state @ moved
    return True


@pytest.mark.parametrize("name", ["unequal-coordination", "coordination"])
def test_exact_branches_have_the_law_of_the_game(name: str) -> None:
    assert law_is_the_game_s(name, exact_dynamics=True, exact_opponents=True)


def test_models_in_their_place_are_noticed() -> None:
    """Models that have hardly learned are not the game, so the test can fail."""
    assert not law_is_the_game_s("unequal-coordination", exact_opponents=True)
    assert not law_is_the_game_s("unequal-coordination", exact_dynamics=True)


# ---- what an agent may look at


def poisoned(trainer: Trainer, agent: int) -> None:
    """The real policy of ``agent`` says NaN from now on."""
    with torch.no_grad():
        learner_of(trainer).policies.stack.parameters[:, agent] = torch.nan


@pytest.mark.parametrize("algorithm", ["aorpo", "aordpg"])
def test_a_gradient_step_looks_at_no_other_s_policy(algorithm: str) -> None:
    """Agent 1's policy is NaN: agent 0's critics and policy move as if it were not."""
    both = [until(made("climb", algorithm), 3) for _ in range(2)]
    batch = rounds_of(both[0]).draw(inputs_of(both[0]))
    poisoned(both[1], 1)
    if algorithm == "aordpg":
        learner_of(both[1]).objective.target_policies.stack.parameters[:, 1] = torch.nan  # type: ignore[attr-defined]
    measured = [t.learner.update(batch, streams(t.seeds, "same")) for t in both]
    states = [kept(trainer) for trainer in both]
    for name in ("policy", "critic", "target"):
        one, other = (state[f"learner/{name}"] for state in states)
        assert torch.equal(one[:, 0], other[:, 0])
        assert bool(other[:, 0].isfinite().all())
        assert not bool(other[:, 1].isfinite().all())
    for name in measured[0]:
        assert torch.equal(measured[0][name][:, 0], measured[1][name][:, 0])


def test_a_gradient_step_with_the_real_policies_in_their_place_does() -> None:
    """Power: what the step before must not look at is noticed where it is looked at."""
    trainer = until(made("climb", exact_opponents=True), 3)
    batch = rounds_of(trainer).draw(inputs_of(trainer))
    poisoned(trainer, 1)
    trainer.learner.update(batch, streams(trainer.seeds, "same"))
    assert not bool(kept(trainer)["learner/critic"][:, 0].isfinite().all())


def felt(scheme: str, **model: Any) -> Tensor:
    """Whether each ego's branches are spoiled, [ego], where agent 1's real policy is NaN."""
    trainer = until(made("climb", scheme=scheme, **model), 3)
    poisoned(trainer, 1)
    rounds = rounds_of(trainer)
    estimates = Estimates(
        gamma=0.9,
        opponent_error=torch.full((2, 2, 2), 0.5),
        policy_shift=torch.zeros(2, 2),
    )
    k, n = lengths(SCHEMES[scheme], estimates, 3)
    rounds.branches.model_buffer.clear()
    rounds.branches.roll(trainer.replay, k, n, rounds.streams["rollouts"])
    broken: Tensor = ~rounds.branches.model_buffer.rows[:, :, : 8 * 3].isfinite().all(-1).all(
        -1
    ).all(0)
    return broken


def test_a_real_policy_is_felt_where_it_is_asked_and_nowhere_else() -> None:
    assert felt("all-models").tolist() == [False, True]
    assert felt("all-real").tolist() == [True, True]
    assert felt("all-models", exact_opponents=True).tolist() == [True, True]


def wide(name: str, agents: int, width: int) -> Tensor:
    """Observations far apart, so that greedy actions differ."""
    return 40 * streams((0, 1), name).uniform(200, agents, width).float() - 20


@pytest.mark.parametrize("task", ["speaker-listener", THREE])
@pytest.mark.parametrize("greedy", [False, True])
def test_conditioned_policies_act_on_what_they_observe(task: str, greedy: bool) -> None:
    """Other observations of the others: the same actions. Other inferred actions do matter."""
    trainer = until(made(task, run={"updates": 2}), 3)
    learner, agents = learner_of(trainer), len(trainer.environments.world.agents)
    assert learner.policies.inference is not None
    width = trainer.replay.shape.observation_width
    seen = wide("seen", agents, width)
    for ego in range(agents):
        other = wide("other", agents, width)
        other[:, :, ego] = seen[:, :, ego]
        one, two = (learner.act(x, streams((0, 1), "play"), greedy) for x in (seen, other))
        assert torch.equal(one[:, :, ego], two[:, :, ego])
        assert not torch.equal(one, two)
    infer = learner.policies.inference.infer

    def nothing(observations: Tensor, drawing: Any) -> Tensor:
        return 5 - 10 * infer(observations, drawing)

    blind = replace(
        learner,
        policies=replace(
            learner.policies, inference=replace(learner.policies.inference, infer=nothing)
        ),
    )
    assert not torch.equal(
        learner.act(seen, streams((0, 1), "play"), greedy),
        blind.act(seen, streams((0, 1), "play"), greedy),
    )


# ---- numbers that are not finite


def break_ensemble(rounds: ModelBasedRounds) -> None:
    assert rounds.models.ensemble is not None
    rounds.models.ensemble.stack.parameters[1, 1, 0, 2] = torch.nan


def break_theirs(rounds: ModelBasedRounds) -> None:
    rounds.models.rollout_opponents.stack.parameters.detach()[1, 0, 0, 3] = torch.inf


def break_own(rounds: ModelBasedRounds) -> None:
    assert rounds.models.inference_opponents is not None
    rounds.models.inference_opponents.stack.parameters.detach()[1, 1, 0, 0] = torch.nan


BREAKS: dict[str, Callable[[ModelBasedRounds], None]] = {
    "models/dynamics/parameters[1][0][2] of seed 5 is nan": break_ensemble,
    "models/rollout_opponents/opponents[0][0][3] of seed 5 is inf": break_theirs,
    "models/inference_opponents/opponents[1][0][0] of seed 5 is nan": break_own,
}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Tensor]:
    torch.set_num_threads(1)
    run = new(tmp_path_factory.mktemp("unbroken"), modelled(small(algorithm="aorpo")))
    assert train(run) == 0
    return last(run)


@pytest.mark.parametrize(
    ("named", "moment"), [*((named, "learn") for named in BREAKS), (next(iter(BREAKS)), "roll")]
)
def test_a_broken_model_stops_the_run_with_its_name(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    unbroken: dict[str, Tensor],
    named: str,
    moment: str,
) -> None:
    """Broken before a round, or after its fits: the last checkpoint is good, the run goes on."""
    usual = getattr(ModelBasedRounds, moment)
    calls = itertools.count()

    def breaking(self: ModelBasedRounds, *given: Any) -> Any:
        if next(calls) == 30:
            BREAKS[named](self)
        return usual(self, *given)

    monkeypatch.setattr(ModelBasedRounds, moment, breaking)
    run = new(tmp_path, modelled(small(algorithm="aorpo")))
    assert train(run) == 1
    error = capsys.readouterr().err
    assert f"diverged: {named} after" in error
    assert error.count("\n") == 1
    good = checkpoint.paths(run.checkpoints)[-1]
    assert f"the last good checkpoint is {good.name}" in error
    tensors = checkpoint.load(good).tensors.values()
    assert all(t.isfinite().all() for t in tensors if t.is_floating_point())
    monkeypatch.undo()
    assert train(reopen(run.folder)) == 0
    assert same(last(run), unbroken)


def test_made_up_rows_that_are_not_finite_are_never_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step = WithRewards.step

    def broken(self: WithRewards, *given: Any) -> Any:
        memory, following, rewards = step(self, *given)
        following[0, 1, 0, 0, 0] = torch.inf
        return memory, following, rewards

    monkeypatch.setattr(WithRewards, "step", broken)
    # nothing that is made up is learned from
    settings = modelled(
        small(algorithm="aorpo", checkpoint_every=1), real_ratio=1.0, warmup_episodes=0
    )
    run = new(tmp_path, settings)
    assert train(run) == 1
    error = capsys.readouterr().err
    assert "diverged: branches/model_buffer/rows[1][0]" in error
    assert "of seed 3 is inf" in error
    for path in checkpoint.paths(run.checkpoints):
        assert bool(
            checkpoint.load(path).tensors["rounds/branches/model_buffer/rows"].isfinite().all()
        )
