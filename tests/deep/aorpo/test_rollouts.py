"""Rollouts on finite games, where everything is exact: their law, their return, their calls.

All draws have fixed seeds. The ``LEVEL`` of a chi-square test and the ``CONFIDENCE`` of a Monte
Carlo radius say how often a right rollout would be refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import pairwise
from math import log, sqrt
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from bounds.planning.schemes import SCHEMES
from bounds.shared.numbers import Array
from deep.agents.experience import own
from deep.aorpo import schemes
from deep.aorpo.communication import Communication, interactions
from deep.aorpo.rollouts import Beliefs, Step, roll
from deep.aorpo.schemes import Estimates
from deep.dynamics.ensemble import DynamicsSettings, ensemble, outcomes
from deep.dynamics.exact import exact, packed
from deep.envs import tasks
from deep.envs.spaces import chosen
from deep.opponents.models import opponent_models, opponent_view, pairs
from deep.seeding import Streams, streams
from tabular.cases.case import Case, case_of
from tabular.cases.errors import total_variation
from tabular.cases.returns import branched_return, state_action_marginals
from tabular.extremal.latch_and_lanes import latch
from tabular.games.chains import induced_transition
from tabular.games.game import StochasticGame
from tabular.games.policy import joint_policy, mixed, random_policies, replaced
from tabular.games.random import garnet
from tests.support.table_players import (
    act_alone_of,
    act_of,
    models_of,
    real_of,
    seen_in,
    shape_of,
    world,
)

#: Level of each chi-square test.
LEVEL = 1e-6
#: Confidence of each Monte Carlo radius.
CONFIDENCE = 1 - 1e-9
ROWS, MANY = 8192, 32768


@dataclass(frozen=True, eq=False)
class Setup:
    """A game, the world that the ego agents believe in, all policies, models[ego][opponent]."""

    game: StochasticGame
    believed: StochasticGame
    policies: Sequence[Array]
    models: Sequence[Sequence[Array]]

    def case(self, ego: int, **more: Any) -> Case:
        """The same for one ego agent, in ``tabular``'s words."""
        models = [None if j == ego else self.models[ego][j] for j in range(self.game.n)]
        return case_of(
            self.game,
            ego,
            self.policies,
            model_transition=self.believed.transition,
            opponent_models=models,
            **more,
        )


@cache
def setup(agents: int = 3, wrong: float = 0.4, seed: int = 0) -> Setup:
    """A Garnet with 4 states; models and dynamics ``wrong`` of the way to something else."""
    rng = np.random.default_rng(seed)
    actions = (2, 3, 2)[:agents]
    game = garnet(actions, 4, 3, rng)
    other = garnet(actions, 4, 3, rng).transition
    believed = replace(game, transition=(1 - wrong) * game.transition + wrong * other)
    policies = random_policies(actions, 4, rng)
    models = [
        [
            mixed(p, o, wrong)
            for p, o in zip(policies, random_policies(actions, 4, rng), strict=True)
        ]
        for _ in range(agents)
    ]
    return Setup(game, believed, policies, models)


def rolled(
    of: Setup,
    states: Array,
    lengths: Tensor,
    k: int | Tensor,
    seeds: Sequence[int] = (0,),
    *,
    opponents: Beliefs | None = None,
    communication: Communication | None = None,
    act: Callable[[Tensor, Streams], Tensor] | None = None,
) -> tuple[list[Step], Tensor]:
    """All steps from ``states[run, ego, row]``, and the calls."""
    asked = communication or Communication(
        act_of(of.game, of.policies),
        max(of.game.actions),
        interactions(len(seeds), of.game.n),
    )
    steps = roll(
        seen_in(of.game, states),
        None,
        lengths,
        k,
        exact(world(of.believed)),
        act or act_alone_of(of.game, of.policies),
        opponents or models_of(of.game, of.models),
        asked,
        streams(seeds, "rollouts"),
    )
    return list(steps), asked.interactions.calls


def starts(of: Setup, rows: int = ROWS, runs: int = 1, law: Array | None = None) -> Array:
    """States [run, ego, row] drawn from ``law``, or the game's initial distribution."""
    law = of.game.initial if law is None else law
    rng = np.random.default_rng(11)
    return rng.choice(len(law), size=(runs, of.game.n, rows), p=law.astype(float))


def table(of: Setup, *rows: Sequence[int]) -> Tensor:
    """lengths[run=1, ego, opponent] from those of the opponents, in order."""
    out = torch.zeros(1, of.game.n, of.game.n, dtype=torch.int64)
    for ego, each in enumerate(rows):
        out[0, ego, [j for j in range(of.game.n) if j != ego]] = torch.tensor(each)
    return out


def joint_states(of: Setup, step: Step, ego: int, run: int = 0) -> Array:
    """Indices of (state, joint action) in the rows of an ego agent."""
    state = step.observations[run, ego, :, 0].argmax(-1)
    action = chosen(world(of.game).spaces, step.actions[run, ego])[..., 0]
    flat = np.ravel_multi_index(tuple(action.T.numpy()), of.game.actions)
    return np.asarray(state.numpy() * of.game.joint_actions + flat)


def follows(indices: Array, law: Array) -> bool:
    """Whether draws follow ``law`` at ``LEVEL``; cells where fewer than 8 are expected are one."""
    counts = np.bincount(indices, minlength=law.size)
    if counts[law == 0].any():
        return False
    expected = law * len(indices)
    small = expected < 8
    cells = [(counts[~small], expected[~small])]
    if expected[small].sum() >= 8:
        cells.append((counts[small].sum(keepdims=True), expected[small].sum(keepdims=True)))
    elif small.any():
        # too few to test; give them to the likeliest cell
        top = int(expected[~small].argmax())
        cells[0][0][top] += counts[small].sum()
        cells[0][1][top] += expected[small].sum()
    seen, wanted = (np.concatenate(part) for part in zip(*cells, strict=True))
    wanted *= seen.sum() / wanted.sum()  # rounding only
    return len(seen) == 1 or bool(stats.chisquare(seen, wanted).pvalue > LEVEL)


def laws(of: Setup, ego: int, lengths: Sequence[int | None], k: int) -> list[Array]:
    """Pr(s, a) in each of the steps 1..k, flat, by Algorithm 1 as it is printed."""
    state, out = of.game.initial.astype(float), []
    for p in range(1, k + 1):
        models = [
            of.models[ego][j] if n is not None and p <= n else None for j, n in enumerate(lengths)
        ]
        joint = joint_policy(replaced(of.policies, models))
        out.append((state[:, None] * joint).ravel())
        state = state @ induced_transition(of.believed.transition, joint)
    return out


def agrees(of: Setup, steps: list[Step], lengths: Tensor) -> bool:
    """Whether each step of each ego agent has the law that Algorithm 1 gives it."""
    k = len(steps)
    for ego in range(of.game.n):
        each = [None if j == ego else int(lengths[0, ego, j]) for j in range(of.game.n)]
        for step, law in zip(steps, laws(of, ego, each, k), strict=True):
            if not follows(joint_states(of, step, ego), law):
                return False
    return True


def test_perfect_models_give_the_game_itself() -> None:
    """The t-th state and action as in the game, whoever is asked; real opponents as models too."""
    of = setup(wrong=0.0)
    joint = joint_policy(of.policies)
    for opponents in (models_of(of.game, of.models), real_of(of.game, of.policies)):
        lengths = table(of, (1, 4), (0, 2), (3, 3))
        steps, _ = rolled(of, starts(of), lengths, 4, opponents=opponents)
        marginals = state_action_marginals(of.game.initial, of.game.transition, joint)
        for step, law in zip(steps, marginals, strict=False):
            for ego in range(3):
                assert follows(joint_states(of, step, ego), law.ravel())


def errors(of: Setup) -> Tensor:
    """The exact ε_π̂, [run=1, ego, opponent]."""
    out = torch.zeros(1, of.game.n, of.game.n, dtype=torch.float64)
    for i, j in pairs(of.game.n):
        out[0, i, j] = float(total_variation(of.policies[j], of.models[i][j]).max())
    return out


def lengths_by(scheme: str, errors: Tensor, k: int, calls: int = 3) -> tuple[Tensor, Tensor]:
    """k[run, ego] and the lengths that a scheme makes of ``errors``, which are its rates too."""
    shift = torch.full(errors.shape[:2], 0.05)
    known = Estimates(
        gamma=0.9, opponent_error=errors, policy_shift=shift, match_rate=errors.clamp(max=1)
    )
    return schemes.lengths(SCHEMES[scheme], known, k, calls)


@pytest.mark.parametrize("scheme", [name for name in SCHEMES if name != "planned"])
def test_every_step_has_the_law_of_algorithm_1(scheme: str) -> None:
    """State and joint action of steps 1..5, every ego agent, at ``LEVEL`` each.

    ``planned`` chooses another k for each ego agent; its lengths are of the same kind.
    """
    of = setup()
    k, lengths = lengths_by(scheme, errors(of), 5)
    steps, _ = rolled(of, starts(of), lengths, k)
    assert agrees(of, steps, lengths)


@pytest.mark.parametrize("off", [-1, 1])
def test_one_model_step_too_many_or_too_few_is_noticed(off: int) -> None:
    of = setup()
    for place in pairs(3):
        lengths = table(of, (2, 3), (1, 2), (3, 1))
        wrong = lengths.clone()
        wrong[0, place[0], place[1]] += off
        steps, _ = rolled(of, starts(of), wrong, 4)
        assert agrees(of, steps, wrong)
        assert not agrees(of, steps, lengths)


@dataclass
class Stale:
    """Says what it would have said in the step before: the mistake to be found."""

    outputs: Callable[[Tensor, Streams], Tensor]
    last: Tensor | None = None

    def sample(self, observations: Tensor, streams: Streams) -> Tensor:
        seen = observations if self.last is None else self.last
        self.last = observations
        return self.outputs(seen, streams)


@pytest.mark.parametrize("who", ["model", "real", "ego"])
def test_a_stale_action_is_noticed(who: str) -> None:
    """An action of the model, the real agent or the ego agent taken in the previous state."""
    of = setup()
    lengths = table(of, (2, 0), (2, 4), (0, 2))
    model = Stale(models_of(of.game, of.models).sample)
    real = Stale(act_of(of.game, of.policies))
    alone = Stale(act_alone_of(of.game, of.policies))
    stale = {
        "model": {"opponents": model},
        "real": {
            "communication": Communication(real.sample, 3, interactions(1, 3)),
        },
        "ego": {"act": alone.sample},
    }
    steps, _ = rolled(of, starts(of), lengths, 4, **stale[who])  # type: ignore[arg-type]
    assert not agrees(of, steps, lengths)
    steps, _ = rolled(of, starts(of), lengths, 4)
    assert agrees(of, steps, lengths)


def test_wrong_dynamics_are_noticed() -> None:
    """The believed world, not the real one, moves the state."""
    of = setup()
    lengths = table(of, (2, 2), (2, 2), (2, 2))
    steps, _ = rolled(replace(of, believed=of.game), starts(of), lengths, 4)
    assert not agrees(of, steps, lengths)


def test_rewards_and_next_observations_belong_to_their_row() -> None:
    """r = R(s, a) of all agents, and a step starts where the last one ended."""
    of = setup()
    steps, _ = rolled(of, starts(of, 200), table(of, (2, 1), (0, 3), (3, 2)), 3)
    reward = torch.tensor(of.game.reward.reshape(3, -1).T)
    for step in steps:
        for ego in range(3):
            expected = reward[torch.tensor(joint_states(of, step, ego))]
            assert torch.equal(step.rewards[0, ego], expected)
    for before, after in pairwise(steps):
        assert torch.equal(before.next_observations, after.observations)
    assert bool(torch.cat([step.actions for step in steps]).isfinite().all())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_calls_are_counted_exactly(scheme: str) -> None:
    """(k − nⱼ) M for every run, ego agent and opponent, and nothing else."""
    of, rows, runs = setup(), 48, 2
    for most in (1, 4):
        wrong = torch.cat((errors(of), errors(of).transpose(1, 2)))
        k, lengths = lengths_by(scheme, wrong, most)
        _, calls = rolled(of, starts(of, rows, runs), lengths, k, (0, 1))
        others = ~torch.eye(3, dtype=torch.bool)
        assert torch.equal(calls, (k.unsqueeze(-1) - lengths) * rows * others)


def test_each_ego_agent_has_its_own_k() -> None:
    """Nothing is asked, and nothing is alive, after an agent's own last step."""
    of, k = setup(), torch.tensor([[1, 3, 2], [4, 1, 1]])
    lengths = torch.tensor([[[0, 1, 0], [2, 0, 0], [1, 2, 0]]]).expand(2, -1, -1)
    steps, calls = rolled(of, starts(of, 32, 2), lengths, k, (0, 1))
    assert [step.alive.tolist() for step in steps] == [(p <= k).tolist() for p in range(1, 5)]
    others = ~torch.eye(3, dtype=torch.bool)
    assert torch.equal(calls, (k.unsqueeze(-1) - lengths).clamp(min=0) * 32 * others)


def test_a_run_does_not_depend_on_how_long_others_go_on() -> None:
    """Run 1 beside two others, with lengths and k of their own, and alone: bit for bit."""
    of = setup()
    k = torch.tensor([[4, 3, 1], [2, 2, 1], [1, 1, 1]])
    lengths = torch.stack([table(of, (1, 2), (0, 3), (1, 1))[0] // (run + 1) for run in range(3)])
    states = starts(of, 64, 3)
    beside, calls = rolled(of, states, lengths, k, (0, 1, 2))
    alone, own_calls = rolled(of, states[1:2], lengths[1:2], k[1:2], (1,))
    assert (len(beside), len(alone)) == (4, 2)
    for many, one in zip(beside, alone, strict=False):
        for name in ("observations", "actions", "rewards", "next_observations", "alive"):
            assert torch.equal(getattr(many, name)[1:2], getattr(one, name))
    assert torch.equal(calls[1:2], own_calls)


def test_the_streams_move_by_one_number() -> None:
    """At the call, before any step is taken."""
    of, drawing, plain = setup(), streams([0], "a"), streams([0], "a")
    roll(
        seen_in(of.game, starts(of, 4)),
        None,
        table(of, (1, 1), (1, 1), (1, 1)),
        3,
        exact(world(of.believed)),
        act_alone_of(of.game, of.policies),
        models_of(of.game, of.models),
        Communication(act_of(of.game, of.policies), 3, interactions(1, 3)),
        drawing,
    )
    plain.uniform()
    assert torch.equal(drawing.state(), plain.state())


def test_own_is_the_ego_s_row() -> None:
    values = torch.arange(2 * 3 * 5 * 3 * 4).view(2, 3, 5, 3, 4)
    expected = torch.stack([values[:, i, :, i] for i in range(3)], 1)
    assert torch.equal(own(values), expected)
    assert torch.equal(own(values[..., 0]), expected[..., 0])


def latched(lengths: Sequence[int], k: int) -> Case:
    """Three agents; models that play wrong in 1/5 and 1/3; a world that fails in 1/10."""
    third, shift = Fraction(1, 3), Fraction(1, 20)
    return latch(
        Fraction(9, 10),
        [shift] * 3,
        [Fraction(1, 5), third],
        Fraction(1, 10),
        branch_length=k,
        opponent_lengths=lengths,
    )


def of_case(case: Case) -> Setup:
    """A case as a setup; agents other than its ego agent have perfect models and no reward."""

    def game(transition: Array) -> StochasticGame:
        reward = np.zeros((case.n, case.n_states, case.joint_actions))
        reward[case.ego] = case.reward.astype(float)
        return StochasticGame(
            case.actions,
            transition.astype(float),
            reward,
            case.initial.astype(float),
            float(case.gamma),
        )

    policies = [policy.astype(float) for policy in case.policies]
    models = [list(policies) for _ in range(case.n)]
    for j in case.opponents:
        model = case.opponent_models[j]
        if model is not None:
            models[case.ego][j] = model.astype(float)
    return Setup(game(case.transition), game(case.model_transition), policies, models)


@pytest.mark.parametrize("lengths", [(3, 3), (0, 0), (1, 2), (3, 0)])
def test_errors_compound_as_predicted(lengths: tuple[int, int]) -> None:
    """Latch: still good before step p with probability Π_{l<p} (1 − ε_sup) Π_{j: l ≤ nⱼ}(1 − ε_π̂ʲ).

    A share of the rows, within five standard errors.
    """
    of, k = of_case(latched((3, 3), 3)), 3
    steps, _ = rolled(of, starts(of), table(of, lengths, (k, k), (k, k)), k)
    good = 1.0
    for p, step in enumerate(steps, 1):
        share = float(step.observations[0, 0, :, 0, 0].mean())
        assert abs(share - good) <= 5 * sqrt(good * (1 - good) / ROWS)
        good *= 0.9
        for n, error in zip(lengths, (1 / 5, 1 / 3), strict=True):
            good *= 1 - error if p <= n else 1
    share = float(steps[-1].next_observations[0, 0, :, 0, 0].mean())
    assert abs(share - good) <= 5 * sqrt(good * (1 - good) / ROWS)


def measured(
    case: Case, of: Setup, lengths: Sequence[int], *, off: int = 0, seed: int = 0
) -> tuple[float, float]:
    """The branched return of the case's ego agent from rollouts, and its Monte Carlo radius.

    A row is Σ_{t≤k} γᵗ r_t of a branch from the initial distribution and γ^{k+1}/(1 − γ) r_{k+1} of
    one from the discounted later states, so it lies in an interval of length span/(1 − γ). The
    radius is the empirical Bernstein bound (Maurer and Pontil 2009, Theorem 4, both sides).

    off: added to all lengths that are neither 0 nor k, a mistake to be found.
    """
    k, gamma, ego = case.branch_length, float(case.gamma), case.ego
    assert k is not None
    n = table(of, *([[k] * (case.n - 1)] * case.n))
    n[0, ego, list(case.opponents)] = torch.tensor([x if x in (0, k) else x + off for x in lengths])
    # a model throughout also takes action k + 1
    n = torch.where(n == k, k + 1, n)
    moved = induced_transition(case.transition.astype(float), case.joint_data.astype(float))
    early = case.initial.astype(float)
    late = early @ moved @ np.linalg.inv(np.eye(case.n_states) - gamma * moved) * (1 - gamma)
    total = torch.zeros(MANY, dtype=torch.float64)
    others = list(case.opponents)
    for part, law in enumerate((early, late)):
        states = starts(of, MANY, law=law / law.sum())
        steps, calls = rolled(of, states, n, k + 1, (2 * seed + part,))
        assert torch.equal(calls[0, ego, others], (k + 1 - n[0, ego, others]) * MANY)
        rewards = torch.stack([step.rewards[0, ego, :, ego] for step in steps])
        if part == 0:
            total += (gamma ** torch.arange(k + 1, dtype=torch.float64)) @ rewards
        else:
            total += gamma ** (k + 1) / (1 - gamma) * rewards[k]
    span = float(case.reward.max() - case.reward.min())
    doubt = log(4 / (1 - CONFIDENCE))
    radius = sqrt(2 * float(total.var()) * doubt / MANY)
    radius += 7 * span / (1 - gamma) * doubt / (3 * (MANY - 1))
    return float(total.mean()), radius


LENGTHS = {1: [(0, 0), (1, 0), (1, 1)], 3: [(0, 0), (1, 2), (3, 1), (2, 3), (3, 3)]}


@pytest.mark.parametrize("k", LENGTHS)
def test_the_branched_return_of_latch(k: int) -> None:
    for number, lengths in enumerate(LENGTHS[k]):
        case = latched(lengths, k)
        mean, radius = measured(case, of_case(case), lengths, seed=number)
        assert abs(mean - float(branched_return(case))) <= radius


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_branched_return_of_random_games(scheme: str) -> None:
    """Every ego agent, k = 0, 2 and 5; π_D is another policy than π."""
    of = setup(agents=2, seed=5)
    data = random_policies(of.game.actions, of.game.n_states, np.random.default_rng(3))
    for k in (0, 2, 5):
        for ego in range(2):
            branch, each = 0, torch.zeros(1, 2, 2, dtype=torch.int64)
            if k:
                ks, each = lengths_by(scheme, errors(of), k, calls=2)
                branch = int(ks[0, ego])
            n = [int(each[0, ego, j]) for j in range(2) if j != ego]
            own_lengths = [None if j == ego else n[0] for j in range(2)]
            case = of.case(
                ego, data_policies=data, branch_length=branch, opponent_lengths=own_lengths
            )
            mean, radius = measured(case, of, n, seed=7 * k + ego)
            assert abs(mean - branched_return(case)) <= radius


@pytest.mark.parametrize("off", [-1, 1])
def test_the_return_tells_lengths_apart(off: int) -> None:
    """Power: latch with models that are wrong in 1/4, one step off, is out of the radius."""
    lengths = (2, 2)
    case = latch(
        Fraction(9, 10),
        [Fraction(0)] * 3,
        [Fraction(1, 4), Fraction(1, 4)],
        Fraction(0),
        branch_length=4,
        opponent_lengths=lengths,
    )
    of, exact_return = of_case(case), float(branched_return(case))
    mean, radius = measured(case, of, lengths)
    assert abs(mean - exact_return) <= radius
    mean, radius = measured(case, of, lengths, off=off)
    assert abs(mean - exact_return) > radius


def test_branches_of_a_particle_world_are_its_own_future() -> None:
    """Exact dynamics, everybody asked: what the world does next, in every ego agent's branches."""
    task = tasks.world("spread", {}, dtype=torch.float64)
    state = task.reset(streams([0, 1], "e"), 32)
    kept, seen = packed(state), task.observe(state)

    def play(observations: Tensor, _: Streams) -> Tensor:
        """One-hots of the largest of the first five numbers."""
        best = observations[..., :5].argmax(-1)
        return torch.nn.functional.one_hot(best, 5).to(observations.dtype)

    wide = seen.unsqueeze(1).expand(-1, 3, -1, -1, -1)
    dynamics = exact(task, kept)
    rows = torch.arange(32).expand(2, 3, -1)
    steps = roll(
        wide,
        dynamics.begin(rows),
        torch.zeros(2, 3, 3, dtype=torch.int64),
        4,
        dynamics,
        play,
        Stale(lambda observations, _: torch.zeros(*observations.shape[:-1], 5).double()),
        Communication(play, 5, interactions(2, 3)),
        streams([0, 1], "r"),
    )
    for step in steps:
        state, rewards = task.step(state, play(seen, streams([0, 1], "r")))
        for ego in range(3):
            assert torch.equal(step.observations[:, ego], seen)
            assert torch.equal(step.next_observations[:, ego], task.observe(state))
            assert torch.equal(step.rewards[:, ego], rewards)
        seen = task.observe(state)


def test_learned_dynamics_and_learned_opponents_fit_in() -> None:
    """Two runs beside each other and one alone, bit for bit; states stay states."""
    of, hidden = setup(), (8,)
    shape = shape_of(of.game)

    def branches(seeds: list[int]) -> list[Step]:
        first = streams(seeds, "i")
        models = opponent_models(shape, hidden, opponent_view, first, torch.float64, "cpu")
        believed = ensemble(
            shape,
            DynamicsSettings(members=2, hidden=hidden),
            outcomes(world(of.game)),
            first,
            torch.float64,
        )
        steps = roll(
            seen_in(of.game, starts(of, 64, 2)[seeds]),
            believed.begin(torch.zeros(1)),
            torch.tensor([[[3, 0, 1], [2, 3, 0], [1, 1, 3]]]).expand(len(seeds), -1, -1),
            3,
            believed,
            act_alone_of(of.game, of.policies),
            models.opponents,
            Communication(act_of(of.game, of.policies), 3, interactions(len(seeds), 3)),
            streams(seeds, "r"),
        )
        return list(steps)

    for both, alone in zip(branches([0, 1]), branches([1]), strict=True):
        assert torch.equal(both.actions[1:], alone.actions)
        assert torch.equal(both.next_observations[1:], alone.next_observations)
        assert torch.equal(both.rewards[1:], alone.rewards)
        assert bool((both.next_observations.sum(-1) == 1).all())
