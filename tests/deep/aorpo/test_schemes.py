"""Schemes: from what the agents know to k and nⱼ, with no look at a real policy."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from bounds.shared.numbers import InputError
from deep.aorpo import length_rules as lengths
from deep.aorpo.schemes import Evidence, adaptive, all_models, all_real, planned, released
from deep.envs.spaces import Box, Shape, one_hot
from deep.opponents import errors as opponent_errors
from deep.opponents.fitting import History
from deep.opponents.models import Opponents, opponent_models, pairs, theirs
from deep.seeding import streams
from tabular.games.policy import random_policies
from tabular.games.random import garnet
from tests.support.table_players import head_of, models_of, seen_in

RUNS, AGENTS, ROWS = 2, 3, 400
OTHERS = ~torch.eye(AGENTS, dtype=torch.bool)


def evidence(seed: int = 0, *, shift: float = 0.1, perfect: bool = False) -> Evidence:
    """Choices: a Garnet, its policies' own history, and random models of them."""
    rng = np.random.default_rng(seed)
    actions = (2, 3, 2)
    game = garnet(actions, 4, 2, rng)
    policies = random_policies(actions, 4, rng)
    models = [random_policies(actions, 4, rng) for _ in actions]
    states = rng.integers(4, size=(RUNS, ROWS))
    own = np.stack(
        [
            [[rng.choice(size, p=policy[s].astype(float)) for s in run] for run in states]
            for size, policy in zip(actions, policies, strict=True)
        ],
        -1,
    )
    done = one_hot(head_of(game).spaces, torch.tensor(own).unsqueeze(-1), torch.float64)
    history = History(seen_in(game, states), done, torch.arange(ROWS))
    opponents = None if perfect else models_of(game, models)
    return Evidence(opponents, history, torch.full((RUNS, AGENTS), shift).double(), 0.9)


def rates_by_hand(known: Evidence) -> Tensor:
    """Share of rows in which the model's likeliest option was played, [run, ego, opponent]."""
    assert known.opponents is not None
    seen, done = known.held_out.by_ego()
    chances = known.opponents.probabilities(seen)
    return (chances.argmax(-1) == done.argmax(-1)).double().mean(2)


def test_the_paper_s_rule_on_the_estimated_errors() -> None:
    known = evidence()
    errors = opponent_errors.mismatch(known.opponents, known.held_out).value  # type: ignore[arg-type]
    assert torch.equal(known.errors, errors)
    k, n = adaptive(known, 7)
    assert k.tolist() == [[7] * AGENTS] * RUNS
    for run in range(RUNS):
        for ego, opponent in pairs(AGENTS):
            least = min(float(errors[run, ego, j]) for j in range(AGENTS) if j != ego)
            assert int(n[run, ego, opponent]) == floor(
                7 * least / float(errors[run, ego, opponent])
            )
    assert bool(((n == 7) & OTHERS).any(-1).all())
    assert bool((n[:, OTHERS] < 7).any())


def test_nobody_or_everybody_is_asked() -> None:
    known = evidence()
    for scheme, model in ((all_models, 5), (all_real, 0)):
        k, n = scheme(known, 5)
        assert k.tolist() == [[5] * AGENTS] * RUNS
        assert bool((n[:, OTHERS] == model).all())


@given(st.integers(0, 12), st.integers(1, 6), st.integers(0, 5), st.floats(0, 0.5))
def test_planned_stays_within_its_calls(calls: int, k: int, seed: int, shift: float) -> None:
    found, n = planned(calls)(evidence(seed, shift=shift), k)
    asked = ((found.unsqueeze(-1) - n) * OTHERS).sum(-1)
    assert bool((asked <= calls).all())
    assert bool(((n >= 0) & (n <= found.unsqueeze(-1)))[:, OTHERS].all())
    assert bool(((found >= 1) & (found <= k)).all())


def test_planned_is_the_planner_on_what_is_known() -> None:
    known = evidence()
    k, n = planned(4)(known, 5)
    plan = lengths.planned(known.errors, known.shift, torch.zeros(RUNS, AGENTS), 0.9, 4, 5)
    assert torch.equal(k, plan.k)
    assert torch.equal(n, plan.lengths)
    # shifts and calls do matter
    still, moving = (planned(4)(evidence(shift=shift), 5)[0] for shift in (0.0, 0.4))
    assert bool((still <= moving).all())
    assert not torch.equal(still, moving)
    assert not torch.equal(n, planned(0)(known, 5)[1])


def test_released_divides_match_rates_and_stops_one_early() -> None:
    """max(⌊k m/max m⌋ − 1, 0)."""
    known = evidence()
    rates = rates_by_hand(known)
    assert torch.equal(known.rates * OTHERS, rates * OTHERS)
    k, n = released(known, 9)
    assert k.tolist() == [[9] * AGENTS] * RUNS
    for run in range(RUNS):
        for ego, opponent in pairs(AGENTS):
            most = max(float(rates[run, ego, j]) for j in range(AGENTS) if j != ego)
            share = float(rates[run, ego, opponent]) / most
            assert int(n[run, ego, opponent]) == max(floor(9 * share + 1e-9) - 1, 0)
    assert int(n[:, OTHERS].max()) == 8


def test_real_policies_in_the_place_of_models_have_no_error() -> None:
    known = evidence(perfect=True)
    assert not bool(known.errors.any())
    for scheme in (adaptive, all_models, planned(0)):
        k, n = scheme(known, 4)
        assert bool((n == k.unsqueeze(-1)).all())
    assert bool((released(known, 4)[1][:, OTHERS] == 3).all())


def numbers(head: str = "gaussian") -> Evidence:
    """Actions that are numbers: models as they begin, and actions on the edges of their boxes."""
    shape = Shape((2, 2, 2), (Box(1, -1, 1),) * 3)
    models = opponent_models(shape, (8,), theirs, streams([0, 1], "i"), torch.float64, "cpu")
    assert head in type(models.head).__name__.lower()
    drawing = streams([0, 1], "d")
    seen, done = (2 * drawing.uniform(ROWS, AGENTS, width) - 1 for width in (2, 1))
    history = History(seen, done, torch.arange(ROWS))
    return Evidence(models.opponents, history, torch.zeros(RUNS, AGENTS).double(), 0.9)


def test_numbers_never_match() -> None:
    known = numbers()
    opponents: Opponents | None = known.opponents
    assert opponents is not None
    residual = opponent_errors.pooled_residual(opponents, known.held_out).value
    assert torch.equal(known.errors, residual)
    assert torch.equal(adaptive(known, 6)[1], lengths.adaptive(residual, 6))
    with pytest.raises(InputError, match="never match"):
        released(known, 6)


def test_schemes_are_of_each_run_by_itself() -> None:
    """The lengths of one run do not change with the history of another."""
    known = evidence()

    def one(values: Sequence[Tensor], run: int) -> list[Tensor]:
        return [value[run : run + 1] for value in values]

    alone = Evidence(
        known.opponents,
        History(known.held_out.observations[1:], known.held_out.actions[1:], torch.arange(ROWS)),
        known.shift[1:],
        0.9,
    )
    for scheme in (adaptive, all_models, all_real, planned(3), released):
        for both, single in zip(one(scheme(known, 6), 1), scheme(alone, 6), strict=True):
            assert torch.equal(both, single)
