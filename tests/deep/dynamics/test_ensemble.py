"""Predictions of learned dynamics: who is drawn, what is drawn, and what is read."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from bounds.shared.numbers import InputError
from deep.analysis.benchmark import Products
from deep.dynamics import gaussian_outcomes
from deep.dynamics.categorical_outcomes import CategoricalOutcomes
from deep.dynamics.ensemble import (
    UNIT,
    DynamicsSettings,
    Ensemble,
    deal,
    ensemble,
    outcomes,
    slots_per_member,
)
from deep.dynamics.gaussian_outcomes import GaussianOutcomes, gaussian, softplus
from deep.envs.game import GameEnv, GameState
from deep.envs.spaces import Box, Choices, Shape
from deep.nn import standard as scaling
from deep.nn.standard import Standard, standard
from deep.seeding import streams
from tabular.games.random import garnet

#: Level of every test of a distribution: with fixed seeds, the chance that a right law was unlucky.
LEVEL = 1e-6
#: Agents that observe and do unlike amounts, so that there is padding.
UNEQUAL = Shape((2, 3), (Choices((2,)), Choices((4,))))
SMALL = DynamicsSettings(members=4, hidden=(16,))


def model(
    shape: Shape = UNEQUAL, runs: int = 1, egos: int | None = None, **changes: Any
) -> Ensemble:
    settings = replace(SMALL, **changes)
    initial = streams(range(runs), "initialise")
    made = ensemble(shape, settings, GaussianOutcomes(shape), initial, torch.float64, egos=egos)
    for scale in (made.inputs, made.scale):
        scale.deviation.fill_(1)
    return made


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def rows(shape: Shape, runs: int, egos: int, count: int) -> tuple[Tensor, Tensor]:
    """Observations and actions of noise, padding included."""
    axes = (runs, egos, count, shape.agents)
    return noise(*axes, shape.observation_width), noise(*axes, shape.action_width, seed=1)


def finite(members: int = 3) -> tuple[GameEnv, Ensemble, Tensor, Tensor]:
    """A game, an unfitted model of it with members that disagree, and all states and actions."""
    env = GameEnv(garnet((2, 3), 4, 3, np.random.default_rng(0)), dtype=torch.float64)
    predicted = outcomes(env)
    assert isinstance(predicted, CategoricalOutcomes)
    made = ensemble(
        predicted.shape,
        replace(SMALL, members=members),
        predicted,
        streams([0], "initialise"),
        torch.float64,
        egos=1,
    )
    made.stack.parameters.mul_(4)
    made.scale.deviation.fill_(1)
    state = torch.arange(4).repeat_interleave(6).view(1, 1, -1)
    own = torch.tensor([(i, j) for i in range(2) for j in range(3)]).repeat(4, 1)
    actions = torch.zeros(1, 1, 24, 2, 3, dtype=torch.float64)
    actions.scatter_(-1, own.view(1, 1, 24, 2, 1), 1.0)
    return env, made, env.observe(GameState(state, 0)), actions


def likely(counts: Tensor, chances: Tensor) -> bool:
    """Whether ``counts`` follow ``chances`` at ``LEVEL`` (chi-square)."""
    expected = (chances * counts.sum()).double().numpy()
    return bool(stats.chisquare(counts.double().numpy(), expected).pvalue > LEVEL)


def test_the_member_of_a_row_is_uniform_and_steps_are_independent() -> None:
    """Egos draw apart, so each is one sample; a row's two members of two steps are one of 16."""
    count, draws = 4, 4000
    drawing = streams([0], "draw")
    first, second = (
        deal(drawing, draws, count, 7)[0] // slots_per_member(count, 7) for _ in range(2)
    )
    for row in range(7):
        pairs = torch.bincount(count * first[:, row] + second[:, row], minlength=count**2)
        assert likely(pairs, torch.full((count**2,), 1 / count**2))
    # two rows of a step: one member with probability (P − 1)/(B P − 1), see deep.dynamics.ensemble
    same = int((first[:, 0] == first[:, 1]).sum())
    chance = (slots_per_member(count, 7) - 1) / (count * slots_per_member(count, 7) - 1)
    assert likely(
        torch.tensor([same, draws - same]), torch.tensor([chance, 1 - chance], dtype=torch.float64)
    )


@given(st.integers(1, 9), st.integers(1, 300), st.integers(1, 3))
def test_rows_have_places_of_their_own(members: int, count: int, egos: int) -> None:
    slots = deal(streams([3], "draw"), egos, members, count)
    own = slots_per_member(members, count)
    assert own % UNIT == 0
    assert members * own >= count > members * (own - UNIT)
    assert slots.shape == (1, egos, count)
    assert all(len(set(each)) == count for each in slots[0].tolist())
    assert int(slots.min()) >= 0
    assert int(slots.max()) < members * own


def test_a_row_is_what_its_member_says_and_no_other_is_evaluated() -> None:
    """The others are NaN, and as many rows are multiplied as there are places."""
    whole, count = model(runs=2), 100
    seen, done = rows(UNEQUAL, 2, 2, count)
    member = deal(streams([0, 1], "draw"), 2, 4, count) // slots_per_member(4, count)
    whole.log_variance_bounds.fill_(-60.0)  # deviations of at most e^-30: what is drawn is the mean
    means = whole.every(seen, done).chunk(2, -1)[0]
    expected = means.gather(2, member[:, :, None, :, None].expand(-1, -1, 1, -1, 7)).squeeze(2)
    for b in range(4):
        part = replace(whole, stack=whole.stack.copied)
        others = torch.arange(8) % 4 != b
        part.stack.parameters[:, others] = math.nan
        drawing = streams([0, 1], "draw")
        products = Products()
        with products:
            _, following, rewards = part.step(None, seen, done, drawing)
        read = sum(a.shape[0] * a.shape[1] for a, b, _ in products.calls if b.shape[2] == 16)
        assert read == 2 * 2 * 4 * slots_per_member(4, count)
        mine = member == b
        assert bool(rewards[mine].isfinite().all())
        assert bool(rewards[~mine].isnan().all())
        change = (following - seen).flatten(-2)[..., [0, 1, 3, 4, 5]]
        outputs = torch.cat((change, rewards), -1)[mine]
        # e^-30 times a normal number, and roundings of numbers of size 1
        torch.testing.assert_close(outputs, expected[mine], rtol=0, atol=1e-11)


def test_mixtures_of_next_states_are_what_is_drawn() -> None:
    """Every state and action; the mixture sums to 1 up to the rounding of a few additions."""
    _, made, seen, done = finite()
    chances = made.distribution(seen, done)
    assert chances.dtype == torch.float64
    assert float((chances.sum(-1) - 1).abs().max()) < 20 * 2.0**-52
    draws = 3000
    drawing, many = streams([0], "draw"), (1, 1, 24 * draws, 2, -1)
    repeated = (x.repeat_interleave(draws, 2).view(many) for x in (seen, done))
    _, following, _ = made.step(None, *repeated, drawing)
    assert torch.equal(following[..., 0, :], following[..., 1, :])
    assert bool((following.sum(-1) == 1).all())
    counts = following[0, 0, :, 0].view(24, draws, 4).sum(1)
    assert all(likely(counts[i], chances[0, 0, i]) for i in range(24))
    # the members disagree, so that the mixture is none of them
    each = made.every(seen, done)[..., :4].softmax(-1)
    assert float((each - chances.unsqueeze(2)).abs().sum(-1).amin(2).mean()) > 0.1


def averaged(made: Ensemble) -> Callable[[Tensor, Tensor], Tensor]:
    """The bug: what all members say, averaged, in place of one of them."""
    return lambda x, slots: made.by_member(x).mean(2)


def test_an_average_member_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    _, made, seen, done = finite()
    monkeypatch.setattr(Ensemble, "_drawn", lambda self, x, slots: averaged(self)(x, slots))
    draws, chances = 3000, made.distribution(seen, done)
    repeated = (x.repeat_interleave(draws, 2) for x in (seen, done))
    _, following, _ = made.step(None, *repeated, streams([0], "draw"))
    counts = following[0, 0, :, 0].view(24, draws, 4).sum(1)
    assert not all(likely(counts[i], chances[0, 0, i]) for i in range(24))


def bimodal() -> Ensemble:
    """Members that say −1 and 1 with variance ¼ for everything, by their biases alone."""
    made = model(members=2, egos=1)
    made.stack.parameters.zero_()
    made.log_variance_bounds.copy_(torch.cat((torch.full((7,), -40.0), torch.full((7,), 40.0))))
    bias = made.stack.layers[-1][1]
    bias[0, 0, :7], bias[1, 0, :7] = -1.0, 1.0
    bias[:, 0, 7:] = math.log(0.25)
    return made


def draws_are_bimodal(made: Ensemble) -> bool:
    """Kolmogorov and Smirnov at ``LEVEL``, for all targets of 20,000 rows."""
    seen, done = rows(UNEQUAL, 1, 1, 20_000)
    _, following, rewards = made.step(None, seen, done, streams([0], "draw"))
    drawn = torch.cat(((following - seen).flatten(-2)[..., [0, 1, 3, 4, 5]], rewards), -1)

    def below(x: Any) -> Any:
        return 0.5 * (stats.norm.cdf(x, -1, 0.5) + stats.norm.cdf(x, 1, 0.5))

    return all(stats.kstest(drawn[0, 0, :, i].numpy(), below).pvalue > LEVEL for i in range(7))


def test_draws_of_numbers_are_the_mixtures() -> None:
    assert draws_are_bimodal(bimodal())


def test_an_average_of_two_modes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ensemble, "_drawn", lambda self, x, slots: averaged(self)(x, slots))
    assert not draws_are_bimodal(bimodal())


def test_a_variance_used_as_a_deviation_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(outputs: Tensor, variance_bounds: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = gaussian(outputs, variance_bounds)
        return mean, 2 * log_variance

    monkeypatch.setattr(gaussian_outcomes, "gaussian", wrong)
    assert not draws_are_bimodal(bimodal())


def test_the_mean_model_draws_nothing() -> None:
    made = model(runs=2)
    seen, done = rows(UNEQUAL, 2, 2, 9)
    drawing = streams([0, 1], "draw")
    before = drawing.state()
    _, following, rewards = made.mean_prediction.step(None, seen, done, drawing)
    assert torch.equal(drawing.state(), before)
    mean = made.every(seen, done).chunk(2, -1)[0].mean(2)
    assert torch.equal(rewards, mean[..., 5:])
    # o + (o' − o) is rounded once
    torch.testing.assert_close((following - seen)[..., 0, :2], mean[..., :2], rtol=0, atol=1e-14)
    _, finite_model, state, actions = finite()
    _, likeliest, _ = finite_model.mean_prediction.step(None, state, actions, drawing)
    best = finite_model.distribution(state, actions).argmax(-1)
    assert torch.equal(likeliest[..., 1, :].argmax(-1), best)


def test_padding_is_neither_read_nor_written() -> None:
    made = model()
    seen, done = rows(UNEQUAL, 1, 2, 50)
    other_seen, other_done = seen.clone(), done.clone()
    other_seen[..., 0, 2], other_done[..., 0, 2:] = 9.0, 9.0
    _, after, rewards = made.step(None, seen, done, streams([0], "draw"))
    _, other_after, other = made.step(None, other_seen, other_done, streams([0], "draw"))
    assert torch.equal(rewards, other)
    assert torch.equal(after[..., 1, :], other_after[..., 1, :])
    assert torch.equal(after[..., 0, 2], seen[..., 0, 2])
    # and what is no padding is read
    for change in (seen, done):
        for agent, sizes in enumerate(((2, 2), (3, 4))):
            for i in range(sizes[change is done]):
                change[..., agent, i] += 1
                _, _, moved = made.step(None, seen, done, streams([0], "draw"))
                assert not torch.equal(moved, rewards)
                change[..., agent, i] -= 1


@given(st.floats(-50, 50), st.floats(-20, 0), st.floats(0, 20))
def test_log_variances_are_between_the_limits(x: float, low: float, high: float) -> None:
    outputs = torch.tensor([0.0, x], dtype=torch.float64)
    _, found = gaussian(outputs, torch.tensor([low, high], dtype=torch.float64))
    # the upper limit is passed by softplus(high − low) − (high − low) at most
    most = low + math.log1p(math.exp(low - high)) + (high - low)
    assert low - 1e-12 <= float(found) <= most + 1e-12
    assert float(softplus(outputs)[1]) == pytest.approx(np.logaddexp(0, x), abs=1e-15, rel=1e-14)


def test_the_loss_is_the_mean_surprise() -> None:
    """Against torch's own distributions; a target of weight 0 counts nowhere."""
    outputs, targets, variance_bounds = (
        noise(2, 11, 14),
        noise(2, 11, 7, seed=1),
        noise(2, 14, seed=2),
    )
    targets[0, 0, 0] = 1e3
    weights = torch.ones(2, 7, dtype=torch.float64)
    weights[1, 3:5] = 0
    mean, log_variance = gaussian(outputs, variance_bounds.unsqueeze(1))
    deviation = (log_variance / 2).exp()
    near = targets.clamp(mean - 5 * deviation, mean + 5 * deviation)
    kept = [0, 1, 2, 5, 6]
    for beta in (0.0, 0.5):
        predicted = GaussianOutcomes(UNEQUAL, beta)
        loss = predicted.loss(outputs, variance_bounds, targets, weights)
        each = -torch.distributions.Normal(mean, deviation).log_prob(near)
        expected = torch.stack((each[0].mean(), each[1][:, kept].mean()))
        torch.testing.assert_close(loss, expected, rtol=1e-12, atol=0)
        each = -torch.distributions.Normal(mean, deviation).log_prob(targets)
        each = (each - 0.5 * math.log(2 * math.pi)) * deviation ** (2 * beta)
        distance = 0.01 * (variance_bounds[:, 7:] - variance_bounds[:, :7]).mean(-1)
        expected = torch.stack((each[0].mean(), each[1][:, kept].mean())) + distance
        found = predicted.objective(outputs, variance_bounds, targets, weights)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)
    # of the mean the gradient is that of the likelihood, weighted; of a gradient there is no more
    moving = outputs.clone().requires_grad_()
    (found,) = torch.autograd.grad(
        GaussianOutcomes(UNEQUAL).objective(moving, variance_bounds, targets, weights).sum(),
        moving,
    )
    expected = (mean - targets)[0] / deviation[0] / 77
    torch.testing.assert_close(found[0, :, :7], expected, rtol=1e-10, atol=1e-12)
    states = CategoricalOutcomes(Shape((3, 3), (Choices((2,)),) * 2))
    index = torch.tensor([0, 2, 1, 1])
    y = torch.cat((index.double().unsqueeze(-1), noise(4, 2)), -1)
    outputs = noise(4, 5)
    surprise = torch.nn.functional.cross_entropy(outputs[:, :3], index)
    square = (outputs[:, 3:] - y[:, 1:]).square().mean()
    loss = states.loss(outputs, y.new_zeros(0), y, y.new_ones(3))
    torch.testing.assert_close(loss, surprise + square / 2, rtol=1e-12, atol=0)


def test_constants_come_back_exactly() -> None:
    x = noise(2, 40, 3)
    x[0, :, 1] = 0.1
    scale = standard(x)
    assert scale.varies.tolist() == [[1, 0, 1], [1, 1, 1]]
    z = scale(x)
    # 40 additions of numbers of size 1
    torch.testing.assert_close(z.mean(1), torch.zeros_like(z[:, 0]), rtol=0, atol=1e-13)
    spread = z.std(1, correction=0)
    torch.testing.assert_close(spread, scale.varies, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(scale.back(z), x, rtol=1e-13, atol=1e-13)
    assert bool((scale.back(noise(2, 5, 3))[0, :, 1] == scale.mean[0, 1]).all())


@pytest.mark.parametrize("count", [1, 33, 100])
def test_a_run_predicts_the_same_beside_others(count: int) -> None:
    """Bit for bit, also where rows do not fill a processor's vectors."""
    seen, done = rows(UNEQUAL, 3, 2, count)
    results = []
    for seeds, part in (([0, 1, 2], slice(None)), ([1], slice(1, 2))):
        initial = streams(seeds, "initialise")
        made = ensemble(UNEQUAL, SMALL, GaussianOutcomes(UNEQUAL), initial)
        made.scale.deviation.fill_(1.5)
        drawing = streams(seeds, "draw")
        _, *outputs = made.step(None, seen[part].float(), done[part].float(), drawing)
        results.append([made.stack.parameters, drawing.state(), *outputs])
    for beside, alone in zip(*results, strict=True):
        assert torch.equal(beside[1:2], alone)


def test_states_of_a_model() -> None:
    first, second = model(runs=2), model(runs=2)
    first.stack.parameters.normal_()
    first.log_variance_bounds.normal_()
    for scale in (first.inputs, first.scale):
        scale.mean.normal_()
        scale.deviation.uniform_()
    second.restore({name: value.clone() for name, value in first.state().items()})
    seen, done = rows(UNEQUAL, 2, 2, 20)
    one, other = (m.step(None, seen, done, streams([0, 1], "draw")) for m in (first, second))
    assert torch.equal(one[1], other[1])
    assert torch.equal(one[2], other[2])
    with pytest.raises(InputError, match="log_variance_bounds"):
        second.restore(
            {name: v for name, v in first.state().items() if name != "log_variance_bounds"}
        )


def other(scale: Standard, seed: int) -> Standard:
    """Another scale; the last number becomes a constant."""
    deviation = noise(*scale.mean.shape, seed=seed).exp()
    deviation[:, -1] = 0
    return Standard(noise(*scale.mean.shape, seed=seed + 1), deviation)


def test_other_scales_leave_predictions_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is drawn, with the same numbers; a new model's networks stay as they are.

    But for inputs that are beyond the limit on one of the scales.
    """
    monkeypatch.setattr(scaling, "FARTHEST", float("inf"))
    numbers, (_, states, *_) = model(runs=2), finite()
    for made in (numbers, states):
        made.log_variance_bounds.normal_(generator=torch.Generator().manual_seed(5))
        made.inputs.mean.normal_(generator=torch.Generator().manual_seed(6))
        runs = len(made.log_variance_bounds)
        seen, done = rows(made.shape, runs, made.egos, 50)
        drawn = []
        inputs, scale = other(made.inputs, 3), other(made.scale, 5)
        made.inputs.deviation.fill_(2)
        for _ in range(2):
            _, *outputs = made.step(None, seen, done, streams(range(runs), "draw"))
            drawn.append(outputs)
            made.rescale(inputs, scale)
        (first, earned), (second, again) = drawn
        # a few roundings of numbers of size 10
        torch.testing.assert_close(second, first, rtol=1e-11, atol=1e-11)
        # the last reward became a constant
        torch.testing.assert_close(again[..., 0], earned[..., 0], rtol=1e-11, atol=1e-11)
        constant = scale.mean[:, -1, None, None].expand_as(again[..., 1])
        assert torch.equal(again[..., 1], constant)
    fresh = ensemble(UNEQUAL, SMALL, GaussianOutcomes(UNEQUAL), streams([0], "initialise"))
    before = fresh.stack.parameters.clone()
    seen, done = rows(UNEQUAL, 1, 2, 40)
    _, after, rewards = fresh.step(None, seen.float(), done.float(), streams([0], "draw"))
    assert torch.equal(after, seen.float())
    assert not rewards.any()
    fresh.rescale(standard(noise(1, 9, 11).float()), standard(noise(1, 9, 7).float()))
    assert torch.equal(fresh.stack.parameters, before)


def test_kinds_of_outcomes() -> None:
    env, made, _, _ = finite()
    assert outcomes(env) == made.outcomes
    assert made.begin(torch.zeros(1, 1, 1, dtype=torch.int64)) is None
    assert made.mean_prediction.begin(torch.zeros(1, 1, 1, dtype=torch.int64)) is None
    with pytest.raises(TypeError, match="numbers, not states"):
        model().distribution(*rows(UNEQUAL, 1, 2, 4))
    with pytest.raises(InputError, match=r"^observations: \(2, 3\) numbers"):
        CategoricalOutcomes(UNEQUAL)
    box = GaussianOutcomes(Shape((1,), (Box(2, -1, 1),)))
    assert (box.read, box.outputs, len(box.initial_log_variance_bounds)) == ([0, 1, 2], 4, 4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"members": 0}, "members: 0 is not"),
        ({"hidden": ()}, "hidden: no layer"),
        ({"hidden": (8, 0)}, r"hidden\[1\]: 0"),
        ({"learning_rate": 2.0}, "learning_rate: 2.0"),
        ({"batch": 33}, "batch: 33; give a multiple of 32"),
        ({"max_rows": 1}, "max_rows: 1"),
        ({"max_epochs": 0}, "max_epochs: 0"),
        ({"patience": 0}, "patience: 0"),
        ({"improvement": math.nan}, "improvement: nan"),
        ({"validation_share": 0.0}, "validation_share: 0; give"),
        ({"validation_share": 1.0}, "validation_share: 1.0"),
    ],
)
def test_settings_that_cannot_be_used(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=rf"^model\.dynamics\.{message}"):
        DynamicsSettings(**changes)


def test_scales_have_an_axis_of_runs() -> None:
    scale = Standard(torch.tensor([[0.0], [5.0]]), torch.tensor([[1.0], [2.0]]))
    assert scale(torch.full((2, 3, 4, 1), 7.0))[:, 0, 0, 0].tolist() == [7, 1]


def test_one_ensemble_for_all_egos() -> None:
    """Every ego gets what it says: the same members in the same rows give the same numbers."""
    shared, own = model(egos=1), model(egos=2)
    for ego in range(2):
        own.stack.parameters.view(1, 2, 4, -1)[:, ego] = shared.stack.parameters.view(1, 4, -1)
    seen, done = rows(UNEQUAL, 1, 2, 32)
    torch.testing.assert_close(shared.every(seen, done), own.every(seen, done))
    mean, apart = (
        each.mean_prediction.step(None, seen, done, streams([0], "x")) for each in (shared, own)
    )
    torch.testing.assert_close(mean[1], apart[1])
    torch.testing.assert_close(mean[2], apart[2])
    _, following, rewards = shared.step(None, seen, done, streams([0], "draw"))
    assert following.shape == seen.shape
    assert rewards.shape == (1, 2, 32, 2)
    # as one ego with all the rows
    together = (x.flatten(1, 2).unsqueeze(1) for x in (seen, done))
    _, once, paid = shared.step(None, *together, streams([0], "draw"))
    assert torch.equal(following.flatten(1, 2), once[:, 0])
    assert torch.equal(rewards.flatten(1, 2), paid[:, 0])


def test_draws_without_noise_are_a_members_mean() -> None:
    predicted = GaussianOutcomes(UNEQUAL, deterministic=True)
    made = replace(model(egos=1, members=1), outcomes=predicted)
    seen, done = rows(UNEQUAL, 1, 1, 32)
    _, drawn, rewards = made.step(None, seen, done, streams([0], "one"))
    _, again, _ = made.step(None, seen, done, streams([0], "another"))
    _, mean, paid = made.mean_prediction.step(None, seen, done, streams([0], "one"))
    torch.testing.assert_close(drawn, mean)
    torch.testing.assert_close(rewards, paid)
    torch.testing.assert_close(drawn, again)
    _, noisy, _ = model(egos=1, members=1).step(None, seen, done, streams([0], "one"))
    assert not torch.allclose(noisy, mean)


def test_rewards_may_be_left_out() -> None:
    """Then they are no targets, and come out as 0; observations are predicted as before."""
    predicted = GaussianOutcomes(UNEQUAL, rewards=False)
    assert (predicted.outputs, len(predicted.scaled)) == (10, 5)
    seen, done = rows(UNEQUAL, 1, 1, 32)
    paid = noise(1, 1, 32, 2)
    whole = GaussianOutcomes(UNEQUAL).targets(seen, seen + 1, paid)
    assert torch.equal(predicted.targets(seen, seen + 1, paid), whole[..., :5])
    made = ensemble(UNEQUAL, SMALL, predicted, streams([0], "i"), torch.float64, egos=1)
    _, following, rewards = made.step(None, seen, done, streams([0], "draw"))
    assert not rewards.any()
    assert rewards.shape == (1, 1, 32, 2)
    assert following.shape == seen.shape
