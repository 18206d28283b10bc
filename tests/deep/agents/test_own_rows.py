"""Agents with rows of their own learn what they would from shared ones, and from no other's."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from deep.agents.actor_critic import ActorCritic
from deep.agents.critics import critics
from deep.agents.experience import SHARED, Experience, Private
from deep.agents.learner import Inference
from deep.agents.maddpg import Deterministic, Maddpg, maddpg
from deep.agents.masac import Masac, masac
from deep.data.batch import Batch
from deep.envs.spaces import Choices, Shape, random_actions
from deep.nn.action_distributions import Categorical
from deep.seeding import Streams, streams
from tests.support.teams import CASES, TEAMS, data

SEEDS = [0, 1]


def build(
    kind: str,
    shape: Shape,
    seeds: list[int],
    experience: Experience,
    dtype: torch.dtype = torch.float64,
    inference: Inference | None = None,
    **given: Any,
) -> ActorCritic:
    initial = streams(seeds, "initialise")
    if kind == "masac":
        return masac(shape, Masac(**given), initial, dtype, "cpu", inference, experience)
    return maddpg(shape, Maddpg(**given), initial, dtype, "cpu", inference, experience)


def apart(shape: Shape, seeds: list[int], rows: int, dtype: torch.dtype = torch.float64) -> Batch:
    """Private transitions that have nothing to do with one another."""
    every = vars(data(shape, seeds, shape.agents * rows, dtype)).values()
    return Batch(*(part.unflatten(1, (shape.agents, rows)) for part in every))


def everyone(shape: Shape, batch: Batch) -> Batch:
    """The shared ``batch`` as the private one of every ego."""
    parts = vars(batch).values()
    return Batch(*(p.unsqueeze(1).expand(-1, shape.agents, *p.shape[1:]) for p in parts))


def drawn(shape: Shape) -> Callable[[Tensor, Streams], Tensor]:
    """Opponents that play at random, each ego's apart."""

    def others(observations: Tensor, given: Streams) -> Tensor:
        _, egos, rows, _, _ = observations.shape
        actions = random_actions(shape.spaces, given, egos * rows, observations.dtype)
        return actions.unflatten(1, (egos, rows))

    return others


def gradients(learner: ActorCritic, batch: Batch) -> dict[str, Tensor]:
    """What one update starts from, by the learner's own parts."""
    views, given = learner.views(batch), streams(SEEDS, "update")
    objective, stack = learner.objective, learner.policies.stack
    y = objective.target(views, learner.policies, learner.targets, given)
    q = learner.critics(views.critic_inputs)
    error = (q - y.unsqueeze(2)).square().sum()
    (by_critic,) = torch.autograd.grad(error, learner.critics.stack.parameters)
    loss, _ = objective.policy_loss(views, learner.policies, learner.critics, given)
    (by_policy,) = torch.autograd.grad(loss.sum(), stack.parameters)
    return {"y": y, "q": q.detach(), "critic": by_critic, "policy": by_policy}


def check_equal_data(kind: str, team: str, given: dict[str, Any]) -> None:
    shape = TEAMS[team]
    shared = build(kind, shape, SEEDS, SHARED, **given)

    def others(observations: Tensor, drawn: Streams) -> Tensor:
        """What the shared learner's policies do there, with its draws; of the egos nothing."""
        del drawn
        every = observations[:, 0].transpose(1, 2)
        first, head = streams(SEEDS, "update"), shared.policies.head
        if isinstance(shared.objective, Deterministic):
            actions, _ = head.relaxed(shared.objective.target_policies.outputs(every, first), first)
        else:
            actions, _ = head.sample(shared.policies.outputs(every, first), first)
        said = actions.transpose(1, 2).unsqueeze(1).repeat(1, shape.agents, 1, 1, 1)
        for ego in range(shape.agents):
            said[:, ego, :, ego] = float("nan")
        return said

    private = build(kind, shape, SEEDS, Private(others), **given)
    if given.get("central", True):
        assert private.critics.stack.axes[1] == shape.agents
        assert shared.critics.stack.axes[1] == 1
    with torch.no_grad():
        for to, start, factor in (
            (private.critics, shared.critics, 1.0),
            (shared.targets, shared.critics, 0.8),
            (private.targets, shared.critics, 0.8),
        ):
            numbers = to.stack.parameters
            numbers.copy_(start.stack.parameters.view_as(numbers)).mul_(factor)
    batch = data(shape, SEEDS, 24)
    copies = everyone(shape, batch)
    # the same sums in another order; the numbers are of order 1
    for name, tensor in gradients(shared, batch).items():
        same = gradients(private, copies)[name].view_as(tensor)
        torch.testing.assert_close(same, tensor, rtol=0, atol=1e-12, msg=name)
        assert bool(tensor.isfinite().all())
    # first the private one, whose others are the shared one's policies before its step
    mine, theirs = (
        learner.update(rows, streams(SEEDS, "update"))
        for learner, rows in ((private, copies), (shared, batch))
    )
    for name, tensor in theirs.items():
        torch.testing.assert_close(mine[name], tensor, rtol=0, atol=1e-12, msg=name)
    # Adam's first step is a gradient over its size: a rounding over 1e-8 where that is nothing
    for name, tensor in shared.state().items():
        same = private.state()[name].view_as(tensor)
        torch.testing.assert_close(same, tensor, rtol=0, atol=1e-10, msg=name)


@pytest.mark.parametrize(("kind", "team", "given"), CASES)
def test_equal_data_give_equal_steps(kind: str, team: str, given: dict[str, Any]) -> None:
    check_equal_data(kind, team, given)


def check_egos_learn_apart(kind: str, team: str, given: dict[str, Any]) -> None:
    """Where the rows of one ego change, it changes, and it alone."""
    shape = TEAMS[team]

    def after(batch: Batch) -> dict[str, Tensor]:
        learner = build(kind, shape, SEEDS, Private(drawn(shape)), **given)
        update = streams(SEEDS, "update")
        measured = [learner.update(batch, update) for _ in range(3)][-1]
        tensors = {**learner.state(), **measured}
        return {name: t.clone() for name, t in tensors.items() if t.ndim > 1}

    batch, other = apart(shape, SEEDS, 20), apart(shape, [7, 8], 20)
    before = after(batch)
    for ego in range(shape.agents):
        mine = torch.arange(shape.agents) == ego
        parts = zip(vars(batch).values(), vars(other).values(), strict=True)
        changed = Batch(*(torch.where(mine.view(-1, *[1] * (a.ndim - 2)), b, a) for a, b in parts))
        for name, tensor in after(changed).items():
            unlike = (tensor != before[name]).view(*tensor.shape[:2], -1).any(-1)
            assert torch.equal(unlike, mine.expand_as(unlike)), name


@pytest.mark.parametrize(("kind", "team", "given"), CASES)
def test_egos_learn_apart(kind: str, team: str, given: dict[str, Any]) -> None:
    check_egos_learn_apart(kind, team, given)


def _first_rows_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Private, "own", lambda _, joint: joint[:, 0].transpose(1, 2))


def _rows_of_the_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Private, "grouped", lambda _, rows: rows.roll(1, 1))


def _own_rows_of_the_neighbour(monkeypatch: pytest.MonkeyPatch) -> None:
    own = Private.own
    monkeypatch.setattr(Private, "own", lambda self, joint: own(self, joint.roll(1, 1)))


@pytest.mark.parametrize(
    "plant", [_first_rows_for_all, _rows_of_the_neighbour, _own_rows_of_the_neighbour]
)
def test_rows_of_others_are_found(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        check_egos_learn_apart("maddpg", "equal", {})


def _egos_as_modelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Private, "after", lambda self, seen, _, drawn: self.others(seen, drawn))


def _own_action_for_everyone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Private,
        "after",
        lambda _, seen, own, drawn: own.unsqueeze(3).expand(-1, -1, -1, own.shape[1], -1),
    )


def _agents_and_egos_swapped(monkeypatch: pytest.MonkeyPatch) -> None:
    after = Private.after
    monkeypatch.setattr(
        Private,
        "after",
        lambda self, seen, own, drawn: after(self, seen, own.roll(1, 1), drawn),
    )


@pytest.mark.parametrize(
    "plant", [_egos_as_modelled, _own_action_for_everyone, _agents_and_egos_swapped]
)
@pytest.mark.parametrize("kind", ["masac", "maddpg"])
def test_wrong_next_actions_are_found(
    kind: str, plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        check_equal_data(kind, "equal", {})


def test_targets_have_own_policies_and_others_beliefs() -> None:
    """y agent by agent and row by row, from actions put together one by one."""
    shape = TEAMS["boxes"]
    batch, believed = apart(shape, SEEDS, 4), apart(shape, [5, 6], 4).actions
    asked: list[Tensor] = []

    def others(observations: Tensor, given: Streams) -> Tensor:
        del given
        asked.append(observations)
        return believed

    learner = build("maddpg", shape, SEEDS, Private(others), twins=2)
    objective = learner.objective
    assert isinstance(objective, Deterministic)
    with torch.no_grad():
        objective.target_policies.stack.parameters.mul_(2)
        learner.targets.stack.parameters.mul_(2)
    before = believed.clone()
    views = learner.views(batch)
    y = objective.target(views, learner.policies, learner.targets, streams(SEEDS, "update"))
    assert [torch.equal(seen, batch.next_observations) for seen in asked] == [True]
    assert torch.equal(believed, before)
    for run, ego, row in itertools.product(range(2), range(2), range(4)):
        seen = batch.next_observations[:, :, row : row + 1]
        joint = believed[:, :, row : row + 1].clone()
        # the policy of agent ``ego`` at what that agent sees in this row; the other's is not read
        team = seen[:, ego]
        joint[:, ego, :, ego] = objective.target_policies.act(
            team, streams(SEEDS, "none"), greedy=True
        )[:, :, ego]
        q = learner.targets(learner.targets.inputs(seen, joint))[run, ego, :, 0].min()
        goes_on = 1 - batch.terminated[run, ego, row]
        true = batch.rewards[run, ego, row, ego] + 0.95 * goes_on * q
        assert float(y[run, ego, row]) == pytest.approx(float(true), rel=1e-12)


def test_independent_critics_ask_for_no_beliefs() -> None:
    def others(observations: Tensor, given: Streams) -> Tensor:
        raise AssertionError("asked")

    shape = TEAMS["padded"]
    for kind in ("masac", "maddpg"):
        learner = build(kind, shape, SEEDS, Private(others), central=False)
        learner.update(apart(shape, SEEDS, 5), streams(SEEDS, "update"))


@pytest.mark.parametrize("central", [True, False])
@pytest.mark.parametrize("team", TEAMS)
def test_an_agent_moves_alone_in_its_own_rows(team: str, central: bool) -> None:
    shape, hidden = TEAMS[team], (8, 6)
    private = Private(drawn(shape))
    judges = critics(shape, central, 2, hidden, streams(SEEDS, "i"), torch.float64, "cpu", private)
    batch = apart(shape, SEEDS, 7)
    seen, before = judges.inputs(batch.observations, batch.actions), private.own(batch.actions)
    own = random_actions(shape.spaces, streams(SEEDS, "own"), 7, torch.float64).transpose(1, 2)
    change = (own - before).requires_grad_()
    said = judges.moved(seen, change)
    for agent in range(shape.agents):
        actions = batch.actions.clone()
        actions[:, agent, :, agent] = own[:, agent]
        true = judges(judges.inputs(batch.observations, actions))[:, agent]
        torch.testing.assert_close(said[:, agent], true, rtol=0, atol=1e-12)
    assert torch.autograd.gradcheck(lambda x: judges.moved(seen, x), change)
    choices = tuple(space for space in shape.spaces if isinstance(space, Choices))
    if len(choices) < shape.agents:
        return
    head = Categorical(choices)
    options = judges.options(seen, before, own, head)
    for agent, space in enumerate(choices):
        start = 0
        for size in space.sizes:
            for k in range(start, start + size):
                actions = batch.actions.clone()
                actions[:, agent, :, agent] = own[:, agent]
                actions[:, agent, :, agent, start : start + size] = 0
                actions[:, agent, :, agent, k] = 1
                true = judges(judges.inputs(batch.observations, actions))[:, agent]
                torch.testing.assert_close(options[:, agent, :, :, k], true, rtol=0, atol=1e-12)
            start += size


@pytest.mark.parametrize(
    ("kind", "team"),
    [("masac", "equal"), ("masac", "several"), ("masac", "boxes"), ("maddpg", "boxes")],
)
def test_policy_gradients_are_finite_differences(kind: str, team: str) -> None:
    shape = TEAMS[team]
    learner = build(kind, shape, [0], Private(drawn(shape)), hidden=(5, 4))
    views, actors = learner.views(apart(shape, [0], 3)), learner.policies

    def loss(parameters: Tensor) -> Tensor:
        other = replace(actors, stack=replace(actors.stack, parameters=parameters))
        given = streams([0], "update")
        return learner.objective.policy_loss(views, other, learner.critics, given)[0]

    assert torch.autograd.gradcheck(loss, actors.stack.parameters)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("kind", "team", "given"), CASES)
def test_a_run_is_the_same_beside_others(
    kind: str, team: str, given: dict[str, Any], dtype: torch.dtype
) -> None:
    shape, results = TEAMS[team], []
    for seeds in ([0, 1, 2], [1]):
        learner = build(kind, shape, seeds, Private(drawn(shape)), dtype, **given)
        update, batch = streams(seeds, "update"), apart(shape, seeds, 24, dtype)
        measured = [learner.update(batch, update) for _ in range(3)][-1]
        results.append({**learner.state(), **measured})
    beside, alone = results
    for name, tensor in alone.items():
        assert torch.equal(beside[name][1:2], tensor), name
        assert bool(tensor.isfinite().all()), name


@pytest.mark.parametrize("kind", ["masac", "maddpg"])
def test_agents_infer_from_what_they_see_in_their_own_rows(kind: str) -> None:
    shape = TEAMS["equal"]
    asked: list[Tensor] = []

    def infer(observations: Tensor, given: Streams) -> Tensor:
        asked.append(observations.clone())
        return given.uniform(*observations.shape[1:3], 10)

    learner = build(kind, shape, SEEDS, Private(drawn(shape)), inference=Inference(10, infer))
    batch = apart(shape, SEEDS, 6)
    learner.update(batch, streams(SEEDS, "update"))
    for seen, joint in zip(asked, (batch.next_observations, batch.observations), strict=True):
        for agent in range(shape.agents):
            assert torch.equal(seen[:, agent], joint[:, agent, :, agent])
    acted = learner.act(batch.observations[:, 0], streams(SEEDS, "explore"), greedy=True)
    assert acted.shape == batch.actions[:, 0].shape
    assert torch.equal(asked[-1], batch.observations[:, 0].transpose(1, 2))
