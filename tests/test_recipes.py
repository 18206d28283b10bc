"""The recipes of CONTRIBUTING, followed: one function and one entry make a bound, or a game.

The packages are copied, without the checkout around them, and only the file that a recipe names is
edited; so the rows about recorded training have to say that they need a checkout.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
#: Where the tuple of entries begins, in the file that each recipe names.
PUBLISHED, LITERATURE = "BOUNDS: tuple[Bound, ...] = (\n", "ENTRIES = (\n"

BOUNDS = {
    "generous": '''
        def generous(gamma: Operand, span: Operand, eps_m_sup: Operand, r_max: Operand) -> Operand:
            """More than the simulation lemma in the span."""
            return (span + r_max) * gamma * eps_m_sup / (1 - gamma) ** 2 + (r_max - r_max * gamma)
    ''',
    "hopeful": '''
        def hopeful(k: Operand, span: Operand, eps_m: Operand) -> Operand:
            """Forgets what agents do."""
            return k * span * eps_m
    ''',
}
ENTRIES = {
    "generous": """
        Bound(
            name="generous",
            about="model",
            convention="unnormalised",
            source="an example",
            hypotheses=("ε_sup = max_{s,a} D_TV(T‖T̂)", _EXACT),
            valid=True,
            formula=generous,
            exact_opponents=True,
        ),
    """,
    "hopeful": """
        Bound(
            name="hopeful",
            about="branched",
            convention="unnormalised",
            source="an example",
            hypotheses=(_CURRENT,),
            valid=False,
            formula=hopeful,
        ),
    """,
}
GAME = '''
    def inspection() -> StochasticGame:
        """Actions: work, shirk; inspect, trust."""
        return repeated(_zero_sum([[1, -2], [-3, 2]]))
'''
GAME_ENTRY = """
    Entry("inspection", "Inspection game", "this catalogue", inspection),
"""

#: What is asked of the new bounds and of the new game, in a process of its own.
QUESTIONS = """
import json, sys
from pathlib import Path

import bounds, tabular
from bounds.commands.main import main as bounds_main
from bounds.library.published import find
from bounds.proofs.coupling import coupling_holds
from tabular.audit.games import corner_cases
from tabular.audit.rows.adaptive_lengths import training_claims
from tabular.audit.rows.refuter_verdicts import judged
from tabular.audit.rows.sample_efficiency import sample_claims
from tabular.audit.run import _claim
from tabular.audit.tally import Tally
from tabular.cases.check import check
from tabular.commands.main import main as tabular_main

folder = Path(sys.argv[1])
setting = ["--gamma", "1/2", "--model-error", "1/10", "--k", "2"]
for name in ("generous", "hopeful"):
    assert bounds_main(["show", name]) == 0
    assert bounds_main(["evaluate", name, *setting]) == 0
assert bounds_main(["list"]) == 0
assert tabular_main(["games"]) == 0
assert tabular_main(["case", "inspection", "--out", "case.json"]) == 0
assert tabular_main(["check", "case.json"]) == 0
rows = {}
tested = (find("generous"), find("hopeful"))
tally = Tally(tested)
for case in corner_cases(0, 60):
    tally.add(check(case, tested), "exact corners")
for bound in tested:
    claim = _claim([tally.record(bound)], folder)
    claim = judged(claim, bound, folder, 0, coupling_holds())
    rows[claim.id] = {"status": claim.status, "summary": claim.summary, **claim.evidence}
rows |= {c.id: {"status": c.status, "summary": c.summary} for c in training_claims()}
rows |= {c.id: {"status": c.status, "summary": c.summary} for c in sample_claims()}
homes = [Path(package.__file__).parents[1].as_posix() for package in (bounds, tabular)]
Path("answers.json").write_text(json.dumps({"rows": rows, "homes": homes}))
"""


def insert(path: Path, anchor: str, before: str, after: str) -> None:
    """Write a function before the tuple that begins with ``anchor``, and an entry first into it."""
    text = path.read_text("utf-8")
    assert text.count(anchor) == 1
    path.write_text(text.replace(anchor, f"{dedent(before)}\n\n{anchor}{after}"), "utf-8")


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """What the commands print once both recipes were followed, and the new rows of the ledger."""
    home = tmp_path_factory.mktemp("recipes")
    for package in ("bounds", "tabular"):
        shutil.copytree(ROOT / package, home / package)
    for name, function in BOUNDS.items():
        insert(home / "bounds/library/published.py", PUBLISHED, function, ENTRIES[name])
    insert(home / "tabular/games/literature.py", LITERATURE, GAME, GAME_ENTRY)
    run = subprocess.run(
        [sys.executable, "-c", QUESTIONS, str(home / "audit")],
        cwd=home,
        env=os.environ | {"PYTHONPATH": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    answers = json.loads((home / "answers.json").read_text("utf-8"))
    assert answers["homes"] == [home.as_posix()] * 2
    return run.stdout, answers["rows"]


def test_a_bound_is_one_function_and_one_entry(followed: tuple[str, dict[str, Any]]) -> None:
    printed, rows = followed
    assert r"\operatorname{span}R" in printed  # LaTeX
    # (2 + 1) 1/2 1/10 / (1/2)² + 1/2 and 2 · 2 · 1/10
    assert "generous (model return, unnormalised)\n  value    1.1  = 11/10\n" in printed
    assert "hopeful (branched return, unnormalised)\n  value    0.4  = 2/5\n" in printed
    listed = [line.split() for line in printed.splitlines()]
    assert ["hopeful", "branched", "unnormalised", "k*span*eps_m"] in listed
    assert rows["generous"]["status"] == "proved"
    assert rows["generous"]["refuter"]["verdict"] == "valid"
    assert rows["generous"]["games"] > 0
    assert rows["hopeful"]["status"] == "refuted"
    assert rows["hopeful"]["refuter"]["verdict"] == "refuted"
    assert rows["hopeful"]["certificate"] == "certificates/hopeful.json"


def test_a_game_is_one_function_and_one_entry(followed: tuple[str, dict[str, Any]]) -> None:
    printed, _ = followed
    (line,) = (line for line in printed.splitlines() if line.startswith("inspection"))
    assert line.split(maxsplit=1)[1] == "2 agents, 2×2 actions, 1 state, exact      this catalogue"


def test_without_a_checkout_the_rows_about_records_say_so(
    followed: tuple[str, dict[str, Any]],
) -> None:
    _, rows = followed
    recorded = {name: row for name, row in rows.items() if name not in BOUNDS}
    assert len(recorded) == 4
    for row in recorded.values():
        assert row["status"] == "open"
        assert "needs a checkout of the project" in row["summary"]
        assert "\n" not in row["summary"]
