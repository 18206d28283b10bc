"""The parts of a branched discrepancy: they add up exactly, and what is right has none."""

import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.shared.files import write_json
from tabular.cases import branch_bias as module
from tabular.cases.branch_bias import BranchBias, branch_bias
from tabular.cases.case import Case, as_float
from tabular.cases.files import case_json
from tabular.cases.perturb import perturbed_case
from tabular.cases.returns import branched_return, real_return
from tabular.cases.strategies import cases
from tabular.commands.main import main
from tabular.extremal.latch_and_lanes import latch
from tabular.games.random import garnet
from tests.support.cases import largest_reward, rounding


def adds_up(case: Case, bias: Callable[[Case], BranchBias] = branch_bias) -> bool:
    gap = real_return(case) - branched_return(case)
    if case.is_exact:
        return bool(bias(case).total == gap)
    # rounding of sums of some dozens of numbers of size 10
    return bool(abs(bias(case).total - gap) <= 1e-10)


@given(cases(branched=True))
def test_the_parts_are_the_whole(case: Case) -> None:
    """In rational numbers, for all lengths nⱼ that are drawn."""
    assert adds_up(case)


@given(cases(branched=True))
def test_floats_agree(case: Case) -> None:
    floats = as_float(case)
    found, exact = branch_bias(floats), branch_bias(case)
    slack = rounding(case) * max(largest_reward(case), 1)
    assert abs(found.total - float(exact.total)) <= slack
    assert np.allclose(found.dynamics, exact.dynamics.astype(float), atol=slack)


@given(cases(branched=True), st.data())
def test_what_is_right_has_no_part(case: Case, data: st.DataObject) -> None:
    right = data.draw(st.sampled_from(["dynamics", "policies", *map(str, case.opponents)]))
    if right == "dynamics":
        found = branch_bias(replace(case, model_transition=case.transition))
        assert not found.dynamics.any()
    elif right == "policies":
        assert branch_bias(replace(case, data_policies=case.policies)).shift == 0
    else:
        agent = int(right)
        models = tuple(
            case.policies[j] if j == agent else model
            for j, model in enumerate(case.opponent_models)
        )
        found = branch_bias(replace(case, opponent_models=models))
        assert not found.opponents[:, agent].any()


@given(cases(branched=True))
def test_a_real_opponent_has_no_part_from_there_on(case: Case) -> None:
    """Beyond nⱼ < k steps the real one acts; and the ego never has a part."""
    found = branch_bias(case)
    assert not found.opponents[:, case.ego].any()
    for agent, length in enumerate(case.lengths()):
        if agent != case.ego and length < case.branch_length:  # type: ignore[operator]
            assert not found.opponents[length:, agent].any()
    assert found.dynamics[-1] == 0


def test_a_latch_by_hand() -> None:
    """One opponent that is 1/10 wrong, k = 1: it costs the reward of either action, once parted."""
    tenth, gamma = Fraction(1, 10), Fraction(1, 2)
    case = latch(gamma, [Fraction(0)] * 2, [tenth], Fraction(0), branch_length=1)
    found = branch_bias(case)
    # rewards 1 and −1: action 1 parts 1/10 for good, action 2 another 9/100, in each branch
    span = 2
    assert found.shift == 0
    assert not found.dynamics.any()
    # at t = 0 the loss is 1/10; from t = 1 on 1/10 + 9/10 · 1/10, summed over Σ_{t≥1} γᵗ = 1
    assert found.total == span * (tenth + (tenth + Fraction(9, 100)))
    assert found.opponents[1, 1] == span * tenth  # action 2 of real states, where all is well
    assert found.total == found.opponents.sum()


def test_batches_and_cases_without_branches_are_refused() -> None:
    case = latch(Fraction(1, 2), [Fraction(0)] * 2, [Fraction(0)], Fraction(0))
    with pytest.raises(ValueError, match="no branch_length"):
        branch_bias(case)


def sample(seed: int) -> Case:
    """Three agents, the first opponent's model used for one step and the second's for all three."""
    rng = np.random.default_rng(seed)
    lengths = (None, 1, 3)
    game = garnet((2, 2, 2), 3, 2, rng)
    return perturbed_case(game, rng, branch_length=3, opponent_lengths=lengths)


MISTAKES = {
    "an opponent forgotten": ("_played", lambda case, step: (None,) * case.n),
    "the model for the world": (
        "_ahead",
        lambda transition, values, case: module_ahead(case.model_transition, values, case),
    ),
    "one step later": ("_played", lambda case, step: module_played(case, step + 1)),
}
module_ahead, module_played = module._ahead, module._played


@pytest.mark.parametrize("name", MISTAKES)
def test_planted_mistakes_are_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cases_ = [sample(seed) for seed in range(4)]
    assert all(map(adds_up, cases_))
    monkeypatch.setattr(module, *MISTAKES[name])
    assert not all(map(adds_up, cases_))


# The command


def written(tmp_path: Path, case: Case) -> str:
    return str(write_json(tmp_path / "case.json", case_json(case)))


def test_the_command_shows_parts_that_add_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = latch(
        Fraction(9, 10), [Fraction(1, 20)] * 3, [Fraction(1, 10), Fraction(1, 5)], Fraction(1, 50),
        branch_length=2,
    )  # fmt: skip
    path = written(tmp_path, case)
    assert main(["check", path, "--parts", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    parts = found["parts"]
    assert parts["total"] == found["discrepancy"]["branched"]
    numbers = [parts["policy_shift"], *parts["dynamics"], *itertools.chain(*parts["opponents"])]
    assert str(sum(map(Fraction, numbers))) == parts["total"]
    assert len(parts["dynamics"]) == 3
    assert main(["check", path, "--parts"]) == 0
    out = capsys.readouterr().out
    head = next(line for line in out.splitlines() if line.startswith("branched discrepancy"))
    assert head.split()[2:] == ["dynamics", "opponent", "1", "opponent", "2"]
    assert "action 3" in out
    assert out.rstrip().endswith("(real less branched return)")
    assert main(["check", path, "--json"]) == 0
    assert "parts" not in json.loads(capsys.readouterr().out)


def test_parts_of_no_branches_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, latch(Fraction(1, 2), [Fraction(0)] * 2, [Fraction(0)], Fraction(0)))
    assert main(["check", path, "--parts"]) == 2
    assert capsys.readouterr().err == (
        "python -m tabular: --parts: the case has no branch_length, so nothing is branched\n"
    )
