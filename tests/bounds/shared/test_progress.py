"""Progress appears on a terminal only, and never changes what is iterated."""

import io
import sys

import pytest

from bounds.shared.progress import progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_silent_off_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with progress() as bar:
        assert list(bar.over(range(3), "counting")) == [0, 1, 2]
    assert stream.getvalue() == ""


def test_shown_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with progress() as bar:
        assert list(bar.over((x for x in "abc"), "spelling", total=3)) == ["a", "b", "c"]
    assert "spelling" in stream.getvalue()
    assert "3/3" in stream.getvalue()
