"""Rewards of their own: learned where they are products, judged on rows held out, or known."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from bounds.shared.numbers import InputError
from deep.data.batch import Batch
from deep.data.replay import Replay, replay
from deep.dynamics import rewards as module
from deep.dynamics.exact import exact
from deep.dynamics.rewards import (
    RewardNetwork,
    RewardSettings,
    WithRewards,
    agreement,
    reward_network,
)
from deep.envs.spaces import Choices, Shape, random_actions
from deep.envs.tasks import world
from deep.seeding import streams

SHAPE = Shape((3, 4), (Choices((2,)), Choices((3,))))
QUICK = RewardSettings(hidden=(32, 32), first_steps=600, steps=100)


def product(actions: Tensor, following: Tensor) -> Tensor:
    """A product of what two agents see, and one of what one sees and does, [..., agent]."""
    first = following[..., 0, 0] * following[..., 1, 3] + 3
    second = following[..., 1, 1] * actions[..., 1, 2]
    return torch.stack((first, second), -1)


def filled(seeds: list[int], rows: int = 1500, dtype: torch.dtype = torch.float32) -> Replay:
    drawing = streams(seeds, "rows")
    seen, following = (2 * drawing.uniform(rows, 2, 4) - 1 for _ in range(2))
    for each in (seen, following):
        each[..., 0, 3] = 0
    actions = random_actions(SHAPE.spaces, drawing, rows, torch.float64)
    paid = product(actions, following)
    kept = replay(SHAPE, len(seeds), rows, dtype, "cpu")
    batch = Batch(seen, actions, paid, following, torch.zeros(len(seeds), rows))
    kept.add(*vars(batch).values())
    return kept


def new(seeds: list[int], settings: RewardSettings = QUICK) -> RewardNetwork:
    return reward_network(SHAPE, settings, streams(seeds, "initialise"), torch.float32, "cpu")


def test_products_are_learned() -> None:
    made, kept = new([0, 1]), filled([0, 1])
    found = made.fit(kept, 0.2, streams([0, 1], "fit"))
    assert bool((found["r2"] > 0.95).all())
    assert bool(((found["slope"] - 1).abs() < 0.1).all())
    fresh = filled([2, 3]).batch(torch.arange(1000).expand(2, -1))
    again = agreement(made(fresh.actions, fresh.next_observations), fresh.rewards)
    assert bool((again["r2"] > 0.93).all())
    # any axes between run and agent
    apart = [x.unflatten(1, (4, 250)) for x in (fresh.actions, fresh.next_observations)]
    torch.testing.assert_close(
        made(*apart).flatten(1, 2), made(fresh.actions, fresh.next_observations)
    )


def test_later_fits_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    made, kept = new([0]), filled([0])
    first = made.fit(kept, 0.2, streams([0], "fit"))
    rates = []
    usual = module.adam

    def seen(parameters: Tensor, rate: float) -> object:
        rates.append(rate)
        return usual(parameters, rate)

    monkeypatch.setattr(module, "adam", seen)
    scale = made.scale.mean.clone()
    later = made.fit(kept, 0.2, streams([0], "more"))
    assert rates == [QUICK.learning_rate / 3]
    assert torch.equal(made.scale.mean, scale)
    assert bool((later["r2"] > first["r2"] - 0.02).all())


def test_rows_held_out_are_not_looked_at() -> None:
    """Whatever is written there, the network is the same, and is judged by it."""
    one, other, kept = new([0]), new([0]), filled([0])
    spoilt = filled([0])
    out = module.held_out(module.numbers(spoilt), 0.2)
    width = spoilt.batch(torch.zeros(1, 1, dtype=torch.int64)).rewards.shape[-1]
    first = spoilt.rows.shape[-1] - 1 - SHAPE.agents * SHAPE.observation_width - width
    spoilt.rows[:, out, first : first + width] = 77.0
    fine = one.fit(kept, 0.2, streams([0], "fit"))
    bad = other.fit(spoilt, 0.2, streams([0], "fit"))
    assert torch.equal(one.parameters, other.parameters)
    assert bool((fine["r2"] > 0.9).all())
    assert bool((bad["r2"] < 0.5).all())


def test_a_run_is_the_same_beside_others_and_comes_back() -> None:
    both, alone = new([0, 1]), new([1])
    both.fit(filled([0, 1]), 0.2, streams([0, 1], "fit"))
    alone.fit(filled([1]), 0.2, streams([1], "fit"))
    for name, value in alone.state().items():
        assert torch.equal(both.state()[name][1:], value)
    again = new([0, 1])
    again.restore({name: each.clone() for name, each in both.state().items()})
    more = [each.fit(filled([0, 1]), 0.2, streams([0, 1], "more")) for each in (both, again)]
    assert torch.equal(more[0]["r2"], more[1]["r2"])
    assert torch.equal(both.parameters, again.parameters)


def test_agreement() -> None:
    real = torch.tensor([[[1.0, 5.0], [2.0, 5.0], [4.0, 5.0]]])
    perfect = agreement(real, real)
    assert perfect["r2"].tolist() == [[1, 0]]  # of what never varies nothing is explained
    assert perfect["slope"].tolist() == [[1, 0]]
    mean = agreement(real.mean(1, keepdim=True).expand_as(real), real)
    assert mean["r2"][0, 0] == pytest.approx(0)
    assert mean["slope"][0, 0] == 0
    half = agreement(real / 2, real)
    assert half["slope"][0, 0] == pytest.approx(0.5)
    assert agreement(real + 3, real)["slope"][0, 0] == pytest.approx(1)
    assert agreement(real + 3, real)["r2"][0, 0] < 0


@pytest.mark.parametrize(
    ("task", "counts"),
    [
        ("speaker-listener", {}),
        ("scheduling", {}),
        ("spread", {}),
        ("spread", {"agents": 2, "landmarks": 4}),
    ],
)
def test_known_rewards_are_the_task_s(task: str, counts: dict[str, int]) -> None:
    env = world(task, counts)
    drawing, playing = streams([0, 1], "worlds"), streams([0, 1], "actions")
    state, paid = env.reset(drawing, 50), []
    for _ in range(12):
        state, earned = env.step(state, random_actions(env.spaces, playing, 50), drawing)
        known = env.scenario.observed_reward(env.observe(state))  # type: ignore[attr-defined]
        # float32 positions, squared or rooted
        torch.testing.assert_close(known, earned, rtol=1e-5, atol=1e-5)
        paid.append(earned)
    assert float(torch.stack(paid).std()) > 0.1


def test_rewards_come_from_where_they_are_said_to() -> None:
    env = world("game:coordination", {})
    seen = env.observe(env.reset(streams([0], "e"), 6)).unsqueeze(1).expand(-1, 2, -1, -1, -1)
    acted = random_actions(env.spaces, streams([0], "a"), 6).unsqueeze(1).expand(-1, 2, -1, -1, -1)
    model = WithRewards(exact(env), lambda actions, following: 7 + 0 * actions[..., 0])
    plain = exact(env)
    (_, after, earned), (_, same, _) = (
        each.step(each.begin(torch.zeros(1, 2, 6).long()), seen, acted, streams([0], "d"))
        for each in (model, plain)
    )
    assert torch.equal(after, same)
    assert bool((earned == 7).all())


@pytest.mark.parametrize(
    "bad",
    [{"hidden": ()}, {"hidden": (0,)}, {"learning_rate": 2.0}, {"batch": 0}, {"steps": 0}],
)
def test_settings_that_cannot_be(bad: dict[str, object]) -> None:
    (name,) = bad
    with pytest.raises(InputError, match=rf"^model\.rewards\.{name}"):
        replace(QUICK, **bad)  # type: ignore[arg-type]
