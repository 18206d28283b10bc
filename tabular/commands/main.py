"""The command line of ``python -m tabular``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from bounds.shared.command_line import run
from bounds.shared.numbers import InputError, parse_number, whole
from tabular.commands.attack import Attack
from tabular.commands.nash import Nash, run_nash
from tabular.commands.refute import Refute, run_refute


@dataclass(frozen=True)
class Games:
    """The catalogue: every named game with its size and source."""

    json: bool = False
    """Print one JSON object."""


@dataclass(frozen=True)
class Check:
    """Every bound against the exact discrepancies of a case file."""

    case: tyro.conf.Positional[Path]
    """A case file, format stochastic-game-case/1."""
    json: bool = False
    """Print one JSON object."""
    parts: bool = False
    """Show where the branched discrepancy comes from as well: policy shift, dynamics model, every
    opponent model, by depth. The parts add up to it, exactly where the case is exact."""
    certificates: Path | None = None
    """Folder for a certificate of every bound that this case refutes; left out: none is written,
    and only bounds that the library calls valid are named."""


@dataclass(frozen=True)
class CaseCommand:
    """Write a case file: a game of the catalogue with perturbed models and policies."""

    name: tyro.conf.Positional[str]
    """Name of the game, as in `games`."""
    out: Path
    """The file to write; an existing file is refused."""
    seed: int = 0
    """Seed of the policies and the perturbations."""
    ego: int = 0
    """Index of the ego agent."""
    model_error: str = "1/100"
    """D_TV of the dynamics model from the truth, in every state and joint action."""
    policy_shift: str = "1/20"
    """D_TV of each data-collecting policy from the current one."""
    opponent_error: str = "1/20"
    """D_TV of each opponent model from the opponent."""
    branch_length: int = 5
    """k."""
    opponent_lengths: tuple[int, ...] = ()
    """One length n_j an opponent, in order; left out: all k."""


@dataclass(frozen=True)
class Verify:
    """Check a certificate with the independent checker: 0 accepted, 1 rejected."""

    certificate: tyro.conf.Positional[Path]
    """A certificate file, format bound-certificate/1."""


@dataclass(frozen=True)
class Audit:
    """Check every claim on the catalogue, random families and adversarial games."""

    out: Path | None = None
    """Folder of the run; left out: a new one under runs/."""
    seed: int = 0
    """Seed of everything random."""
    scale: float = 1.0
    """How many games, as a multiple of the usual number."""
    plots: bool = True
    """Draw the pictures and write report.html."""


Commands = (
    Annotated[Audit, tyro.conf.subcommand("audit")]
    | Annotated[Attack, tyro.conf.subcommand("attack")]
    | Annotated[Refute, tyro.conf.subcommand("refute")]
    | Annotated[Nash, tyro.conf.subcommand("nash")]
    | Annotated[Check, tyro.conf.subcommand("check")]
    | Annotated[CaseCommand, tyro.conf.subcommand("case")]
    | Annotated[Games, tyro.conf.subcommand("games")]
    | Annotated[Verify, tyro.conf.subcommand("verify")]
)


def execute(command: Audit | Attack | Refute | Nash | Check | CaseCommand | Games | Verify) -> int:
    """Run one parsed command; returns the exit code."""
    match command:
        case Audit():
            from tabular.audit.run import run_audit

            return run_audit(command.out, command.seed, command.scale, plots=command.plots)
        case Attack():
            from tabular.commands.attack import run_attack

            return run_attack(command)
        case Refute():
            return run_refute(command)
        case Nash():
            return run_nash(command)
        case Check():
            return _check(command)
        case CaseCommand():
            return _case(command)
        case Games():
            return _games(command)
        case Verify():
            from tabular.certificates.check_file import check_file

            return check_file(command.certificate)


def _check(command: Check) -> int:
    from tabular.cases.branch_bias import branch_bias
    from tabular.cases.check import as_json, check
    from tabular.cases.check_table import check_table, parts_json, parts_table
    from tabular.cases.files import load_case
    from tabular.certificates.write import certify

    case = load_case(command.case)
    if command.parts and case.branch_length is None:
        raise InputError("--parts: the case has no branch_length, so nothing is branched")
    result = check(case)
    bias = branch_bias(case) if command.parts else None
    written, code = [], 0
    for verdict in result.verdicts:
        if not verdict.refuted:
            continue
        if verdict.bound.valid:
            code = 1
        if command.certificates is not None:
            written.append(certify(case, verdict.bound, command.certificates, command.case.stem))
        elif verdict.bound.valid:
            hint = "the library calls it valid; --certificates FOLDER writes the certificate"
            written.append((verdict.bound.name, hint))
    if command.json:
        parts = {} if bias is None else {"parts": parts_json(bias)}
        print(json.dumps(as_json(result) | parts, ensure_ascii=False))
    else:
        print(check_table(result))
        if bias is not None:
            print(f"\n{parts_table(bias, case.ego)}")
    for name, path in written:
        # in JSON mode standard output holds the object alone
        print(f"refuted: {name}: {path}", file=sys.stderr if command.json else sys.stdout)
    return code


def _case(command: CaseCommand) -> int:
    import numpy as np

    from bounds.shared.files import write_json
    from tabular.cases.files import case_json
    from tabular.cases.perturb import perturbed_case
    from tabular.games.catalogue import find

    if command.out.exists():
        raise InputError(f"--out: {command.out} exists; choose another name or remove it first")
    whole("--seed", command.seed)
    game = find(command.name).build()
    whole("--ego", command.ego, 0, game.n - 1)
    lengths: list[int | None] | None = None
    if command.opponent_lengths:
        if len(command.opponent_lengths) != game.n - 1:
            raise InputError(
                f"--opponent-lengths: {len(command.opponent_lengths)} numbers for {game.n - 1} "
                "opponents; give one for each"
            )
        lengths = list(command.opponent_lengths)
        lengths.insert(command.ego, None)
    case = perturbed_case(
        game,
        np.random.default_rng(command.seed),
        ego=command.ego,
        model_error=parse_number(command.model_error, "--model-error"),
        policy_shift=parse_number(command.policy_shift, "--policy-shift"),
        opponent_error=parse_number(command.opponent_error, "--opponent-error"),
        branch_length=command.branch_length,
        opponent_lengths=lengths,
    )
    print(write_json(command.out, case_json(case)))
    return 0


def _games(command: Games) -> int:
    from bounds.shared.text_table import aligned
    from tabular.games.catalogue import CATALOGUE, summary

    rows, lines = [], []
    for entry in CATALOGUE.values():
        game = entry.build()
        lines.append((entry.name, summary(game), entry.source))
        rows.append(
            {
                "name": entry.name,
                "agents": game.n,
                "states": game.n_states,
                "actions": list(game.actions),
                "gamma": str(game.gamma),
                "exact": game.is_exact,
                "title": entry.title,
                "source": entry.source,
            }
        )
    if command.json:
        print(json.dumps({"games": rows}, indent=2, ensure_ascii=False))
        return 0
    print(aligned(lines))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of ``python -m tabular``."""
    return run(
        Commands,
        execute,
        "python -m tabular",
        "Exact stochastic games: check bounds on them, and audit every claim.",
        arguments,
    )
