"""Losses against the same formulas in plain loops; what is planted in them is found."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from deep.agents import losses

RUNS, AGENTS, TWINS, ROWS = 2, 3, 2, 5
GAMMA = 0.9


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


REWARDS, ENTROPY = numbers(RUNS, AGENTS, ROWS), numbers(RUNS, AGENTS, ROWS, seed=1)
TERMINATED = (numbers(RUNS, 1, ROWS, seed=2) > 0).double()
Q, ALPHA = numbers(RUNS, AGENTS, TWINS, ROWS, seed=3), numbers(RUNS, AGENTS, seed=4).exp()

Target = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, float], Tensor]


def check_soft_target(target: Target, terminated: Tensor = TERMINATED) -> None:
    q = Q.clone().requires_grad_()
    said = target(REWARDS, terminated, q, ENTROPY, ALPHA, GAMMA)
    assert not said.requires_grad
    for run in range(RUNS):
        for agent in range(AGENTS):
            for row in range(ROWS):
                least = min(float(Q[run, agent, twin, row]) for twin in range(TWINS))
                bonus = float(ALPHA[run, agent] * ENTROPY[run, agent, row])
                goes_on = 1 - float(terminated[run, agent % terminated.shape[1], row])
                true = float(REWARDS[run, agent, row]) + GAMMA * goes_on * (least + bonus)
                assert float(said[run, agent, row]) == pytest.approx(true, rel=1e-14)


def test_soft_target() -> None:
    assert 0 < float(TERMINATED.mean()) < 1
    check_soft_target(losses.soft_target)
    # agents with rows of their own
    check_soft_target(losses.soft_target, (numbers(RUNS, AGENTS, ROWS, seed=6) > 0).double())


def _entropy_outside_of_gamma(r: Tensor, d: Tensor, q: Tensor, h: Tensor, a: Tensor, g: float):
    return losses.soft_target(r, d, q, 0 * h, a, g) + a.unsqueeze(-1) * h


def _largest_twin(r: Tensor, d: Tensor, q: Tensor, h: Tensor, a: Tensor, g: float):
    return losses.soft_target(r, d, q.amax(2, keepdim=True), h, a, g)


def _never_ends(r: Tensor, d: Tensor, q: Tensor, h: Tensor, a: Tensor, g: float):
    return losses.soft_target(r, 0 * d, q, h, a, g)


def _not_stopped(r: Tensor, d: Tensor, q: Tensor, h: Tensor, a: Tensor, g: float):
    return losses.soft_target(r, d, q, h, a, g) + 0 * q.sum(2)


def _entropy_subtracted(r: Tensor, d: Tensor, q: Tensor, h: Tensor, a: Tensor, g: float):
    return losses.soft_target(r, d, q, -h, a, g)


@pytest.mark.parametrize(
    "mutant",
    [_entropy_outside_of_gamma, _largest_twin, _never_ends, _not_stopped, _entropy_subtracted],
)
def test_mutants_of_the_soft_target_are_found(mutant: Target) -> None:
    with pytest.raises(AssertionError):
        check_soft_target(mutant)


def test_deterministic_target_is_the_soft_one_without_entropy() -> None:
    q = Q.clone().requires_grad_()
    said = losses.deterministic_target(REWARDS, TERMINATED, q, GAMMA)
    assert not said.requires_grad
    assert torch.equal(said, losses.soft_target(REWARDS, TERMINATED, Q, 0 * ENTROPY, ALPHA, GAMMA))


def test_critic_loss_fits_each_twin() -> None:
    target = numbers(RUNS, AGENTS, ROWS, seed=5)
    q = Q.clone().requires_grad_()
    loss = losses.critic_loss(q, target)
    by_twin = [0.5 * ((Q[:, :, t] - target) ** 2).mean(-1) for t in range(TWINS)]
    torch.testing.assert_close(loss, by_twin[0] + by_twin[1], rtol=1e-14, atol=0)
    (gradient,) = torch.autograd.grad(loss.sum(), q)
    torch.testing.assert_close(gradient, (Q - target.unsqueeze(2)) / ROWS, rtol=1e-14, atol=0)


def test_expected_policy_loss_is_least_at_the_softmax() -> None:
    q, alpha = numbers(RUNS, AGENTS, ROWS, 4), ALPHA[:, :, None, None]

    def loss(logits: Tensor) -> Tensor:
        logs = logits.log_softmax(-1)
        return losses.expected_policy_loss(logs.exp(), logs, q, ALPHA)

    logits = (q / alpha).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(logits).sum(), logits)
    torch.testing.assert_close(gradient, torch.zeros_like(q), rtol=0, atol=1e-14)
    # there it is −α log Σ exp(Q/α)
    least = -ALPHA * (q / alpha).logsumexp(-1).mean(-1)
    torch.testing.assert_close(loss(logits), least, rtol=1e-13, atol=0)
    for seed in range(5):
        assert bool((loss(numbers(*q.shape, seed=seed)) > least).all())


def test_policy_losses_take_gradients_where_they_should() -> None:
    chances = numbers(RUNS, AGENTS, ROWS, 4).softmax(-1).requires_grad_()
    q = numbers(RUNS, AGENTS, ROWS, 4, seed=1).requires_grad_()
    loss = losses.expected_policy_loss(chances, chances.log(), q)
    gradients = torch.autograd.grad(loss.sum(), (chances, q), allow_unused=True)
    torch.testing.assert_close(gradients[0], -q.detach() / ROWS)
    assert gradients[1] is None
    said, entropy = q[..., 0], ENTROPY.clone().requires_grad_()
    sampled = losses.sampled_policy_loss(said, entropy, ALPHA)
    torch.testing.assert_close(sampled, -(said + ALPHA.unsqueeze(-1) * ENTROPY).mean(-1))
    by_q, by_entropy = torch.autograd.grad(sampled.sum(), (said, entropy))
    torch.testing.assert_close(by_q, torch.full_like(by_q, -1 / ROWS))
    torch.testing.assert_close(by_entropy, -ALPHA.unsqueeze(-1).expand_as(ENTROPY) / ROWS)


def test_deterministic_policy_loss() -> None:
    q, outputs = numbers(RUNS, AGENTS, ROWS), numbers(RUNS, AGENTS, ROWS, 4)
    loss = losses.deterministic_policy_loss(q, outputs, 0.1)
    true = -q.mean(-1) + 0.1 * (outputs**2).sum((-2, -1)) / (4 * ROWS)
    torch.testing.assert_close(loss, true, rtol=1e-14, atol=0)


def check_temperature(loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> None:
    """A step down the loss raises α where the entropy is too low, and lowers it otherwise."""
    log_alpha = numbers(RUNS, AGENTS).requires_grad_()
    entropy = torch.tensor([0.1, 0.9, 0.5], dtype=torch.float64).expand(RUNS, -1)
    target = torch.full((RUNS, AGENTS), 0.5, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(loss(log_alpha, entropy, target).sum(), log_alpha)
    assert torch.equal(-gradient.sign(), torch.tensor([1.0, -1.0, 0.0]).double().expand(RUNS, -1))


def test_temperature_loss() -> None:
    check_temperature(losses.temperature_loss)


def test_the_wrong_sign_of_the_temperature_loss_is_found() -> None:
    with pytest.raises(AssertionError):
        check_temperature(lambda *given: -losses.temperature_loss(*given))


@pytest.mark.parametrize("seed", range(3))
def test_gradients_are_finite_differences(seed: int) -> None:
    given = [numbers(RUNS, AGENTS, ROWS, 4, seed=seed + i).requires_grad_() for i in range(2)]
    alpha, q = ALPHA.clone().requires_grad_(), numbers(RUNS, AGENTS, ROWS, 4)

    def expected(logits: Tensor, alpha: Tensor) -> Tensor:
        logs = logits.log_softmax(-1)
        return losses.expected_policy_loss(logs.exp(), logs, q, alpha)

    assert torch.autograd.gradcheck(expected, (given[0], alpha))
    assert torch.autograd.gradcheck(
        lambda x, y, a: losses.sampled_policy_loss(x[..., 0], y[..., 0], a), (*given, alpha)
    )
    assert torch.autograd.gradcheck(
        lambda x, y: losses.deterministic_policy_loss(x[..., 0], y, 0.1), given
    )
    assert torch.autograd.gradcheck(
        lambda x: losses.critic_loss(x, REWARDS), Q.clone().requires_grad_()
    )
