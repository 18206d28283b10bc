"""Learning rates, and Nash Q-learning on Climb with them."""

import json
from collections.abc import Callable
from fractions import Fraction
from math import gamma as gamma_function
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.shared.numbers import Array, InputError
from tabular.audit.figures_nash import climb_rates, climb_soft
from tabular.equilibria.exploitability import stage_payoffs
from tabular.games import climb
from tabular.games.catalogue import find
from tabular.games.literature import repeated
from tabular.nash_q import climb as climb_learning
from tabular.nash_q.climb import exact_table, landmarks
from tabular.nash_q.learning import nash_q
from tabular.nash_q.learning_rates import Rate, polynomial, published, rescaled

ROOT = Path(__file__).parents[3]
DISCOUNTS = st.sampled_from([0.0, 0.5, 0.9, 0.95, 0.99])
RATES: dict[str, Callable[[float], Rate]] = {
    "published": lambda gamma: published,
    "polynomial": lambda gamma: polynomial(0.77),
    "rescaled": rescaled,
}


def left(rate: Rate, gamma: float, visits: int) -> Array:
    """e_n for n = 1..visits, of a game of one joint action."""
    return np.cumprod(1 - (1 - gamma) * rate(np.arange(1, visits + 1)))


@pytest.mark.parametrize("name", RATES)
@pytest.mark.parametrize("gamma", [Fraction(1, 2), Fraction(19, 20)])
def test_the_error_of_one_joint_action_is_the_product(name: str, gamma: Fraction) -> None:
    rate = RATES[name](float(gamma))
    learned = nash_q(
        repeated([[[1]], [[-3]]], gamma), ["first"], np.random.default_rng(0),
        runs=1, episodes=1, steps=300, rate=rate,
    )  # fmt: skip
    values = np.array([1, -3]) / float(1 - gamma)
    expected = values * (1 - left(rate, float(gamma), 300)[-1])
    assert learned.tables.ravel() == pytest.approx(expected, rel=1e-9)  # rounding of 300 updates
    assert [own.item() for own in learned.single] == pytest.approx(expected, rel=1e-9)


@given(DISCOUNTS, st.integers(1, 3000))
def test_the_rescaled_product_telescopes(gamma: float, visits: int) -> None:
    # 3000 factors, each rounded a few times
    assert left(rescaled(gamma), gamma, visits)[-1] == pytest.approx(
        1 / (1 + (1 - gamma) * visits), rel=1e-11
    )


@given(DISCOUNTS, st.sampled_from([0.51, 0.6, 0.77, 1.0]))
def test_rates_are_parts_and_satisfy_the_theorems_conditions(gamma: float, power: float) -> None:
    n = np.arange(1, 100_001)
    for rate in (published, polynomial(power), rescaled(gamma)):
        found = rate(n)
        assert (found > 0).all()
        assert (found <= 1).all()
        assert (np.diff(found) <= 0).all()
        # at least 1/(1 + n), whose sum is infinite; at most n^-power or C/n, squares finite
        assert (found >= 1 / (1 + n)).all()
        assert (found <= np.maximum(n**-power, 1 / ((1 - gamma) * n)) * (1 + 1e-12)).all()


def test_how_many_visits_one_percent_takes() -> None:
    """The numbers of the module at γ = 0.95."""
    visits = {name: left(rate(0.95), 0.95, 10_000) for name, rate in RATES.items()}
    assert (visits["rescaled"] <= 0.01).argmax() + 1 == 1980
    for power, number in ((0.6, 8_654), (0.77, 691_976)):
        assert (left(polynomial(power), 0.95, number + 1) <= 0.01).argmax() + 1 == number
    # 1/n: e_n = n^(−1/20)/Γ(19/20), up to a part 1/n
    assert visits["published"][-1] == pytest.approx(10_000**-0.05 / gamma_function(0.95), rel=1e-3)
    assert (0.01 * gamma_function(0.95)) ** -20 > 10**39


@pytest.mark.parametrize("power", [0.5, 0.0, -1.0, 1.01, float("nan")])
def test_powers_that_do_not_converge_are_refused(power: float) -> None:
    with pytest.raises(InputError, match="power: "):
        polynomial(power)


@pytest.mark.parametrize("gamma", [1.0, -0.1, float("nan")])
def test_discounts_that_are_none(gamma: float) -> None:
    with pytest.raises(InputError, match="gamma: "):
        rescaled(gamma)


# Climb at γ = 0.95


def test_the_exact_table_is_climbs_only_equilibrium() -> None:
    game, table = find("climb").build(), exact_table()
    assert table.shape == (2, 2, 5, 5)
    places = list(climb.grid())
    values = np.empty((2, 2))
    for s in range(2):
        a, b = (places.index(place) for place in climb.equilibrium(s))
        assert table[0, s, a, b] == table[0, s, :, b].max()
        assert table[1, s, a, b] == table[1, s, a].max()
        values[:, s] = table[:, s, a, b]
    again = np.moveaxis(stage_payoffs(game, values), 1, 0).astype(float)
    assert again == pytest.approx(table, rel=1e-12)


def test_faster_rates_come_nearer_on_climb() -> None:
    game, exact = find("climb").build(), exact_table()
    far: dict[str, list[float]] = {}
    for name in ("published", "rescaled"):
        for steps in (300, 2000):
            learned = nash_q(
                game, [climb_learning.LEARNER], np.random.default_rng(1),
                runs=3, episodes=1, steps=steps, rate=RATES[name](0.95),
            )  # fmt: skip
            apart = np.abs(learned.table(climb_learning.LEARNER) - exact).max(axis=(1, 2, 3, 4))
            far.setdefault(name, []).append(float(np.median(apart)))
    for name in far:
        assert far[name][1] < far[name][0]
    assert far["rescaled"][1] < 0.8 * far["published"][1]


def test_learners_with_exact_tables_play_the_landmarks() -> None:
    learned = nash_q(
        find("climb").build(), [climb_learning.LEARNER], np.random.default_rng(0),
        runs=2, episodes=1, steps=1,
    )  # fmt: skip
    assert not landmarks(learned).any()
    learned.tables[:] = exact_table()
    assert landmarks(learned).all()
    learned.tables[0, 1] = learned.tables[0, 1][:, ::-1]  # the states exchanged in the second run
    assert list(landmarks(learned)) == [True, False]


def test_records_are_written_again_the_same(tmp_path: Path) -> None:
    path = climb_learning.record(tmp_path, runs=1, steps=(20, 40))
    found = json.loads(path.read_text("utf-8"))
    assert [row["rate"] for row in found["rows"][::2]] == [name for name, _ in climb_learning.RATES]
    assert found["largest"] == round(float(np.abs(exact_table()).max()), 4)
    again = json.loads(climb_learning.record(tmp_path, runs=1, steps=(20, 40)).read_text("utf-8"))
    assert again["rows"] == found["rows"]
    longer = json.loads(climb_learning.record(tmp_path, runs=1, steps=(40,)).read_text("utf-8"))
    assert longer["rows"] == found["rows"][1::2]


def test_the_record_in_the_repository_shows_convergence() -> None:
    path = ROOT / "notebooks" / "data" / "nash_q" / climb_learning.FILE
    found = json.loads(path.read_text("utf-8"))
    assert found["command"] == climb_learning.COMMAND
    assert (found["seed"], found["runs"]) == (climb_learning.SEED, climb_learning.RUNS)
    assert [row["steps"] for row in found["rows"]] == [*climb_learning.STEPS] * 3
    for number, (name, _) in enumerate(climb_learning.RATES):
        rows = found["rows"][4 * number : 4 * number + 4]
        assert {row["rate"] for row in rows} == {name}
        middle = [row["distance"][1] for row in rows]
        assert middle == sorted(middle, reverse=True)
        assert all(row["assumption_held"] == 0 for row in rows)
    last = [row for row in found["rows"] if row["steps"] == climb_learning.STEPS[-1]]
    distance = {row["rate"]: row["distance"] for row in last}
    # the largest distance with the rescaled rate is below the least one with the published rate
    assert distance["1/(1 + (1 - gamma) n)"][2] < distance["1/n"][0]
    assert last[-1]["landmark"] == 1


def test_the_pictures_of_climb() -> None:
    path = ROOT / "notebooks" / "data" / "nash_q" / climb_learning.FILE
    found = json.loads(path.read_text("utf-8"))
    (axes,) = climb_rates(found).axes
    lines = {line.get_label(): line for line in axes.lines}
    for name, _ in climb_learning.RATES:
        rows = [row for row in found["rows"] if row["rate"] == name]
        assert list(lines[name].get_xdata()) == [row["steps"] for row in rows]
        assert list(lines[name].get_ydata()) == [row["distance"][1] for row in rows]
    with pytest.raises(InputError, match="results: empty"):
        climb_rates(found | {"rows": []})
    (axes,) = climb_soft().axes
    apart, proved, gap = (line.get_ydata() for line in axes.lines)
    assert len(proved) > 5
    assert (proved >= apart[: len(proved)] * (1 - 1e-2)).all()  # rounding of values of 31
    assert (gap > apart).all()
