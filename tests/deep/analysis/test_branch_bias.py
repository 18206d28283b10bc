"""The measured bias of branches against exact games: each part, its intervals, planted mistakes."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from bounds.shared.numbers import InputError
from deep.analysis import branch_bias as module
from deep.analysis.branch_bias import MeasuredBias, in_words, measured_bias
from deep.seeding import streams
from tests.support.bias_games import TIMES, K, Setting, setting, truth


@pytest.fixture(scope="module")
def made() -> Setting:
    return setting()


@pytest.fixture(scope="module")
def found(made: Setting) -> MeasuredBias:
    return measured_bias(made.model, made.segments, 2, streams(range(TIMES), "draws"))


def within(estimates: Tensor, value: float) -> bool:
    """Whether the mean of the runs' estimates is within four of its deviations of ``value``."""
    error = float(estimates.std()) / len(estimates) ** 0.5
    return abs(float(estimates.mean()) - value) <= 4 * error + 1e-12


def agrees(made: Setting, found: MeasuredBias) -> bool:
    """Whether every part of the ego's bias is that of the exact game."""
    dynamics, opponents = truth(made.case)
    parts = [within(found.dynamics[:, 0, i], dynamics[i]) for i in range(K)]
    parts += [
        within(found.opponents[:, 0, i, j], opponents[i, j]) for i in range(K) for j in (1, 2)
    ]
    # rewards are the game's own
    parts += [bool((found.reward[:, 0].abs() < 1e-6).all())]
    return all([*parts, within(found.bias[:, 0], dynamics.sum() + opponents.sum())])


def test_every_part_is_that_of_the_game(made: Setting, found: MeasuredBias) -> None:
    assert agrees(made, found)
    total = found.reward.sum(-1) + found.dynamics.sum(-1) + found.opponents.sum((-2, -1))
    torch.testing.assert_close(found.bias, total)
    # the first opponent is modelled in action 1 alone
    assert not found.opponents[:, 0, 1:, 1].any()
    assert not found.opponents.diagonal(dim1=1, dim2=3).any()


def test_intervals_cover(made: Setting, found: MeasuredBias) -> None:
    """95 % of them, but for chance: 200 estimates cover in 91 to 98 % with probability 0.98."""
    dynamics, opponents = truth(made.case)
    value = float(dynamics.sum() + opponents.sum())
    inside = (found.bias[:, 0] - value).abs() <= found.radius[:, 0]
    assert 0.91 <= float(inside.double().mean()) <= 0.985


def test_the_absolute_form_lies_between(made: Setting, found: MeasuredBias) -> None:
    assert bool((found.absolute >= found.bias.abs() - 1e-12).all())
    assert bool((found.absolute <= found.trivial * K).all())
    largest = made.segments.rewards.abs().amax((1, 2))
    gamma = float(made.case.gamma)
    torch.testing.assert_close(found.trivial, 2 * largest.double() * (1 + gamma + gamma**2))


def test_a_run_is_the_same_beside_others() -> None:
    both, alone = (setting(times=times, rows=8) for times in (2, 1))
    one = measured_bias(both.model, both.segments, 1, streams(range(2), "d"))
    other = measured_bias(alone.model, alone.segments, 1, streams(range(1), "d"))
    assert torch.equal(one.bias[:1], other.bias)
    assert torch.equal(one.opponents[:1], other.opponents)


MISTAKES: dict[str, Callable[[Any], Any]] = {
    "gamma dropped": lambda model: replace(model, gamma=1.0),
    "an opponent forgotten": lambda model: replace(
        model, lengths=model.lengths * torch.tensor([1, 0, 1])
    ),
    "lengths exchanged": lambda model: replace(model, lengths=model.lengths[:, :, [0, 2, 1]]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_planted_mistakes_are_found(name: str, made: Setting) -> None:
    model = MISTAKES[name](made.model)
    found = measured_bias(model, made.segments, 1, streams(range(TIMES), "draws"))
    assert not agrees(made, found)


def test_values_that_start_too_late_are_found(
    made: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = module.value_draw
    monkeypatch.setattr(
        module, "value_draw", lambda m, s, d, k, x: right(m, s, min(d + 1, k), k, x)
    )
    found = measured_bias(made.model, made.segments, 1, streams(range(TIMES), "draws"))
    assert not agrees(made, found)


def test_words() -> None:
    zero = torch.zeros(1, 1, 2, dtype=torch.float64)
    one = MeasuredBias(
        bias=torch.tensor([[-1.0]]),
        radius=torch.tensor([[0.2]]),
        absolute=torch.tensor([[2.0]]),
        reward=zero - 0.4,
        reward_radius=zero,
        dynamics=zero - 0.1,
        dynamics_radius=zero,
        opponents=torch.zeros(1, 1, 2, 1),
        opponents_radius=torch.zeros(1, 1, 2, 1),
        trivial=torch.tensor([[9.0]]),
        segments=9,
    )
    said = in_words(one, 0, 0, str)
    assert said == "bias -1 ± 0.2: 80% of what adds up to it is the reward model"
    unsure = replace(one, radius=torch.tensor([[3.0]]))
    assert "cannot be told from 0" in in_words(unsure, 0, 0, str)


def test_one_segment_has_no_interval() -> None:
    few = setting(times=1, rows=1)
    with pytest.raises(InputError, match="segments: 1; give 2 or more"):
        measured_bias(few.model, few.segments, 1, streams([0], "d"))
