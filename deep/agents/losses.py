"""Losses of the learners, as pure functions of what the networks put out.

Axes are [run, agent, row] unless more are named; every loss is [run, agent], the mean over rows,
and the gradient of the sum over runs and agents is what each of them would have alone. Q is a
minimum over twin critics (Fujimoto et al. 2018) where a target or a policy reads it, and each twin
by itself where it is fitted.
"""

from __future__ import annotations

from torch import Tensor


def soft_target(
    rewards: Tensor,
    terminated: Tensor,
    next_q: Tensor,
    next_entropy: Tensor,
    alpha: Tensor,
    gamma: float,
) -> Tensor:
    """y = r + γ(1 − d)(min_twin Q⁻(s′, a′) + α H′), a constant for what is fitted to it.

    rewards[run, agent, row]; terminated[run, agent or 1, row], d: 1 where the game ended, not where
    time did; next_q[run, agent, twin, row] of the target critics at a′ ~ π(·|s′); next_entropy:
    H(π(·|s′)), or −log π(a′|s′), whose mean it is; alpha[run, agent]. The entropy is discounted, as
    in Haarnoja et al. 2018; the paper's Eq. (5) prints it outside of γ.
    """
    value = next_q.amin(2) + alpha.unsqueeze(-1) * next_entropy
    return (rewards + gamma * (1 - terminated) * value).detach()


def deterministic_target(
    rewards: Tensor, terminated: Tensor, next_q: Tensor, gamma: float
) -> Tensor:
    """y = r + γ(1 − d) min_twin Q⁻(s′, a′), arguments as in ``soft_target`` (Lowe et al. 2017)."""
    return (rewards + gamma * (1 - terminated) * next_q.amin(2)).detach()


def critic_loss(q: Tensor, target: Tensor) -> Tensor:
    """Σ_twin E ½(Q − y)², Eq. (5); ``q[run, agent, twin, row]``."""
    return 0.5 * (q - target.unsqueeze(2)).square().mean(-1).sum(-1)


def expected_policy_loss(
    probabilities: Tensor, logs: Tensor, q: Tensor, alpha: Tensor | None = None
) -> Tensor:
    """E Σ_c Σ_{k of c} π_c(k|s)(α log π_c(k|s) − Q(s, k)): Eq. (4), expected over the own action.

    probabilities, logs, q: [run, agent, row, option], π and log π of the options of all the agent's
    choices c; Q(s, k) is the critic's where the agent takes option k, its other choices are drawn
    from π, and the others do what they do. With one choice this is the expectation; with more, its
    gradient is that of the expectation over all of them. alpha[run, agent]; None is 0.
    """
    q = q.detach()
    each = -q if alpha is None else alpha[:, :, None, None] * logs - q
    return (probabilities * each).sum(-1).mean(-1)


def signalling(probabilities: Tensor, logs: Tensor, words: Tensor) -> Tensor:
    """½ log π(w|s) − log E_s π(w|s) of words w, 0 of other options; a constant, to be added to Q.

    A step up Σ_w π(w|s) of it is one up H(E π) − ½ E H(π): all words are used, and each by choice
    (positive signalling, Eccles et al. 2019). With a weight of 1 in the place of ½ a word that is
    never said would not be worth more than another. probabilities, logs [run, agent, row, option];
    words[agent, option]. Not in the paper.
    """
    usual = probabilities.detach().mean(2, keepdim=True).clamp_min(1e-12).log()
    return (0.5 * logs.detach() - usual) * words.unsqueeze(1).to(logs.dtype)


def sampled_policy_loss(q: Tensor, entropy: Tensor, alpha: Tensor) -> Tensor:
    """−E[Q(s, a) + α H], Eq. (4): H is H(π(·|s)) or −log π(a|s); gradients through a relaxed a."""
    return -(q + alpha.unsqueeze(-1) * entropy).mean(-1)


def deterministic_policy_loss(q: Tensor, outputs: Tensor, penalty: float) -> Tensor:
    """−E Q(s, a) + penalty · E mean z², z[run, agent, row, number] what the policy's network says.

    Lowe et al. 2017; the penalty, from their code, keeps logits within reach of exploration.
    """
    return -q.mean(-1) + penalty * outputs.square().mean((-2, -1))


def temperature_loss(log_alpha: Tensor, entropy: Tensor, target: Tensor) -> Tensor:
    """log α · (E H − H̄), all [run, agent]: α grows while the entropy is below its target.

    Haarnoja et al. (2018b) have α in place of log α, which has the same sign and hardly moves
    once α is small.
    """
    return log_alpha * (entropy - target).detach()


def polyak(target: Tensor, source: Tensor, rate: float) -> None:
    """θ⁻ ← θ⁻ + τ(θ − θ⁻), in place."""
    target.lerp_(source.detach(), rate)
