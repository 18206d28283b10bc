"""What is no number, and what a refusal of it must be: one short line."""

from typing import Any

import pytest

from bounds.shared.numbers import MAX_NUMBER_LENGTH, InputError

#: No number for anybody.
GARBAGE = [
    "", " ", "\n", "\x00", "1/0", "0/0", "-3/00", "1/", "/1", "1//2", "1/2/3", "1/-2", "--1", "+",
    "- 1", "1 2", "0x10", "1_000", "１", "٣", "½", "e5", "1e", "1e+", "1e1.5", "1/2e3", "1.5/2",
    ".", "..1", "1,5", "inf", "-inf", "Infinity", "nan", "NaN", "None", "True", "1\n2", "1\u20282",
    "1j", "1e1001", "1e-1001", "1e" + "9" * 900, "1" * (MAX_NUMBER_LENGTH + 1), "1" * 10_000,
    "1/" + "3" * 10_000, "9" * 10_000 + "/0", "0." + "1" * 10_000, "x" * 100_000,
]  # fmt: skip


def refusal(function: Any, *arguments: Any, **options: Any) -> str:
    """The message of the ``InputError``, which must be one line and not a long one."""
    with pytest.raises(InputError) as caught:
        function(*arguments, **options)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert len(message) < 400
    return message
