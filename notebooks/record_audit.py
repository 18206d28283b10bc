"""Run the audit and record it: ledger, manifest, certificates, the README's table and picture.

Use: ``make record``. Everything in the README's table comes from the run.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

from bounds.shared.claims import Claim, markdown
from tabular.audit.run import run_audit

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "notebooks" / "data" / "audit"
FIGURES = ROOT / "notebooks" / "figures"
START = "<!-- ledger: written by `make record` from notebooks/data/audit/ledger.json -->"
END = "<!-- end of ledger -->"


def readme_table(ledger: Path) -> str:
    """The README's table for the recorded ledger."""
    claims = json.loads(ledger.read_text("utf-8"))["claims"]
    return markdown([Claim(**claim) for claim in claims])


def main() -> int:
    """Record one audit run; returns the audit's exit code."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        code = run_audit(run, seed=0, scale=1.0)
        shutil.rmtree(RECORD, ignore_errors=True)
        RECORD.mkdir(parents=True)
        FIGURES.mkdir(parents=True, exist_ok=True)
        for name in ("ledger.json", "manifest.json"):
            shutil.copy(run / name, RECORD / name)
        shutil.copytree(run / "certificates", RECORD / "certificates")
        for picture in (run / "plots").iterdir():
            shutil.copy(picture, FIGURES / picture.name)
    readme = ROOT / "README.md"
    before, _, rest = readme.read_text("utf-8").partition(START)
    after = rest.partition(END)[2]
    table = readme_table(RECORD / "ledger.json")
    readme.write_text(f"{before}{START}\n{table}\n{END}{after}", "utf-8")
    return code


if __name__ == "__main__":
    sys.exit(main())
