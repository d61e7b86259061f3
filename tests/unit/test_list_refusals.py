"""Lists that are refused: what is wrong is named, with its line, and nothing else is raised."""

import codecs
import json
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from cleanup.errors import ListMalformed, ListMissing
from cleanup.lists.reading import read_list

A = "012345670123456701234567"
B = "0123456789abcdef01234567"

Refused = Callable[..., list[tuple[int, str]]]


@pytest.fixture
def refused(tmp_path: Path) -> Refused:
    """The bad rows of a list that must be refused, as line and reason."""

    def read(content: str | bytes, name: str = "list.csv", most: int | None = None) -> list[tuple[int, str]]:
        (tmp_path / name).write_bytes(content.encode() if isinstance(content, str) else content)
        rows: list[tuple[int, str]] = []

        def report(source: str, reason: str) -> None:
            file, _, line = source.rpartition(":")
            assert file == name
            rows.append((int(line), reason))

        with pytest.raises(ListMalformed):
            read_list(str(tmp_path / name), None, report, most)
        return rows

    return read


HEAD = "agent,draft\n"
ROW = f"{A},d1\n"
CSV: dict[str, tuple[str | bytes, dict[int, str]]] = {
    "no bytes": ("", {1: "the file is empty"}),
    "a BOM alone": (codecs.BOM_UTF8, {1: "neither a header nor a pair"}),
    "comments alone": ("# one\n# two\n", {2: "neither a header nor a pair"}),
    "no header": (f"name,when\n{ROW}", {1: "neither a header (agent, draft) nor a pair"}),
    "no draft column": (f"agent,name\n{ROW}", {1: "no column 'draft'"}),
    "no agent column": (f"name,draft id\n{ROW}", {1: "no column 'agent'"}),
    "draft column twice": (f"agent,draft,Draft_ID\n{ROW}", {1: "more than one column 'draft'"}),
    "another column twice": (f"agent,draft,Name,n_ame\n{ROW}", {1: "duplicate column 'n_ame'"}),
    "an unnamed column that is named all the same": (f"agent,draft,,column 3\n{ROW}", {1: "duplicate column"}),
    "too few cells": (HEAD + f"{A}\n" + ROW + f"{A},d1,x\n", {2: "1 cell where", 4: "3 cells where"}),
    "missing ids": (HEAD + f"{A},\n,d1\n", {2: "the draft is missing", 3: "the agent is missing"}),
    "numbers of a spreadsheet": (
        HEAD + f"6.01235E+23,d1\n{A},6.6E+23\n{ROW}",
        {2: "an id that a spreadsheet turned into a number", 3: "an id that a spreadsheet turned into a number"},
    ),
    "numbers of a spreadsheet, no header": (f"6.01235E+23,d1\n6.1E+23,d2\n{ROW}", {1: "spreadsheet", 2: "spreadsheet"}),
    "numbers with a decimal comma": ("agent;draft\n6,01235E+23;d1\n", {2: "spreadsheet turned into a number"}),
    "a first pair that is none": (
        f"{A},../archive\n{A},..\n",
        {1: "'../archive' is not a valid", 2: "'..' is not a valid"},
    ),
    "an open quote": (HEAD + f'{A},"d1\n{A},d2\n', {2: "never closed"}),
    "an open quote in a long file": (
        HEAD + f'{A},"d1\n' + ROW * 5000 + "x,x\n",
        {2: "not closed within", 5003: "'x' is not a valid"},
    ),
    "text after a quote": (
        HEAD + f'{A},"d1"x\n{A},d2\nx,d3\n',
        {2: "after the closing quote", 4: "'x' is not a valid"},
    ),
    "a cell without end": (HEAD + f"{A}," + "x" * 2_000_000 + "\n", {2: "or a cell is longer"}),
    "carriage returns alone": (f"agent,draft\r{A},d1\r", {1: "carriage return alone"}),
    "bytes that are no text": (
        HEAD.encode() + b"\xff,d1\n" + ROW.encode() + b"x\xc3,d1\n",
        {2: "cannot be decoded as UTF-8", 4: "cannot be decoded as UTF-8"},
    ),
    "half a character in UTF-16": (
        f"\ufeff{HEAD}{ROW}\ud800,{A}\n{ROW}x,d1\n".encode("utf-16-le", "surrogatepass"),
        {3: "cannot be decoded as UTF-16", 5: "'x' is not a valid"},
    ),
    "half a character at the end": (
        codecs.BOM_UTF16_BE + (HEAD + ROW).encode("utf-16-be") + b"\x00",
        {3: "cannot be decoded as UTF-16"},
    ),
    "bytes that are no text within quotes": (
        f'agent,draft,note\n{A},d1,"one\n'.encode() + b'\xff\n"\n' + b"x,d2,\n",
        {3: "cannot be decoded", 5: "'x' is not a valid"},
    ),
    "NUL": (HEAD + f"{A},d\x001\n\x00\n", {2: "'d\\x001' is not a valid", 3: "1 cell"}),
    "a spreadsheet by its content": (b"PK\x03\x04" + b"\x00" * 99, {1: "a spreadsheet: save it as CSV"}),
    "an unreadable time": (
        f"agent,draft,updated at\n{A},d,yesterday\n{A},d,\n{A},d,17000\n{A},d,0001-01-01T00+23:59\n",
        {2: "updated_at 'yesterday' is not a time", 4: "'17000' is not a time", 5: "out of range for a time"},
    ),
    "a time without a zone": (
        f"agent,draft,updated_at\n{A},d,2026-01-01\n{A},d,2026-01-01T12:00\n{A},d,2026-01-01T12:00+02:00\n{ROW[:-1]},\n",
        {2: "'2026-01-01' has no time zone: write", 3: "'2026-01-01T12:00' has no time zone: write"},
    ),
    "a time to come": (
        f"agent,draft,updated_at\n{A},d,2099-01-01T00:00:00Z\n{A},d,9999-12-31T23:59:59.9+00:01\n",
        {2: "'2099-01-01T00:00:00Z' is in the future (it is now 20", 3: "is in the future"},
    ),
    "another delimiter, told": (f"sep=|\nagent|draft\n{A}|d1\n", {1: "'sep=|' names an unsupported delimiter"}),
    "nothing after the told delimiter": ("sep=;\n\n", {2: "neither a header nor a pair"}),
    "text after a quote with blanks": (
        HEAD + f'{A}, "d1" x\n"{A}" ,"x" \n"x" , d3\n',
        {2: "after the closing quote", 4: "'x' is"},
    ),
    "a comment in quotes that goes on": (
        HEAD + f'"# a" ,\n"# b\n{A}",\n"# c"x,\nx,d\n',
        {5: "after the closing quote", 6: "'x' is"},
    ),
    "an end inside a row": (
        HEAD + f"{A},d1\n{A}",
        {3: "the list ends in the middle of this row: was it written completely? (1 cell"},
    ),
    "an end inside an id": (HEAD + f"{A},d10\n{A},d11\n{A},d1", {4: "the list ends in the middle of this row"}),
    "an end inside an id in UTF-16": (
        (HEAD + f"{A},d10\n{A},d1").encode("utf-16"),
        {3: "the list ends in the middle of this row"},
    ),
    "URLs of the console": (
        HEAD + f"https://app.smallest.ai/agents/{A}/drafts/{B},d1\n{A},HTTP://x/{A}?draft=d1\n{A},https://x/{A}0\n",
        {
            2: f"a URL, not an id: https://app.smallest.ai/agents/{A}/drafts/{B} (",
            3: f"it contains {A})",
            4: "not a valid",
        },
    ),
    "a URL of the console alone": (f"https://x/{A}/{B}\n", {1: "a URL, not an id: https://x/"}),
    "a comment within a record is none": (f'agent,draft,note\n{A},d1,"\n# {A}\n"\nx,d2,\n', {5: "'x' is not a valid"}),
}


@pytest.mark.parametrize(("content", "expected"), CSV.values(), ids=CSV)
def test_each_bad_row_of_a_csv_is_named(refused: Refused, content: str | bytes, expected: dict[int, str]) -> None:
    """Every bad row is reported with its line and what is wrong with it, and no good row is."""
    _compare(refused(content), expected)


YAML: dict[str, tuple[str | bytes, dict[int, str]]] = {
    "nothing but comments": ("# x\n", {1: "an empty list is written []"}),
    "a word": ("hello\n", {1: "this is not a list"}),
    "nothing under pairs": ("pairs:\n", {1: "this is not a list"}),
    "null for an id": (
        f"- {{agent: {A}, draft: null}}\n- agent: ~\n  draft: d\n- agent: {A}\n  draft:\n- [{A}, ~]\n- [~, d]\n",
        {
            1: "draft is missing",
            2: "agent is missing",
            4: "draft is missing",
            6: "draft is missing",
            7: "agent is missing",
        },
    ),
    "null for a draft": (f"{A}: [d1,\n ~]\n", {2: "the draft is missing"}),
    "no drafts": (
        f"{A}:\n{B}: d1\n",
        {1: "must be followed by a list of drafts", 2: "must be followed by a list of drafts"},
    ),
    "an anchor": (f"- &a [{A}, d1]\n", {1: "an anchor (&)"}),
    "an alias": (f"- [{A}, d1]\n- *a\n", {2: "an alias (*)"}),
    "a tag": (f"- [{A}, d1]\n- [{A}, !!str d2]\n", {2: "a tag (!)"}),
    "a second document": (f"- [{A}, d1]\n---\n- [{B}, d2]\n", {2: "a second document"}),
    "too deep": ("\n".join("  " * depth + "- " for depth in range(25)), {21: "deeper than 20"}),
    "a hundred thousand brackets": ("[" * 100_000, {1: "deeper than 20"}),
    "a hundred thousand braces": ("{a: " * 100_000, {1: "deeper than 20"}),
    "a hundred thousand dashes": ("- " * 100_000, {1: "deeper than 20"}),
    "an agent twice": (f"{A}: [d1]\n{B}: [d2]\n{A}: [d3]\n", {3: "duplicate key"}),
    "a key twice": (
        f"- agent: {A}\n  agentId: {B}\n  draft: d1\n- {{agent: {A}, draft: d, x: 1, X: 2}}\n",
        {1: "duplicate key 'agentId'", 4: "duplicate key 'X'"},
    ),
    "a key that is no text": (f"? [{A}]\n: [d1]\n", {1: "a key must be text"}),
    "bytes that are no text": (f"- [{A}, d1]\n".encode() * 5000 + b"- [\xff, d1]\n", {5001: "cannot be decoded"}),
    "NUL": (f"- [{A}, d1]\n- [{A}, d\x00]\n", {2: "a character that YAML forbids"}),
    "UTF-16 with NUL": (f"- [{A}, d1]\n- [{A}, d\x00]\n".encode("utf-16"), {2: "a character that YAML forbids"}),
    "half a character": (f'- [{A}, d1]\n- [{A}, "\\ud800"]\n', {2: "valid YAML"}),
    "a tab in front": (f"- agent: {A}\n\tdraft: d1\n", {2: "valid YAML"}),
    "an open quote": (f'- [{A}, "d1]\n', {2: "valid YAML"}),
    "something beside the list": (f"pairs:\n- [{A}, d1]\nname: x\n", {3: "unexpected key 'name'"}),
    "both wrappers": (f"pairs:\n- [{A}, d1]\ndrafts:\n- [{A}, d2]\n", {3: "must be the only key"}),
    "one record": (
        f"agent: {A}\ndraft: d1\n",
        {1: "must be followed by a list of drafts", 2: "must be followed by a list of drafts"},
    ),
    "no pairs": (
        f"- [{A}, d1, d2]\n- [{A}]\n- {{}}\n- x\n- \n- [[{A}], d1]\n",
        dict(
            enumerate(
                ("[agent, draft]",) * 2 + ("agent is missing", "'x' is not a pair", "nothing is not a pair", "[agent"),
                1,
            )
        ),
    ),
    "values that are none": (
        f"- agent: [{A}]\n  draft: d1\n- {{agent: {A}, draft: {{}}}}\n- {{agent: {A}, draft: d, x: {{y: 1, y: 2}}}}\n",
        {1: "is a list", 3: "is a mapping", 4: "duplicate key 'y'"},
    ),
    "an unreadable time": (
        f"- [{A}, d1]\n- {{agent: {A}, draft: d, updatedAt: soon}}\n- {{agent: {A}, draft: d, updated_at: [2026]}}\n",
        {2: "updated_at 'soon' is not a time", 3: "is not a time"},
    ),
    "an end inside an id": (f"- [{A}, d10]\n- agent: {A}\n  draft: d1", {2: "the list ends in the middle of this row"}),
    "URLs of the console": (f"- https://x/{A}\n- [https://x/{A}, d]\n", {1: "a URL, not an id", 2: "a URL, not an id"}),
    "blanks in quotes": (f'- ["{A} ", d1]\n- [{A}, "d1\\n"]\n', {1: "is not a valid", 2: "'d1\\n' is not a valid"}),
    "too many different keys": (
        "".join(f"- {{agent: {A}, draft: d, k{number}: x}}\n" for number in range(1002)),
        {1001: "more than 1000 different", 1002: "more than 1000 different"},
    ),
}


@pytest.mark.parametrize(("content", "expected"), YAML.values(), ids=YAML)
def test_each_bad_row_of_a_yaml_is_named(refused: Refused, content: str | bytes, expected: dict[int, str]) -> None:
    """Every bad row is reported with its line and what is wrong with it, and no good row is."""
    _compare(refused(content, "list.yaml"), expected)


JSON: dict[str, tuple[str | bytes, dict[int, str]]] = {
    "blanks alone": (" \n ", {2: "valid JSON"}),
    "null": ("null", {1: "this is not a list"}),
    "numbers and null for ids": (
        f'[["{A}", 1e5],\n["{A}", null],\n[1, "d"],\n{{"agent": "{A}", "draft": true}}]',
        {
            1: "'1e5' is not a string",
            2: "draft is missing",
            3: "agent '1' is not a string",
            4: "'true' is not a string",
        },
    ),
    "numbers under an agent": (f'{{"{A}": ["d1",\n2]}}', {2: "'2' is not a string"}),
    "an agent twice": (f'{{"{A}": ["d1"],\n"{A}": ["d2"]}}', {2: "duplicate key"}),
    "half a character": (f'[["{A}", "d1"],\n["{A}", "\\ud800"]]', {2: "lone surrogate"}),
    "half a character in a note": (
        f'[{{"agent": "{A}", "draft": "d1",\n "note": "\\udc00"}}]',
        {2: "lone surrogate"},
    ),
    "half a character in a key": (f'[{{"agent": "{A}", "draft": "d1",\n "\\udc00": "x"}}]', {2: "lone surrogate"}),
    "a line break in an id": (f'[["{A}", "d1\\n"]]', {1: "'d1\\n' is not a valid"}),
    "more after the end": (f'[["{A}", "d1"]]\n[]', {2: "valid JSON"}),
    "NaN": ("[\nNaN]", {2: "NaN"}),
    "too deep": ("[\n" * 30 + "]" * 30, {21: "deeper than 20"}),
    "a hundred thousand brackets": ("[" * 100_000 + "]" * 100_000, {1: "deeper than 20"}),
    "a hundred thousand braces": ('{"a":' * 100_000, {1: "deeper than 20"}),
    "bytes that are no text": (b'[\n"\xed\xa0\x80"]', {2: "cannot be decoded"}),
    "a long string": (f'[["{A}", "' + "d" * 2_000_000 + '"]]', {1: "is not a valid"}),
}


LINES: dict[str, tuple[str | bytes, dict[int, str]]] = {
    "lines of every kind": (
        f'["{A}", "d1"]\n\n{{"agent": "{A}"}}\n["{A}", 1]\n7\n'.encode()
        + f'{{"agent": "{A}", "draft": "d1"\n[]\n["{A}", "d2"] x\n'.encode()
        + b'["\xff"]\n',
        {
            3: "the draft is missing",
            4: "'1' is not a string",
            5: "'7' is not a pair",
            6: "valid JSON",
            7: "a pair must be written",
            8: "valid JSON",
            9: "cannot be decoded",
        },
    ),
    "an end inside a line": (
        f'{{"agent": "{A}", "draft": "d1"}}\n{{"agent": "{A}", "dra',
        {2: "the list ends in the middle of this row: was it written completely?"},
    ),
    "a hundred thousand brackets": ("[" * 100_000, {1: "deeper than 20"}),
}


@pytest.mark.parametrize("name", ["list.jsonl", "list.ndjson"])
@pytest.mark.parametrize(("content", "expected"), LINES.values(), ids=LINES)
def test_each_bad_line_of_json_lines_is_named(
    refused: Refused, content: str | bytes, expected: dict[int, str], name: str
) -> None:
    """Every bad line is reported, each by itself."""
    _compare(refused(content, name), expected)


@pytest.mark.parametrize(("content", "expected"), JSON.values(), ids=JSON)
def test_each_bad_row_of_a_json_is_named(refused: Refused, content: str | bytes, expected: dict[int, str]) -> None:
    """Every bad row is reported with its line and what is wrong with it, and no good row is."""
    _compare(refused(content, "list.json"), expected)


IDS = [
    *(
        "..",
        "../archive",
        "%2e%2e",
        ".",
        "a/b",
        "a?b",
        "a#b",
        "d 1",
        "-d",
        "_d",
        "d" * 129,
        "d:1",
        "d;1",
        "d%00",
        "d\\",
    ),
    *("d\u0661", "\uff44", "d\u00a0", "d\u200b", "d\u2028", "\ufeffd", "\u00e9"),
]
AGENTS = ["0" * 23, "0" * 25, "A" * 24, "g" * 24, "\uff10" * 24, "\u0660" * 24, A[:-1] + "/", A + "\u00a0", "../" * 8]


@pytest.mark.parametrize(
    ("ago", "reason"),
    [
        (timedelta(minutes=5), None),
        (timedelta(minutes=5, seconds=1), "in the future (it is now 2026-08-31T12:00:00.000Z)"),
    ],
)
def test_the_future_begins_five_minutes_from_now(tmp_path: Path, ago: timedelta, reason: str | None) -> None:
    """So far may this machine's clock and the API's differ; in whatever zone the time is written."""
    now = datetime(2026, 8, 31, 12, tzinfo=UTC)
    path = tmp_path / "list.csv"
    path.write_text(
        f"agent,draft,updated_at\n{A},d1,{(now + ago).astimezone(timezone(timedelta(hours=2))).isoformat()}\n"
    )
    rows: list[tuple[str, str]] = []
    with suppress(ListMalformed):
        read_list(str(path), None, lambda *row: rows.append(row), now=now)
    assert [reason in told for _, told in rows if reason] == ([True] if reason else [])
    assert len(rows) == (reason is not None)


@pytest.mark.parametrize("name", ["list.csv", "list.yaml", "list.json"])
def test_no_other_id_passes(refused: Refused, name: str) -> None:
    """What would leave the path of a draft, and what only looks like an id, is refused in each format."""
    pairs = [(A, draft) for draft in IDS] + [(agent, "d1") for agent in AGENTS]
    if name == "list.csv":
        text = "agent\tdraft\n" + "".join(f"{agent}\t{draft}\n" for agent, draft in pairs)
        first = 2
    else:
        text = "[" + ",\n".join(json.dumps(pair, ensure_ascii=name == "list.json") for pair in pairs) + "]"
        text, first = text.replace("\u2028", "\\u2028"), 1
    rows = refused(text, name)
    assert [line for line, _ in rows] == list(range(first, first + len(pairs)))
    assert all("is not a valid" in reason for _, reason in rows)


@pytest.mark.parametrize("name", ["drafts.xlsx", "drafts.XLS", "drafts.ods", "drafts.numbers"])
def test_a_spreadsheet_is_told_to_be_saved_as_csv(refused: Refused, name: str) -> None:
    """A spreadsheet's file is recognised by its name, whatever is in it."""
    assert refused("x", name) == [(1, "this is a spreadsheet: save it as CSV (ids as text)")]


def test_a_person_is_told_the_first_bad_rows_and_how_many_more_there_are(tmp_path: Path) -> None:
    """With `most`, that many rows are named, and the sentence counts them all."""
    path = tmp_path / "list.csv"
    path.write_text(HEAD + "x,y\n" * 57)
    named: list[Any] = []
    with pytest.raises(ListMalformed, match=r"57 rows are invalid \(only the first 20 are shown\)"):
        read_list(str(path), None, lambda *row: named.append(row), 20)
    assert [source for source, _ in named] == [f"list.csv:{line}" for line in range(2, 22)]


@pytest.mark.parametrize("name", ["missing.csv", "", ".", "a\0b.csv"])
def test_a_list_that_cannot_be_opened_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """No file, no name, a folder, an impossible name: the list is missing, not malformed."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ListMissing, match="the list cannot be read"):
        read_list(name, None, lambda *_: None)


def _compare(rows: list[tuple[int, str]], expected: dict[int, str]) -> None:
    assert [line for line, _ in rows] == list(expected), rows
    for line, reason in rows:
        assert expected[line] in reason
