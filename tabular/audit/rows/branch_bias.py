"""The row about what branched discrepancies are made of, checked on exact games."""

from __future__ import annotations

from itertools import islice

from bounds.shared.claims import Claim
from tabular.audit.games import corner_cases
from tabular.cases.branch_bias import branch_bias
from tabular.cases.returns import branched_return, real_return


def bias_claim(seed: int, count: int) -> Claim:
    """The parts of ``count`` exact cases add up to their branched discrepancies, exactly."""
    branched = (c for c in corner_cases(seed, 4 * count) if c.branch_length is not None)
    missed = looked = 0
    largest = {"policy shift": 0, "dynamics": 0, "opponents": 0}
    for case in islice(branched, count):
        found, looked = branch_bias(case), looked + 1
        missed += found.total != real_return(case) - branched_return(case)
        sizes = (abs(found.shift), abs(found.dynamics.sum()), abs(found.opponents.sum()))
        largest[max(zip(sizes, largest, strict=True))[1]] += 1
    words = ", ".join(f"{name} in {times}" for name, times in largest.items())
    return Claim(
        id="branch-bias-identity",
        statement="the branched discrepancy is the sum of a policy shift and, by depth, of a part "
        "of the dynamics model and one of each opponent model, expectations over real states "
        "(tabular.cases.branch_bias)",
        source="this project, after Luo et al. 2019, Lemma 4.3 (from memory)",
        status="tested" if looked and not missed else "open",
        evidence={
            "games": looked,
            "missed": missed,
            "largest": largest,
            "summary": f"{looked} exact cases, equal as rationals in "
            f"{'each' if not missed else f'all but {missed}'}; the largest part: {words}",
        },
    )
