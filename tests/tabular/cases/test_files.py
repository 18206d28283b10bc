"""Case files: what is written is read back the same, and anything wrong ends in one plain line."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.shared.files import json_text, write_json
from bounds.shared.numbers import MAX_NUMBER_LENGTH, InputError
from tabular.cases import files
from tabular.cases.case import Case
from tabular.cases.files import case_json, load_case, parse_case
from tabular.cases.strategies import cases
from tabular.commands.main import main
from tabular.games import json_input
from tabular.games.arrays import SUM_TOLERANCE, is_exact_array
from tabular.games.json_input import OPTIONAL, REQUIRED
from tests.support.cases import example, random_batch, sparse_case

HALVES = ["1/2", "1/2"]


def changed(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    """The example with the value at ``path`` replaced."""
    return put(example(), path, value)


def put(case: dict[str, Any], path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    case = json.loads(json.dumps(case))  # a copy without shared rows
    place: Any = case
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return case


def same(one: Case, other: Case) -> bool:
    def equal(a: Any, b: Any) -> bool:
        if isinstance(a, tuple) and isinstance(b, tuple):
            return len(a) == len(b) and all(map(equal, a, b))
        if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
            return a.dtype == b.dtype and np.array_equal(a, b)
        return type(a) is type(b) and a == b

    return all(equal(getattr(one, f.name), getattr(other, f.name)) for f in fields(Case))


def refusal(tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes | str) -> str:
    """The one line that ``check`` prints about a file it refuses."""
    path = tmp_path / "case.json"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return refused(path, capsys)


def refused(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["check", str(path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith("python -m tabular: ")
    assert len(line) < 400
    assert " object at 0x" not in line  # an address is no value
    return line.removeprefix("python -m tabular: ")


# Round trips


@given(cases() | cases(exact=False))
def test_what_is_written_is_read_back(given: Case) -> None:
    written = json.loads(json_text(case_json(given)))
    assert set(REQUIRED) <= set(written) <= {*REQUIRED, *OPTIONAL}
    assert same(parse_case(written), given)


@given(cases(branched=True))
def test_free_text_and_lengths_survive(given: Case) -> None:
    noted = replace(given, note="a “note”\n", source="\\ and \u2028")
    assert same(parse_case(json.loads(json.dumps(case_json(noted)))), noted)


def test_the_example_is_read_as_it_stands(tmp_path: Path) -> None:
    case = load_case(write_json(tmp_path / "case.json", example()))
    assert case.is_exact
    assert (case.gamma, case.actions, case.ego) == (Fraction(9, 10), (2, 3), 0)
    assert list(case.initial) == [Fraction(1, 3), Fraction(2, 3)]
    assert list(case.transition[1, 5]) == [Fraction(1, 4), Fraction(3, 4)]
    assert list(case.model_transition[0, 0]) == [Fraction(1, 2)] * 2
    assert list(case.reward[0]) == [0, 1, 2, 3, 4, 5]
    assert case.policies[1][1, 2] == Fraction(1, 3)
    assert case.data_policies[0][0, 0] == 1
    assert case.opponent_models[0] is None
    assert case.opponent_models[1][0, 0] == 1
    assert (case.branch_length, case.opponent_lengths) == (2, (None, 1))
    assert (case.note, case.source) == ("an example", "nowhere")


def test_what_is_absent_has_its_meaning() -> None:
    case = parse_case({key: example()[key] for key in REQUIRED})
    assert case.data_policies[0] is case.policies[0]
    assert case.model_transition is case.transition
    assert case.branch_length is case.opponent_lengths is None
    assert case.note == case.source == ""


def test_a_single_agent_needs_no_opponent_models() -> None:
    single = {
        "format": "stochastic-game-case/1",
        "gamma": 0,
        "actions": [1],
        "ego": 0,
        "initial": [1],
        "transition": [[[1]]],
        "reward": [[7]],
        "policies": [[[1]]],
    }
    assert parse_case(single).opponent_models == (None,)


def test_whole_numbers_may_be_strings() -> None:
    texts = {
        "ego": "0",
        "actions": ["2", "3"],
        "branch_length": "4/2",
        "opponent_lengths": [None, "1"],
    }
    assert same(parse_case(example() | texts), parse_case(example()))


def test_rewards_of_all_agents() -> None:
    own, other = [[1] * 6, [2] * 6], [[3] * 6, [4] * 6]
    for ego, expected in ((0, own), (1, other)):
        models = [None, None]
        case = parse_case(
            example()
            | {"reward": [own, other], "ego": ego, "opponent_models": models}
            | {"opponent_lengths": [None if j == ego else 1 for j in range(2)]}
        )
        assert case.reward.tolist() == expected


@pytest.mark.parametrize(
    "path",
    [
        ("gamma",),
        ("initial", 0),
        ("transition", 1, 3, 0),
        ("reward", 1, 5),
        ("policies", 1, 0, 0),
        ("data_policies", 0, 0, 1),
        ("model_transition", 0, 5, 1),
        ("opponent_models", 1, 1, 2),
    ],
)
def test_one_float_makes_the_whole_case_float(path: tuple[str | int, ...]) -> None:
    place: Any = example()
    for step in path:
        place = place[step]
    case = parse_case(changed(path, float(Fraction(place))))
    assert not case.is_exact
    assert type(case.gamma) is float
    arrays = [case.initial, case.transition, case.model_transition, case.reward, *case.policies]
    arrays += [*case.data_policies, case.opponent_models[1]]
    assert not any(map(is_exact_array, arrays))


def test_a_float_in_another_agents_reward_counts_too() -> None:
    rewards = [[[1] * 6, [2] * 6], [[3] * 6, [0.5] * 6]]
    assert not parse_case(example() | {"reward": rewards}).is_exact


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(example()).encode())
    assert same(load_case(path), parse_case(example()))


@given(cases(exact=False, branched=True))
def test_only_single_dense_cases_are_written(given: Case) -> None:
    with pytest.raises(InputError, match="transition: only single dense cases"):
        case_json(sparse_case(given))
    with pytest.raises(InputError, match="transition: only single dense cases"):
        case_json(random_batch(0, 2, None))


# Files that are no case


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "empty"),
        (b" \n\t", "empty"),
        (b"{", "not JSON"),
        (b'{"gamma": 0.9', "not JSON"),
        (b"{'gamma': 1}", "line 1, column 2"),
        (b'{"gamma": 1}\n}', "line 2, column 1"),
        (b'{"gamma": .5}', "not JSON"),
        (b'{"gamma": 01}', "not JSON"),
        (b"[]", "a list of 0 entries"),
        (b"[[1], 2]", "a list of 2 entries"),
        (b"17", "17"),
        (b'"case"', "'case'"),
        (b"null", "null"),
        (b"true", "True"),
        (b"NaN", "NaN is not a finite number"),
        (b"{}", "format: missing"),
        (b"\xff\xfe{}", "not UTF-8 text (byte 0)"),
        (b'{"note": "\xe9"}', "not UTF-8 text (byte 10)"),
        (b'{"gamma": 0, "gamma": 0}', "'gamma': the key stands twice"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"initial": ' + b"[" * 100_000, "nested too deeply"),
    ],
    ids=lambda x: None if isinstance(x, str) else repr(x[:24]),
)
def test_not_a_case(
    data: bytes, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert expected in refusal(tmp_path, capsys, data)


def test_files_that_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"{tmp_path}: cannot be read" in refused(tmp_path, capsys)
    absent = tmp_path / "absent.json"
    assert f"{absent}: cannot be read (No such file" in refused(absent, capsys)
    odd = tmp_path / "two\nlines.json"
    assert "cannot be read" in refused(odd, capsys)


def test_a_file_over_the_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "case.json"
    with path.open("wb") as file:
        file.truncate(json_input.MAX_BYTES + 1)
    assert f"larger than {json_input.MAX_BYTES} bytes" in refused(path, capsys)


def test_the_limit_itself_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_json(tmp_path / "case.json", example())
    size = path.stat().st_size
    monkeypatch.setattr(json_input, "MAX_BYTES", size)
    assert same(load_case(path), parse_case(example()))
    monkeypatch.setattr(json_input, "MAX_BYTES", size - 1)
    with pytest.raises(InputError, match=f"larger than {size - 1} bytes"):
        load_case(path)


def test_a_repeated_key_is_found_among_many(tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    keys = [f'"key{i}": 0' for i in range(20_000)]
    path.write_text("{" + ", ".join([*keys, keys[-1]]) + "}")
    with pytest.raises(InputError, match="'key19999': the key stands twice"):
        load_case(path)


# Values that cannot be used: path, value, what the line must say


def deep(depth: int) -> Any:
    value: Any = 0
    for _ in range(depth):
        value = [value]
    return value


HUGE = "9" * 10_000
BAD: list[tuple[tuple[str | int, ...], Any, tuple[str, ...]]] = [
    # keys and free text
    (("format",), "stochastic-game-case/2", ("format: 'stochastic-game-case/2'",)),
    (("format",), 1, ("format: 1",)),
    (("format",), float("nan"), ("format: ", "NaN")),
    (("note",), 3, ("note: 3; give text",)),
    (("source",), None, ("source: null; give text",)),
    (("polices",), [], ("'polices': not a key", "did you mean policies?")),
    (("branch_lenght",), 1, ("did you mean branch_length?",)),
    (("zzz",), 1, ("'zzz': not a key", "known keys: format, gamma")),
    (("a\nb",), 1, (r"'a\nb': not a key",)),
    # γ
    (("gamma",), 1, ("gamma: 1 is not in [0, 1)",)),
    (("gamma",), 1.0, ("gamma: 1.0 is not in [0, 1)",)),
    (("gamma",), "1", ("gamma: 1 is not in [0, 1)",)),
    (("gamma",), "3/2", ("gamma: 3/2 is not in [0, 1)",)),
    (("gamma",), -0.5, ("gamma: -0.5 is not in [0, 1)",)),
    (("gamma",), "-1/10", ("gamma: -1/10 is not in [0, 1)",)),
    (("gamma",), float("nan"), ("gamma: NaN is not a finite number",)),
    (("gamma",), True, ("gamma: True; give a number",)),
    (("gamma",), None, ("gamma: null; give a number",)),
    (("gamma",), [0.9], ("gamma: a list of 1 entries; give a number",)),
    (("gamma",), {"p": 1}, ("gamma: an object of 1 entries; give a number",)),
    # agents
    (("actions",), [], ("actions: empty",)),
    (("actions",), 2, ("actions: 2; give a list",)),
    (("actions",), None, ("actions: null; give a list",)),
    (("actions", 1), 0, ("actions[1]: 0",)),
    (("actions", 1), -3, ("actions[1]: -3",)),
    (("actions", 1), 1.5, ("actions[1]: 1.5",)),
    (("actions", 1), True, ("actions[1]: True; give a number",)),
    (("actions", 0), "2/3", ("actions[0]: 2/3",)),
    (("actions", 0), 4, ("transition[0]: 6 entries, and this case needs 12",)),
    (("actions",), [2, 3, 1], ("policies: 2 entries for 3 agents",)),
    (("ego",), 2, ("ego: 2", "0..1")),
    (("ego",), -1, ("ego: -1", "0..1")),
    (("ego",), 0.0, ("ego: 0.0",)),
    (("ego",), False, ("ego: False; give a number",)),
    (("ego",), 1, ("opponent_models[1]", "null")),
    # shapes, at every depth
    (("initial",), [], ("initial: empty",)),
    (("initial",), "1", ("initial: '1'; give a list",)),
    (("initial",), {"0": 1}, ("initial: an object of 1 entries; give a list",)),
    (("initial",), [1, 0, 0], ("transition: 2 entries, and this case needs 3",)),
    (("initial", 1), [], ("initial[1]: a list of 0 entries; give a number",)),
    (("transition",), None, ("transition: null; give a list",)),
    (("transition",), [[["1", "0"]] * 6], ("transition: 1 entries, and this case needs 2",)),
    (("transition", 1), 5, ("transition[1]: 5; give a list",)),
    (("transition", 1), [HALVES] * 5, ("transition[1]: 5 entries, and this case needs 6",)),
    (("transition", 1, 2), [1], ("transition[1][2]: 1 entries, and this case needs 2",)),
    (("transition", 1, 2), "1", ("transition[1][2]: '1'; give a list",)),
    (("transition", 1, 2, 0), [1], ("transition[1][2][0]: a list of 1 entries",)),
    (("model_transition", 0), [], ("model_transition[0]: 0 entries",)),
    (("reward",), [], ("reward: 0 entries, and this case needs 2",)),
    (("reward",), [1, 2], ("reward[0]: 1; give a list",)),
    (("reward", 1), [1], ("reward[1]: 1 entries, and this case needs 6",)),
    (("reward", 1, 3), [1], ("reward[1][3]: a list of 1 entries; give a number",)),
    (("reward",), [[[1] * 6] * 2], ("reward: 1 entries, and this case needs 2",)),
    (("reward",), [[[1] * 6] * 2, [[1] * 6]], ("reward[1]: 1 entries, and this case needs 2",)),
    (("reward",), [[[1] * 6] * 2, [[1] * 6, [1]]], ("reward[1][1]: 1 entries",)),
    (("policies",), [[HALVES] * 2], ("policies: 1 entries for 2 agents",)),
    (("policies", 1), None, ("policies[1]: null; give a list",)),
    (("policies", 1), [HALVES], ("policies[1]: 1 entries, and this case needs 2",)),
    (("policies", 1, 0), HALVES, ("policies[1][0]: 2 entries, and this case needs 3",)),
    (("policies", 1, 0, 2), None, ("policies[1][0][2]: null; give a number",)),
    (("data_policies",), {}, ("data_policies: an object of 0 entries; give a list",)),
    (("opponent_models",), [None], ("opponent_models: 1 entries for 2 agents",)),
    (("opponent_models",), None, ("opponent_models: null; give a list",)),
    (("opponent_models", 0), [HALVES] * 2, ("opponent_models[0]: the ego agent", "null")),
    (("opponent_models", 1), [], ("opponent_models[1]: 0 entries, and this case needs 2",)),
    (("opponent_models", 1, 1), None, ("opponent_models[1][1]: null; give a list",)),
    # probabilities
    (("initial",), ["1/3", "1/3"], ("initial: probabilities sum to 2/3, not 1",)),
    (("transition", 1, 4), ["-1/4", "5/4"], ("transition[1][4][0]: probability -1/4 is negative",)),
    (("transition", 1, 4), [-0.25, 1.25], ("transition[1][4][0]: probability -0.25 is negative",)),
    (("policies", 0, 1), [0, 0], ("policies[0][1]: probabilities sum to 0, not 1",)),
    (("policies", 0, 1), ["2/3", "2/3"], ("policies[0][1]: probabilities sum to 4/3, not 1",)),
    (("data_policies", 1, 0), [1, 1, 1], ("data_policies[1][0]: probabilities sum to 3, not 1",)),
    (("opponent_models", 1, 0, 1), "1/9", ("opponent_models[1][0]: probabilities sum to 10/9",)),
    (("model_transition", 0, 0), ["1/2", "49/100"], ("model_transition[0][0]: ", "99/100, not 1")),
    # numbers
    (("reward", 0, 1), float("inf"), ("reward[0][1]: Infinity is not a finite number",)),
    (("reward", 0, 1), float("-inf"), ("reward[0][1]: -Infinity is not a finite number",)),
    (("reward", 0, 1), float("nan"), ("reward[0][1]: NaN is not a finite number",)),
    (("initial", 0), float("nan"), ("initial[0]: NaN is not a finite number",)),
    (("reward", 1, 2), "1/0", ("reward[1][2]: '1/0' divides by zero",)),
    (("reward", 1, 2), "0/0", ("reward[1][2]: '0/0' divides by zero",)),
    (("reward", 1, 2), "", ("reward[1][2]: '' is not a rational number",)),
    (("reward", 1, 2), "1.5.2", ("reward[1][2]: '1.5.2' is not a rational number",)),
    (("reward", 1, 2), " 1", ("reward[1][2]: ' 1' is not a rational number",)),
    (("reward", 1, 2), "1/-2", ("reward[1][2]: '1/-2' is not a rational number",)),
    (("reward", 1, 2), "1_0", ("reward[1][2]: '1_0' is not a rational number",)),
    (("reward", 1, 2), "٣", ("reward[1][2]: '٣' is not a rational number",)),
    (("reward", 1, 2), "one\nhalf", ("reward[1][2]: 'one\\nhalf' is not a rational number",)),
    (("reward", 1, 2), True, ("reward[1][2]: True; give a number",)),
    (("reward", 1, 2), None, ("reward[1][2]: null; give a number",)),
    (("reward", 1, 2), HUGE, ("reward[1][2]: a number of 10000 characters; at most 1000",)),
    (("reward", 1, 2), f"1/{HUGE}", ("reward[1][2]: a number of 10002 characters",)),
    (("reward", 1, 2), deep(300), ("reward[1][2]: a list of 1 entries",)),
    # branch lengths
    (("branch_length",), -1, ("branch_length: -1",)),
    (("branch_length",), 2.5, ("branch_length: 2.5",)),
    (("branch_length",), 2.0, ("branch_length: 2.0",)),
    (("branch_length",), "5/2", ("branch_length: 5/2",)),
    (("branch_length",), True, ("branch_length: True; give a number",)),
    (("branch_length",), None, ("branch_length: null; give a number",)),
    (("branch_length",), 1001, ("branch_length: 1001", "0..1000")),
    (("opponent_lengths",), [None], ("opponent_lengths: 1 entries for 2 agents",)),
    (("opponent_lengths",), 1, ("opponent_lengths: 1; give a list",)),
    (("opponent_lengths", 0), 1, ("opponent_lengths[0]: 1 for the ego agent; write null",)),
    (("opponent_lengths", 1), None, ("opponent_lengths[1]: null", "0..2")),
    (("opponent_lengths", 1), 3, ("opponent_lengths[1]: 3", "0..2")),
    (("opponent_lengths", 1), -1, ("opponent_lengths[1]: -1",)),
    (("opponent_lengths", 1), 0.5, ("opponent_lengths[1]: 0.5",)),
    (("opponent_lengths", 1), True, ("opponent_lengths[1]: True; give a number",)),
]


@pytest.mark.parametrize(("path", "value", "expected"), BAD, ids=lambda x: str(x)[:40])
def test_bad_values(
    path: tuple[str | int, ...],
    value: Any,
    expected: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = refusal(tmp_path, capsys, json.dumps(changed(path, value)))
    for words in expected:
        assert words in line


@pytest.mark.parametrize("key", REQUIRED)
def test_missing_keys(key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = example()
    del case[key]
    assert refusal(tmp_path, capsys, json.dumps(case)).startswith(f"{key}: missing")


def test_lengths_need_a_branch_length(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = example()
    del case["branch_length"]
    line = refusal(tmp_path, capsys, json.dumps(case))
    assert line.startswith("opponent_lengths: given without branch_length")


def test_the_message_of_the_format(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stay = [[0.25] * 4]
    case = {key: example()[key] for key in ("format", "gamma", "ego")} | {
        "actions": [2],
        "initial": stay[0],
        "transition": [stay * 2] * 3 + [[*stay, [0.25, 0.25, 0.25, 0.22]]],
        "reward": [[1, 2]] * 4,
        "policies": [[HALVES] * 4],
    }
    line = refusal(tmp_path, capsys, json.dumps(case))
    assert line == "transition[3][1]: probabilities sum to 0.97, not 1"


@pytest.mark.parametrize("text", ["1e999", "-1e999", HUGE, "0." + HUGE, "1e" + HUGE])
def test_numbers_that_are_too_large(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = json.dumps(changed(("reward", 0, 1), "HERE")).replace('"HERE"', text)
    line = refusal(tmp_path, capsys, data)
    assert line.startswith("reward[0][1]: ")


def test_sums_of_floats_may_be_off_by_the_tolerance_and_sums_of_fractions_may_not() -> None:
    for off, fine in ((SUM_TOLERANCE / 2, True), (-SUM_TOLERANCE / 2, True),
                      (SUM_TOLERANCE * 2, False), (-SUM_TOLERANCE * 2, False)):  # fmt: skip
        value = changed(("transition", 0, 3), [0.5, 0.5 + off])
        if fine:
            assert parse_case(value).transition[0, 3, 1] == 0.5 + off
        else:
            with pytest.raises(InputError, match=r"transition\[0\]\[3\]: probabilities sum to "):
                parse_case(value)
    nearly = changed(("transition", 0, 3), ["1/2", f"{10**30 + 1}/{2 * 10**30}"])
    with pytest.raises(InputError, match=r"transition\[0\]\[3\]: probabilities sum to "):
        parse_case(nearly)


@pytest.mark.parametrize("path", [("reward", 0, 2), ("reward", 1, 0, 2)])
def test_an_exact_number_that_no_float_holds(path: tuple[str | int, ...]) -> None:
    """It stands in a float case; the message says where, also where all rewards are given."""
    case = example() | {"gamma": 0.5}
    if len(path) == 4:
        case |= {"reward": [[[1] * 6] * 2, [[1] * 6] * 2], "ego": 1}
        case |= {"opponent_models": [None, None], "opponent_lengths": [1, None]}
    with pytest.raises(InputError) as error:
        parse_case(put(case, path, "1" + "0" * 400))
    where = path[0] + "".join(f"[{i}]" for i in path[1:])
    assert str(error.value).startswith(f"{where}: ")
    assert "too large for a float case" in str(error.value)


def test_limits_on_branch_lengths() -> None:
    longest = files.MAX_EXACT_BRANCH_LENGTH
    assert parse_case(example() | {"branch_length": longest}).branch_length == longest
    with pytest.raises(InputError, match="branch_length: "):
        parse_case(example() | {"branch_length": longest + 1})
    floats = example() | {"gamma": 0.5}
    far = files.MAX_BRANCH_LENGTH
    assert parse_case(floats | {"branch_length": far}).branch_length == far
    with pytest.raises(InputError, match="branch_length: "):
        parse_case(floats | {"branch_length": far + 1})


def test_numbers_up_to_the_limit_are_read() -> None:
    text = "1" + "0" * (MAX_NUMBER_LENGTH - 1)
    case = parse_case(changed(("reward", 0, 0), text))
    assert case.reward[0, 0] == 10 ** (MAX_NUMBER_LENGTH - 1)


@pytest.mark.parametrize("depth", [900, 930, 960, 990, 1020])
def test_nesting_near_the_recursion_limit(depth: int, tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    for levels in range(depth, depth + 30):
        path.write_text('{"format": ' + "[" * levels + "]" * levels + "}")
        with pytest.raises(InputError):
            load_case(path)


# Fuzzing

numbers = st.sampled_from(
    [0, 1, -1, 2, 10**400, 0.5, 1.5, -0.0, 5e-324, 1e308, 1e999, float("nan"), float("-inf")]
)
texts = st.sampled_from(
    ["1/2", "1", "-1/3", "1/0", "9" * 1001, "x", "", "\ud800", "stochastic-game-case/1", "0.5"]
)
leaves = st.none() | st.booleans() | numbers | texts | st.integers() | st.text(max_size=3)
keys = st.sampled_from((*REQUIRED, *OPTIONAL, "", "gama"))
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(keys | st.text(max_size=2), inner, max_size=6)
    ),
    max_leaves=30,
)


def assert_reads_or_refuses(data: bytes, path: Path) -> None:
    """Loading succeeds or raises InputError with one line, and nothing else ever."""
    path.write_bytes(data)
    try:
        case = load_case(path)
    except InputError as error:
        message = str(error)
    else:
        assert isinstance(case, Case)
        return
    assert len(message.splitlines()) == 1
    assert 0 < len(message) < 1000
    assert " object at 0x" not in message  # an address is no value


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "case.json"


@given(data=st.binary(max_size=60))
def test_any_bytes(scratch: Path, data: bytes) -> None:
    assert_reads_or_refuses(data, scratch)


@given(value=anything | st.dictionaries(keys, anything))
def test_any_json(scratch: Path, value: Any) -> None:
    assert_reads_or_refuses(json.dumps(value).encode(), scratch)


@given(value=st.fixed_dictionaries(dict.fromkeys(REQUIRED, anything)))
def test_any_json_under_the_right_keys(scratch: Path, value: dict[str, Any]) -> None:
    assert_reads_or_refuses(json.dumps(value | {"format": files.FORMAT}).encode(), scratch)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    return [path, *(found for key, x in items for found in places(x, (*path, key)))]


def _delete(parent: Any, key: Any, draw: Callable[..., Any]) -> None:
    del parent[key]


def _replace(parent: Any, key: Any, draw: Callable[..., Any]) -> None:
    parent[key] = draw(anything)


def _insert(parent: Any, key: Any, draw: Callable[..., Any]) -> None:
    if isinstance(parent, list):
        parent.insert(key, draw(st.just(parent[key]) | leaves))
    else:
        parent[draw(keys)] = draw(anything)


def _retype(parent: Any, key: Any, draw: Callable[..., Any]) -> None:
    value = parent[key]
    changes: list[Callable[[Any], Any]] = [
        str, bool, lambda x: [x], lambda x: {"0": x}, lambda _: None,
        lambda x: float(Fraction(x)) if isinstance(x, str) and x[:1].isdigit() else x,
        lambda x: x[::-1] if isinstance(x, list) else x,
    ]  # fmt: skip
    parent[key] = draw(st.sampled_from(changes))(value)


@st.composite
def mutants(draw: st.DrawFn) -> dict[str, Any]:
    """A valid case file with one random change at a random place."""
    value = json.loads(json.dumps(case_json(draw(cases(n_states=2) | cases(exact=False)))))
    path = draw(st.sampled_from(places(value)[1:]))
    parent: Any = value
    for step in path[:-1]:
        parent = parent[step]
    draw(st.sampled_from([_delete, _replace, _insert, _retype]))(parent, path[-1], draw)
    return value


@given(value=mutants())
def test_a_valid_case_with_one_change(scratch: Path, value: dict[str, Any]) -> None:
    assert_reads_or_refuses(json.dumps(value).encode(), scratch)


@given(value=mutants())
def test_whatever_is_read_is_checked(scratch: Path, value: dict[str, Any]) -> None:
    """``check`` answers with finite numbers, or refuses in one line."""
    scratch.write_text(json.dumps(value))
    with pytest.MonkeyPatch.context() as patch:
        lines: list[str] = []
        errors: list[str] = []
        patch.setattr("sys.stdout", _Collector(lines))
        patch.setattr("sys.stderr", _Collector(errors))
        code = main(["check", str(scratch), "--json"])
    if code == 2:
        assert lines == []
        assert len("".join(errors).splitlines()) == 1
    else:
        assert code == 0
        assert errors == []
        json.loads("".join(lines), parse_constant=pytest.fail)


class _Collector:
    """A stream that keeps what is written."""

    def __init__(self, into: list[str]) -> None:
        self.into = into

    def write(self, text: str) -> int:
        self.into.append(text)
        return len(text)

    def flush(self) -> None:
        pass


def test_a_decimal_in_quotes_is_read_exactly() -> None:
    """As on the command line: "0.95" is 19/20, and the case stays exact."""
    value = example()
    value["gamma"] = "0.95"
    case = parse_case(value)
    assert case.is_exact
    assert case.gamma == Fraction(19, 20)
