"""Run notebooks from scratch and write them down, as ``make notebooks`` does.

Each ``NN_name.py`` in this folder is a notebook in jupytext's percent format; ``NN_name.ipynb``
holds the same cells with their outputs. Running one that has not changed changes no file: cell
identifiers are counted, and times of execution and versions are left out. Cells tagged "random"
draw random numbers; what they show may have other numbers with another version of NumPy.

Use: python notebooks/execute.py [NAME ...], a name such as 01_printed_theorems; left out: all.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import jupytext
import nbformat
from nbclient import NotebookClient

from bounds.shared.files import write_text
from bounds.shared.numbers import InputError

HERE = Path(__file__).parent
SCRIPTS = tuple(sorted(HERE.glob("[0-9][0-9]_*.py")))
#: Seconds that one cell may take; a whole notebook takes less than a minute on one core.
TIMEOUT = 300
_KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def read(script: Path) -> Any:
    """The notebook that ``script`` describes, without outputs."""
    notebook = jupytext.read(script)
    notebook.metadata = {"jupytext": {"formats": "ipynb,py:percent"}, "kernelspec": _KERNEL}
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata = {"tags": cell.metadata["tags"]} if "tags" in cell.metadata else {}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def executed(script: Path, figures: Path | None = None) -> Any:
    """The notebook of ``script`` with its outputs, run in a kernel of its own on one thread.

    figures: where its pictures go; None: notebooks/figures. Raises ``InputError`` where a cell
    fails or writes to standard error, as a warning does.
    """
    notebook = read(script)
    with tempfile.TemporaryDirectory() as profile:
        # one thread, and nothing of the user's own IPython profile
        settings = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "IPYTHONDIR": profile}
        if figures is not None:
            settings["NOTEBOOK_FIGURES"] = str(figures)
        client = NotebookClient(
            notebook,
            timeout=TIMEOUT,
            kernel_name="python3",
            resources={"metadata": {"path": str(HERE)}},
            record_timing=False,
            allow_errors=True,
            coalesce_streams=True,
            extra_arguments=["--log-level=ERROR"],
        )
        with mock.patch.dict(os.environ, settings):
            client.execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            _refuse(script, cell, output)
            output.get("metadata", {}).clear()
    notebook.metadata.pop("language_info", None)  # it holds the version of Python
    return notebook


def _refuse(script: Path, cell: Any, output: Any) -> None:
    """Raise ``InputError`` for an output that is an error or a warning."""
    if output.output_type == "error":
        what = f"{output.ename}: {output.evalue}"
    elif output.get("name") == "stderr":
        what = output.text.strip()
    else:
        return
    raise InputError(f"{script.name}, {cell.id}: {what}\n{cell.source}")


def write(script: Path) -> Path:
    """Run ``script`` and write its .ipynb, whole or not at all."""
    text = nbformat.writes(executed(script))
    return write_text(script.with_suffix(".ipynb"), text + "\n", replace=True)


def main(names: list[str]) -> int:
    """Run the notebooks called ``names``, or all; 2 where one is unknown, 1 where one fails."""
    unknown = set(names) - {script.stem for script in SCRIPTS}
    if unknown:
        known = ", ".join(script.stem for script in SCRIPTS)
        print(f"{', '.join(sorted(unknown))}: not a notebook; one of {known}", file=sys.stderr)
        return 2
    for script in SCRIPTS:
        if not names or script.stem in names:
            try:
                print(write(script).name, flush=True)
            except InputError as error:
                print(error, file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
