"""What ledgers add up to: which line of a pair counts, whatever the order, and what spoilt lines do."""

import itertools
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cleanup.errors import SettingsError
from cleanup.records.report import Report, read_report

AGENTS = ("0" * 23 + "a", "0" * 23 + "b")
DISCARDED, FAILED, MISSING = ("discarded", None), ("failed", "timeout"), ("skipped", "not_found")


def run(run_id: str, **more: Any) -> dict[str, Any]:
    """The line that begins a run."""
    return {"type": "run", "run_id": run_id, "time": "2026-01-01T00:00:00.000Z", "user": run_id + "@x", **more}


def pair(draft: str, outcome: tuple[str, str | None], hour: int, **more: Any) -> dict[str, Any]:
    """The line of a pair; the same draft number is the same pair."""
    return {
        "type": "pair", "run_id": "r1", "time": f"2026-01-01T{hour:02}:00:00.000Z", "agent": AGENTS[0], "draft": draft,
        "outcome": outcome[0], "reason": outcome[1], "status": 200, "attempts": 1, "source": "l.csv:2", **more
    }  # fmt: skip


def end(run_id: str, left: int = 0) -> dict[str, Any]:
    """The line that ends a run."""
    return {
        "type": "end",
        "run_id": run_id,
        "time": "2026-01-01T23:00:00.000Z",
        "exit_code": 0,
        "counts": {"not_attempted": left},
    }


def report(folder: Path, *ledgers: list[dict[str, Any]], **filters: Any) -> Report:
    """The report of ledgers with these lines."""
    paths = []
    for number, lines in enumerate(ledgers):
        path = folder / f"{number}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        paths.append(str(path))
    return read_report(paths, **filters)


def endings(found: Report) -> dict[str, str | None]:
    """How each draft ended."""
    names = {hash(draft): draft for draft in ("d", "d1", "d2", "d3")}
    return {names[entry.draft]: entry.end[1] or entry.end[0] for entry in found.latest()}


@pytest.mark.parametrize(
    ("outcomes", "counts"),
    [
        ([FAILED, DISCARDED], "discarded"),
        ([FAILED, MISSING], "not_found"),
        ([MISSING, FAILED], "timeout"),
        ([DISCARDED, MISSING], "discarded"),
        ([FAILED, DISCARDED, FAILED], "discarded"),
        ([FAILED, FAILED, ("skipped", "forbidden")], "forbidden"),
    ],
)
def test_the_latest_line_of_a_pair_counts_in_whatever_order_ledgers_come(
    tmp_path: Path, outcomes: list[tuple[str, str | None]], counts: str
) -> None:
    """Reruns override; only a discard stays, for what is found to be gone later was discarded by us."""
    ledgers = [[pair("d", outcome, hour)] for hour, outcome in enumerate(outcomes)]
    for order in itertools.permutations(ledgers):
        assert endings(report(tmp_path, *order)) == {"d": counts}
    assert endings(report(tmp_path, [line for ledger in ledgers for line in ledger])) == {"d": counts}


def test_lines_of_the_same_moment_count_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    """Times have milliseconds; a ledger's order decides within one."""
    assert endings(report(tmp_path, [pair("d", FAILED, 1), pair("d", MISSING, 1)])) == {"d": "not_found"}


def test_groups_and_filters(tmp_path: Path) -> None:
    """By agent, day and user; since a moment; of some agents. The runs told are those that have a part in it."""
    ledger = [
        run("r1"), pair("d1", DISCARDED, 1), pair("d2", FAILED, 2), end("r1"),
        run("r2"), pair("d1", DISCARDED, 5, agent=AGENTS[1], run_id="r2", time="2026-01-02T00:30:00+01:00"),
        pair("d3", DISCARDED, 6, run_id="r2", time="2026-01-02T00:00:00Z"), end("r2")
    ]  # fmt: skip
    found = report(tmp_path, ledger)

    def short(by: Any) -> dict[str, tuple[int, int, int]]:
        return {name: (row["listed"], row["discarded"], row["failed"]) for name, row in found.by(by).items()}

    assert short("agent") == {AGENTS[0]: (3, 2, 1), AGENTS[1]: (1, 1, 0)}
    assert short("day") == {"2026-01-01": (3, 2, 1), "2026-01-02": (1, 1, 0)}, "a day of UTC"
    assert short("user") == {"r1@x": (2, 1, 1), "r2@x": (2, 2, 0)}
    assert found.summary()["runs"] == 2
    late = report(tmp_path, ledger, since=datetime(2026, 1, 1, 12, tzinfo=UTC))
    assert (late.summary()["counts"]["listed"], late.summary()["runs"]) == (2, 1)
    other = report(tmp_path, ledger, agents=[AGENTS[1]])
    assert (other.summary()["counts"]["listed"], other.summary()["runs"]) == (1, 1)


def test_a_ledger_read_twice_or_in_pieces_counts_once(tmp_path: Path) -> None:
    """The same file named twice; a file that log rotation cut, its pieces in the wrong order."""
    ledger = [run("r1"), pair("d1", DISCARDED, 1), pair("d2", FAILED, 2), end("r1")]
    once = report(tmp_path, ledger).summary()
    assert report(tmp_path, ledger, ledger).summary() == once
    pieces = report(tmp_path, ledger[2:], ledger[:2])
    assert pieces.by("user") == {"r1@x": once["counts"]}
    assert pieces.summary()["runs"] == 1


SPOILT = [
    b'{"type": "pair", "agent": "000000000000000000000000", "dr',
    *(
        json.dumps(pair("d", DISCARDED, 2) | change).encode()
        for change in (
            {"outcome": "vanished"},
            {"outcome": ["discarded"]},
            {"time": "soon"},
            {"time": None},
            {"agent": 100000000000000000000000},
            {"agent": "../x"},
        )
    ),
    b"\xff\xfe",
    b"[" * 100_000,
    b"\n",
]


@pytest.mark.parametrize("spoilt", SPOILT, ids=lambda spoilt: repr(spoilt[-60:]))
def test_a_spoilt_line_is_named_and_left_out(tmp_path: Path, spoilt: bytes) -> None:
    """A torn last line, one of a later version, an edited one: the others count, and the report says which does not."""
    path = tmp_path / "ledger.jsonl"
    good = [json.dumps(line).encode() for line in (run("r1"), pair("d1", DISCARDED, 1), end("r1"))]
    path.write_bytes(b"\n".join([*good, spoilt]))
    found = read_report([str(path)])
    assert endings(found) == {"d1": "discarded"}
    (warning,) = found.warnings
    assert warning.startswith(f"{path}:4: ")
    assert found.summary()["warnings"] == [warning]


def test_what_a_ledger_does_not_hold_is_warned_of(tmp_path: Path) -> None:
    """A killed run, and one that ended early: their counts must not pass for the whole list."""
    left = [run("r1"), pair("d1", DISCARDED, 1), end("r1", left=7)]
    assert "left 7 drafts unattempted" in report(tmp_path, left).warnings[0]
    assert "has no end" in report(tmp_path, left[:2]).warnings[0]
    assert report(tmp_path, [*left, run("r2"), end("r2")]).warnings == [], "the next run did the rest"
    assert report(tmp_path, []).warnings == []


def test_another_file_is_refused(tmp_path: Path) -> None:
    """A list, a summary, a folder, nothing: no ledger; the report does not pass over it."""
    (tmp_path / "list.csv").write_text("agent,draft\n")
    for name in ("list.csv", ".", "missing"):
        with pytest.raises(SettingsError, match="ledger"):
            read_report([str(tmp_path / name)])
