"""Positive signalling: its gradient, which options are words, and that a speaker finds words."""

import pytest
import torch
from torch import Tensor

from bounds.shared.numbers import InputError
from deep.agents import losses
from deep.agents.masac import Masac, masac
from deep.data.batch import Batch
from deep.envs.spaces import Box, Choices, Shape
from deep.envs.tasks import world
from deep.nn.action_distributions import Categorical
from deep.seeding import streams


def test_its_gradient_is_that_of_entropies() -> None:
    """Of H(E π) − ½ E H(π), for words alone."""
    logits = torch.randn(2, 1, 50, 3, generator=torch.Generator().manual_seed(0)).double()
    logits.requires_grad_()
    chances = logits.softmax(-1)
    words = torch.ones(1, 3, dtype=torch.bool)
    paid = (chances * losses.signalling(chances, chances.log(), words)).sum(-1).mean(-1)
    (found,) = torch.autograd.grad(paid.sum(), logits)
    chances = logits.softmax(-1)
    usual = chances.mean(2)
    entropy = -(usual * usual.log()).sum(-1) + 0.5 * (chances * chances.log()).sum(-1).mean(-1)
    (wanted,) = torch.autograd.grad(entropy.sum(), logits)
    torch.testing.assert_close(found, wanted)


def test_other_options_get_nothing() -> None:
    chances = torch.full((1, 2, 4, 5), 0.2)
    words = torch.tensor([[False] * 5, [False, False, True, True, True]])
    found = losses.signalling(chances, chances.log(), words)
    assert not found[:, 0].any()
    assert not found[..., :2].any()
    assert bool((found[:, 1, :, 2:] > 0).all())


def test_words_are_what_is_said() -> None:
    env = world("scheduling", {})
    assert [space.spoken for space in env.spaces if isinstance(space, Choices)] == [6, 0, 0]
    (speaker, listener) = world("speaker-listener", {}).spaces
    assert (speaker, listener) == (Choices((3,), words=1), Choices((5,)))
    policy = Categorical((Choices((5, 3, 3), words=2), Choices((5,))))
    assert policy.words.tolist() == [[False] * 5 + [True] * 6, [False] * 11]
    five, three = torch.tensor([5.0, 3.0]).log().tolist()
    assert policy.target_entropy(1.0) == pytest.approx((five + 2 * three, five))
    assert policy.silent_entropy(1.0) == pytest.approx((five, five))


def goals(rows: int, seed: int) -> Batch:
    """Three states that the speaker sees, for which no word is worth more than another."""
    drawn = torch.randint(3, (1, rows), generator=torch.Generator().manual_seed(seed))
    seen = torch.nn.functional.one_hot(drawn, 3).float().unsqueeze(2).expand(-1, -1, 2, -1)
    said = torch.zeros(1, rows, 2, 3)
    said[..., 0] = 1
    return Batch(seen, said, torch.zeros(1, rows, 2), seen, torch.zeros(1, rows))


def told(signal: float) -> float:
    """What a word says of the state, in nats, after some updates: H(E π) − E H(π)."""
    shape = Shape((3, 3), (Choices((3,), words=1), Choices((3,))))
    settings = Masac(signal=signal, learning_rate=0.01, batch=96, target_entropy=0.2)
    made = masac(shape, settings, streams([0], "initialise"))
    for step in range(150):
        made.update(goals(96, step), streams([0], f"update {step}"))
    seen: Tensor = torch.eye(3).expand(1, 2, 3, 3).contiguous()
    outputs = made.policies.outputs(seen, streams([0], "act"))
    chances = made.policies.head.probabilities(outputs)[0][0, 0].detach()  # type: ignore[union-attr]

    def entropy(p: Tensor) -> Tensor:
        return -(p * p.clamp_min(1e-12).log()).sum(-1)

    return float(entropy(chances.mean(0)) - entropy(chances).mean())


def test_words_that_nobody_answers_tell_states_apart_if_they_are_paid() -> None:
    """All of log 3 = 1.1 nats, and nothing if they are not."""
    assert told(1.0) > 1.0
    assert told(0.0) < 0.1


@pytest.mark.parametrize(
    ("space", "more"), [(Box(2), {}), (Choices((3,), words=1), {"expect_up_to": 2})]
)
def test_it_is_for_choices(space: Choices | Box, more: dict[str, int]) -> None:
    shape = Shape((3, 3), (space, space))
    with pytest.raises(InputError, match=r"^signal: 1\.0 is for agents that choose"):
        masac(shape, Masac(signal=1.0, **more), streams([0], "initialise"))


def test_it_is_no_part_of_the_paper() -> None:
    assert Masac().signal == 0
    with pytest.raises(InputError, match="signal: -1"):
        Masac(signal=-1.0)
