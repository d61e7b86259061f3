"""What a ledger says about which drafts may be restored, and which copies can be read."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanup.errors import SettingsError
from cleanup.records.lines import silent
from cleanup.undo.copies import NoCopy, parse_copy
from cleanup.undo.originals import Originals, Wanted, read_originals

AGENT, OTHER = "a" * 24, "b" * 24
RUN = {"type": "run", "run_id": "r1", "time": "2026-11-01T01:00:00Z", "settings": {"guard": {"backup": "copies"}}}


def pair(draft: str, outcome: str, reason: str | None = None, **more: Any) -> dict[str, Any]:
    """A ledger's line of a pair."""
    line = {"type": "pair", "time": "2026-11-01T01:00:01Z", "run_id": "r1", "agent": AGENT, "draft": draft}
    return line | {"outcome": outcome, "reason": reason} | more


def read(folder: Path, *lines: dict[str, Any], wanted: Wanted | None = None, copies: str | None = None) -> Originals:
    """The originals of a ledger of these lines."""
    path = folder / "ledger.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    found, damage = read_originals(str(path), wanted or Wanted(), copies, silent)
    assert not damage
    return found


def drafts(found: Originals) -> list[str]:
    """The ids of all that may be restored, in order."""
    return [item.draft for item in found.pairs("ledger.jsonl")]


@pytest.mark.parametrize(
    ("lines", "listed", "restored"),
    [
        ([pair("d", "discarded")], 1, 0),
        ([pair("d", "skipped", "not_found")], 0, 0),
        ([pair("d", "failed", "server_error")], 0, 0),
        ([pair("d", "skipped", "gone_after_retry")], 0, 0),
        ([pair("d", "discarded"), pair("d", "skipped", "not_found")], 1, 0),
        ([pair("d", "discarded"), pair("d", "failed", "not_gone")], 0, 0),
        ([pair("d", "discarded"), pair("d", "failed", "not_gone"), pair("d", "discarded")], 1, 0),
        ([pair("d", "discarded"), pair("d", "restored", new_draft="n")], 1, 1),
        ([pair("d", "discarded"), pair("d", "skipped", "restored_before")], 1, 1),
        ([pair("d", "discarded"), pair("d", "skipped", "no_copy")], 1, 0),
        ([pair("d", "discarded"), pair("d", "failed", "differs", new_draft="n")], 1, 0),
        ([pair("d", "restored", new_draft="n")], 0, 0),
        ([pair("d", "discarded"), pair("d", "restored", new_draft="n"), pair("n", "discarded")], 2, 1),
    ],
)
def test_what_may_be_restored(lines: list[dict[str, Any]], listed: int, restored: int, tmp_path: Path) -> None:
    """The latest line counts, but what was discarded stays so until it is found open or restored."""
    found = read(tmp_path, RUN, *lines)
    assert (len(found.by_key), len(found.restored)) == (listed, restored)


def test_what_may_have_been_discarded_counts_if_it_has_a_copy(tmp_path: Path) -> None:
    """`gone_after_retry`: whether this program discarded it is unknown."""
    copy = tmp_path / "copies" / AGENT / "d.json"
    copy.parent.mkdir(parents=True)
    copy.write_text("{}", encoding="utf-8")
    line = pair("d", "skipped", "gone_after_retry")
    assert drafts(read(tmp_path, RUN, line, copies=str(tmp_path / "copies"))) == ["d"]
    assert drafts(read(tmp_path, RUN, line | {"copy": str(copy)})) == ["d"]
    assert drafts(read(tmp_path, RUN, line)) == []


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (Wanted(), ["d", "e", "f"]),
        (Wanted(agents=[OTHER]), ["f"]),
        (Wanted(drafts=["d", "f"]), ["d", "f"]),
        (Wanted(runs=["r2"]), ["e"]),
        (Wanted(names=["Spr*"]), ["e"]),
        (Wanted(since=datetime(2026, 11, 2, tzinfo=UTC)), ["f"]),
        (Wanted(agents=[AGENT], drafts=["d", "f"]), ["d"]),
        (Wanted(drafts=["nobody"]), []),
    ],
)
def test_which_are_chosen(wanted: Wanted, chosen: list[str], tmp_path: Path) -> None:
    """By agent, draft, run and time, all together."""
    lines = [
        pair("d", "discarded"),
        pair("e", "discarded", run_id="r2", name="Spring"),
        pair("f", "discarded", agent=OTHER, time="2026-11-03T00:00:00Z"),
    ]
    assert drafts(read(tmp_path, RUN, *lines, wanted=wanted)) == chosen


def test_where_copies_are_looked_for(tmp_path: Path) -> None:
    """In the folder that is named now, where it was saved, and where its run kept copies."""
    line = pair("d", "discarded", copy="/saved/here.json", name="Spring")
    found = read(tmp_path, RUN, line, copies="now")
    (original,) = found.by_key.values()
    assert original.copies == (f"now/{AGENT}/d.json", "/saved/here.json", f"copies/{AGENT}/d.json")
    assert (original.line, original.name) == (2, "Spring")


def test_a_line_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """It does not count; another kind of file is refused."""
    path = tmp_path / "ledger.jsonl"
    path.write_text(json.dumps(RUN) + "\n{}\n" + json.dumps(pair("d", "vanished")) + "\n", encoding="utf-8")
    found, damage = read_originals(str(path), Wanted(), None, silent)
    assert (len(found.by_key), [sentence.split(": ")[0] for sentence in damage.sentences]) == (
        0,
        [f"{path}:2", f"{path}:3"],
    )
    path.write_text("agent,draft\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="not a ledger"):
        read_originals(str(path), Wanted(), None, silent)


GOOD: dict[str, Any] = {
    "format": 1, "saved_at": "2026-11-01T01:00:00Z", "model": "branches", "agent": AGENT, "draft": "d",
    "branch": {"_id": "b1"}, "latest": {"draftName": "x"},
    "configuration": {"_id": AGENT, "_resolvedConfig": {"prompt": "p"}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"format": 2}, "format 2"),
        ({"format": None}, "format None"),
        ({"agent": OTHER}, "not of draft d"),
        ({"draft": "e"}, "of draft e"),
        ({"configuration": {"_id": OTHER, "_resolvedConfig": {}}}, f"of agent {OTHER}"),
        ({"configuration": {"_id": AGENT}}, "no configuration"),
        ({"configuration": {"_resolvedConfig": None}}, "no configuration"),
        ({"configuration": None}, "damaged"),
        ({"latest": []}, "damaged"),
        ({"branch": "main"}, "damaged"),
    ],
)
def test_a_copy_of_no_use_is_refused_by_name(change: dict[str, Any], word: str) -> None:
    """With the file, and what is wrong with it."""
    assert parse_copy(json.dumps(GOOD), "c.json", AGENT, "d").latest == {"draftName": "x"}
    with pytest.raises(NoCopy, match=r"^c\.json: ") as refused:
        parse_copy(json.dumps(GOOD | change), "c.json", AGENT, "d")
    assert word in str(refused.value)


@given(st.integers(0, len(json.dumps(GOOD)) - 1))
def test_a_copy_that_was_cut_short_is_no_copy(length: int) -> None:
    """Wherever it was cut."""
    with pytest.raises(NoCopy, match="cut short"):
        parse_copy(json.dumps(GOOD)[:length], "c.json", AGENT, "d")


@pytest.mark.parametrize("document", [GOOD["configuration"], GOOD["configuration"]["_resolvedConfig"]])
def test_a_copy_of_version_1_0_is_the_configuration_alone(document: dict[str, Any]) -> None:
    """It does not say which draft it is of, or what that was made from."""
    copy = parse_copy(json.dumps(document), "c.json", AGENT, "d")
    assert (copy.latest, copy.branch, copy.configuration["_resolvedConfig"]) == ({}, None, {"prompt": "p"})


@given(st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_whatever_json_a_file_holds_is_a_copy_or_refused(document: Any) -> None:
    """Never anything else."""
    with pytest.raises(NoCopy):
        parse_copy(json.dumps(document), "c.json", AGENT, "d")
