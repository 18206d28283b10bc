"""The README says what is so: its examples run, its table is the recorded audit's."""

import doctest
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from notebooks.record_audit import END, FIGURES, RECORD, START, readme_table
from tabular import verify, verify_soft

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def console_examples() -> list[tuple[str, list[str]]]:
    """(command, the output shown) of every ``$ python …`` line in a console block."""
    found: list[tuple[str, list[str]]] = []
    for block in README.split("```console\n")[1:]:
        lines = block.split("```")[0].splitlines()
        for line in lines:
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return [(command, out) for command, out in found if command.startswith("python ")]


def test_python_examples() -> None:
    result = doctest.testfile(str(ROOT / "README.md"), module_relative=False)
    assert result.attempted > 10
    assert result.failed == 0


def test_console_examples(tmp_path: Path) -> None:
    examples = console_examples()
    assert len(examples) >= 6
    for command, shown in examples:
        words = [sys.executable, *shlex.split(command)[1:]]
        words = [str(ROOT / w) if (ROOT / w).is_file() else w for w in words]
        run = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert run.returncode == 0, (command, run.stderr)
        if shown:
            assert run.stdout.splitlines() == shown, command


def test_the_table_is_the_recorded_ledger() -> None:
    table = README.partition(START)[2].partition(END)[0].strip()
    assert table == readme_table(RECORD / "ledger.json")


@pytest.mark.parametrize("path", sorted((RECORD / "certificates").iterdir()), ids=lambda p: p.stem)
def test_recorded_certificates_are_accepted(path: Path) -> None:
    checkers = {"bound-certificate/1": verify.main, "soft-certificate/1": verify_soft.main}
    assert checkers[json.loads(path.read_text("utf-8"))["format"]]([str(path)]) == 0


def test_the_pictures_are_there() -> None:
    for line in README.splitlines():
        if line.startswith("!["):
            assert (ROOT / line.rpartition("(")[2].rstrip(")")).is_file()
    assert (FIGURES / "theorem1-refuted.png").is_file()
