"""The oracle for cases: the definitions of returns and errors in loops over agents and time.

What takes long is kept for a while: the same cases come again and again with planted mistakes.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import chain, combinations, product
from typing import Any

from bounds.shared.numbers import Array
from tabular.cases.case import Case


def plays(policies: Sequence[Array], s: int) -> Iterator[tuple[int, Any]]:
    """(joint action, probability) in state ``s``, multiplied up agent by agent, agent 0 slowest."""
    for own in product(*(range(len(policy[s])) for policy in policies)):
        a, probability = 0, Fraction(1)
        for policy, x in zip(policies, own, strict=True):
            a = a * len(policy[s]) + x
            probability = probability * policy[s][x]
        if probability:
            yield a, probability


def moved(distribution: Sequence[Any], policies: Sequence[Array], transition: Array) -> list[Any]:
    """The distribution of the next state."""
    after = [0 * x for x in distribution]
    for s, mass in enumerate(distribution):
        for a, probability in plays(policies, s) if mass else ():
            for u, chance in enumerate(transition[s][a]):
                after[u] += mass * probability * chance
    return after


def earned(distribution: Sequence[Any], policies: Sequence[Array], reward: Array) -> Any:
    """The expected reward of one step."""
    return sum(
        mass * probability * reward[s][a]
        for s, mass in enumerate(distribution)
        for a, probability in plays(policies, s)
    )


def learned(given: Case) -> list[Array]:
    """The policies of the learned world: models where there are models."""
    return [
        policy if j == given.ego or model is None else model
        for j, (policy, model) in enumerate(zip(given.policies, given.opponent_models, strict=True))
    ]


def players(given: Case, step: int) -> list[Array]:
    """Who takes action number ``step`` after the branch, by the definition of the case format."""
    k, chosen = given.branch_length, []
    for j in range(given.n):
        model = given.opponent_models[j]
        own = k if given.opponent_lengths is None or j == given.ego else given.opponent_lengths[j]
        modelled = j != given.ego and model is not None and (own == k or step <= own)
        chosen.append(model if modelled else given.policies[j])
    return chosen


@lru_cache(maxsize=64)
def sums_of_returns(given: Case, horizon: int) -> tuple[Any, Any]:
    """Σ_{t<horizon} γᵗ E r_t of the real world and of the learned one."""
    return (
        _series(given, given.policies, given.transition, horizon),
        _series(given, learned(given), given.model_transition, horizon),
    )


def _series(given: Case, policies: Sequence[Array], transition: Array, horizon: int) -> Any:
    total, d = Fraction(0), list(given.initial)
    for t in range(horizon):
        total += given.gamma**t * earned(d, policies, given.reward)
        d = moved(d, policies, transition)
    return total


@lru_cache(maxsize=64)
def sum_of_branched_return(given: Case, horizon: int) -> Any:
    """Σ_{t<horizon} γᵗ E r_t of branched rollouts, every t from its own branch point."""
    k, total, branch_point = given.branch_length, Fraction(0), list(given.initial)
    assert k is not None
    for t in range(horizon):
        if t > k:
            branch_point = moved(branch_point, given.data_policies, given.transition)
        d = branch_point
        for step in range(1, min(t, k) + 1):
            d = moved(d, players(given, step), given.model_transition)
        total += given.gamma**t * earned(d, players(given, min(t, k) + 1), given.reward)
    return total


def tail(given: Case, horizon: int) -> Any:
    """What the times from ``horizon`` on can add: γᴴ max|R| / (1 − γ)."""
    return given.gamma**horizon * abs(given.reward).max() / (1 - given.gamma)


def largest_event(p: Sequence[Any], q: Sequence[Any]) -> Any:
    """D_TV as the largest difference that any event's probability can have."""
    outcomes = range(len(p))
    events = chain.from_iterable(combinations(outcomes, r) for r in range(len(p) + 1))
    return max(sum(p[i] - q[i] for i in event) for event in events)


def half_sum(p: Sequence[Any], q: Sequence[Any]) -> Any:
    """D_TV by its formula, for rows too long to list their events."""
    return sum(abs(x - y) for x, y in zip(p, q, strict=True)) / 2


def joint_row(policies: Sequence[Array], s: int, size: int) -> list[Any]:
    """The joint policy in state ``s``, over all ``size`` joint actions."""
    row = [Fraction(0)] * size
    for a, probability in plays(policies, s):
        row[a] = probability
    return row


@lru_cache(maxsize=64)
def largest_distances(given: Case) -> tuple[list[Any], list[Any], Any, Any]:
    """ε_πʲ and ε_π̂ʲ of every agent (0 for the ego agent), of the joint policies, and ε_m^sup."""
    states, joint = range(given.n_states), range(given.joint_actions)

    def over_states(one: Array, other: Array) -> Any:
        return max(largest_event(one[s], other[s]) for s in states)

    both = (given.policies, given.data_policies)
    return (
        [over_states(*pair) for pair in zip(*both, strict=True)],
        [over_states(*pair) for pair in zip(given.policies, learned(given), strict=True)],
        max(largest_event(*(joint_row(p, s, len(joint)) for p in both)) for s in states),
        max(
            largest_event(given.transition[s, a], given.model_transition[s, a])
            for s, a in product(states, joint)
        ),
    )


@lru_cache(maxsize=64)
def expected_over_time(given: Case, data: bool, count: int) -> list[Any]:
    """E D_TV(T‖T̂) at t = 0..count−1 when π (or π_D, with ``data``) plays in T."""
    policies = given.data_policies if data else given.policies
    found, d = [], list(given.initial)
    for _ in range(count):
        found.append(
            sum(
                mass * p * half_sum(given.transition[s, a], given.model_transition[s, a])
                for s, mass in enumerate(d)
                for a, p in plays(policies, s)
            )
        )
        d = moved(d, policies, given.transition)
    return found
