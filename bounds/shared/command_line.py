"""Running a command line: a union of frozen dataclasses through tyro, one-line errors, exit codes.

Exit codes: 0 done; 1 a claim is refuted or rejected; 2 the user's input cannot be used.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from collections.abc import Callable, Sequence
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


def run(
    commands: Any,
    execute: Callable[[Any], int],
    prog: str,
    description: str,
    arguments: Sequence[str] | None = None,
) -> int:
    """Parse ``arguments`` (default: sys.argv) into one of ``commands`` and execute it.

    Returns the exit code. Errors of the command line and every ``InputError`` end in one line on
    standard error and exit code 2; an interrupted command ends with 130.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without Greek letters still works
            stream.reconfigure(errors="backslashreplace")
    try:
        command = _parse(commands, prog, description, arguments)
        return execute(command)
    except InputError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # the reader of our output has gone; leave without a traceback at interpreter exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print(f"{prog}: stopped", file=sys.stderr)
        return 130


def _parse(commands: Any, prog: str, description: str, arguments: Sequence[str] | None) -> Any:
    given = list(sys.argv[1:] if arguments is None else arguments)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            return tyro.cli(
                commands,
                prog=prog,
                description=description,
                args=given or ["--help"],
                config=(tyro.conf.FlagCreatePairsOff,),
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        words = _FRAME.sub(" ", printed.getvalue()).split("For full helptext")[0].split()
        message = _TITLE.sub("", " ".join(words)).split(" Perhaps you meant")[0][:_LONGEST]
        raise InputError(f"{message}; see {prog} --help") from None
