"""Schemes: from what the agents know to k and nⱼ, with no look at a real policy."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bounds.formula.error_profile import ErrorProfile
from bounds.planning.schemes import SCHEMES, Known
from bounds.shared.numbers import InputError
from deep.aorpo.schemes import Estimates, lengths, opponent_error, opponent_match_rate
from deep.envs.spaces import Box, Shape, one_hot
from deep.opponents.errors import mismatch, pooled_residual
from deep.opponents.fitting import History
from deep.opponents.models import Opponents, opponent_models, opponent_view, pairs
from deep.seeding import streams
from tabular.games.policy import random_policies
from tabular.games.random import garnet
from tests.support.table_players import head_of, models_of, seen_in

RUNS, AGENTS, ROWS = 2, 3, 400
OTHERS = ~torch.eye(AGENTS, dtype=torch.bool)


@dataclass(frozen=True, eq=False)
class Seen:
    """Opponent models (None: the real policies) and rows that they were not fitted to.

    Errors are by mismatch, which are far apart; ``tests.deep.opponents.test_two_sample`` has the
    other ones.
    """

    opponents: Opponents | None
    held_out: History

    def estimates(self, shift: float = 0.1, rates: bool = True) -> Estimates:
        agents = self.held_out.actions.shape[2]
        runs = len(self.held_out.actions)
        return Estimates(
            gamma=0.9,
            opponent_error=opponent_error(self.opponents, self.held_out, "mismatch"),
            policy_shift=torch.full((runs, agents), shift).double(),
            match_rate=opponent_match_rate(self.opponents, self.held_out) if rates else None,
        )


def choices(seed: int = 0, *, perfect: bool = False) -> Seen:
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
    return Seen(None if perfect else models_of(game, models), history)


def by(scheme: str, estimates: Estimates, k: int, calls: int = 0) -> tuple[Tensor, Tensor]:
    return lengths(SCHEMES[scheme], estimates, k, calls)


def test_estimates_are_those_of_the_held_out_rows() -> None:
    seen = choices()
    known = seen.estimates()
    assert seen.opponents is not None
    assert torch.equal(known.opponent_error, mismatch(seen.opponents, seen.held_out).value)
    observations, done = seen.held_out.by_ego()
    likeliest = seen.opponents.probabilities(observations).argmax(-1) == done.argmax(-1)
    assert known.match_rate is not None
    assert torch.equal(known.match_rate * OTHERS, likeliest.double().mean(2) * OTHERS)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_ego_gets_what_the_scheme_gives_it_alone(scheme: str) -> None:
    """k and nⱼ of each run and ego agent are the table's entry on its own errors."""
    known, k, calls = choices().estimates(), 7, 4
    ks, n = by(scheme, known, k, calls)
    assert known.match_rate is not None
    for run in range(RUNS):
        for ego in range(AGENTS):
            others = [j for j in range(AGENTS) if j != ego]
            profile = ErrorProfile(
                gamma=known.gamma,
                policy_shift=tuple(known.policy_shift[run, [ego, *others]].tolist()),
                opponent_model=tuple(known.opponent_error[run, ego, others].tolist()),
                model_sup=0.0,
                k=k,
            )
            rates = tuple(known.match_rate[run, ego, others].tolist())
            due = SCHEMES[scheme].choose(Known(profile, shortest=1, calls=calls, match_rates=rates))
            assert int(ks[run, ego]) == int(n[run, ego, ego]) == due.k
            assert tuple(n[run, ego, others].tolist()) == due.n
    # the egos' errors differ, and so do their lengths where errors matter
    if scheme in ("adaptive", "released"):
        assert len({tuple(row) for row in n.sort(-1).values.flatten(0, 1).tolist()}) > 1


def test_adaptive_divides_errors() -> None:
    known = choices().estimates()
    _, n = by("adaptive", known, 7)
    for run in range(RUNS):
        for ego, opponent in pairs(AGENTS):
            errors = known.opponent_error[run, ego]
            least = min(float(errors[j]) for j in range(AGENTS) if j != ego)
            assert int(n[run, ego, opponent]) == floor(7 * least / float(errors[opponent]))
    assert bool(((n == 7) & OTHERS).any(-1).all())
    assert bool((n[:, OTHERS] < 7).any())


@given(st.integers(0, 12), st.integers(1, 6), st.integers(0, 5), st.floats(0, 0.5))
@settings(max_examples=20)  # each is a Garnet of its own; the law itself is tested on the table
def test_planned_stays_within_its_calls(calls: int, k: int, seed: int, shift: float) -> None:
    found, n = by("planned", choices(seed).estimates(shift, rates=False), k, calls)
    asked = ((found.unsqueeze(-1) - n) * OTHERS).sum(-1)
    assert bool((asked <= calls).all())
    assert bool(((n >= 0) & (n <= found.unsqueeze(-1)))[:, OTHERS].all())
    assert bool(((found >= 1) & (found <= k)).all())


def test_shifts_and_calls_matter_to_planned() -> None:
    seen = choices()
    still, moving = (by("planned", seen.estimates(shift), 5, 4)[0] for shift in (0.0, 0.4))
    assert bool((still <= moving).all())
    assert not torch.equal(still, moving)
    few, many = (by("planned", seen.estimates(), 5, calls)[1] for calls in (0, 4))
    assert not torch.equal(few, many)


def test_real_policies_in_the_place_of_models_have_no_error() -> None:
    known = choices(perfect=True).estimates()
    assert not bool(known.opponent_error.any())
    for scheme in ("adaptive", "all-models", "planned"):
        k, n = by(scheme, known, 4)
        assert bool((n == k.unsqueeze(-1)).all())
    assert bool((by("released", known, 4)[1][:, OTHERS] == 3).all())


def numbers() -> Seen:
    """Actions that are numbers: models as they begin, and actions on the edges of their boxes."""
    shape = Shape((2, 2, 2), (Box(1, -1, 1),) * 3)
    models = opponent_models(shape, (8,), opponent_view, streams([0, 1], "i"), torch.float64, "cpu")
    drawing = streams([0, 1], "d")
    seen, done = (2 * drawing.uniform(ROWS, AGENTS, width) - 1 for width in (2, 1))
    return Seen(models.opponents, History(seen, done, torch.arange(ROWS)))


def test_numbers_never_match() -> None:
    seen = numbers()
    assert seen.opponents is not None
    residual = pooled_residual(seen.opponents, seen.held_out).value
    assert torch.equal(seen.estimates(rates=False).opponent_error, residual)
    with pytest.raises(InputError, match="never match"):
        seen.estimates()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_schemes_are_of_each_run_by_itself(scheme: str) -> None:
    """The lengths of one run do not change with the history of another."""
    seen = choices()
    rows = seen.held_out
    alone = Seen(seen.opponents, History(rows.observations[1:], rows.actions[1:], rows.numbers))
    both, single = (by(scheme, each.estimates(), 6, 3) for each in (seen, alone))
    for many, one in zip(both, single, strict=True):
        assert torch.equal(many[1:], one)


@pytest.mark.parametrize("bad", [-0.1, float("nan"), float("inf")])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_errors_that_are_none(scheme: str, bad: float) -> None:
    known = choices().estimates()
    known.opponent_error[0, 1, 0] = bad
    with pytest.raises(InputError, match=r"^errors\[0\]\[1\]\[0\]: "):
        by(scheme, known, 3)


def test_an_agent_s_own_entry_is_not_read() -> None:
    known = choices().estimates()
    expected = by("adaptive", known, 5)[1]
    known.opponent_error.diagonal(dim1=1, dim2=2).fill_(torch.nan)
    assert torch.equal(by("adaptive", known, 5)[1], expected)
