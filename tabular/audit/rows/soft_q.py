"""The audit's rows about Theorems 6 and 7: soft Q iteration with learned models, and its limit.

Section 5.2 announces both theorems and leaves their statements to the appendix of the full version,
which was not at hand: every row is about our reading of what is announced, and says which. Refuted
rows have certificates that ``tabular.verify_soft`` accepts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import numpy as np

from bounds.library import soft_q
from bounds.proofs import simultaneous_soft_q
from bounds.proofs import soft_q as soft_q_proofs
from bounds.shared.claims import Claim
from tabular.audit.rows.common import PAPER, ROUNDING, SIX, TEMPERATURES, claim, proved, refuted
from tabular.audit.rows.joint_and_lengths import DISCOUNTS, ERRORS, draw
from tabular.audit.rows.soft_to_nash import nash_claims
from tabular.cases.case import Case, as_float
from tabular.games.arrays import exact_array
from tabular.games.literature import matching_pennies
from tabular.games.policy import random_policies
from tabular.games.random import garnet, garnet_arrays
from tabular.soft_q import all_agents, learned_models
from tabular.soft_q.one_agent import FORMS, backup, world
from tabular.soft_q.printed_target import printed_cycle

_F = Fraction
#: Samples of every state and joint action in the learning curves, and the runs of each.
SIZES, RUNS = tuple(2**i for i in range(7, 16)), 200
#: Random games that models are learned of: how many, and in turns their actions and states.
LEARNED_GAMES = 30
LEARNED_SHAPES = (((2, 3), 5), ((2, 2), 2), ((3, 3), 4), ((2, 2, 2), 3), ((4, 2), 8), ((3,), 6))
#: The slopes that are nearer to −1/2 than to −1/3 and −1.
RATES = (-3 / 4, -5 / 12)


def soft_claims(folder: Path, seed: int, count: int) -> list[Claim]:
    """All rows; ``count`` games of each kind are drawn, and certificates written to ``folder``."""
    contraction, distance = contraction_claim(seed, count), distance_claim(seed, count)
    return [
        theorem6_claim(contraction, distance),
        contraction,
        distance,
        attained_claim(seed, count),
        learned_claim(seed),
        *all_agents_claims(folder, seed, count),
        printed_claim(folder),
        *nash_claims(folder, seed, count),
    ]


def theorem6_claim(contraction: Claim, distance: Claim) -> Claim:
    """The reading for one agent among fixed opponents: what both rows say, together."""
    parts = (contraction, distance)
    return claim(
        "theorem6",
        "with any learned dynamics and opponent models, soft Q iteration of one agent among fixed "
        "opponents converges, by gamma a step, to values within coupling-sup of the true ones, for "
        "every temperature",
        SIX,
        "proved" if all(part.status == "proved" for part in parts) else "open",
        {
            "steps": [step for part in parts for step in part.evidence["steps"]],
            "summary": "for one agent, symbolically; for all agents at once it needs conditions: "
            "theorem6-all-agents",
        },
    )


def contraction_claim(seed: int, count: int) -> Claim:
    """γ, proved; and measured between random Q."""
    rng = np.random.default_rng([seed, 20])
    worst, least, pairs = 0.0, 1.0, 0
    for case, alpha in _batches(rng, count):
        given = world(case)
        for form in FORMS:
            one = rng.normal(size=given.reward.shape) * 10
            other = one + rng.normal(size=given.reward.shape) * rng.choice([1e-2, 1, 100])
            moved = [
                np.abs(backup(given, q, alpha, form) - backup(given, one, alpha, form))
                for q in (other, one + 1)
            ]
            apart = np.abs(other - one).max(axis=(-3, -2, -1))
            ratio = moved[0].max(axis=(-3, -2, -1)) / (case.gamma * apart)
            worst, pairs = max(worst, float(ratio.max())), pairs + ratio.size
            least = min(least, float((moved[1] / case.gamma).min()))
    return proved(
        "theorem6-contraction",
        "soft Q iteration contracts with factor gamma in the sup norm, conditioned on the "
        "opponents' actions or independent of them, and with no smaller factor",
        SIX,
        soft_q_proofs.soft_contraction,
        worst <= 1 + ROUNDING and abs(least - 1) <= ROUNDING,
        {"pairs": pairs, "worst_ratio": worst},
        f"{pairs:,} pairs, largest factor {worst:.4f} gamma",
    )


def distance_claim(seed: int, count: int) -> Claim:
    """The bound on the fixed points' distance: proved; and measured on random games."""
    rng = np.random.default_rng([seed, 21])
    worst, games = 0.0, 0
    for case, alpha in _batches(rng, count):
        bounds = learned_models.bounds_of(case)
        for form in FORMS:
            found = learned_models.distance(case, alpha, form)
            for value, bound in zip((found.v, found.q), bounds, strict=True):
                worst = max(worst, float((value / bound).max()))
        games += len(case.initial)
    return proved(
        "theorem6-distance",
        "max |V* - V^*| <= span [1/(1 - gamma) - c_bar/(1 - gamma rho)] and max |Q* - Q^*| <= "
        "span gamma (1 - rho)/((1 - gamma)(1 - gamma rho)), for every temperature",
        SIX,
        soft_q_proofs.soft_distance,
        worst <= 1 + ROUNDING,
        {"games": games, "worst_ratio": worst},
        f"{games:,} random games, largest distance / bound {worst:.4f}",
    )


def attained_claim(seed: int, count: int) -> Claim:
    """The latch attains both bounds exactly at α = 0, and in floats above."""
    rng = np.random.default_rng([seed, 22])
    missed, largest = 0, 0.0
    for _ in range(count):
        n = int(rng.integers(1, 4))
        error = ERRORS[1 + rng.integers(len(ERRORS) - 1)]
        gamma = DISCOUNTS[1 + rng.integers(len(DISCOUNTS) - 1)]
        case = learned_models.soft_latch(gamma, draw(rng, n - 1), error, int(rng.integers(1, 4)))
        bounds = learned_models.bounds_of(case)
        warm = float(rng.choice(TEMPERATURES[1:]))
        for form in FORMS:
            found = learned_models.distance(case, 0, form)
            missed += (found.v, found.q) != bounds
            value = learned_models.distance(as_float(case), warm, form).v
            largest = max(largest, abs(value / float(bounds[0]) - 1))
    fine = not missed and largest <= ROUNDING
    return claim(
        "theorem6-distance-attained",
        "both bounds are equalities on a family of games, for every temperature",
        SIX,
        "tested" if fine else "open",
        {
            "games": count,
            "not_attained": missed,
            "summary": f"{count:,} exact games, equal at alpha = 0 on "
            f"{'each' if not missed else 'all but ' + str(missed)}; alpha > 0: within "
            f"{largest:.0e} in floats",
        },
    )


def learned_claim(seed: int, games: int = LEARNED_GAMES) -> Claim:
    """Tabular models from n samples: the distance falls as n^(−1/2), in every one of many games."""
    rng = np.random.default_rng([seed, 23])
    slopes, held, worst = [], True, 0.0
    for number in range(games):
        actions, states = LEARNED_SHAPES[number % len(LEARNED_SHAPES)]
        game = garnet(actions, states, min(3, states), rng)
        curve = learned_models.learning_curve(
            game,
            number % len(actions),
            random_policies(actions, states, rng),
            float(rng.choice(TEMPERATURES)),
            FORMS[number % len(FORMS)],
            SIZES,
            RUNS,
            seed + number,
        )
        slopes.append(learned_models.median_band(curve.rates))
        held &= bool((curve.distance <= curve.bound).all())
        worst = max(worst, float((curve.distance / curve.bound).max()))
    low, middle, high = np.array(slopes).T
    inside = int(((RATES[0] < low) & (high < RATES[1])).sum())
    return claim(
        "theorem6-learned-models",
        "the fixed point under models learned from n samples of every state and action is at a "
        "distance of the order n^(-1/2)",
        SIX,
        "tested" if held and inside == games else "open",
        {
            "games": games,
            "runs": RUNS,
            "sizes": list(SIZES),
            "slopes": [[float(x) for x in band] for band in slopes],
            "worst_ratio": worst,
            "summary": f"{games} random games, {RUNS} runs each, n = {SIZES[0]}..{SIZES[-1]}: "
            f"median slopes from {middle.min():.3f} to {middle.max():.3f}, "
            f"nearer to -1/2 than to -1/3 or -1 in {inside} games; "
            + (f"at most {worst:.3f} of the bound" if held else "BEYOND the bound"),
        },
    )


def all_agents_claims(folder: Path, seed: int, count: int) -> Iterator[Claim]:
    """Everyone learns: a game that cycles, when it converges, and slower steps."""
    pennies = matching_pennies().reward.reshape(2, 2, 2)
    start = [exact_array([_F(3, 4), _F(1, 4)])] * 2
    certificate = all_agents.cycle_certificate(pennies, _F(3), start, "theorem6-all-agents")
    yield refuted(
        "theorem6-all-agents",
        "soft Q iteration of all agents at once converges in every game, at every temperature",
        SIX,
        folder,
        certificate,
        "matching pennies at alpha = 1/log 3 goes round four profiles",
    )
    rng = np.random.default_rng([seed, 24])
    worst, games = 0.0, 0
    for actions in ((2, 2), (3, 2), (2, 2, 2)):
        for gamma in (0.0, 0.5, 0.9):
            ratio = joint_ratio(rng, actions, gamma, count)
            worst, games = max(worst, ratio), games + count
    cycle = simultaneous_soft_q.pennies_cycle()
    sharp = soft_q.sufficient_alpha(2, _F(0), _F(2)) == 1 == all_agents.stage_alpha(pennies)
    yield proved(
        "theorem6-all-agents-condition",
        "all agents at once contract if alpha > (n - 1) span R/(2 (1 - gamma)^2); in matching "
        "pennies with gamma = 0 that is alpha > 1, and below 1 no run but the equilibrium's "
        "converges",
        SIX,
        simultaneous_soft_q.soft_agents,
        worst <= 1 + ROUNDING and cycle.holds and sharp,
        {"games": games, "worst_ratio": worst, "pennies": list(cycle.steps)},
        f"{games:,} games, largest factor {worst:.4f} beta",
    )
    yield proved(
        "theorem6-all-agents-slow-steps",
        "in Shapley's game with alpha < 1/6 the equilibrium repels all agents at once, however "
        "slowly the policies move",
        SIX,
        simultaneous_soft_q.shapley_repels,
        True,
        {},
        "",
    )


def joint_ratio(
    rng: np.random.Generator, actions: tuple[int, ...], gamma: float, count: int
) -> float:
    """The largest (N after a step)/(β N before) between two runs, just above the sufficient α."""
    arrays = garnet_arrays(actions, 3, 2, rng, batch=(count,))
    span = all_agents.largest_span(arrays.reward)
    alpha = 1.01 * float(soft_q.sufficient_alpha(len(actions), gamma, span.max()))
    size = (span / (1 - gamma))[:, None, None, None]
    runs = []
    for _ in range(2):
        q = rng.random(arrays.reward.shape) * size
        policies = tuple(rng.dirichlet(np.full(a, 0.2), size=(count, 3)) for a in actions)
        start = all_agents.Learners(q, policies)
        steps = all_agents.simultaneous_iteration(
            gamma, actions, arrays.transition, arrays.reward, alpha, start
        )
        runs.append(list(islice(steps, 5)))
    between = [all_agents.learners_distance(a, b, gamma, span) for a, b in zip(*runs, strict=True)]
    factor = soft_q.contraction_factor(len(actions), gamma, span, alpha)
    return max(float((b / (factor * a)).max()) for a, b in pairwise(between))


def printed_claim(folder: Path) -> Claim:
    """Eq. (5) as printed goes to and fro; and why: as an identity, what it prices entropy at."""
    certificate = printed_cycle(_F(1, 10), _F(1), _F(31, 5), 99, "theorem6-printed-target")
    row = refuted(
        "theorem6-printed-target",
        "with the target of Eq. (5) as printed, the entropy outside gamma, soft Q iteration "
        "converges in every game",
        f"{PAPER}, Eq. (5)",
        folder,
        certificate,
        "100 actions, gamma = 1/10: to and fro between two intervals",
    )
    proof = soft_q_proofs.printed_target()
    return replace(row, evidence=row.evidence | {"why": proof.summary, "steps": list(proof.steps)})


def _batches(rng: np.random.Generator, count: int) -> Iterator[tuple[Case, float]]:
    """Batches of random games with models near and far, and a temperature for each."""
    for actions in ((3,), (2, 2), (2, 3, 2)):
        for gamma in (0.5, 0.9, 0.99):
            alpha = float(rng.choice(TEMPERATURES))
            arrays = garnet_arrays(actions, 4, 2, rng, batch=(count,))
            other = garnet_arrays(actions, 4, 2, rng, batch=(count,)).transition
            policies = random_policies(actions, 4, rng, (count,))
            rivals = random_policies(actions, 4, rng, (count,))
            part = rng.choice([1e-3, 0.05, 0.3, 1.0], size=count)[:, None, None]
            models = [(1 - part) * p + part * r for p, r in zip(policies, rivals, strict=True)]
            yield (
                Case(
                    gamma=gamma,
                    actions=actions,
                    ego=0,
                    initial=arrays.initial,
                    transition=arrays.transition,
                    reward=arrays.reward[:, 0],
                    policies=policies,
                    data_policies=policies,
                    model_transition=(1 - part[..., None]) * arrays.transition
                    + part[..., None] * other,
                    opponent_models=(None, *models[1:]),
                ),
                alpha,
            )
