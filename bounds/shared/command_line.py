"""Running a command line: a union of frozen dataclasses through tyro, one-line errors, exit codes.

Exit codes: 0 done; 1 a claim is refuted or rejected; 2 the user's input cannot be used; 3
undecided; 70 an error of the program itself (EX_SOFTWARE of sysexits.h), which must never look like
an answer; 130 interrupted; 141 the reader of the output has gone (128 + SIGPIPE, as for others).
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from inspect import isfunction
from typing import Any

import tyro

from bounds.shared.numbers import InputError

#: Titles that tyro puts over its messages.
_TITLE = re.compile(
    r"^((Parsing error|Required options|Unrecognized options|Value error Error parsing \S+:) )+"
)
#: Its frames, in box-drawing characters or, where the terminal has none, in ASCII.
_FRAME = re.compile(r"[\u2500-\u257f]+|\x1b\[[0-9;]*m|[+-]{3,}|^\||\|$", re.MULTILINE)
#: Longest message that is passed on.
_LONGEST = 300
#: Exit code of an error of the program itself.
INTERNAL = 70
#: Exit code where nobody reads the answer to its end.
CUT_OFF = 141
#: The flag, of every command, that shows where such an error comes from.
DEBUG = "--debug"


def run(
    commands: Any,
    execute: Callable[[Any], int],
    prog: str,
    description: str,
    arguments: Sequence[str] | None = None,
) -> int:
    """Parse ``arguments`` (default: sys.argv) into one of ``commands`` and execute it.

    commands: the union, or a function of the arguments that makes it.
    Returns the exit code. Errors of the command line and every ``InputError`` end in one line on
    standard error and exit code 2; an interrupted command ends with 130; anything else that is
    raised is our own fault and ends in one line and 70, with the traceback where --debug is given.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = DEBUG in given
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without Greek letters still works
            stream.reconfigure(errors="backslashreplace")
    try:
        words = [text for text in given if text != DEBUG]
        union = commands(words) if isfunction(commands) else commands
        command = _parse(union, prog, description, words)
        code = execute(command)
        sys.stdout.flush()
        return code
    except InputError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # the reader of our output has gone; leave without a traceback at interpreter exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CUT_OFF
    except KeyboardInterrupt:
        print(f"{prog}: stopped", file=sys.stderr)
        return 130
    except Exception as error:  # whatever it is, it is no answer
        if debug:
            traceback.print_exc()
        print(_internal(prog, error), file=sys.stderr)
        return INTERNAL


def _internal(prog: str, error: Exception) -> str:
    """One line about an error of the program itself."""
    words = " ".join(f"{type(error).__name__}: {error}".split())[:_LONGEST]
    return f"{prog}: internal error, please report it ({words}); {DEBUG} shows the traceback"


def _parse(commands: Any, prog: str, description: str, given: Sequence[str]) -> Any:
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            return tyro.cli(
                commands,
                prog=prog,
                description=f"{description} {DEBUG}, anywhere, shows tracebacks.",
                args=given or ["--help"],
                config=(tyro.conf.FlagCreatePairsOff,),
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        words = _FRAME.sub(" ", printed.getvalue()).split("For full helptext")[0].split()
        message = _TITLE.sub("", " ".join(words)).split(" Perhaps you meant")[0][:_LONGEST]
        raise InputError(f"{message}; see {prog} --help") from None
