"""Fits of learned dynamics: what they recover, when they stop, and what they may not depend on."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bounds.shared.numbers import InputError
from deep.analysis.benchmark import SPREAD, noise
from deep.data.replay import Replay, replay
from deep.data.validation_split import held_out, numbers
from deep.dynamics import fitting, gaussian_outcomes
from deep.dynamics.ensemble import UNIT, DynamicsSettings, Ensemble, ensemble, outcomes
from deep.dynamics.fitting import Training, fit
from deep.dynamics.fitting_data import rows_of
from deep.dynamics.gaussian_outcomes import GaussianOutcomes, gaussian
from deep.envs.game import GameEnv, GameState
from deep.envs.spaces import Box, Shape, one_hot, random_actions
from deep.nn.stacked_mlp import networks
from deep.seeding import Streams, streams
from tabular.games.random import garnet

LINE = Shape((1,), (Box(1, -1, 1),))
TEAM = Shape((2, 3), (Box(1, -1, 1), Box(2, -1, 1)))


def line(seeds: list[int], count: int, dtype: torch.dtype = torch.float64) -> Replay:
    """o' = o + sin 2o + a + e^(o − 1) ε and r = a o: noise that grows with o; o, a in [−1, 1]."""
    kept, draw = replay(LINE, len(seeds), count, dtype, "cpu"), streams(seeds, "data")
    seen, done = (2 * draw.uniform(count, 1, 1) - 1 for _ in range(2))
    normal = torch.special.ndtri(draw.uniform(count, 1, 1).clamp(1e-12, 1 - 1e-12))
    after = seen + (2 * seen).sin() + done + (seen - 1).exp() * normal
    kept.add(seen, done, (seen * done)[..., 0], after, seen.new_zeros(len(seeds), count))
    return kept


def team(seeds: list[int], count: int) -> Replay:
    """Noise, each run's own; the last number that agent 1 observes never changes."""
    kept, draw = replay(TEAM, len(seeds), count, torch.float32, "cpu"), streams(seeds, "data")
    seen, after = (draw.uniform(count, 2, 3) for _ in range(2))
    after[..., 1, 2] = seen[..., 1, 2]
    after[..., 0, 2] = seen[..., 0, 2] = 0
    done = draw.uniform(count, 2, 2)
    done[..., 0, 1] = 0
    rewards = seen.sum(-1) + done.sum(-1)
    kept.add(seen, done, rewards, after, seen.new_zeros(len(seeds), count))
    return kept


def new(shape: Shape, seeds: list[int], dtype: torch.dtype, **settings: Any) -> Ensemble:
    chosen = DynamicsSettings(**{"members": 2, "hidden": (16,), "batch": 32, **settings})
    return ensemble(shape, chosen, GaussianOutcomes(shape), streams(seeds, "initialise"), dtype)


def apart(model: Ensemble) -> Tensor:
    return model.stack.parameters.clone()


def test_a_finite_game_is_recovered_as_well_as_by_counting() -> None:
    """Total variation to T, on average over states and actions, and the rewards.

    Counting N_sa visits has E D_TV ≤ ½ Σ_s' √(p(1 − p)/N_sa) (Jensen). An ensemble that stops early
    need not be as good: twice that is allowed. Rewards are deterministic, with 20 times more rows
    than values; a twentieth of their deviation is allowed for early stopping.
    """
    game = garnet((2, 3), 5, 3, np.random.default_rng(1))
    env, seeds, count = GameEnv(game), [0, 1], 6000
    predicted, draw = outcomes(env), streams([0, 1], "data")
    kept = replay(predicted.shape, 2, count, torch.float32, "cpu")
    state, done = GameState(draw.whole(5, count), 0), random_actions(env.spaces, draw, count)
    after, rewards = env.step(state, done, draw)
    kept.add(env.observe(state), done, rewards, env.observe(after), torch.zeros(2, count))
    settings = DynamicsSettings(members=3, hidden=(32, 32), batch=128, improvement=0.001)
    made = ensemble(predicted.shape, settings, predicted, streams(seeds, "initialise"))
    metrics = fit(made, kept, streams(seeds, "fit"))
    states = torch.arange(5).repeat_interleave(6).expand(2, 2, -1)
    own = torch.tensor([(i, j) for i in range(2) for j in range(3)]).repeat(5, 1).unsqueeze(-1)
    done = one_hot(env.spaces, own, torch.float32).expand(2, 2, -1, -1, -1)
    found = made.distribution(env.observe(GameState(states, 0)), done)
    law = torch.tensor(game.transition.reshape(-1, 5))
    distance = (found - law).abs().sum(-1).mean(-1) / 2
    train = count * (1 - settings.validation_share)
    counting = 0.5 * (law * (1 - law) / (train / 30)).sqrt().sum(-1).mean()
    assert float(distance.max()) < 2 * float(counting)
    # and it is no chance: before the fit the distances are 0.3 and more
    fresh = ensemble(predicted.shape, settings, predicted, streams(seeds, "initialise"))
    before = fresh.distribution(env.observe(GameState(states, 0)), done)
    assert float(((before - law).abs().sum(-1).mean(-1) / 2).min()) > 4 * float(counting)
    assert float(metrics["rmse"].max()) < 0.05
    assert metrics["rmse"].shape == (2, 2)
    for name, share in (("coverage_50", 0.5), ("coverage_90", 0.9)):
        # 600 held-out rows: 5 standard errors are at most 0.1
        assert float((metrics[name] - share).abs().max()) < 5 * math.sqrt(share * (1 - share) / 600)
    # egos of a run have data of their own draw and networks of their own
    assert not torch.equal(found[:, 0], found[:, 1])


def calibrated(metrics: dict[str, Tensor], targets: int) -> bool:
    """Whether the shares inside of both intervals are within 5 standard errors of 'targets'."""
    return all(
        abs(float(metrics[f"coverage_{round(100 * share)}"]) - share)
        < 5 * math.sqrt(share * (1 - share) / targets)
        for share in (0.5, 0.9)
    )


@pytest.fixture(scope="module")
def fitted() -> tuple[Ensemble, Replay, dict[str, Tensor]]:
    """A model of o' alone, so that calibration is of what is random: r is 0 everywhere."""
    kept = line([0], 12_000)
    kept.rows[..., 2] = 0.0
    made = new(LINE, [0], torch.float64, members=3, hidden=(32, 32), batch=128, max_rows=12_000)
    return made, kept, fit(made, kept, streams([0], "fit"))


def test_noise_that_depends_on_the_state_is_calibrated(
    fitted: tuple[Ensemble, Replay, dict[str, Tensor]],
) -> None:
    """Deviations within 15 % where data are: a fit of 10,800 rows by 3 small networks."""
    made, kept, metrics = fitted
    held = int(held_out(numbers(kept), 0.1).sum()) // UNIT * UNIT
    assert calibrated(metrics, held)
    seen = torch.linspace(-0.9, 0.9, 7, dtype=torch.float64).view(1, 1, 7, 1, 1)
    many = seen.repeat_interleave(4000, 2)
    _, after, rewards = made.step(None, many, torch.zeros_like(many), streams([0], "draw"))
    change = (after - many).view(7, 4000)
    deviation = change.std(1)
    expected = (seen.flatten() - 1).exp()
    assert float((deviation / expected - 1).abs().max()) < 0.15
    # the mean is off by less than 0.15 deviations of the noise
    assert float(((change.mean(1) - (2 * seen.flatten()).sin()) / expected).abs().max()) < 0.15
    assert not rewards.any()


def test_wrong_variances_are_noticed(
    fitted: tuple[Ensemble, Replay, dict[str, Tensor]], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, kept, _ = fitted
    data = rows_of(made, kept, streams([0], "fit"))
    assert calibrated(fitting.quality(made, data), data.held_inputs.shape[1])

    def wrong(outputs: Tensor, variance_bounds: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = gaussian(outputs, variance_bounds)
        return mean, 2 * log_variance

    monkeypatch.setattr(gaussian_outcomes, "gaussian", wrong)
    assert not calibrated(fitting.quality(made, data), data.held_inputs.shape[1])


def test_one_epoch_is_that_of_plain_layers() -> None:
    """Against torch's layers and its Adam, every network by itself, in float64."""
    kept, rate = line([0, 1], 450), 0.01
    settings = {"max_epochs": 1, "learning_rate": rate}
    made = new(LINE, [0, 1], torch.float64, **settings)
    start, drawing = apart(made), streams([0, 1], "fit")
    fit(made, kept, drawing)
    again = streams([0, 1], "fit")
    data = rows_of(new(LINE, [0, 1], torch.float64, **settings), kept, again)
    boot = again.whole(data.rows, 2, data.rows)
    rows = boot.gather(2, again.uniform(2, data.rows).argsort(-1))
    assert torch.equal(again.state(), drawing.state())
    assert data.rows % 32 == 0
    for run in range(2):
        for b in range(2):
            layers = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 4)).double()
            nn.utils.vector_to_parameters(start[run, b, 0, : 16 * 3 + 4 * 17], layers.parameters())
            variance_bounds = torch.tensor(
                [-10, -10, 0.5, 0.5], dtype=torch.float64, requires_grad=True
            )
            own = [
                torch.optim.Adam(layers.parameters(), rate),
                torch.optim.Adam([variance_bounds], rate),
            ]
            for index in rows[run, b].split(32):
                mean, x = layers(data.inputs[run, index]).chunk(2, -1)
                low, high = variance_bounds.chunk(2)
                u = high - nn.functional.softplus(high - x)
                log_variance = low + nn.functional.softplus(u - low)
                law = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
                weight = log_variance.detach().mul(0.5).exp()
                loss = -(weight * law.log_prob(data.targets[run, index])).mean()
                for optimiser in own:
                    optimiser.zero_grad()
                (loss + 0.01 * (high - low).mean()).backward()
                for optimiser in own:
                    optimiser.step()
            vector = nn.utils.parameters_to_vector(layers.parameters())
            # a dozen steps of 0.01 of numbers of size 1, in another order of additions
            kw = {"rtol": 0, "atol": 1e-10}
            torch.testing.assert_close(
                made.stack.parameters[run, b, 0, : len(vector)], vector, **kw
            )
            torch.testing.assert_close(made.log_variance_bounds[run, b], variance_bounds, **kw)


@pytest.mark.parametrize("sizes", [(5, 8, 1), (4, 6, 7, 3)])
def test_gradients_written_in_place_are_those_of_autograd(sizes: tuple[int, ...]) -> None:
    stack = networks(sizes, 3, 2, streams([0, 1], "initialise"), torch.float64, "cpu")
    x = streams([0, 1], "x").uniform(3, 9, sizes[0])
    weights = streams([0, 1], "w").uniform(3, 2, 9, sizes[-1])
    outputs = stack(x)
    (expected,) = torch.autograd.grad((outputs * weights).sum(), stack.parameters)
    gradient = torch.full_like(expected, math.nan)
    assert torch.equal(stack.fitted(x, lambda _: weights, gradient), outputs)
    # sums of 9 products of numbers of size 1
    torch.testing.assert_close(gradient, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("rows", [200, 50_000])
def test_rows_held_out_are_in_no_bootstrap(rows: int) -> None:
    """Rewards carry the rows' numbers, and are taken back from the standard targets."""
    kept, count = line([0, 1], 1000), 1000
    kept.rows[..., 2] = torch.arange(count, dtype=torch.float64)
    made = new(LINE, [0, 1], torch.float64, max_rows=rows, validation_share=0.2)
    data = rows_of(made, kept, streams([0, 1], "fit"))
    out = held_out(numbers(kept), 0.2)
    for run in range(2):
        train, held = (
            made.scale.back(y)[run, :, 1].round().long() for y in (data.targets, data.held_targets)
        )
        assert not bool(out[train].any())
        assert bool(out[held].all())
        assert len(train.unique()) == len(train)
        assert len(train) % UNIT == len(held) % UNIT == 0
        assert len(held) == min(int(out.sum()), round(rows * 0.2)) // UNIT * UNIT
        assert len(train) == min(int((~out).sum()), round(rows * 0.8)) // UNIT * UNIT
    # the scale is that of the training rows
    zero = torch.zeros(2, 2, dtype=torch.float64)
    torch.testing.assert_close(data.inputs.mean(1), zero, rtol=0, atol=1e-12)


def everything(seeds: list[int]) -> list[Tensor]:
    """All that two fits and a prediction leave behind."""
    kept, beside = team([0, 1, 2], 500), [0, 1, 2]
    if seeds != beside:
        alone = replay(TEAM, 1, 500, torch.float32, "cpu")
        alone.rows.copy_(kept.rows[1:2])
        alone.added = kept.added
        kept = alone
    made = new(TEAM, seeds, torch.float32, patience=1, learning_rate=0.003, hidden=(16, 32))
    drawing = streams(seeds, "fit")
    metrics = [*fit(made, kept, drawing).values(), *fit(made, kept, drawing).values()]
    batch = kept.batch(torch.arange(50).expand(len(seeds), -1))
    seen, done = (x.unsqueeze(1).repeat(1, 2, 1, 1, 1) for x in (batch.observations, batch.actions))
    _, *outputs = made.step(None, seen, done, drawing)
    return [*metrics, *made.state().values(), *outputs, drawing.state()]


def test_a_run_is_fitted_the_same_beside_others() -> None:
    """Bit for bit, though its networks stop in other epochs than opponent_view."""
    beside, alone = everything([0, 1, 2]), everything([1])
    epochs = beside[1]
    assert len(epochs.unique()) > 2
    for many, one in zip(beside, alone, strict=True):
        assert torch.equal(many[1:2], one)


def test_a_fit_goes_on_from_a_saved_state() -> None:
    kept = team([0, 1], 400)
    first, drawing = new(TEAM, [0, 1], torch.float32, max_epochs=3), streams([0, 1], "fit")
    fit(first, kept, drawing)
    saved = {name: value.clone() for name, value in first.state().items()}
    state = drawing.state()
    expected = fit(first, kept, drawing)
    second, again = new(TEAM, [0, 1], torch.float32, max_epochs=3), streams([5, 6], "fit")
    second.restore(saved)
    again.restore(state)
    found = fit(second, kept, again)
    for name, value in expected.items():
        assert torch.equal(found[name], value)
    for name, value in first.state().items():
        assert torch.equal(second.state()[name], value)


def test_networks_stop_and_keep_their_best() -> None:
    """No epoch brings enough: all stop after ``patience``, with the best of what was seen."""
    kept = team([0, 1], 400)
    made = new(TEAM, [0, 1], torch.float32, improvement=1.0, patience=3, max_epochs=50)
    metrics = fit(made, kept, streams([0, 1], "fit"))
    assert bool((metrics["epochs"] == 3).all())
    data = rows_of(made, kept, streams([0, 1], "fit"))
    losses = Training(made, data).losses().view(2, 2, 2).mean(-1)
    # float32 beside float64
    torch.testing.assert_close(losses.float(), metrics["held_out_loss"], rtol=1e-6, atol=1e-6)
    # steps that only make it worse leave everything as it was
    start = apart(made), made.log_variance_bounds.clone()
    wild = replace(made, settings=replace(made.settings, learning_rate=1.0))
    fit(wild, kept, streams([0, 1], "fit"))
    assert torch.equal(made.stack.parameters, start[0])
    assert torch.equal(made.log_variance_bounds, start[1])


def test_one_network_stops_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is made to stop after an epoch: the others do not feel it."""
    kept = team([0, 1], 400)
    settings = {"patience": 1, "improvement": 0.0, "max_epochs": 4}
    results = []
    for stop in (False, True):
        calls: list[int] = []

        def told(self: Training, stop: bool = stop, calls: list[int] = calls) -> Tensor:
            # all get better and better, but the second one where it is to stop
            calls.append(1)
            pretended = torch.full(self.which.shape, 100.0 - len(calls), dtype=torch.float64)
            if stop and len(calls) == 2:
                pretended[1] = 100.0
            return pretended

        with monkeypatch.context() as patch:
            patch.setattr(Training, "losses", told)
            made, drawing = new(TEAM, [0, 1], torch.float32, **settings), streams([0, 1], "fit")
            start = apart(made)[0, 1]
            metrics = fit(made, kept, drawing)
        results.append((apart(made), start, metrics["epochs"]))
    (free, start, _), (frozen, _, epochs) = results
    assert torch.equal(frozen[0, 1], start)
    assert epochs.tolist() == [[2.5, 4.0], [4.0, 4.0]]
    others = torch.ones(2, 4, dtype=torch.bool)
    others[0, 1] = False
    assert torch.equal(frozen[others], free[others])
    assert not torch.equal(free[0, 1], start)


def test_what_never_changes_is_predicted_exactly() -> None:
    kept = team([0], 400)
    made = new(TEAM, [0], torch.float32, max_epochs=1)
    metrics = fit(made, kept, streams([0], "fit"))
    assert all(bool(value.isfinite().all()) for value in metrics.values())
    batch = kept.batch(torch.arange(40).expand(1, -1))
    seen, done = (x.unsqueeze(1).repeat(1, 2, 1, 1, 1) for x in (batch.observations, batch.actions))
    _, after, _ = made.step(None, seen, done, streams([0], "draw"))
    assert torch.equal(after[..., 1, 2], seen[..., 1, 2])
    assert not bool((after[..., 1, 1] == seen[..., 1, 1]).any())


def test_replays_that_are_too_small() -> None:
    made = new(LINE, [0], torch.float64)
    with pytest.raises(InputError, match=r"^replay: 40 transitions leave \d to hold out; 32 are"):
        fit(made, line([0], 40), streams([0], "fit"))
    few = new(LINE, [0], torch.float64, validation_share=0.9)
    with pytest.raises(InputError, match=r"^replay: 40 transitions leave \d to train on; 32 are"):
        fit(few, line([0], 40), streams([0], "fit"))


def test_large_networks_are_trained_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks change nothing but the roundings of sums."""
    kept, results = noise(640), []
    for block in (1, 10**9):
        monkeypatch.setattr("deep.nn.stacked_mlp.BLOCK", block)
        settings = DynamicsSettings(members=3, hidden=(16, 16), batch=64, max_epochs=2)
        predicted, initial = GaussianOutcomes(SPREAD), streams([0], "initialise")
        made = ensemble(SPREAD, settings, predicted, initial, torch.float64, egos=1)
        drawing: Streams = streams([0], "fit")
        fit(made, kept, drawing)
        results.append(made.stack.parameters)
    torch.testing.assert_close(*results, rtol=0, atol=1e-9)
