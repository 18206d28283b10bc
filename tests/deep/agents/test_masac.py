"""The learners on exact games, apart for every run, restored bit for bit; mutants are found."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bounds.shared.numbers import InputError
from deep.agents import losses
from deep.agents.actor_critic import ActorCritic
from deep.agents.critics import critics
from deep.agents.learner import Inference
from deep.agents.maddpg import Maddpg, maddpg
from deep.agents.masac import Masac, Soft, masac
from deep.data.batch import Batch
from deep.envs.spaces import Choices, Shape, random_actions
from deep.nn.action_distributions import Categorical
from deep.seeding import Streams, streams
from tabular.soft_q.one_agent import World, solve
from tests.support.teams import CASES, TEAMS, data


def build(
    kind: str, shape: Shape, seeds: list[int], dtype: torch.dtype, **given: Any
) -> ActorCritic:
    initial = streams(seeds, "initialise")
    if kind == "masac":
        return masac(shape, Masac(**given), initial, dtype)
    return maddpg(shape, Maddpg(**given), initial, dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("kind", "team", "given"), CASES)
def test_a_run_is_the_same_beside_others(
    kind: str, team: str, given: dict[str, Any], dtype: torch.dtype
) -> None:
    shape, results = TEAMS[team], []
    for seeds in ([0, 1, 2], [1]):
        learner = build(kind, shape, seeds, dtype, **given)
        update, explore = streams(seeds, "update"), streams(seeds, "explore")
        batch = data(shape, seeds, 48, dtype)
        metrics = [learner.update(batch, update) for _ in range(3)][-1]
        acts = [learner.act(batch.observations[:, :15], explore, greedy) for greedy in (0, 1)]
        results.append({**learner.state(), **metrics, "drawn": acts[0], "greedy": acts[1]})
    beside, alone = results
    assert beside.keys() == alone.keys()
    for name, tensor in alone.items():
        assert torch.equal(beside[name][1:2], tensor), name
        assert bool(tensor.isfinite().all()), name


@pytest.mark.parametrize("kind", ["masac", "maddpg"])
@pytest.mark.parametrize("team", TEAMS)
def test_a_restored_learner_goes_on_bit_for_bit(kind: str, team: str) -> None:
    shape, seeds = TEAMS[team], [3, 4]
    batch, update = data(shape, seeds, 32, torch.float32), streams(seeds, "update")
    one = build(kind, shape, seeds, torch.float32)
    for _ in range(2):
        one.update(batch, update)
    kept = {name: tensor.clone() for name, tensor in one.state().items()}
    drawn = update.state()
    other = build(kind, shape, [7, 8], torch.float32)
    other.restore(kept)
    one.update(batch, update)
    update.restore(drawn)
    other.update(batch, update)
    for name, tensor in one.state().items():
        assert torch.equal(tensor, other.state()[name]), name
        assert not torch.equal(tensor, kept[name]), name


def test_what_does_not_fit_is_not_restored() -> None:
    learner = build("masac", TEAMS["equal"], [0], torch.float32)
    state = learner.state()
    wide = build("masac", TEAMS["equal"], [0, 1], torch.float32).state()
    with pytest.raises(InputError, match=r"^critic: torch.float32 \[2, 1, 6, \d+\] in the file"):
        learner.restore(wide)
    with pytest.raises(InputError, match=r"^policy: missing in the file; restore with"):
        learner.restore({name: t for name, t in state.items() if name != "policy"})
    with pytest.raises(InputError, match=r"^other: missing in the learner; restore with"):
        learner.restore(state | {"other": state["policy"]})


# The critics' targets, exactly


def exact_target(learner: ActorCritic, batch: Batch, alpha: Tensor) -> Tensor:
    """E[y] over the next actions of everyone, from probabilities alone, [run, agent, row]."""
    shape, head = learner.policies.shape, learner.policies.head
    assert isinstance(head, Categorical)
    own = batch.next_observations.transpose(1, 2)
    said = learner.policies.outputs(own, streams([0], "none")).detach()
    entropies = head.sample(said, streams([0], "none"))[1]
    value = torch.zeros_like(entropies)
    options = [range(space.width) for space in shape.spaces]
    for joint in itertools.product(*options):
        hot = [torch.nn.functional.one_hot(torch.tensor(k), head.outputs) for k in joint]
        actions = torch.stack(hot).to(said.dtype).expand_as(batch.actions)
        own = actions.transpose(1, 2)
        chance = head.log_probability(said, own).sum(1).exp()
        twins = learner.targets(learner.targets.inputs(batch.next_observations, actions))
        value += chance.unsqueeze(1) * torch.minimum(twins[:, :, 0], twins[:, :, 1])
    bonus = alpha.unsqueeze(-1) * entropies
    on = learner.settings.gamma * (1 - batch.terminated).unsqueeze(1)
    return batch.rewards.transpose(1, 2) + on * (value + bonus)


def target(learner: ActorCritic, batch: Batch) -> Tensor:
    """What the learner fits its critics to."""
    views, drawn = learner.views(batch), streams([0], "update")
    return learner.objective.target(views, learner.policies, learner.targets, drawn)


def repeated(batch: Batch, times: int) -> Batch:
    return Batch(*(getattr(batch, name).repeat_interleave(times, 1) for name in vars(batch)))


def check_targets_are_sampled(monkeypatch: pytest.MonkeyPatch, mutate: Callable[..., None]) -> None:
    shape, many = TEAMS["padded"], 4000
    learner = build("masac", shape, [0], torch.float64, alpha=0.5)
    with torch.no_grad():  # twins, policies and entropies that differ
        learner.targets.stack.parameters.mul_(3)
        learner.policies.stack.parameters.mul_(3)
    batch = data(shape, [0], 6)
    mutate(monkeypatch)
    said = target(learner, repeated(batch, many))
    drawn = said.unflatten(-1, (6, many))
    monkeypatch.undo()
    assert isinstance(learner.objective, Soft)
    exact = exact_target(learner, batch, learner.objective.alpha)
    # five standard errors; 1e-12 where nothing is random, after the end
    error = 5 * drawn.std(-1) / math.sqrt(many) + 1e-12
    assert bool((drawn.std(-1) > 0.01).any())
    assert bool(((drawn.mean(-1) - exact).abs() <= error).all())


def _nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    del monkeypatch


def _greedy_next_action(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = Categorical.sample

    def greedy(self: Categorical, outputs: Tensor, drawn: Streams) -> tuple[Tensor, Tensor]:
        actions, entropy = sample(self, outputs, drawn)
        return torch.where(torch.rand(1) < 2, self.best(outputs), actions), entropy

    monkeypatch.setattr(Categorical, "sample", greedy)


def _soft_target(change: Callable[..., Tensor]) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda monkeypatch: monkeypatch.setattr(losses, "soft_target", change)


TRUE = losses.soft_target
MUTANTS = {
    "greedy next action": _greedy_next_action,
    "entropy outside of gamma": _soft_target(
        lambda next_entropy, alpha, **rest: (
            TRUE(next_entropy=0 * next_entropy, alpha=alpha, **rest)
            + alpha.unsqueeze(-1) * next_entropy
        )
    ),
    "largest twin": _soft_target(
        lambda next_q, **rest: TRUE(next_q=next_q.amax(2, keepdim=True), **rest)
    ),
    "no end": _soft_target(lambda terminated, **rest: TRUE(terminated=0 * terminated, **rest)),
}


def test_targets_are_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    check_targets_are_sampled(monkeypatch, _nothing)


@pytest.mark.parametrize("name", MUTANTS)
def test_mutants_of_the_targets_are_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError):
        check_targets_are_sampled(monkeypatch, MUTANTS[name])


@pytest.mark.parametrize("kind", ["masac", "maddpg"])
def test_targets_are_constants_of_target_networks(kind: str) -> None:
    shape = TEAMS["equal"]
    learner = build(kind, shape, [0], torch.float64)
    batch = data(shape, [0], 16)
    before = target(learner, batch)
    assert not before.requires_grad
    with torch.no_grad():
        learner.critics.stack.parameters.mul_(2)
    assert torch.equal(target(learner, batch), before)
    with torch.no_grad():
        learner.targets.stack.parameters.mul_(2)
    assert not torch.equal(target(learner, batch), before)


@pytest.mark.parametrize("kind", ["masac", "maddpg"])
def test_targets_follow_by_tau(kind: str) -> None:
    shape = TEAMS["equal"]
    learner = build(kind, shape, [0], torch.float64, tau=0.25)
    pairs = [("target", "critic")] + [("target_policy", "policy")] * (kind == "maddpg")
    before = {name: tensor.clone() for name, tensor in learner.state().items()}
    learner.update(data(shape, [0], 16), streams([0], "update"))
    after = learner.state()
    for follower, source in pairs:
        expected = before[follower] + 0.25 * (after[source] - before[follower])
        torch.testing.assert_close(after[follower], expected, rtol=1e-14, atol=1e-15)


# What critics say where an agent acts otherwise


@pytest.mark.parametrize("central", [True, False])
@pytest.mark.parametrize("team", [name for name in TEAMS if name != "boxes"])
def test_options_are_what_the_critic_says_of_them(team: str, central: bool) -> None:
    shape = TEAMS[team]
    judges = critics(shape, central, 2, (8, 6), streams([0, 1], "initialise"), torch.float64, "cpu")
    batch, head = data(shape, [0, 1], 7), Categorical(shape.spaces)  # type: ignore[arg-type]
    own = random_actions(shape.spaces, streams([0, 1], "own"), 7, torch.float64).transpose(1, 2)
    seen = judges.inputs(batch.observations, batch.actions)
    said = judges.options(seen, batch.actions.transpose(1, 2), own, head)
    for agent, space in enumerate(shape.spaces):
        assert isinstance(space, Choices)
        start = 0
        for size in space.sizes:
            for k in range(start, start + size):
                actions = batch.actions.clone()
                actions[:, :, agent] = own[:, agent]
                actions[:, :, agent, start : start + size] = 0
                actions[:, :, agent, k] = 1
                true = judges(judges.inputs(batch.observations, actions))[:, agent]
                torch.testing.assert_close(said[:, agent, :, :, k], true, rtol=0, atol=1e-12)
            start += size


@pytest.mark.parametrize("central", [True, False])
@pytest.mark.parametrize("team", TEAMS)
def test_an_agent_moves_alone(team: str, central: bool) -> None:
    shape = TEAMS[team]
    judges = critics(shape, central, 2, (8, 6), streams([0, 1], "initialise"), torch.float64, "cpu")
    batch = data(shape, [0, 1], 7)
    own = random_actions(shape.spaces, streams([0, 1], "own"), 7, torch.float64).transpose(1, 2)
    seen = judges.inputs(batch.observations, batch.actions)
    change = (own - batch.actions.transpose(1, 2)).requires_grad_()
    said = judges.moved(seen, change)
    for agent in range(shape.agents):
        actions = batch.actions.clone()
        actions[:, :, agent] = own[:, agent]
        true = judges(judges.inputs(batch.observations, actions))[:, agent]
        torch.testing.assert_close(said[:, agent], true, rtol=0, atol=1e-12)
    assert torch.autograd.gradcheck(lambda x: judges.moved(seen, x), change)
    assert torch.autograd.grad(
        judges.moved(seen, change).sum(), judges.stack.parameters, allow_unused=True
    ) == (None,)


def test_independent_critics_do_not_see_the_others() -> None:
    shape = TEAMS["several"]
    batch = data(shape, [0], 5)
    other = replace(batch, actions=batch.actions.clone(), observations=batch.observations.clone())
    other.actions[:, :, 1] = 0
    other.observations[:, :, 1] = 0
    for central in (True, False):
        judges = critics(shape, central, 1, (8,), streams([0], "initialise"), torch.float64, "cpu")
        one, two = (judges(judges.inputs(b.observations, b.actions)) for b in (batch, other))
        assert [torch.equal(one[:, i], two[:, i]) for i in range(3)] == [
            not central,
            False,
            not central,
        ]


# The policies' step


@pytest.mark.parametrize("central", [True, False])
@pytest.mark.parametrize("team", ["equal", "several"])
def test_expected_policy_gradients_are_those_of_all_own_actions(team: str, central: bool) -> None:
    """Their mean over other choices' draws is the gradient of E Σ_a π(a|s)(α log π(a|s) − Q)."""
    shape = TEAMS[team]
    learner: Any = build(
        "masac", shape, [0], torch.float64, central=central, hidden=(8, 6), alpha=0.7
    )
    batch, head = data(shape, [0], 5), learner.policies.head
    said = learner.policies.outputs(batch.observations.transpose(1, 2), streams([0], "none"))
    said = said.detach().requires_grad_()
    alpha = learner.objective.alpha
    seen = learner.critics.inputs(batch.observations, batch.actions)
    actions = batch.actions.transpose(1, 2)
    chances, logs = head.probabilities(said)
    estimate, exact = torch.zeros_like(said), torch.zeros_like(said)
    for agent, space in enumerate(shape.spaces):
        parts = [torch.eye(size, dtype=torch.float64) for size in space.sizes]
        for rows in itertools.product(*parts):
            action = torch.nn.functional.pad(torch.cat(rows), (0, head.outputs - space.width))
            own = actions.clone()
            own[:, agent] = action
            log_chance = head.log_probability(said, own)[:, agent]
            chance = log_chance.exp()
            table = learner.critics.options(seen, actions, own, head).amin(2)
            each = (chances * (alpha[:, :, None, None] * logs - table)).sum(-1)[:, agent]
            (g,) = torch.autograd.grad((chance.detach() * each).sum(), said, retain_graph=True)
            estimate += g
            full = actions.transpose(1, 2).clone()
            full[:, :, agent] = action
            q = learner.critics(learner.critics.inputs(batch.observations, full))[:, agent].amin(1)
            true = chance * (alpha[:, agent, None] * log_chance - q.detach())
            (g,) = torch.autograd.grad(true.sum(), said, retain_graph=True)
            exact += g
    torch.testing.assert_close(estimate, exact, rtol=0, atol=1e-12)


# MADDPG's choices are relaxed: steps in value
@pytest.mark.parametrize(
    ("kind", "team"),
    [("masac", "equal"), ("masac", "several"), ("masac", "boxes"), ("maddpg", "boxes")],
)
def test_policy_gradients_are_finite_differences(kind: str, team: str) -> None:
    shape = TEAMS[team]
    learner = build(kind, shape, [0], torch.float64, hidden=(5, 4))
    views, actors = learner.views(data(shape, [0], 3)), learner.policies

    def loss(parameters: Tensor) -> Tensor:
        other = replace(actors, stack=replace(actors.stack, parameters=parameters))
        drawn = streams([0], "update")
        return learner.objective.policy_loss(views, other, learner.critics, drawn)[0]

    assert torch.autograd.gradcheck(loss, actors.stack.parameters)


@pytest.mark.parametrize("team", ["equal", "several", "boxes"])
def test_the_penalty_is_the_mean_square_of_the_logits_of_choices(team: str) -> None:
    shape = TEAMS[team]
    losses_of, said = [], torch.zeros(0)
    for penalty in (0.0, 0.5):
        learner = build("masac", shape, [0], torch.float64, penalty=penalty)
        views = learner.views(data(shape, [0], 50))
        drawn = streams([0], "update")
        loss = learner.objective.policy_loss(views, learner.policies, learner.critics, drawn)[0]
        losses_of.append(loss)
        said = learner.policies.outputs(views.observations, streams([0], "said"))
    square = said.square().mean((-2, -1)) if team != "boxes" else 0.0 * losses_of[0]
    # sums of some hundred numbers of about 1
    torch.testing.assert_close(losses_of[1] - losses_of[0], 0.5 * square, rtol=0, atol=1e-12)


def test_the_penalty_takes_a_choice_back_that_became_the_worse_one() -> None:
    """A softmax that is sure of option 0, where option 1 is better by 1."""
    better = torch.tensor([0.0, 1.0, 0.0]).view(1, 1, 1, 3)
    ends = {}
    for penalty in (0.0, 0.001):
        logits = torch.tensor([12.0, -6.0, -6.0]).view(1, 1, 1, 3).requires_grad_()
        for _ in range(4000):
            logs = logits.log_softmax(-1)
            loss = losses.expected_policy_loss(logs.exp(), logs, better)
            loss = loss + penalty * logits.square().mean((-2, -1))
            (gradient,) = torch.autograd.grad(loss.sum(), logits)
            with torch.no_grad():
                logits -= gradient
        ends[penalty] = int(logits.argmax())
    assert ends == {0.0: 0, 0.001: 1}


def test_relaxed_policies_climb_the_critic_too() -> None:
    """The straight-through gradient has the sign of the expected one, on the whole."""
    shape = TEAMS["equal"]
    batch = data(shape, [0], 2000)
    gradients = []
    for bound in (16, 0):
        learner = build("masac", shape, [0], torch.float64, expect_up_to=bound, alpha=1e-30)
        with torch.no_grad():
            learner.critics.stack.parameters.mul_(2)
        loss, _ = learner.objective.policy_loss(
            learner.views(batch), learner.policies, learner.critics, streams([0], "update")
        )
        gradients.append(torch.autograd.grad(loss.sum(), learner.policies.stack.parameters)[0])
    expected, relaxed = (g.flatten(2) for g in gradients)
    cosine = torch.nn.functional.cosine_similarity(expected, relaxed, dim=-1)
    assert bool((cosine > 0.5).all())


def test_policies_see_what_they_infer() -> None:
    shape = TEAMS["equal"]
    asked = []

    def infer(observations: Tensor, drawn: Streams) -> Tensor:
        asked.append(observations.shape)
        return drawn.uniform(*observations.shape[1:3], 10).to(observations)  # [run, agent, row]

    for kind in ("masac", "maddpg"):
        make, settings = (masac, Masac()) if kind == "masac" else (maddpg, Maddpg())
        learner: Any = make(
            shape, settings, streams([0], "i"), torch.float32, "cpu", Inference(10, infer)
        )
        assert learner.policies.stack.sizes[0] == 4 + 10
        batch = data(shape, [0], 8, torch.float32)
        asked.clear()
        learner.update(batch, streams([0], "update"))
        assert asked == [torch.Size((1, 3, 8, 4))] * 2
        greedy = [learner.act(batch.observations, streams([s], "e"), True) for s in range(30)]
        # nothing else is drawn where one acts greedily
        assert len({tuple(a.flatten().tolist()) for a in greedy}) > 1


# Fixed points

GAMMA, ALPHA, SEEDS = 0.8, 0.5, [0, 1, 2]


def table(transition: np.ndarray, reward: np.ndarray) -> tuple[Shape, Batch]:
    """Every transition of a game as often as it is likely, four rows a quarter, in every run.

    transition[s, a..., s_next], in quarters; reward[agent, s, a...].
    """
    shape = transition.shape
    places = [p for p in np.ndindex(shape) for _ in range(4 * round(4 * transition[p]))]
    columns = [torch.tensor(column) for column in zip(*places, strict=True)]
    hot = [torch.nn.functional.one_hot(c, n).double() for c, n in zip(columns, shape, strict=True)]
    actions = torch.stack(hot[1:-1], 1)
    agents = actions.shape[1]
    rewards = [[r[p[:-1]] for r in reward] for p in places]
    parts = (
        hot[0].unsqueeze(1).expand(-1, agents, -1),
        actions,
        torch.tensor(rewards),
        hot[-1].unsqueeze(1).expand(-1, agents, -1),
        torch.zeros(len(places)).double(),
    )
    batch = Batch(*(part.expand(len(SEEDS), *part.shape) for part in parts))
    choices = tuple(Choices((n,)) for n in shape[1:-1])
    return Shape((shape[0],) * agents, choices), batch


def trained(shape: Shape, batch: Batch, *, improve: bool, **given: Any) -> ActorCritic:
    """A learner after 600 updates, later ones with smaller rates, which average the draws."""
    steps = 600
    settings = Masac(gamma=GAMMA, tau=0.05, hidden=(32,), alpha=ALPHA, **given)
    learner = masac(shape, settings, streams(SEEDS, "initialise"), torch.float64)
    update = streams(SEEDS, "update")
    for step in range(steps):
        rate = 0.02 * min(1.0, 2 * (1 - step / steps)) ** 2
        learner = replace(
            learner,
            policy_adam=replace(learner.policy_adam, rate=rate * improve),
            critic_adam=replace(learner.critic_adam, rate=rate),
        )
        learner.update(batch, update)
    return learner


def said_of_all(learner: ActorCritic, states: int) -> tuple[np.ndarray, np.ndarray]:
    """The least Q[run, agent, s, a...] and π[run, agent, s, a] of a learner of one-hots."""
    shape = learner.policies.shape
    sizes = [space.width for space in shape.spaces]
    places = torch.tensor(list(np.ndindex(states, *sizes)))
    hot = [
        torch.nn.functional.one_hot(c, n) for c, n in zip(places.T, [states, *sizes], strict=True)
    ]
    seen = hot[0].double().unsqueeze(1).expand(len(SEEDS), -1, shape.agents, -1)
    actions = torch.stack(hot[1:], 1).double().expand(len(SEEDS), -1, -1, -1)
    q = learner.critics(learner.critics.inputs(seen, actions)).detach().amin(2)
    every = torch.eye(states).double().expand(len(SEEDS), shape.agents, -1, -1)
    head = learner.policies.head
    assert isinstance(head, Categorical)
    outputs = learner.policies.outputs(every, streams(SEEDS, "none")).detach()
    return q.unflatten(-1, (states, *sizes)).numpy(), head.probabilities(outputs)[0].numpy()


ONE_AGENT = np.array(
    [
        [[4, 0, 0], [1, 3, 0], [0, 2, 2]],
        [[0, 1, 3], [2, 2, 0], [4, 0, 0]],
        [[1, 1, 2], [0, 4, 0], [3, 0, 1]],
    ]
)
ONE_REWARD = np.array([[[0.0, 1.0, -1.0], [2.0, 0.5, 0.0], [-1.0, 0.0, 1.5]]])


def errors_of_control() -> tuple[float, float]:
    """Largest errors of Q and π, over runs, against the exact solution for one agent."""
    learner = trained(*table(ONE_AGENT / 4, ONE_REWARD), improve=True, alpha_rate=0.0)
    q, policy = said_of_all(learner, 3)
    game = World(GAMMA, ONE_REWARD[0, ..., None], ONE_AGENT[:, :, None] / 4, np.ones((3, 1)))
    exact = solve(game, ALPHA, "independent")
    by_q = np.abs(q[:, 0] - exact.q[..., 0]).max()
    return float(by_q), float(np.abs(policy[:, 0] - exact.policy[..., 0]).max())


def test_one_agent_reaches_the_exact_soft_q_and_policy() -> None:
    # smaller steps average the draws of the next action, not quite: measured here 0.073, of values
    # up to 8.2, and 0.0024
    by_q, by_policy = errors_of_control()
    assert by_q < 0.15
    assert by_policy < 0.01


POLICY_LOSS = losses.expected_policy_loss


@pytest.mark.parametrize(
    ("name", "mutant"),
    [
        ("soft_target", lambda next_entropy, **rest: TRUE(next_entropy=0 * next_entropy, **rest)),
        ("expected_policy_loss", lambda p, logs, q, a: POLICY_LOSS(p, -logs, q, a)),
    ],
)
def test_mutants_reach_something_else(
    name: str, mutant: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(losses, name, mutant)
    by_q, by_policy = errors_of_control()
    assert max(by_q / 0.15, by_policy / 0.01) > 3, (by_q, by_policy)


def test_central_critics_reach_the_exact_soft_q_of_fixed_policies() -> None:
    rng = np.random.default_rng(0)
    transition = rng.multinomial(4, [1 / 3] * 3, size=(3, 2, 2)) / 4
    reward = rng.normal(size=(2, 3, 2, 2))
    learner = trained(*table(transition, reward), improve=False, alpha_rate=0.0)
    q, policy = said_of_all(learner, 3)
    for run, agent in itertools.product(range(len(SEEDS)), range(2)):
        joint = policy[run, 0][:, :, None] * policy[run, 1][:, None, :]
        entropy = -(policy[run, agent] * np.log(policy[run, agent])).sum(-1)
        chain = np.einsum("sab,sabt->st", joint, transition)
        gain = (joint * reward[agent]).sum((1, 2)) + ALPHA * entropy
        v = np.linalg.solve(np.eye(3) - GAMMA * chain, gain)
        exact = reward[agent] + GAMMA * transition @ v
        # as above; measured here 0.087, of values up to 6.3
        assert np.abs(q[run, agent] - exact).max() < 0.15


def test_temperatures_hold_the_entropy() -> None:
    learner = trained(
        *table(ONE_AGENT / 4, ONE_REWARD), improve=True, alpha_rate=0.02, target_entropy=0.5
    )
    _, policy = said_of_all(learner, 3)
    entropy = -(policy * np.log(policy)).sum(-1)[:, 0]
    # every state is as frequent in the batch; α still moves by up to 2% a step: measured here 0.038
    assert np.abs(entropy.mean(-1) - 0.5 * math.log(3)).max() < 0.1
    assert isinstance(learner.objective, Soft)
    assert float((learner.objective.alpha - ALPHA).abs().max()) > 0.05


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (lambda: Masac(learning_rate=-0.1), r"learning_rate: -0.1 is not in \[0, 1\]"),
        (lambda: Masac(gamma=1.0), r"gamma: 1.0 is not in \[0, 1\)"),
        (lambda: Masac(batch=0), "batch: 0 is not a whole number, 1 or more"),
        (lambda: Masac(alpha=0.0), "alpha: 0; give a number above 0"),
        (lambda: Masac(hidden=()), "hidden: no layer; give at least one"),
        (lambda: Masac(hidden=(64, 0)), r"hidden\[1\]: 0 is not a whole number"),
        (lambda: Maddpg(twins=0), "twins: 0 is not a whole number, 1 or more"),
        (lambda: Maddpg(clip=float("nan")), "clip: nan is not finite"),
        (lambda: Maddpg(relaxation=0.0), "relaxation: 0; give a number above 0"),
    ],
)
def test_impossible_settings(settings: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        settings()
