"""Opponent models: what they read, what they learn, and that runs and pairs do not touch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from bounds.shared.numbers import InputError
from deep.agents.policies import policies
from deep.data.replay import replay
from deep.data.validation_split import held_out
from deep.envs.spaces import Box, Choices, Shape, Space, one_hot
from deep.nn.action_distributions import Categorical, TanhGaussian, TanhPoint, head
from deep.opponents.errors import nll, oracle
from deep.opponents.fitting import History, OpponentSettings, fit, newest, split
from deep.opponents.models import (
    OpponentModels,
    View,
    ego_view,
    inside,
    opponent_models,
    opponent_view,
    pairs,
    real_opponents,
)
from deep.seeding import Streams, streams
from tabular.games.policy import random_policies
from tabular.games.random import garnet
from tests.support.table_players import act_of, logits, real_of, said, seen_in, shape_of

MIXED = Shape((3, 5, 4), (Choices((2,)), Choices((3, 2)), Choices((4,))))
BOXES = Shape((2, 2), (Box(1, -1, 1), Box(2, 0, 3)))
QUICK = OpponentSettings(
    hidden=(16,), learning_rate=0.01, max_rows=600, batch=128, max_epochs=8, patience=2
)


def models_for(
    shape: Shape, seeds: Sequence[int], view: View = opponent_view, hidden: tuple[int, ...] = (16,)
) -> OpponentModels:
    return opponent_models(shape, hidden, view, streams(seeds, "i"), torch.float64, "cpu")


def fitted_to(
    models: OpponentModels, settings: OpponentSettings, history: History, drawing: Streams
) -> dict[str, Tensor]:
    """``fit`` on the rows of ``history`` by their sides."""
    return fit(models, settings, split(history, settings.validation_share), drawing)


def padded(shape: Shape, *axes: int, seed: int = 0) -> Tensor:
    """Observations [.., agent, number], normal, zeros in the padding."""
    generator = torch.Generator().manual_seed(seed)
    width = shape.observation_width
    seen = torch.randn(*axes, shape.agents, width, dtype=torch.float64, generator=generator)
    for agent, size in enumerate(shape.observation_sizes):
        seen[..., agent, size:] = 0
    return seen


def random_history(shape: Shape, seeds: Sequence[int], rows: int) -> History:
    """Observations of each run's own; actions that depend on them."""
    seen = torch.cat([padded(shape, 1, rows, seed=seed) for seed in seeds])
    if isinstance(shape.spaces[0], Box):
        noise = torch.cat([padded(shape, 1, rows, seed=99 + seed) for seed in seeds])
        unit = (seen + 0.3 * noise).tanh()[..., : shape.action_width]
        actions = torch.zeros(*unit.shape, dtype=torch.float64)
        for agent, space in enumerate(shape.spaces):
            assert isinstance(space, Box)
            part = unit[:, :, agent, : space.width]
            actions[:, :, agent, : space.width] = (
                space.low + (space.high - space.low) * (1 + part) / 2
            )
        return History(seen, actions, torch.arange(rows))
    chosen = (seen.abs() * 10).long()[..., :2] % 2
    return History(seen, one_hot(shape.spaces, chosen, torch.float64), torch.arange(rows))


def test_pairs_are_all_ordered_ones() -> None:
    assert pairs(2) == ((0, 1), (1, 0))
    assert set(pairs(4)) == {(i, j) for i, j in product(range(4), repeat=2) if i != j}
    with pytest.raises(InputError, match="agents: 1"):
        pairs(1)


@pytest.mark.parametrize("view", [opponent_view, ego_view])
def test_a_model_reads_what_its_view_says_and_nothing_else(view: View) -> None:
    """Changing one agent's observation moves exactly the models that look at it."""
    models = models_for(MIXED, [0, 1], view)
    seen = padded(MIXED, 2, 3, 6)
    before = models.opponents.probabilities(seen)
    for changed in range(3):
        other = seen.clone()
        other[:, :, :, changed] = padded(MIXED, 2, 3, 6, seed=1)[:, :, :, changed]
        moved = (models.opponents.probabilities(other) != before).flatten(-1).any(-1).any(2)
        for i, j in product(range(3), repeat=2):
            expected = i != j and view(i, j) == changed
            assert bool((moved[:, i, j] == expected).all())


def test_views_agree_where_everybody_sees_the_same() -> None:
    shape = Shape((4, 4, 4), MIXED.spaces)
    seen = padded(shape, 1, 3, 6)[..., :1, :].expand(-1, -1, -1, 3, -1)
    a, b = models_for(shape, [0], opponent_view), models_for(shape, [0], ego_view)
    assert torch.equal(a.opponents.probabilities(seen), b.opponents.probabilities(seen))


@pytest.mark.parametrize("shape", [MIXED, BOXES])
def test_samples_have_their_space_and_nothing_of_the_agent_itself(shape: Shape) -> None:
    opponents, agents = models_for(shape, [0, 1]).opponents, shape.agents
    seen = padded(shape, 2, agents, 50)
    for actions in (opponents.sample(seen, streams([0, 1], "s")), opponents.best(seen)):
        assert actions.shape == (2, agents, 50, agents, shape.action_width)
        for i, j in product(range(agents), repeat=2):
            each, space = actions[:, i, :, j], shape.spaces[j]
            assert not each[..., space.width :].any()
            if i == j:
                assert not each.any()
            elif isinstance(space, Box):
                inner = each[..., : space.width]
                assert bool(((inner >= space.low) & (inner <= space.high)).all())
            else:
                assert bool((each.sum(-1) == len(space.sizes)).all())


def test_samples_follow_the_probabilities() -> None:
    """Frequencies within five standard errors, less than 1 in a million wrong."""
    many, opponents = 20_000, models_for(MIXED, [3]).opponents
    seen = 3 * padded(MIXED, 1, 3, 1).expand(-1, -1, many, -1, -1)
    chances = opponents.probabilities(seen[:, :, :1])[:, :, 0]
    shares = opponents.sample(seen, streams([3], "s")).mean(2)
    error = (chances * (1 - chances) / many).sqrt()
    assert bool(((shares - chances).abs() <= 5 * error).all())
    # and the law has something to say
    assert float((chances[0, 0, 2] - 1 / 4).abs().max()) > 0.05


@pytest.mark.parametrize("shape", [MIXED, BOXES])
def test_log_probability_is_that_of_the_pair_s_own_head(shape: Shape) -> None:
    """Each pair by itself through ``deep.nn.action_distributions``, at actions that it drew."""
    models, agents = models_for(shape, [0, 1]), shape.agents
    seen = padded(shape, 2, agents, 20)
    actions = models.opponents.sample(seen, streams([0, 1], "s"))
    logs = models.opponents.log_probability(seen, actions)
    outputs = models.stack(models.inputs(seen)).squeeze(2)
    for pair, (i, j) in enumerate(pairs(agents)):
        space = shape.spaces[j]
        part = outputs[:, pair : pair + 1]
        width = shape.action_width
        if isinstance(space, Box):
            mean, deviation = (x[..., : space.width] for x in part.split(width, -1))
            alone = TanhGaussian((space,))
            single = torch.cat((mean, deviation), -1)
        else:
            alone = Categorical((space,))
            single = part[..., : space.width]
        expected = alone.log_probability(single, actions[:, i : i + 1, :, j, : space.width])
        # the same formula, in another shape of tensors
        torch.testing.assert_close(logs[:, i, :, j], expected[:, 0], rtol=1e-10, atol=1e-10)
    assert not logs.diagonal(dim1=1, dim2=3).any()


def test_actions_on_the_edge_of_a_box_have_a_finite_density() -> None:
    edge = torch.zeros(1, 2, 4, 2, 2)
    edge[..., 0, 0], edge[..., 1, :] = -1.0, 3.0
    models = opponent_models(BOXES, (8,), opponent_view, streams([0], "i"), torch.float32, "cpu")
    logs = models.opponents.log_probability(torch.zeros(1, 2, 4, 2, 2), edge)
    assert bool(logs.isfinite().all())
    inner = torch.rand(1, 2, 50, 2, generator=torch.Generator().manual_seed(0))
    unit = TanhGaussian((Box(2, 0, 1), Box(2, 0, 1)))
    # those that are not on the edge stay, up to the rounding of there and back
    torch.testing.assert_close(inside(unit, inner), inner, rtol=0, atol=1e-6)


def test_what_opponents_cannot_say() -> None:
    seen = padded(BOXES, 1, 2, 3)
    with pytest.raises(TypeError, match="choose"):
        models_for(BOXES, [0]).opponents.probabilities(seen)
    with pytest.raises(TypeError, match="Gaussian"):
        models_for(MIXED, [0]).opponents.normals(padded(MIXED, 1, 3, 3))
    point = TanhPoint((Box(1, -1, 1), Box(2, 0, 3)))
    real = real_opponents(BOXES, point, lambda seen, _: torch.zeros(1, 2, 6, 2))
    assert real.sample(seen, streams([0], "s")).shape == (1, 2, 3, 2, 2)
    with pytest.raises(TypeError, match="density"):
        real.log_probability(seen, torch.zeros(1, 2, 3, 2, 2))


def test_real_opponents_are_the_policies() -> None:
    """Chances in every state, and the joint policy itself at the same draws."""
    game = garnet((2, 3, 2), 4, 2, np.random.default_rng(0))
    tables = random_policies(game.actions, game.n_states, np.random.default_rng(1))
    real = real_of(game, tables)
    seen = seen_in(game, np.arange(4)).expand(1, 3, -1, -1, -1)
    chances = real.probabilities(seen)
    for i, j in pairs(3):
        expected = torch.tensor(tables[j])
        torch.testing.assert_close(
            chances[0, i, :, j, : game.actions[j]], expected, rtol=1e-12, atol=0
        )
    # π(a|s) of what the joint policy plays: exp of the logits that it was drawn from
    actions = act_of(game, tables)(seen[:, 0], streams([0], "s"))
    logs = real.log_probability(seen, actions.unsqueeze(1).expand(-1, 3, -1, -1, -1))
    played = (said(logits(tables), seen[:, 0].transpose(1, 2)) * actions.transpose(1, 2)).sum(-1)
    for i, j in pairs(3):
        torch.testing.assert_close(logs[:, i, :, j], played[:, j], rtol=1e-12, atol=1e-12)


def test_policies_of_learners_fit_in() -> None:
    """Real policies that are conditioned on what models infer: as opponents, and as they act."""
    models = models_for(MIXED, [0, 1], ego_view)
    actors = policies(
        MIXED,
        head(MIXED.spaces, "cpu", 1.0),
        (8,),
        streams([0, 1], "i"),
        torch.float64,
        "cpu",
        models.inference,
    )
    assert isinstance(actors.head, Categorical)
    real = real_opponents(MIXED, actors.head, actors.outputs)
    seen = padded(MIXED, 2, 3, 32)
    chances = real.probabilities(seen, streams([0, 1], "s"))
    # the same draws, of each agent in the rows of all ego agents one after the other
    flat = seen.flatten(1, 2).transpose(1, 2)
    said = actors.outputs(flat, streams([0, 1], "s"))
    expected = actors.head.probabilities(said)[0].unflatten(2, (3, 32))
    for i, j in pairs(3):
        assert torch.equal(chances[:, i, :, j], expected[:, j, i])
    actions = actors.act_alone(
        seen.diagonal(dim1=1, dim2=3).permute(0, 3, 1, 2), streams([0, 1], "s"), greedy=False
    )
    assert actions.shape == (2, 3, 32, 5)


def test_inferred_actions_are_the_others_in_order() -> None:
    """With one option each, which tells the agents apart; and from the own observation alone."""
    spaces: tuple[Space, ...] = (Choices((1, 2)), Choices((2, 1)), Choices((3,)))
    shape = Shape((3, 3, 3), spaces)
    models = models_for(shape, [0, 1], ego_view)
    seen = padded(shape, 2, 40).transpose(1, 2)
    told = models.inferred(seen, streams([0, 1], "s"))
    assert told.shape == (2, 3, 40, 6) == (*seen.shape[:3], models.inference.size)
    first, second = told[..., :3], told[..., 3:]
    assert bool((first[:, 1, :, 0] == 1).all())  # agent 1 believes in agent 0 first
    assert bool((first[:, 0, :, 2] == 1).all())  # agent 0 in agent 1,
    assert bool((second[:, 2, :, 2] == 1).all())  # and agent 2 in agent 1 last
    assert bool((second[:, :2].sum(-1) == 1).all())  # agents 0 and 1 in agent 2 last
    # the same law as that of the models as opponents: frequencies within five standard errors
    many = 20_000
    one = seen[:, :, :1].expand(-1, -1, many, -1)
    shares = models.inferred(one, streams([0, 1], "s")).mean(2)
    chances = models.opponents.probabilities(seen[:, :, :1].unsqueeze(3).expand(-1, -1, -1, 3, -1))[
        :, :, 0
    ]
    for i in range(3):
        expected = torch.cat([chances[:, i, j] for j in range(3) if j != i], -1)
        error = (expected * (1 - expected) / many).sqrt()
        # probabilities of 1 are sums of rounded ones
        assert bool(((shares[:, i] - expected).abs() <= 5 * error + 1e-12).all())


def test_inference_needs_the_own_view() -> None:
    with pytest.raises(InputError, match="give the view ego_view"):
        _ = models_for(MIXED, [0], opponent_view).inference


def test_a_categorical_policy_is_recovered() -> None:
    """TV to each policy below 0.06 on average over states.

    The sampling error alone: 2400 training rows in 4 states, at most 3 options, so
    ½ Σ_a √(2 p(1 − p)/(π 600)) ≤ 0.023; the tolerance leaves as much for the fit.
    """
    game = garnet((2, 3), 4, 2, np.random.default_rng(0))
    tables = random_policies(game.actions, game.n_states, np.random.default_rng(5))
    models = models_for(shape_of(game), [0, 1], hidden=(32,))
    seen = seen_in(game, np.random.default_rng(6).integers(4, size=(2, 3000)))
    actions = act_of(game, tables)(seen, streams([0, 1], "a"))
    settings = OpponentSettings(learning_rate=0.01, max_epochs=60, batch=400)
    every = seen_in(game, np.arange(4)).expand(2, 2, -1, -1, -1)
    before = oracle(models.opponents, real_of(game, tables), every).mean
    history = History(seen, actions, torch.arange(3000))
    metrics = fitted_to(models, settings, history, streams([0, 1], "f"))
    after = oracle(models.opponents, real_of(game, tables), every).mean
    for i, j in pairs(2):
        assert bool((after[:, i, j] < 0.06).all())
        assert bool((after[:, i, j] < before[:, i, j] / 2).all())
    # the loss is the one that the held-out rows have
    judged = nll(models.opponents, split(history, settings.validation_share).held_out).value
    torch.testing.assert_close(metrics["opponent_loss"], judged, rtol=1e-10, atol=1e-12)


def test_several_choices_are_recovered() -> None:
    """An agent with two choices that depend on different numbers that it sees."""
    shape = Shape((2, 2), (Choices((2, 3)), Choices((2,))))
    models = models_for(shape, [0], hidden=(16,))
    seen = padded(shape, 1, 2000)
    chosen = torch.zeros(1, 2000, 2, 2, dtype=torch.int64)
    chosen[..., 0, 0] = seen[..., 0, 0] > 0
    chosen[..., 0, 1] = (seen[..., 0, 1] > -0.5).long() + (seen[..., 0, 1] > 0.5)
    history = History(seen, one_hot(shape.spaces, chosen, torch.float64), torch.arange(2000))
    settings = OpponentSettings(learning_rate=0.01, max_epochs=60, batch=200)
    fitted_to(models, settings, history, streams([0], "f"))
    held = split(history, 0.2).held_out
    best = models.opponents.best(held.by_ego()[0])
    # deterministic functions of the input, missed near their edges only
    assert float((best[:, 1, :, 0] == held.actions[:, :, 0]).all(-1).double().mean()) > 0.9


def test_a_gaussian_policy_is_recovered() -> None:
    """u ~ N(o₁ − o₂, 0.3): mean within 0.15 and deviation within 0.1 on the rows held out.

    Standard errors of a mean and a deviation at 2400 rows are below 0.01; the rest is the fit.
    """
    shape = Shape((2, 2), (Box(1, -2, 2), Box(1, 0, 1)))
    models = models_for(shape, [0, 1], hidden=(32,))
    seen = padded(shape, 2, 3000)
    noise = torch.randn(2, 3000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(7))
    u = seen[..., 0] - seen[..., 1] + 0.3 * noise
    scale, middle = torch.tensor([2, 0.5]).double(), torch.tensor([0, 0.5]).double()
    actions = (middle + scale * u.tanh()).unsqueeze(-1)
    history = History(seen, actions, torch.arange(3000))
    settings = OpponentSettings(learning_rate=0.01, max_epochs=80, batch=400)
    fitted_to(models, settings, history, streams([0, 1], "f"))
    held = split(history, settings.validation_share).held_out
    mean, deviation = models.opponents.normals(held.by_ego()[0])
    truth = held.observations[..., 0] - held.observations[..., 1]
    for i, j in pairs(2):
        error = (mean[:, i, :, j, 0] - truth[:, :, j]).abs().mean(-1)
        assert bool((error < 0.15).all())
        assert bool(((deviation[:, i, :, j, 0].mean(-1) - 0.3).abs() < 0.1).all())


@pytest.mark.parametrize("shape", [MIXED, BOXES])
def test_a_run_is_the_same_beside_others(shape: Shape) -> None:
    """Seeds 0, 1, 2 against 1 alone, bit for bit; runs stop at different epochs."""
    settings = replace(QUICK, max_epochs=12, learning_rate=0.03)

    def fitted(seeds: list[int]) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        models, drawing = models_for(shape, seeds), streams(seeds, "f")
        for _ in range(2):
            metrics = fitted_to(models, settings, random_history(shape, seeds, 300), drawing)
        sampled = models.opponents.sample(
            random_history(shape, seeds, 32).by_ego()[0], streams(seeds, "s")
        )
        return sampled, metrics | models.state(), drawing.state()

    many, one = fitted([0, 1, 2]), fitted([1])
    assert torch.equal(many[0][1:2], one[0])
    for name, tensor in one[1].items():
        assert torch.equal(many[1][name][1:2], tensor)
    assert torch.equal(many[2][1:2], one[2])
    epochs = many[1]["opponent_epochs"]
    assert len({int(e) for e in epochs[:, 0, 1]} | {int(e) for e in epochs[:, 1, 0]}) > 1


def test_a_stopped_model_is_as_if_the_fit_had_ended_there() -> None:
    """Each pair's parameters are those that a fit of just its best number of epochs gives."""
    models, seeds = models_for(MIXED, [0, 1]), [0, 1]
    start = {name: tensor.clone() for name, tensor in models.state().items()}
    history = random_history(MIXED, seeds, 300)
    settings = replace(QUICK, max_epochs=30, learning_rate=0.05)
    epochs = fitted_to(models, settings, history, streams(seeds, "f"))["opponent_epochs"]
    end = models.stack.parameters.detach().clone()
    assert len(epochs.unique()) > 2
    for pair, (i, j) in enumerate(pairs(3)):
        for run in seeds:
            models.restore(start)
            few = replace(settings, max_epochs=int(epochs[run, i, j]))
            fitted_to(models, few, history, streams(seeds, "f"))
            assert torch.equal(models.stack.parameters[run, pair], end[run, pair])


def test_patience_is_counted_from_the_best_epoch() -> None:
    """Which epochs improve is seen from fits of 1, 2, … epochs; a pause of ``patience`` ends it."""
    models, history, most = models_for(MIXED, [0]), random_history(MIXED, [0], 300), 16
    start = {name: tensor.clone() for name, tensor in models.state().items()}

    def best(**changes: int) -> Tensor:
        models.restore(start)
        settings = replace(QUICK, learning_rate=0.03, **changes)
        return fitted_to(models, settings, history, streams([0], "f"))["opponent_epochs"][0]

    improved = [best(max_epochs=epoch, patience=most) == epoch for epoch in range(1, most + 1)]
    late = 0
    for patience in (1, 2, 3):
        found = best(max_epochs=most, patience=patience)
        for i, j in pairs(3):
            expected = 0
            for epoch in range(1, most + 1):
                if epoch - expected > patience:
                    late += any(bool(each[i, j]) for each in improved[epoch - 1 :])
                    break
                expected = epoch if improved[epoch - 1][i, j] else expected
            assert int(found[i, j]) == expected
    # some would have improved after they had stopped
    assert late


def test_a_fit_never_makes_held_out_rows_less_likely() -> None:
    """Not with a rate that spoils everything either: then the models stay as they were."""
    history = random_history(MIXED, [0], 300)
    held = split(history, 0.2).held_out
    for rate in (0.01, 1.0):
        models = models_for(MIXED, [0])
        before = nll(models.opponents, held).value
        fitted_to(models, replace(QUICK, learning_rate=rate), history, streams([0], "f"))
        after = nll(models.opponents, held).value
        assert bool((after <= before).all())


def test_held_out_rows_are_not_trained_on() -> None:
    """One epoch, kept whatever the held-out rows say of it: they may say anything."""
    history = random_history(MIXED, [0], 400)
    out = held_out(history.numbers, 0.2)
    both = split(history, 0.2)
    train, held = both.train, both.held_out
    assert torch.equal(train.numbers, history.numbers[~out][-len(train) :])
    assert torch.equal(held.numbers, history.numbers[out][-len(held) :])
    assert (len(train), len(held)) == (320, 64)
    settings = replace(QUICK, max_epochs=1, learning_rate=0.001)
    reached = []
    for kept in (slice(0, None), slice(40, 72)):
        # fewer and other held-out rows beside the same training rows
        rows = torch.cat((history.numbers[~out], history.numbers[out][kept])).sort().values
        models = models_for(MIXED, [0])
        chosen = torch.zeros(400, dtype=torch.bool)
        chosen[rows] = True
        metrics = fitted_to(models, settings, history.where(chosen), streams([0], "f"))
        assert bool((metrics["opponent_epochs"] + torch.eye(3) == 1).all())
        reached.append(models.stack.parameters.detach().clone())
    assert torch.equal(*reached)
    # but training rows are
    models = models_for(MIXED, [0])
    spoiled = replace(history, actions=torch.where(out[:, None, None], history.actions, 0.0))
    fitted_to(models, settings, spoiled, streams([0], "f"))
    assert not torch.equal(models.stack.parameters, reached[0])


def test_rows_never_change_sides() -> None:
    """The newest rows of a replay that goes round, after different numbers of additions."""
    store = replay(MIXED, 2, 500, torch.float64, "cpu")
    seen, done = padded(MIXED, 2, 1300), torch.zeros(2, 1300, 3, 5, dtype=torch.float64)
    sides: dict[int, bool] = {}
    for start in range(0, 1300, 100):
        part, first = slice(start, start + 100), max(0, start - 200)
        nothing = torch.zeros(2, 100, 3)
        store.add(seen[:, part], done[:, part], nothing, seen[:, part], torch.zeros(2, 100))
        history = newest(store, 300)
        assert torch.equal(history.observations, seen[:, first : start + 100])
        assert history.numbers.tolist() == list(range(first, start + 100))
        if start < 100:
            continue
        both = split(history, 0.25)
        for side, rows in ((False, both.train), (True, both.held_out)):
            assert len(rows) % 32 == 0
            assert torch.equal(rows.observations, seen[:, rows.numbers])
            for number in rows.numbers.tolist():
                assert sides.setdefault(number, side) == side
    # the share that was asked for; at most 31 rows of a side are missing
    assert abs(sum(sides.values()) - 0.25 * 1300) < 32


def test_no_rows_to_learn_from() -> None:
    with pytest.raises(InputError, match="replay: empty"):
        newest(replay(MIXED, 1, 5, torch.float64, "cpu"), 3)
    with pytest.raises(InputError, match="held out"):
        fitted_to(models_for(MIXED, [0]), QUICK, random_history(MIXED, [0], 1), streams([0], "f"))


def test_warm_starts_and_states() -> None:
    """A fit goes on from the last parameters; models come back from their state bit for bit."""
    history = random_history(MIXED, [0], 300)
    models, drawing = models_for(MIXED, [0]), streams([0], "f")
    first = fitted_to(models, QUICK, history, drawing)["opponent_loss"]
    kept = {name: tensor.clone() for name, tensor in models.state().items()}
    place = drawing.state()
    second = fitted_to(models, QUICK, history, drawing)["opponent_loss"]
    assert bool((second <= first).all())
    end = models.stack.parameters.detach().clone()
    other = models_for(MIXED, [7])
    other.restore(kept)
    drawing.restore(place)
    fitted_to(other, QUICK, history, drawing)
    assert torch.equal(other.stack.parameters, end)
    with pytest.raises(InputError, match="opponents"):
        models_for(MIXED, [0, 1]).restore(kept)


@pytest.mark.parametrize(
    "bad",
    [
        {"hidden": ()},
        {"hidden": (0,)},
        {"learning_rate": 2.0},
        {"max_rows": 1},
        {"batch": 0},
        {"max_epochs": -1},
        {"patience": 0},
        {"validation_share": 0.0},
        {"validation_share": 1.0},
    ],
)
def test_settings_that_cannot_be(bad: dict[str, object]) -> None:
    (name,) = bad
    with pytest.raises(InputError, match=rf"^model\.opponents\.{name}"):
        OpponentSettings(**bad)  # type: ignore[arg-type]
