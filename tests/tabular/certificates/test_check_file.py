"""``python -m tabular verify`` on every format, and on claims of a library's name."""

import json
from pathlib import Path

import pytest

from bounds.library.published import find
from tabular.certificates.build import refutation
from tabular.commands.main import main
from tests.support.cases import leak

RECORDED = sorted(
    (Path(__file__).parents[3] / "notebooks" / "data" / "audit" / "certificates").glob("*.json")
)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_every_recorded_certificate_is_accepted(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(path)]) == 0
    statement = json.loads(path.read_text("utf-8"))["statement"]
    assert capsys.readouterr().out.startswith(f"accepted: {statement}: ")


def test_a_claim_of_another_bound_s_name_is_false(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A true refutation of Theorem 1 as printed that says it is one of a coupling bound."""
    value = refutation(leak(), find("theorem1-printed"))
    path = tmp_path / "renamed.json"
    for claim, code in (("theorem1-printed", 0), ("coupling-data", 1), ("my own", 0)):
        path.write_text(json.dumps(value | {"claim": claim}), "utf-8")
        assert main(["verify", str(path)]) == code
    assert "another bound" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not a certificate"),
        ("[" * 100_000, "not a certificate"),
        ("[]", "format None is not one of"),
        ('{"format": "bound-certificate/2"}', "format 'bound-certificate/2' is not one of"),
        ('{"format": []}', "format [] is not one of"),
    ],
)
def test_what_is_no_certificate_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    path = tmp_path / "odd.json"
    path.write_text(text, "utf-8")
    assert main(["verify", str(path)]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
