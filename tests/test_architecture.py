"""The shape of the project: what the wheel holds, who imports whom, what code may not do."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SOURCES = sorted(
    path for package in ("bounds", "tabular", "deep") for path in (ROOT / package).rglob("*.py")
)
VERIFIER = ROOT / "tabular" / "verify.py"
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(module: ast.Module) -> Iterator[str]:
    """Top-level names of the packages that ``module`` imports, anywhere in it."""
    yield from (name.partition(".")[0] for name in imported(module))


def imported(module: ast.Module) -> Iterator[str]:
    """Dotted names of what ``module`` imports, anywhere in it; a leading dot where relative."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield from (f"{start}.{alias.name}" for alias in node.names)


def test_the_wheel_holds_exactly_the_three_packages() -> None:
    assert PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"] == {
        "packages": ["bounds", "tabular", "deep"]
    }
    assert all((ROOT / name / "__init__.py").is_file() for name in ("bounds", "tabular", "deep"))


def test_import_contracts_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run(
        [linter, "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_code_comes_from_data(path: Path) -> None:
    module = tree(path)
    assert not {"pickle", "marshal", "shelve", "dill", "cloudpickle"} & set(imports(module))
    assert "unittest" not in set(imports(module))
    names = {node.id for node in ast.walk(module) if isinstance(node, ast.Name)}
    assert not {"eval", "exec", "compile", "__import__"} & names
    keywords = {node.arg for node in ast.walk(module) if isinstance(node, ast.keyword)}
    assert "allow_pickle" not in keywords


def test_constructors_are_called_by_keyword() -> None:
    """With more than four arguments nobody sees which is which."""
    modules = {path: tree(path) for path in SOURCES}
    classes = {
        node.name
        for module in modules.values()
        for node in ast.walk(module)
        if isinstance(node, ast.ClassDef)
    }
    assert [
        f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node.func)}"
        for path, module in modules.items()
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and len(node.args) > 4
        and ast.unparse(node.func).rpartition(".")[2] in classes
    ] == []


def test_modules_that_are_named_are_there() -> None:
    """In docstrings, comments, messages and guides: bounds.x.y is a module, or a name in one."""
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in SOURCES
    }
    missing = []
    for path in (*SOURCES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r"\b(?<![./])(?:bounds|tabular|deep)(?:\.[A-Za-z_]\w*)+", text):
            module, rest = name, ""
            while module not in modules:
                module, _, rest = module.rpartition(".")
            if not re.search(rf"\b{rest}\b", modules[module].read_text(encoding="utf-8")):
                missing.append(f"{path.relative_to(ROOT)}: {name}")
    assert missing == []


def test_no_test_imports_from_another_test() -> None:
    """What several tests need stands in tests/support, which imports no test either."""
    found = {path.relative_to(ROOT): list(imported(tree(path))) for path in TESTS}
    assert [
        f"{path}: {name}"
        for path, names in found.items()
        for name in names
        if name.startswith((".", "tests.")) and not name.startswith("tests.support.")
    ] == []


@pytest.mark.parametrize(("name", "beyond"), [("verify", set()), ("verify_soft", {"typing"})])
def test_the_checkers_stand_alone(name: str, beyond: set[str]) -> None:
    allowed = {"__future__", "fractions", "json", "sys"} | beyond
    assert set(imports(tree(ROOT / "tabular" / f"{name}.py"))) <= allowed


def test_the_checker_is_short() -> None:
    assert len(VERIFIER.read_text(encoding="utf-8").splitlines()) <= 350


@pytest.mark.parametrize(
    "name",
    [
        "bounds.library.published",
        "bounds.library.coupling",
        "tabular.cases.case",
        "tabular.cases.check",
    ],
)
def test_imports_are_light(name: str) -> None:
    code = f"import sys, {name}; print({{'torch', 'matplotlib', 'sympy'}} & set(sys.modules) or '')"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == ""


def test_the_citation_names_this_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (\S+)$", citation, re.MULTILINE) == [
        PYPROJECT["project"]["version"]
    ]


def test_folders_are_small_and_say_what_they_are_for() -> None:
    folders = {path.parent for path in SOURCES}
    for folder in folders:
        # the room's own file says what it is for and is not counted
        files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(files) <= 15, folder
        assert ast.get_docstring(tree(folder / "__init__.py")), folder
