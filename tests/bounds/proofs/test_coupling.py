"""The proof of the coupling bounds, and its construction carried out on exact games."""

from collections.abc import Sequence
from functools import reduce
from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from bounds.proofs import coupling
from bounds.proofs.coupling import coupling_holds
from bounds.shared.numbers import Array
from tabular.cases.case import Case
from tabular.cases.errors import measure, profile
from tabular.cases.strategies import cases
from tabular.games.policy import Policies, joint_policy, replaced
from tests.support.coupling_recursion import branched_masses, model_masses

#: Times that are looked at.
STEPS = 6


def test_every_step_is_established() -> None:
    proof = coupling_holds()
    assert proof.holds
    assert len(proof.steps) == 7


def test_a_false_step_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """With |y| in the place of (y)⁺ the overlaps come out wrong."""
    monkeypatch.setattr(coupling, "_positive", abs)
    proof = coupling_holds()
    assert not proof.holds
    assert sum("NOT established" in step for step in proof.steps) == 2


# The common part, as the lemmas build it


def overlap(*policies: Policies) -> Array:
    """Π_j min over the given policies of agent j, [s, a]."""
    least = [reduce(np.minimum, own) for own in zip(*policies, strict=True)]
    return joint_policy(least)


def stepped(mass: Array, actions: Array, transition: Array) -> Array:
    """The mass of the next states, Σ mass[s] actions[s, a] transition[s, a, s_next]."""
    return np.einsum("s,sa,san->n", mass, actions, transition)


def common(mass: Array, actions: Array, case: Case) -> Array:
    """m_{t+1} of lemma 2."""
    return stepped(mass, actions, np.minimum(case.transition, case.model_transition))


def held(
    case: Case, mass: Array, actions: Array, laws: Sequence[tuple[Array, Array]], promised: Any
) -> None:
    """The common part of the two ``laws`` (of states, of actions) is as the lemmas say."""
    part = mass[:, None] * actions
    both = [law[:, None] * joint for law, joint in laws]
    assert all((part <= whole).all() for whole in both)
    assert part.sum() >= promised
    gap = abs(sum(((one - other) * case.reward).sum() for one, other in [both]))
    assert gap <= (1 - part.sum()) * (case.reward.max() - case.reward.min())


@given(cases(branched=False))
@pytest.mark.parametrize("name", ["coupling-sup", "coupling-expected", "coupling-data"])
def test_the_common_part_without_branches(name: str, case: Case) -> None:
    errors = measure(case)
    models = replaced(case.policies, case.opponent_models)
    pair = overlap(case.policies, models)
    three = overlap(case.policies, case.data_policies, models)
    kept = three if name == "coupling-data" else pair
    mass = real = data = model = case.initial
    for promised in islice(model_masses(name, profile(case, errors, proved=True)), STEPS):
        held(case, mass, pair, [(real, case.joint), (model, case.joint_model)], promised)
        if name == "coupling-data":
            assert (mass[:, None] * three <= data[:, None] * case.joint_data).all()
        mass = common(mass, kept, case)
        real = stepped(real, case.joint, case.transition)
        data = stepped(data, case.joint_data, case.transition)
        model = stepped(model, case.joint_model, case.model_transition)


@given(cases(branched=True))
@pytest.mark.parametrize("name", ["coupling-sup", "coupling-expected"])
def test_the_common_part_with_branches(name: str, case: Case) -> None:
    """Opponent-wise lengths included: the branched law of time t, from its own branch point."""
    errors = measure(case)
    k = case.branch_length
    assert k is not None
    shifted = overlap(case.policies, case.data_policies)
    masses = islice(branched_masses(name, profile(case, errors, proved=True)), STEPS)
    for t, promised in enumerate(masses):
        mass = real = branched = case.initial
        for _ in range(max(t - k, 0)):
            mass = stepped(mass, shifted, case.transition)
            real = stepped(real, case.joint, case.transition)
            branched = stepped(branched, case.joint_data, case.transition)
        for step in range(1, min(t, k) + 1):
            mass = common(mass, acting(case, step), case)
            real = stepped(real, case.joint, case.transition)
            branched = stepped(branched, case.joint_after_branch(step), case.model_transition)
        last = min(t, k) + 1
        laws = [(real, case.joint), (branched, case.joint_after_branch(last))]
        held(case, mass, acting(case, last), laws, promised)


def acting(case: Case, step: int) -> Array:
    """The overlap of actions in model step ``step``."""
    models = tuple(
        model if step <= length or length == case.branch_length else None
        for model, length in zip(case.opponent_models, case.lengths(), strict=True)
    )
    return overlap(case.policies, replaced(case.policies, models))
