"""The notebooks run from scratch, and what is recorded of them is what they give."""

import os
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest

from bounds.shared.numbers import InputError
from notebooks import show
from notebooks.execute import SCRIPTS, executed, main, read


def code(notebook: Any) -> list[str]:
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def texts(notebook: Any) -> list[str]:
    """What the cells print and show, pictures aside, and of cells tagged "random" the words alone.

    NumPy may change the streams of its generators between versions.
    """
    found = []
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            if "image/png" in data:
                continue
            text = output.get("text") or data.get("text/markdown") or data.get("text/plain", "")
            random = "random" in cell.metadata.get("tags", ())
            found.append(re.sub(r"[-+/. ]*\d[\d.,e/]*", " # ", text) if random else text)
    return found


def recorded(script: Path) -> Any:
    return nbformat.read(script.with_suffix(".ipynb"), as_version=4)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_it_runs_and_gives_what_is_recorded(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Errors and warnings raise in ``executed``; every claim in a notebook is an assert."""
    # coverage would trace the kernel too, which takes twice the time
    for name in [name for name in os.environ if name.startswith("COVERAGE_PROCESS")]:
        monkeypatch.delenv(name)
    notebook = executed(script, tmp_path)
    known = recorded(script)
    assert texts(notebook) == texts(known), "the notebook gives something else: make notebooks"
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn
    assert drawn == {f"{Path(name).stem}.{s}" for name in drawn for s in ("png", "svg")}
    for name in drawn:
        assert (show.FIGURES / name).stat().st_size > 1000


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script_and_notebook_are_a_pair(script: Path) -> None:
    known = recorded(script)
    nbformat.validate(known)
    assert [(c.cell_type, c.source) for c in known.cells] == [
        (c.cell_type, c.source) for c in read(script).cells
    ], "the script has changed: make notebooks"
    assert len(code(known)) > 5
    assert sum(bool(cell.get("outputs")) for cell in known.cells) > len(code(known)) / 2


def test_all_notebooks_are_there() -> None:
    assert [script.stem[:2] for script in SCRIPTS] == [f"0{n}" for n in range(1, 9)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import warnings; warnings.warn('beware')", "beware"),
        ("assert 1 + 1 == 3", "AssertionError"),
    ],
)
def test_a_cell_that_fails_or_warns_is_refused(line: str, words: str, tmp_path: Path) -> None:
    script = tmp_path / "01_wrong.py"
    script.write_text(f"# %%\nx = 1\n\n# %%\n{line}\n", "utf-8")
    with pytest.raises(InputError, match=words):
        executed(script, tmp_path)


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["05_missing"]) == 2
    assert "01_printed_theorems" in capsys.readouterr().err
