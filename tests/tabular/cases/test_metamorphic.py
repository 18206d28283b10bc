"""What a change of the case does to the whole answer, and that it does nothing else.

Every test compares complete answers of ``check`` as the case format writes them, exactly.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.library.published import find
from bounds.shared.numbers import Array
from tabular.cases.case import Case
from tabular.cases.check import as_json, check
from tabular.cases.strategies import cases, errors
from tabular.games.arrays import exact_array

#: Times looked at: expected errors must agree as far as they are known, so few are enough.
LOOKED = 6

Answer = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def long_numbers() -> Iterator[None]:
    """Exact values may have more digits than Python turns into text by default."""
    limit = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    yield
    sys.set_int_max_str_digits(limit)


def answer(given: Case) -> Answer:
    return as_json(check(given, max_horizon=LOOKED))


def on_arrays(given: Case, **changes: Callable[[Any], Any]) -> Case:
    """``given`` with functions applied to its fields, None staying None."""
    return replace(
        given, **{name: change(getattr(given, name)) for name, change in changes.items()}
    )


def each(change: Callable[[Array], Array]) -> Callable[[Sequence[Array | None]], Any]:
    return lambda arrays: tuple(None if a is None else change(a) for a in arrays)


def every_policy(change: Callable[[Array], Array]) -> dict[str, Callable[[Any], Any]]:
    return dict.fromkeys(("policies", "data_policies", "opponent_models"), each(change))


def with_opponents(given: Case, order: Sequence[int]) -> Case:
    """Agent ``order[j]`` becomes agent j; joint actions follow."""
    own = list(product(*map(range, given.actions)))
    index = {x: a for a, x in enumerate(own)}
    sizes = tuple(given.actions[j] for j in order)
    place = []  # the old joint action of every new one
    for new in product(*map(range, sizes)):
        old = [0] * given.n
        for j, x in zip(order, new, strict=True):
            old[j] = x
        place.append(index[tuple(old)])
    lengths = given.opponent_lengths
    return replace(
        given,
        actions=sizes,
        ego=order.index(given.ego),
        transition=given.transition[:, place],
        model_transition=given.model_transition[:, place],
        reward=given.reward[:, place],
        policies=tuple(given.policies[j] for j in order),
        data_policies=tuple(given.data_policies[j] for j in order),
        opponent_models=tuple(given.opponent_models[j] for j in order),
        opponent_lengths=None if lengths is None else tuple(lengths[j] for j in order),
    )


def widened(given: Case, size: int, policies: Sequence[Array | None], length: int | None) -> Case:
    """One agent more, the last, with ``size`` actions that change nothing: (π, π_D, π̂)."""
    lengths = given.opponent_lengths
    return replace(
        given,
        actions=(*given.actions, size),
        transition=given.transition.repeat(size, axis=1),
        model_transition=given.model_transition.repeat(size, axis=1),
        reward=given.reward.repeat(size, axis=1),
        policies=(*given.policies, policies[0]),
        data_policies=(*given.data_policies, policies[1]),
        opponent_models=(*given.opponent_models, policies[2]),
        opponent_lengths=None if lengths is None else (*lengths, length),
    )


def without(found: Answer, *keys: str) -> Answer:
    return {key: value for key, value in found.items() if key not in keys}


def times(text: str | None, factor: Fraction) -> str | None:
    return None if text is None else str(Fraction(text) * factor)


# Names do not matter


@given(cases(), st.data())
def test_states_may_be_renamed(given: Case, data: st.DataObject) -> None:
    order = list(data.draw(st.permutations(range(given.n_states))))
    renamed = on_arrays(
        given,
        **every_policy(lambda p: p[order]),
        initial=lambda x: x[order],
        reward=lambda x: x[order],
        transition=lambda x: x[order][:, :, order],
        model_transition=lambda x: x[order][:, :, order],
    )
    assert answer(renamed) == answer(given)


@given(cases(), st.data())
def test_agents_may_be_renamed(given: Case, data: st.DataObject) -> None:
    order = list(data.draw(st.permutations(range(given.n))))
    before, after = answer(given), answer(with_opponents(given, order))
    for key in ("policy_shift", "opponent_model"):
        assert after["errors"].pop(key) == [before["errors"][key][j] for j in order]
        before["errors"].pop(key)
    assert after == before


@given(cases(), st.data())
def test_own_actions_may_be_renamed(given: Case, data: st.DataObject) -> None:
    j = data.draw(st.integers(0, given.n - 1))
    order = list(data.draw(st.permutations(range(given.actions[j]))))

    def own(policies: Sequence[Array | None]) -> Any:
        return tuple(p if p is None or i != j else p[:, order] for i, p in enumerate(policies))

    def joint(array: Array) -> Array:
        split = array.reshape(array.shape[0], *given.actions, *array.shape[2:])
        return np.take(split, order, axis=j + 1).reshape(array.shape)

    names = ("policies", "data_policies", "opponent_models")
    arrays = ("reward", "transition", "model_transition")
    renamed = on_arrays(given, **dict.fromkeys(names, own), **dict.fromkeys(arrays, joint))
    assert answer(renamed) == answer(given)


@given(cases(), st.booleans())
def test_an_agent_that_does_nothing_changes_nothing(given: Case, modelled: bool) -> None:
    alone = exact_array(np.ones((given.n_states, 1), int))
    more = widened(given, 1, (alone, alone, alone if modelled else None), given.branch_length)
    before, after = answer(given), answer(more)
    assert after["errors"]["policy_shift"].pop() == "0"
    assert after["errors"]["opponent_model"].pop() == "0"
    assert after == before


@given(cases(), errors(), errors())
def test_an_irrelevant_agent_costs_its_errors_in_the_bounds_alone(
    given: Case, shift: Fraction, miss: Fraction
) -> None:
    """Two actions that change nothing: returns stay, bounds can only grow."""

    def playing(first: Fraction) -> Array:
        return exact_array([[first, 1 - first]] * given.n_states)

    policies = (playing(Fraction(1)), playing(1 - shift), playing(1 - miss))
    more = widened(given, 2, policies, given.branch_length)
    before, after = answer(given), answer(more)
    assert after["errors"]["policy_shift"].pop() == str(shift)
    assert after["errors"]["opponent_model"].pop() == str(miss)
    joint = Fraction(after["errors"].pop("joint_policy_shift"))
    assert joint >= max(Fraction(before["errors"].pop("joint_policy_shift")), shift)
    changed = ("bounds", "not_applicable")
    assert without(after, *changed) == without(before, *changed)
    old = {(b["name"], b["about"]): b for b in before["bounds"]}
    for bound in after["bounds"]:
        former = old[bound["name"], bound["about"]]
        assert bound["discrepancy"] == former["discrepancy"]
        assert Fraction(bound["value"]) >= Fraction(former["value"])


# Rewards


@given(cases(), st.sampled_from([Fraction(1, 3), Fraction(2), Fraction(7, 5)]))
def test_scaled_rewards_scale_what_is_measured_in_rewards(given: Case, factor: Fraction) -> None:
    before, after = answer(given), answer(on_arrays(given, reward=lambda r: factor * r))
    for key in ("reward", "returns", "discrepancy"):
        before[key] = {name: times(x, factor) for name, x in before[key].items()}
    for bound in before["bounds"]:
        bound |= {key: times(bound[key], factor) for key in ("value", "discrepancy")}
    assert after == before


@given(cases(), st.sampled_from([Fraction(-3), Fraction(1, 2), Fraction(20)]))
def test_shifted_rewards_shift_returns_and_leave_discrepancies(
    given: Case, shift: Fraction
) -> None:
    before, after = answer(given), answer(on_arrays(given, reward=lambda r: r + shift))
    total = shift / (1 - given.gamma)
    for name, value in before["returns"].items():
        expected = None if value is None else str(Fraction(value) + total)
        assert after["returns"][name] == expected
    assert after["reward"]["span"] == before["reward"]["span"]
    assert after["reward"]["r_max"] == str(max(abs(r + shift) for r in given.reward.ravel()))
    scale = Fraction(after["reward"]["r_max"]), Fraction(before["reward"]["r_max"])
    for new, old in zip(after["bounds"], before["bounds"], strict=True):
        assert new["discrepancy"] == old["discrepancy"]
        stated_in = set(find(old["name"], old["about"]).symbols)
        if "r_max" not in stated_in:
            assert new == old
        elif "span" not in stated_in:
            assert Fraction(new["value"]) * scale[1] == Fraction(old["value"]) * scale[0]
    changed = ("returns", "reward", "bounds")
    assert without(after, *changed) == without(before, *changed)


@given(cases())
def test_negated_rewards_flip_signs_and_nothing_else(given: Case) -> None:
    before, after = answer(given), answer(on_arrays(given, reward=lambda r: -r))
    for key in ("returns", "discrepancy"):
        before[key] = {name: times(x, Fraction(-1)) for name, x in before[key].items()}
    assert after == before


@given(cases(branched=True), st.sampled_from([Fraction(5), Fraction(-5)]))
def test_an_equal_reward_everywhere_leaves_no_discrepancy(given: Case, pay: Fraction) -> None:
    found = answer(on_arrays(given, reward=lambda r: 0 * r + pay))
    assert set(found["discrepancy"].values()) == {"0"}
    assert set(found["returns"].values()) == {str(pay / (1 - given.gamma))}
    assert all(bound["holds"] for bound in found["bounds"])


# States


@given(cases(), st.data(), st.sampled_from([Fraction(1, 2), Fraction(1, 5), Fraction(0)]))
def test_a_state_may_be_split_in_two(given: Case, data: st.DataObject, share: Fraction) -> None:
    """A copy of a state takes a share of everything that leads there."""
    s = data.draw(st.integers(0, given.n_states - 1))

    def into(array: Array) -> Array:
        copied = array[..., s : s + 1] * share
        return np.concatenate([*np.split(array, [s], axis=-1)[:1], array[..., s : s + 1] - copied,
                               array[..., s + 1 :], copied], axis=-1)  # fmt: skip

    def copy(array: Array) -> Array:
        return np.concatenate([array, array[s : s + 1]])

    double = on_arrays(
        given,
        **every_policy(copy),
        initial=into,
        reward=copy,
        transition=lambda x: into(copy(x)),
        model_transition=lambda x: into(copy(x)),
    )
    assert double.n_states == given.n_states + 1
    assert answer(double) == answer(given)


@given(cases())
def test_a_state_that_is_never_visited_counts_in_the_maxima_alone(given: Case) -> None:
    """Everything may go wrong there: sup errors are 1, expected ones and returns stay."""

    def wider(array: Array) -> Array:
        extra = exact_array(np.zeros((*array.shape[:-1], 1), int))
        return np.concatenate([array, extra], axis=-1)

    def row(place: int) -> Callable[[Array], Array]:
        def extended(array: Array) -> Array:
            point = exact_array(np.zeros((1, *array.shape[1:]), int))
            point[..., place] = Fraction(1)
            return np.concatenate([array, point])

        return extended

    far = on_arrays(
        given,
        **every_policy(row(0)),
        initial=wider,
        reward=lambda r: np.concatenate([r, r[:1]]),
        transition=lambda x: row(-1)(wider(x)),
        model_transition=lambda x: row(0)(wider(x)),
    )
    before, after = answer(given), answer(far)
    assert after["errors"]["model_sup"] == "1"
    for key in ("model_expected_data", "model_expected_current", "policy_shift", "opponent_model"):
        assert after["errors"][key] == before["errors"][key]
    for key in ("returns", "reward", "discrepancy"):
        assert after[key] == before[key]


# What depends on what


@given(cases())
def test_equal_data_policies_are_the_current_ones(given: Case) -> None:
    """An equal copy of π in place of π itself: no shift, and ε_m = ε′_m."""
    same = replace(given, data_policies=given.policies)
    copied = on_arrays(same, **every_policy(np.copy))
    assert copied.data_policies[0] is not copied.policies[0]
    found = answer(same)
    assert answer(copied) == found
    assert set(found["errors"]["policy_shift"]) == {"0"}
    assert found["errors"]["joint_policy_shift"] == "0"
    assert found["errors"]["model_expected_data"] == found["errors"]["model_expected_current"]


@given(cases())
def test_an_opponent_that_is_not_modelled_is_modelled_perfectly(given: Case) -> None:
    models = tuple(
        None if j == given.ego else policy if model is None else model
        for j, (policy, model) in enumerate(zip(given.policies, given.opponent_models, strict=True))
    )
    assert answer(replace(given, opponent_models=models)) == answer(given)


@given(cases(branched=True))
def test_data_policies_enter_the_branch_the_shift_and_eps_m_alone(given: Case) -> None:
    uniform = tuple(exact_array(np.full(p.shape, Fraction(1, p.shape[1]))) for p in given.policies)
    before, after = answer(given), answer(replace(given, data_policies=uniform))
    for found in (before, after):
        for key in ("policy_shift", "joint_policy_shift", "model_expected_data"):
            del found["errors"][key]
        del found["errors"]["horizon"]["model_expected_data"]
        del found["bounds"], found["returns"]["branched"], found["discrepancy"]["branched"]
    assert after == before


@given(cases(branched=False))
def test_reality_and_model_may_be_exchanged(given: Case) -> None:
    """(T, π) ↔ (T̂, π̂): the returns change places, and distances are symmetric."""
    modelled = tuple(
        p if m is None else m for p, m in zip(given.policies, given.opponent_models, strict=True)
    )
    exchanged = replace(
        given,
        transition=given.model_transition,
        model_transition=given.transition,
        policies=modelled,
        opponent_models=tuple(None if j == given.ego else p for j, p in enumerate(given.policies)),
    )
    before, after = answer(given), answer(exchanged)
    assert after["returns"]["real"] == before["returns"]["model"]
    assert after["returns"]["model"] == before["returns"]["real"]
    assert Fraction(after["discrepancy"]["model"]) == -Fraction(before["discrepancy"]["model"])
    for key in ("opponent_model", "model_sup"):
        assert after["errors"][key] == before["errors"][key]


@given(cases(branched=True))
def test_free_text_does_not_matter(given: Case) -> None:
    assert answer(replace(given, note="a note", source="a book")) == answer(given)
