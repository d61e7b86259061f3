"""Lists of every shape, thrown at the readers: the exact pairs come out, or every bad row is named."""

import codecs
import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from cleanup.errors import ListMalformed
from cleanup.lists.pair_list import PairList
from cleanup.lists.reading import FORMATS, read_list

AGENT = re.compile(r"[0-9a-f]{24}")
DRAFT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")

quickly = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

Pairs = list[tuple[str, str]]
Read = Callable[[bytes, str | None], PairList | None]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read bytes as a list: the pairs, or None when it was refused in the way that is promised."""
    path = tmp_path / "list"

    def read_bytes(content: bytes, format_name: str | None) -> PairList | None:
        path.write_bytes(content)
        rows: list[tuple[str, str]] = []
        try:
            pairs = read_list(str(path), format_name, lambda *row: rows.append(row))
        except ListMalformed:
            assert rows
            assert all(re.fullmatch(r"list:[1-9]\d*", source) and reason for source, reason in rows)
            lines = content.replace(b"\r", b"\n").count(b"\n") + content.count("\u2028".encode()) + 2
            assert all(int(source.rpartition(":")[2]) <= lines + content.count(b"\x85") for source, _ in rows)
            return None
        assert not rows
        for pair in pairs:
            assert AGENT.fullmatch(pair.agent)
            assert DRAFT.fullmatch(pair.draft)
        return pairs

    return read_bytes


agents = st.sampled_from(["012345670123456701234567", "6" * 24, "deadbeefdeadbeefdeadbeef", "1e5" * 8]) | st.text(
    "0123456789abcdef", min_size=24, max_size=24
)
drafts = st.sampled_from(["1e5", "0123", "0x1F", "on", "No", "true", "1_000", "2026-01-01", "12e03", "y", "0o17"]) | (
    st.text("abcXYZ019_-", min_size=1, max_size=20).map(lambda text: "e" + text)
)
valid = st.lists(st.tuples(agents, drafts), min_size=1, max_size=6)
names = st.sampled_from(
    [("agent", "draft"), ("Agent ID", "DRAFT-ID"), ("agent_id", "draft_id"), ("agentId", "draftId"), ("AGENT", "Draft")]
)
encodings = st.sampled_from(["utf-8", "utf-8-sig", "utf-16-le", "utf-16-be"])
notes = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r", max_codepoint=0xFFFF), max_size=8)


def encoded(text: str, encoding: str) -> bytes:
    """Text in an encoding, with the BOM that UTF-16 needs."""
    boms = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}
    return boms.get(encoding, b"") + text.encode(encoding)


@st.composite
def csv_lists(draw: st.DrawFn) -> tuple[Pairs, bytes]:
    """Pairs, and a CSV of them in some dialect."""
    pairs = draw(valid)
    delimiter, end = draw(st.sampled_from(",;\t")), draw(st.sampled_from(["\n", "\r\n"]))
    quoting: Literal[0, 1] = draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
    agent, draft = draw(names)
    header, flip = draw(st.booleans()), draw(st.booleans())
    others = draw(st.lists(notes, min_size=len(pairs), max_size=len(pairs)) | st.none())
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)
    between = draw(st.lists(st.sampled_from(["", delimiter, f'# {delimiter} "comment', "  "]), max_size=3))
    text.write("".join(line + end for line in between))
    flip = flip and header
    if header:
        row = [draft, agent] if flip else [agent, draft]
        writer.writerow(row if others is None else [*row, "note"])
    for number, pair in enumerate(pairs):
        row = list(reversed(pair) if flip else pair)
        if quoting == csv.QUOTE_MINIMAL and draw(st.booleans()):
            row[1] = f" {row[1]}\t" if delimiter != "\t" else f" {row[1]} "
        writer.writerow(row if others is None else [*row, others[number]])
        if draw(st.booleans()):
            text.write("".join(line + end for line in between))
    told = draw(st.sampled_from(["", f"sep={delimiter}{end}", f'"SEP={delimiter}"{end}']))
    encoding = draw(encodings)
    content = encoded(told + text.getvalue(), encoding)
    return pairs, content + draw(st.sampled_from([b"", b"\x1a"])) if encoding.startswith("utf-8") else content


@st.composite
def blank_lists(draw: st.DrawFn) -> tuple[Pairs, list[str], str]:
    """Pairs with a note each, and a CSV of them with blanks around its cells, in quotes or not."""
    pairs, delimiter = draw(valid), draw(st.sampled_from(",;\t"))
    texts = draw(st.lists(notes.map(lambda text: text.strip(" \t")), min_size=len(pairs), max_size=len(pairs)))
    blanks = st.text(" " if delimiter == "\t" else " \t", max_size=2)

    def cell(text: str) -> str:
        plain = text and not set(text) & set('"\n#,;\t') and draw(st.booleans())
        written = text if plain else '"' + text.replace('"', '""') + '"'
        return draw(blanks) + written + draw(blanks)

    rows = [("draft", "agent", "note"), *((pair[1], pair[0], note) for pair, note in zip(pairs, texts, strict=True))]
    return pairs, texts, "".join(delimiter.join(map(cell, row)) + "\n" for row in rows)


@st.composite
def nested_lists(draw: st.DrawFn) -> tuple[str, Pairs, bytes]:
    """Pairs, and a YAML or JSON of them in one of the shapes."""
    pairs = draw(valid)
    shape = draw(st.sampled_from(["records", "couples", "mapping"]))
    agent, draft = draw(names)
    content: Any = [list(pair) for pair in pairs]
    if shape == "records":
        content = [{agent: pair[0], draft: pair[1], "note": draw(notes)} for pair in pairs]
    elif shape == "mapping":
        pairs = sorted(pairs, key=lambda pair: pair[0])
        content = {}
        for one, other in pairs:
            content.setdefault(one, []).append(other)
    wrapper = draw(st.sampled_from([None, "pairs", "drafts"]))
    content = content if wrapper is None else {wrapper: content}
    if shape != "mapping" and wrapper is None and draw(st.booleans()):
        ascii_only, end = draw(st.booleans()), draw(st.sampled_from(["\n", "\r\n", "\n\n"]))
        lines = end.join(json.dumps(item, ensure_ascii=ascii_only) for item in content)
        return draw(st.sampled_from(["json", "jsonl"])), pairs, encoded(lines, draw(encodings))
    if draw(st.booleans()):
        indent = draw(st.sampled_from([None, 1, "\t"]))
        text = json.dumps(content, indent=indent, ensure_ascii=draw(st.booleans()))
        return "json", pairs, encoded(text, draw(encodings))
    return "yaml", pairs, encoded(_yaml(content, draw(st.sampled_from(["", "  "]))), draw(encodings))


def _yaml(content: Any, indent: str) -> str:
    """YAML by hand, ids without quotes and comments in between, as people write it."""
    if isinstance(content, dict):
        lines = []
        for key, value in content.items():
            if isinstance(value, list):
                lines.append(
                    f"{key}:  # {key}\n" + "".join(f"{indent}{line}\n" for line in _yaml(value, "").splitlines())
                )
            else:
                lines.append(f"{key}: {json.dumps(value) if key == 'note' else value}\n")
        return "".join(lines)
    text = ""
    for item in content:
        if isinstance(item, dict):
            text += "- " + _yaml(item, "").rstrip("\n").replace("\n", "\n  ") + "\n"
        else:
            text += f"- [{item[0]}, {item[1]}]\n" if isinstance(item, list) else f"- {item}\n"
        text += "    # between\n"
    return text


@quickly
@given(listed=csv_lists(), told=st.sampled_from(["csv", None]))
def test_a_csv_gives_exactly_its_pairs(read: Read, listed: tuple[Pairs, bytes], told: str | None) -> None:
    """Whatever the delimiter, header, quotes, line ends, encoding and comments; told or guessed."""
    pairs, content = listed
    found = read(content, told)
    assert found is not None
    assert [(pair.agent, pair.draft) for pair in found] == pairs


@quickly
@given(listed=blank_lists())
def test_blanks_around_quoted_cells_do_not_matter(read: Read, listed: tuple[Pairs, list[str], str]) -> None:
    """What is in quotes comes out as it is, line breaks, delimiters and quotes with blanks beside them included."""
    pairs, texts, content = listed
    found = read(content.encode(), "csv")
    assert found is not None
    assert [(pair.agent, pair.draft) for pair in found] == pairs
    assert [found.others(index) for index in range(len(pairs))] == [[text] for text in texts]


@quickly
@given(listed=nested_lists(), guessed=st.booleans())
def test_yaml_and_json_give_exactly_their_pairs(read: Read, listed: tuple[str, Pairs, bytes], guessed: bool) -> None:
    """Whatever the shape, the names, the encoding and the comments; told or guessed."""
    name, pairs, content = listed
    found = read(content, None if guessed else name)
    assert found is not None
    assert [(pair.agent, pair.draft) for pair in found] == pairs


@quickly
@given(
    pairs=valid,
    odd=st.text(max_size=30).filter(lambda text: not DRAFT.fullmatch(text.strip(" \t"))),
    place=st.integers(0, 12),
    in_agent=st.booleans(),
)
def test_one_odd_id_refuses_the_list(read: Read, pairs: Pairs, odd: str, place: int, in_agent: bool) -> None:
    """Any text that is no id, anywhere in any format, and no pair comes out."""
    assume(not (in_agent and odd.strip(" \t").startswith("#")))  # in CSV, a comment
    rows: list[tuple[str, str]] = list(pairs)
    rows.insert(place, (odd, "d1") if in_agent else ("0" * 24, odd))
    text = io.StringIO(newline="")
    csv.writer(text).writerows([("agent", "draft"), *rows])
    assert read(text.getvalue().encode("utf-8", "surrogatepass"), "csv") is None
    assert read(json.dumps(rows).encode(), "json") is None
    assert read("".join(json.dumps(row) + "\n" for row in rows).encode(), "jsonl") is None
    assert read(json.dumps([{"agent": agent, "draft": draft} for agent, draft in rows]).encode(), "yaml") is None


@quickly
@given(
    content=st.binary(max_size=80)
    | st.text("[]{},:;-#&*!|>'\"%@`? \t\r\n\ufeffab01\u2028\x85", max_size=60).map(str.encode)
    | st.tuples(st.sampled_from([codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE]), st.binary(max_size=60)).map(b"".join),
    format_name=st.sampled_from([*FORMATS, None]),
)
def test_nonsense_is_refused_or_empty(read: Read, content: bytes, format_name: str | None) -> None:
    """Random bytes and random punctuation end in pairs or in named rows, in nothing else."""
    read(content, format_name)


@quickly
@given(
    listed=csv_lists().map(lambda made: ("csv", *made)) | nested_lists(),
    cuts=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 3), st.binary(max_size=3)), min_size=1, max_size=3),
)
def test_a_damaged_list_gives_checked_pairs_or_none(
    read: Read, listed: tuple[str, Pairs, bytes], cuts: list[tuple[int, int, bytes]]
) -> None:
    """Bytes lost, added or turned over anywhere never end in anything but pairs or named rows."""
    name, _, content = listed
    for place, length, other in cuts:
        place %= len(content)
        content = content[:place] + other + content[place + length :]
    read(content, name)
