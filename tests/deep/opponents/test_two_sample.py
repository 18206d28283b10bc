"""What tells opponents from their models: nothing where they are perfect, never more than D_TV."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from bounds.planning.opponent_lengths import paper_rule
from deep.aorpo.schemes import levelled, opponent_error
from deep.envs.spaces import Box, Choices, Shape
from deep.nn.action_distributions import Head, head
from deep.opponents import two_sample as module
from deep.opponents.errors import Estimate, mismatch
from deep.opponents.fitting import History
from deep.opponents.models import Opponents
from deep.opponents.two_sample import two_sample
from deep.seeding import Streams, streams

#: Independent repetitions, each as a run.
DRAWS = 300
SEEN = 4


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def team(
    space: Choices | Box, agents: int, real: Tensor, models: Tensor, rows: int, seed: int = 0
) -> tuple[Opponents, History]:
    """Everyone plays by the outputs ``real`` and is believed to by ``models``.

    Both [agent, number, 1 + seen]: weights of a constant and of the observation.
    """
    shape = Shape((SEEN,) * agents, (space,) * agents)
    law: Head = head(shape.spaces, "cpu", 1.0)
    seen = normal(DRAWS, rows, agents, SEEN, seed=seed)

    def outputs(weights: Tensor, observations: Tensor) -> Tensor:
        constant = torch.ones_like(observations[..., :1])
        return (torch.cat((constant, observations), -1) @ weights.mT).contiguous()

    played, _ = law.sample(
        torch.stack([outputs(real[j], seen[:, :, j]) for j in range(agents)], 1),
        streams(range(DRAWS), f"played {seed}"),
    )
    pairs = [(i, j) for i in range(agents) for j in range(agents) if i != j]

    def believed(observations: Tensor, _: Streams | None) -> Tensor:
        return torch.stack([outputs(models[j], observations[:, i, :, j]) for i, j in pairs], 1)

    both = head([space] * len(pairs), "cpu", 1.0)
    opponents = Opponents(shape, both, believed)  # type: ignore[arg-type]
    return opponents, History(seen, played.transpose(1, 2), torch.arange(rows))


def weights(options: int, size: float, seed: int, agents: int = 2) -> Tensor:
    return size * normal(agents, options, 1 + SEEN, seed=seed)


def distance(history: History, real: Tensor, models: Tensor) -> Tensor:
    """The mean of D_TV over the rows of agent 1 for choices, [run]."""
    constant = torch.ones_like(history.observations[:, :, 1, :1])
    x = torch.cat((constant, history.observations[:, :, 1]), -1)
    laws = [(x @ each[1].mT).softmax(-1) for each in (real, models)]
    return (laws[0] - laws[1]).abs().sum(-1).mean(-1) / 2


@pytest.mark.parametrize("rows", [32, 64, 256])
@pytest.mark.parametrize("size", [0.0, 1.0, 20.0])
def test_a_perfect_model_of_any_entropy_has_no_error(size: float, rows: int) -> None:
    right = weights(5, size, seed=1)
    found = two_sample(*team(Choices((5,)), 2, right, right, rows))
    # the interval of 95 % holds 0; Hoeffding is wide, so mostly by far
    assert float((found.low[:, 0, 1] > 0).double().mean()) <= 0.05
    # and the value is noise about 0: at most a deviation of a mean of rows / 2 numbers of range 1
    assert float(found.value[:, 0, 1].mean()) <= 0.5 / rows**0.5


@pytest.mark.parametrize(
    ("real", "models", "least"),
    [
        (weights(5, 20.0, 1), 0 * weights(5, 1.0, 1), 0.5),  # a sure one taken for random
        (weights(5, 1.0, 1), 0 * weights(5, 1.0, 1), 0.5),
        (weights(5, 1.0, 1), weights(5, 1.0, 1) + 0.5 * weights(5, 1.0, 2), 0.5),
        (weights(5, 1.0, 1), weights(5, 1.0, 1)[:, [1, 0, 2, 3, 4]], 0.5),
        (weights(5, 1.0, 1), 0.5 * weights(5, 1.0, 1), 0.5),  # too unsure
        (weights(5, 1.0, 1), 2 * weights(5, 1.0, 1), 0.5),  # too sure
    ],
)
def test_it_keeps_half_of_the_distance_and_never_passes_it(
    real: Tensor, models: Tensor, least: float
) -> None:
    opponents, history = team(Choices((5,)), 2, real, models, 256)
    found, truth = two_sample(opponents, history), distance(history, real, models)
    value = found.value[:, 0, 1]
    assert float(value.mean()) >= least * float(truth.mean())
    # the mean of 300 values is within three of its deviations
    assert float(value.mean()) <= float(truth.mean()) + 3 * float(value.std()) / DRAWS**0.5
    assert float((found.low[:, 0, 1] <= truth).double().mean()) >= 0.95
    assert bool((found.high >= found.value).all())


def test_numbers() -> None:
    right = weights(2, 0.5, seed=3)  # mean and log deviation
    fine = two_sample(*team(Box(1, -1.0, 1.0), 2, right, right, 256))
    assert float((fine.low[:, 0, 1] > 0).double().mean()) <= 0.05
    moved = right.clone()
    moved[:, 0, 0] += 1.0
    wrong = two_sample(*team(Box(1, -1.0, 1.0), 2, right, moved, 256))
    assert float(wrong.low[:, 0, 1].mean()) > 0.05
    # a shift of an inner deviation or more
    assert float(wrong.value[:, 0, 1].mean()) > 0.15


def test_of_several_choices_the_wrong_one_is_found() -> None:
    """Agents with a choice of three and one of two, of which the second is modelled wrongly."""
    right = weights(5, 1.0, seed=4)
    wrong = right.clone()
    wrong[:, 3:] = -wrong[:, 3:]
    space = Choices((3, 2))
    fine = two_sample(*team(space, 2, right, right, 256))
    assert float((fine.low[:, 0, 1] > 0).double().mean()) <= 0.05
    found = two_sample(*team(space, 2, right, wrong, 256))
    assert float((found.low[:, 0, 1] > 0).double().mean()) >= 0.9


def test_nothing_is_said_of_oneself() -> None:
    right = weights(3, 1.0, seed=1, agents=3)
    found = two_sample(*team(Choices((3,)), 3, right, 0 * right, 64))
    for each in (found.value, found.low, found.high):
        assert not each.diagonal(dim1=1, dim2=2).any()


# Lengths


def test_noise_alone_asks_nobody() -> None:
    """Three equally good models of random opponents: nⱼ = k in 95 % of draws and more."""
    right = weights(5, 1.0, seed=1, agents=4)
    opponents, history = team(Choices((5,)), 4, right, right, 64)
    errors = opponent_error(opponents, history)[:, 0, 1:]
    asked = [min(paper_rule(15, tuple(row))) < 15 for row in errors.tolist()]
    assert sum(asked) <= 0.05 * DRAWS
    old = opponent_error(opponents, history, "mismatch")[:, 0, 1:]
    assert torch.equal(old, mismatch(opponents, history).value[:, 0, 1:])
    asked = [min(paper_rule(15, tuple(row))) < 15 for row in old.tolist()]
    assert sum(asked) >= 0.9 * DRAWS


def test_a_perfect_model_of_a_random_opponent_beside_a_wrong_one_of_a_sure_one() -> None:
    """The random one was asked from step 6 on, for its entropy; now the other one is."""
    sure = torch.zeros(3, 5, 1 + SEEN, dtype=torch.float64)
    sure[2, 0, 0] = 40.0
    # 0.3 wrong about the option that is always taken
    models = torch.zeros_like(sure)
    models[2, :, 0] = torch.tensor([0.7, 0.3, 0, 0, 0]).clamp(min=1e-9).log()
    opponents, history = team(Choices((5,)), 3, sure, models, 256)
    new = opponent_error(opponents, history)[:, 0, 1:]
    old = opponent_error(opponents, history, "mismatch")[:, 0, 1:]
    assert torch.allclose(old.mean(0), torch.tensor([0.8, 0.3]).double(), atol=0.01)
    assert paper_rule(15, tuple(old[0].tolist())) == (5, 15)
    lengths = [paper_rule(15, tuple(row)) for row in new.tolist()]
    assert sum(n[0] == 15 and n[1] < 5 for n in lengths) >= 0.9 * DRAWS


def test_levels() -> None:
    value = torch.tensor([[[0.0, 0.2, 0.3, 0.9]]], dtype=torch.float64).expand(1, 4, 4).clone()
    found = levelled(Estimate(value, value - 0.06, value + 0.06, 0.95, 9))
    assert found[0, 0].tolist() == [0.0, 0.2, 0.2, 0.9]
    # ego 1: the others are 0.0, 0.3 and 0.9, which are all apart
    assert found[0, 1].tolist() == value[0, 1].tolist()


# Planted mistakes


def laws_hold(estimate: Callable[[Opponents, History], Estimate]) -> bool:
    """Whether a perfect model has no error, a wrong one half of its own, and no more than that."""
    right = weights(5, 1.0, seed=1)
    zero = 0 * right
    fine = estimate(*team(Choices((5,)), 2, right, right, 128)).low[:, 0, 1]
    opponents, history = team(Choices((5,)), 2, right, zero, 128)
    value = estimate(opponents, history).value[:, 0, 1].mean()
    truth = distance(history, right, zero).mean()
    return bool((fine > 0).double().mean() <= 0.05 and truth / 2 <= value <= truth + 0.01)


def test_laws_fail_for_spoilt_estimates(monkeypatch: pytest.MonkeyPatch) -> None:
    assert laws_hold(two_sample)
    told = module._told
    every = slice(None)
    spoilt: list[Callable[..., Tensor]] = [
        lambda choices, x, fit, judge: told(choices, x, every, every),  # judged by what it fitted
        lambda choices, x, fit, judge: -told(choices, x, fit, judge),
        lambda choices, x, fit, judge: 2 * told(choices, x, fit, judge),
        lambda choices, x, fit, judge: told([(p, 0 * e) for p, e in choices], x, fit, judge),
        lambda choices, x, fit, judge: told(choices, 0 * x, fit, judge),
    ]
    for wrong in spoilt:
        monkeypatch.setattr(module, "_told", wrong)
        assert not laws_hold(two_sample)


def test_low_is_never_above_the_value() -> None:
    right = weights(3, 1.0, seed=5)
    found = two_sample(*team(Choices((3,)), 2, right, 0 * right, 64))
    assert bool((found.low <= found.value).all())
    wide = two_sample(*team(Choices((3,)), 2, right, 0 * right, 64), level=0.999)
    assert bool((wide.low <= found.low).all())
    assert replace(found, level=0.9).level == 0.9
