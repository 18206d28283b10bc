"""The command ``nash`` of ``python -m tabular``: equilibrium values and policies of a game file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from bounds.shared.text_table import aligned
from tabular.games.number_text import number_text, short

#: Exit codes: an equilibrium was found; iteration did not converge, or its answer fails the check.
DONE, NOT_CONVERGED = 0, 3
#: The table leaves out the states from here on.
MAX_ROWS = 40


@dataclass(frozen=True)
class Nash:
    """Equilibrium values, policies, regret and exploitability; 3 if none was found and checked."""

    game: tyro.conf.Positional[Path]
    """A game file: stochastic-game-case/1 without models, with the rewards of all agents."""
    selection: str = "first"
    """Which equilibrium of a stage game: first, any (where there are too many to list), best:J (for
    agent J), best-sum, pareto, global-optimum or saddle."""
    all: bool = False
    """List all equilibria of a game with one state: all extreme ones of two agents, of more all
    pure and all isolated mixed ones."""
    temperature: float | None = None
    """The logit equilibrium at this temperature alpha > 0 instead, on the branch from uniform play;
    its selection is called logit."""
    json: bool = False
    """Print one JSON object."""


def run_nash(command: Nash) -> int:
    """Solve one parsed command's game; returns the exit code."""
    from bounds.shared.progress import progress
    from tabular.equilibria.nash_value_iteration import solve
    from tabular.equilibria.selection import parse_selection
    from tabular.games.files import load_game

    if command.all:
        return _run_all(command)
    if command.temperature is not None:
        return _run_logit(command, command.temperature)
    game = load_game(command.game)
    selection = parse_selection(command.selection, game.n)
    with progress() as bar:
        solution = solve(game, selection, bar)
    if command.json:
        print(json.dumps(as_json(solution), ensure_ascii=False))
    else:
        print(table(solution))
    return DONE if solution.status == "converged" else NOT_CONVERGED


def _run_all(command: Nash) -> int:
    from bounds.shared.numbers import InputError
    from tabular.equilibria.verification.one_state import one_state_equilibria
    from tabular.games.files import load_game

    if command.temperature is not None or command.selection != Nash.selection:
        raise InputError("--all: beside a selection or a temperature; leave one of the two out")
    found = one_state_equilibria(load_game(command.game))
    if command.json:
        print(json.dumps({"equilibria": [_listed_json(x) for x in found]}, ensure_ascii=False))
    else:
        print(_listed_table(found))
    return DONE if found and all(x.verified for x in found) else NOT_CONVERGED


def _listed_json(found: Any) -> dict[str, Any]:
    """One of the equilibria that ``nash --all --json`` prints: policies [agent][a], values [agent].

    Beyond these: regret, its proved bound, whether it is exact, and whether it passed the check.
    """
    return {
        "values": [number_text(x) for x in found.values],
        "policies": [[number_text(x) for x in own] for own in found.strategies],
        "regret": number_text(found.regret),
        "regret_bound": number_text(found.regret_bound),
        "exact": found.exact,
        "verified": found.verified,
    }


def _listed_table(found: Any) -> str:
    agents = range(len(found[0].values)) if found else range(0)
    rows = [("", *(f"value {j}  policy {j}" for j in agents), "regret", "at most")]
    for number, one in enumerate(found):
        cells = [
            f"{short(one.values[j])}  {' '.join(map(short, one.strategies[j]))}" for j in agents
        ]
        checked = short(one.regret_bound) if one.verified else "NOT VERIFIED"
        rows.append((str(number), *cells, short(one.regret), checked))
    return f"equilibria      {len(found)}\n\n{aligned(rows)}"


def _run_logit(command: Nash, temperature: float) -> int:
    from bounds.shared.numbers import InputError
    from bounds.shared.progress import progress
    from tabular.equilibria.logit_branch import as_solution, logit_values
    from tabular.games.files import load_game

    if command.selection != Nash.selection:
        raise InputError(
            f"selection: {command.selection} beside a temperature; a logit equilibrium is the one "
            "on the branch from uniform play: leave one of the two out"
        )
    game = load_game(command.game)
    with progress() as bar:
        found = logit_values(game, temperature, bar)
    solution = as_solution(game, found)
    if command.json:
        print(json.dumps(as_json(solution) | logit_json(found), ensure_ascii=False))
    else:
        print(f"{'temperature':<15} {short(found.alpha)}\n{table(solution)}")
    return DONE if found.status == "converged" else NOT_CONVERGED


def logit_json(found: Any) -> dict[str, Any]:
    """What ``nash --temperature --json`` prints beyond ``as_json``.

    temperature, and soft_values [agent][s], entropy included. Here residual is the largest distance
    in total variation of a policy from the logit response to the others, and iterations are points
    of the branch.
    """
    return {
        "temperature": found.alpha,
        "soft_values": [[number_text(x) for x in own] for own in found.soft_values],
    }


def as_json(solution: Any) -> dict[str, Any]:
    """The object that ``nash --json`` prints; exact numbers as strings "p/q", floats as numbers.

    values [agent][s], un-normalised; policies [agent][s][a]; regret [s] of the stage profiles;
    exploitability, the largest gain over agents and states by deviating; selection; iterations;
    exact. Beyond these: regret_bound [s], proved: at the floats' binary values regret is at most
    this; method, status ("converged", "unverified", "cycle", "limit"), period of a cycle (else 0),
    residual of the last iteration, nash_conv, and for zero-sum games value_error (else null), a
    proved bound on the distance of the values from the game's.
    """
    text = number_text
    return {
        "values": [[text(x) for x in own] for own in solution.values],
        "policies": [[[text(x) for x in row] for row in own] for own in solution.policies],
        "regret": [text(x) for x in solution.regret],
        "regret_bound": [text(x) for x in solution.regret_bound],
        "exploitability": text(solution.exploitability),
        "selection": str(solution.selection),
        "iterations": solution.iterations,
        "exact": solution.exact,
        "method": solution.method,
        "status": solution.status,
        "period": solution.period,
        "residual": text(solution.residual),
        "nash_conv": text(solution.deviations.nash_conv),
        "value_error": None if solution.error is None else text(solution.error),
    }


def table(solution: Any) -> str:
    """The same for a terminal, one line a state."""
    status = solution.status
    if status == "cycle":
        status = f"not converged: the values cycle with period {solution.period}"
    elif status == "limit":
        status = f"not converged in {solution.iterations} iterations"
    elif status == "unverified":
        status = "not verified: its regret is more than rounding explains"
    head = [
        ("method", f"{solution.method}, selection {solution.selection}"),
        ("status", f"{status} ({solution.iterations} iterations)"),
        ("arithmetic", "exact" if solution.exact else "float64"),
        ("exploitability", short(solution.exploitability)),
        ("regret", f"at most {short(max(solution.regret_bound))}, rounding included"),
        ("NashConv", short(solution.deviations.nash_conv)),
    ]
    if solution.error is not None:
        head.append(("value error", f"at most {short(solution.error)}"))
    agents = range(len(solution.values))
    rows = [("state", *(f"value {j}  policy {j}" for j in agents), "regret")]
    for s in range(min(len(solution.regret), MAX_ROWS)):
        cells = [
            f"{short(solution.values[j][s])}  {' '.join(map(short, solution.policies[j][s]))}"
            for j in agents
        ]
        rows.append((str(s), *cells, short(solution.regret[s])))
    lines = [f"{name:<15} {text}" for name, text in head]
    lines += ["", aligned(rows)]
    if len(solution.regret) > MAX_ROWS:
        lines.append(f"… and {len(solution.regret) - MAX_ROWS} states more; --json has them all")
    return "\n".join(lines)
