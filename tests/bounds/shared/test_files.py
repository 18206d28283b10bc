"""Files: whole or not at all, never over what was there; the shape of JSON and the ledger."""

import json
import os
import stat
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bounds.shared.claims import FORMAT, Claim, Status, ledger, markdown, table, write_ledger
from bounds.shared.files import json_text, write_bytes, write_json, write_text
from bounds.shared.numbers import InputError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Writing


@pytest.mark.parametrize("replace", [False, True])
def test_a_new_file_is_written_whole(replace: bool, tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file.txt"
    assert write_text(path, "ε_π̂ ≤ ½\n", replace=replace) == path
    assert path.read_bytes() == "ε_π̂ ≤ ½\n".encode()
    assert names(path.parent) == ["file.txt"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_an_existing_file_is_refused_unless_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_bytes(path, b"first")
    with pytest.raises(InputError, match=r"file: exists; choose another name or remove it first$"):
        write_bytes(path, b"second")
    assert path.read_bytes() == b"first"
    write_bytes(path, b"third", replace=True)
    assert path.read_bytes() == b"third"
    assert names(tmp_path) == ["file"]


def test_an_existing_folder_is_never_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "inside").mkdir(parents=True)
    for replace in (False, True):
        with pytest.raises(InputError, match=r"folder: "):
            write_text(folder, "text", replace=replace)
    assert names(tmp_path) == ["folder"]
    assert names(folder) == ["inside"]


def test_a_link_that_leads_nowhere_is_there_too(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"link: exists"):
        write_text(link, "text")
    assert link.is_symlink()


def test_a_file_that_appears_meanwhile_is_not_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, fdopen = tmp_path / "file", os.fdopen

    def slow(*arguments: Any, **options: Any) -> Any:
        path.write_text("of another process", encoding="utf-8")
        return fdopen(*arguments, **options)

    monkeypatch.setattr(os, "fdopen", slow)
    with pytest.raises(InputError, match=r"file: exists"):
        write_text(path, "ours")
    assert path.read_text(encoding="utf-8") == "of another process"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("there", [False, True])
def test_a_write_that_fails_leaves_what_was_there(
    error: BaseException, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, fdopen = tmp_path / "file", os.fdopen
    if there:
        path.write_text("before", encoding="utf-8")

    def full(*arguments: Any, **options: Any) -> Any:
        file = fdopen(*arguments, **options)

        class Full:
            def __enter__(self) -> Any:
                return self

            def __exit__(self, *_: object) -> None:
                file.close()

            def write(self, data: bytes) -> None:
                file.write(data[:2])
                raise error

        return Full()

    monkeypatch.setattr(os, "fdopen", full)
    expected = InputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as caught:
        write_text(path, "afterwards", replace=True)
    if expected is InputError:
        assert str(caught.value) == f"{path}: cannot be written (No space left on device)"
    assert names(tmp_path) == (["file"] if there else [])
    assert not there or path.read_text(encoding="utf-8") == "before"


def test_a_rename_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    for name in ("replace", "rename", "link"):

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, name, refuse)
    with pytest.raises(InputError, match=r"cannot be written \(Operation not permitted\)$"):
        write_text(path, "text", replace=True)
    assert names(tmp_path) == []


def test_places_that_cannot_be_written_end_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for path in (tmp_path / "file" / "below", tmp_path / ("x" * 300), Path("/proc/nothing/here")):
        with pytest.raises(InputError) as caught:
            write_text(path, "text")
        assert str(caught.value).startswith(f"{path}: ")
        assert len(str(caught.value).splitlines()) == 1
    assert names(tmp_path) == ["file"]


# JSON

PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)


def nested(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3)


VALUES = st.recursive(PLAIN, nested, max_leaves=12)


@given(VALUES)
def test_json_reads_back(value: Any) -> None:
    assert json.loads(json_text(value)) == value
    as_tuple = tuple(value) if isinstance(value, list) else value
    assert json.loads(json_text(as_tuple)) == value


def test_json_keeps_the_innermost_lists_on_one_line() -> None:
    value = {"a": [[1, 2], ["1/2", None]], "b": {}, "c": [], "d": {"e": [0.5, True]}}
    assert json_text(value).splitlines() == [
        "{",
        '  "a": [',
        "    [1, 2],",
        '    ["1/2", null]',
        "  ],",
        '  "b": {},',
        '  "c": [],',
        '  "d": {',
        '    "e": [0.5, true]',
        "  }",
        "}",
    ]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [[-float("inf")]], {"a": object()}])
def test_what_json_cannot_say_is_not_written(value: Any, tmp_path: Path) -> None:
    with pytest.raises((ValueError, TypeError)):
        write_json(tmp_path / "file.json", value)
    assert names(tmp_path) == []


def test_half_characters_of_other_files_are_written_or_refused(tmp_path: Path) -> None:
    note = json.loads('"\\ud800"')  # valid JSON, and no text that UTF-8 can hold as it is
    path = tmp_path / "file.json"
    try:
        write_json(path, {"note": note})
    except InputError:
        assert names(tmp_path) == []
    else:
        assert json.loads(path.read_text(encoding="utf-8")) == {"note": note}


# The ledger

CLAIMS = st.lists(
    st.builds(
        Claim,
        id=st.text(min_size=1, max_size=8),
        statement=st.text(max_size=8),
        source=st.text(max_size=8),
        status=st.sampled_from(get_args(Status)),
        evidence=st.dictionaries(st.text(max_size=4), VALUES, max_size=2)
        | st.fixed_dictionaries({"summary": st.text(max_size=8), "games": st.integers()}),
    ),
    max_size=4,
)


@given(CLAIMS)
def test_the_ledger_has_the_shape_of_its_format(claims: list[Claim]) -> None:
    written = json.loads(json_text(ledger(claims)))
    assert list(written) == ["format", "claims"]
    assert written["format"] == FORMAT == "claims-ledger/1"
    assert len(written["claims"]) == len(claims)
    for row, claim in zip(written["claims"], claims, strict=True):
        assert list(row) == ["id", "statement", "source", "status", "evidence"]
        assert row["status"] in {"proved", "tested", "refuted", "open"}
        assert row == {
            "id": claim.id,
            "statement": claim.statement,
            "source": claim.source,
            "status": claim.status,
            "evidence": claim.evidence,
        }


def claim(name: str, status: Status, **evidence: Any) -> Claim:
    return Claim(name, f"{name} holds", "theory.md", status, evidence)


def test_the_ledger_on_disk_and_for_people(tmp_path: Path) -> None:
    claims = [
        claim("theorem1-printed", "refuted", summary="6.39 against 0.38", certificate="a.json"),
        claim("coupling-sup", "tested", summary="3000 games, worst ratio 1", games=3000),
        claim("open-one", "open"),
    ]
    path = write_ledger(claims, tmp_path / "claims.json")
    assert json.loads(path.read_text(encoding="utf-8")) == ledger(claims)
    with pytest.raises(InputError, match="exists"):
        write_ledger([], path)
    assert table(claims).splitlines() == [
        "claim             status   evidence",
        "----------------------------------------------------",
        "theorem1-printed  refuted  6.39 against 0.38",
        "coupling-sup      tested   3000 games, worst ratio 1",
        "open-one          open",
    ]
    lines = markdown(claims).splitlines()
    assert lines[0] == "| claim | status | evidence |"
    assert set(lines[1]) == set("| -")
    assert lines[2:] == [
        "| `theorem1-printed` | refuted | 6.39 against 0.38 |",
        "| `coupling-sup` | tested | 3000 games, worst ratio 1 |",
        "| `open-one` | open |  |",
    ]
    assert table([]).splitlines()[0].split() == ["claim", "status", "evidence"]


def test_a_summary_with_a_bar_does_not_add_a_column() -> None:
    row = markdown([claim("a", "open", summary="|η − η̂| ≤ C")]).splitlines()[-1]
    assert row.replace(r"\|", "").count("|") == 4
