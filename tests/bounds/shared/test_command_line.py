"""An error of the program itself is one line and exit code 70, never an answer."""

import subprocess
import sys
from collections.abc import Callable
from importlib import import_module

import pytest

from bounds.shared import command_line

#: A command of each package whose input is right.
COMMANDS = {"bounds": ["list"], "tabular": ["games"], "deep": ["doctor"]}


@pytest.mark.parametrize("package", COMMANDS)
@pytest.mark.parametrize(
    "error",
    [
        ValueError("a\nb"),
        OverflowError("too large"),
        MemoryError(),
        RecursionError(),
        KeyError("k"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_internal_errors_end_in_70_and_one_line(
    package: str,
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    module = import_module(f"{package}.commands.main")

    def broken(_: object) -> int:
        raise error

    monkeypatch.setattr(module, "execute", broken)
    main: Callable[[list[str]], int] = module.main
    assert main(COMMANDS[package]) == command_line.INTERNAL == 70
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "please report" in err
    assert type(error).__name__ in err
    assert main(["--debug", *COMMANDS[package]]) == 70
    assert "Traceback" in capsys.readouterr().err
    assert main([*COMMANDS[package], "--debug"]) == 70
    assert "in broken" in capsys.readouterr().err


@pytest.mark.parametrize("package", COMMANDS)
def test_debug_changes_nothing_else(package: str, capsys: pytest.CaptureFixture[str]) -> None:
    main = import_module(f"{package}.commands.main").main
    assert main(["--debug", "no-such-command"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_defaults_that_cannot_be_made_are_an_internal_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """deep makes its commands from the arguments, before they are parsed."""
    main = import_module("deep.commands.main")
    monkeypatch.setattr(main, "_defaults", lambda _: 1 / 0)
    assert main.main(["doctor"]) == 70
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_an_answer_that_nobody_reads_is_none() -> None:
    """Exit code 0 would be "valid" for ``refute``."""
    with subprocess.Popen(
        [sys.executable, "-m", "bounds", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == command_line.CUT_OFF
