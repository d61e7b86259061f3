"""What ledgers add up to: which line of a pair counts, whatever the order, and what spoilt lines do."""

import gzip
import io
import itertools
import json
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cleanup.console.meter import Meter
from cleanup.errors import SettingsError
from cleanup.records.latest import Lines
from cleanup.records.report import Report, read_report
from tests.benchmarks.growth import write_ledger

AGENTS = ("0" * 23 + "a", "0" * 23 + "b")
DISCARDED, FAILED, MISSING = ("discarded", None), ("failed", "timeout"), ("skipped", "not_found")
OPEN, RESTORED, RESTORED_BEFORE = ("failed", "not_gone"), ("restored", None), ("skipped", "restored_before")


def run(run_id: str, **more: Any) -> dict[str, Any]:
    """The line that begins a run."""
    return {"type": "run", "run_id": run_id, "time": "2026-01-01T00:00:00.000Z", "user": run_id + "@x", **more}


def pair(draft: str, outcome: tuple[str, str | None], hour: int, **more: Any) -> dict[str, Any]:
    """The line of a pair; the same draft number is the same pair."""
    return {
        "type": "pair", "run_id": "r1", "time": f"2026-01-01T{hour:02}:00:00.000Z", "agent": AGENTS[0], "draft": draft,
        "outcome": outcome[0], "reason": outcome[1], "status": 200, "attempts": 1, "source": "l.csv:2", **more
    }  # fmt: skip


def proof(draft: str, hour: int, *, gone: bool) -> dict[str, Any]:
    """The line of a read-back."""
    time = f"2026-01-01T{hour:02}:00:00.000Z"
    return {"type": "proof", "run_id": "r1", "time": time, "agent": AGENTS[0], "draft": draft, "gone": gone}


def end(run_id: str, left: int = 0, code: int = 0) -> dict[str, Any]:
    """The line that ends a run."""
    return {
        "type": "end",
        "run_id": run_id,
        "time": "2026-01-01T23:00:00.000Z",
        "exit_code": code,
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
        ([DISCARDED, OPEN], "not_gone"),
        ([DISCARDED, OPEN, DISCARDED], "discarded"),
        ([DISCARDED, OPEN, MISSING], "not_found"),
        ([OPEN, DISCARDED, FAILED], "discarded"),
        ([DISCARDED, RESTORED], "restored"),
        ([DISCARDED, RESTORED, MISSING, RESTORED_BEFORE], "restored"),
        ([DISCARDED, RESTORED_BEFORE], "restored_before"),
        ([DISCARDED, ("failed", "differs")], "discarded"),
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
    """By agent, day and user; since a moment; of some agents. Only runs that contribute are reported."""
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


@pytest.mark.parametrize(
    ("ledgers", "status", "code"),
    [
        ([[run("r1"), pair("d1", DISCARDED, 1)]], "incomplete", 75),
        ([[run("r1"), end("r1", left=7, code=4)]], "incomplete", 4),
        ([[run("r1"), end("r1", left=7)]], "incomplete", 0),
        ([[run("r1"), end("r1", left=7) | {"exit_code": None}]], "incomplete", 75),
        ([[run("r1"), end("r1", left=7, code=99)]], "incomplete", 75),
        ([[run("r1"), end("r1", left=7, code=4), run("r2"), end("r2")]], "complete", 0),
        ([[run("r1"), run("r2"), end("r2")]], "complete", 0),
        ([[run("r1"), end("r1"), run("r2")]], "incomplete", 75),
        ([[run("r1"), end("r1")], [run("r2"), end("r2", left=1, code=143)]], "incomplete", 143),
        ([[run("r1")], [run("r2"), end("r2", left=1, code=4)]], "incomplete", 4),
        ([[run("r1"), pair("d1", FAILED, 1), end("r1", left=1, code=77)]], "incomplete", 77),
        ([[run("r1"), run("u", mode="undo"), end("u")]], "incomplete", 75),
        ([[run("r1"), pair("d1", DISCARDED, 1), end("r1")], [pair("d2", DISCARDED, 2)]], "complete", 0),
        ([[pair("d2", DISCARDED, 2), end("r1")], [run("r1"), pair("d1", DISCARDED, 1)]], "complete", 0),
    ],
)
def test_what_is_not_finished_is_incomplete_with_its_exit_code(
    tmp_path: Path, ledgers: list[Any], status: str, code: int
) -> None:
    """No end, or pairs left, unless a later run of the same ledger left none; any ledger makes the whole incomplete."""
    found = report(tmp_path, *ledgers).summary()
    assert (found["status"], found["exit_code"]) == (status, code)
    assert found["meaning"].startswith("incomplete: ") == (status == "incomplete")


def test_what_was_not_finished_before_the_time_that_is_asked_for_is_none_of_it(tmp_path: Path) -> None:
    """A run that was killed long ago."""
    late = report(tmp_path, [run("r1"), pair("d1", DISCARDED, 1)], since=datetime(2026, 1, 2, tzinfo=UTC))
    assert (late.summary()["status"], late.warnings) == ("complete", [])


def test_reasons_of_later_versions_are_counted_under_their_names(tmp_path: Path) -> None:
    """Known outcomes, unknown reasons: kept as they are."""
    found = report(
        tmp_path,
        [
            pair("d1", ("skipped", "publishing"), 1), pair("d2", ("failed", "too_new"), 1), pair("d3", RESTORED, 1),
            pair("d", ("skipped", "kept"), 1)
        ]
    ).summary()  # fmt: skip
    assert found["counts"] == {
        "listed": 4, "discarded": 0, "restored": 1, "skipped": 2, "failed": 1, "not_attempted": 0
    }  # fmt: skip
    assert (found["skipped"], found["failed"]) == ({"publishing": 1, "kept": 1}, {"too_new": 1})
    assert (found["exit_code"], found["warnings"]) == (3, [])


def test_what_was_read_back_is_counted_by_pair(tmp_path: Path) -> None:
    """The last read-back of each; how many could not be had, no ledger says."""
    ledger = [
        pair("d1", DISCARDED, 1), proof("d1", 2, gone=True), pair("d2", DISCARDED, 1), proof("d2", 2, gone=False),
        pair("d2", OPEN, 3), pair("d3", DISCARDED, 1)
    ]  # fmt: skip
    found = report(tmp_path, ledger, ledger).summary()
    assert found["verified"] == {"checked": 2, "gone": 1, "not_gone": 1, "unknown": None}
    assert found["counts"]["discarded"] == 2


def test_failures_are_those_that_count(tmp_path: Path) -> None:
    """What failed and was discarded later is none; a hundred are shown, each with its latest line."""
    ledger = [pair(f"f{number:03}", FAILED, 1) for number in range(150)]
    ledger += [pair(f"f{number:03}", DISCARDED, 2) for number in range(20)]
    ledger += [pair("f020", ("failed", "frozen"), 3, source="again.csv:2")]
    found = report(tmp_path, ledger).summary()
    assert found["counts"]["failed"] == 130
    assert [failure["draft"] for failure in found["failures"]] == [f"f{number:03}" for number in range(20, 120)]
    assert found["failures"][0] == {
        "agent": AGENTS[0], "draft": "f020", "reason": "frozen", "status": 200, "attempts": 1, "request_id": None,
        "message": None, "source": "again.csv:2"
    }  # fmt: skip


ACME, ZETA = {"organization": "acme", "base_url": "https://x"}, {"organization": "zeta", "base_url": "https://x"}
UNKNOWN = {"organization": None, "base_url": "https://x"}


@pytest.mark.parametrize(
    ("ledgers", "names"),
    [
        ([[run("r1", **ACME), pair("d1", DISCARDED, 1)]], ["acme"]),
        ([[run("r1", **ACME), pair("d1", DISCARDED, 1), run("r2", **UNKNOWN)]], ["acme"]),
        ([[run("r1", **ACME)], [pair("d1", DISCARDED, 1)]], ["acme"]),
        ([[run("r1", **ACME)], [run("r2", **ZETA), run("r3", **UNKNOWN)]], ["acme", "zeta"]),
        ([[run("r1", **ACME)], [run("r2", **ZETA)], [run("r3", **UNKNOWN)]], ["acme", "unknown", "zeta"]),
        (
            [[run("r1", **ACME)], [run("r2", **ACME | {"base_url": "https://y"})]],
            ["acme at https://x", "acme at https://y"],
        ),
    ],
)
def test_which_organizations_there_are(tmp_path: Path, ledgers: list[Any], names: list[str]) -> None:
    """A run that could not determine its organization gets that of its ledger. Another URL makes it another one."""
    for ledger in ledgers:
        ledger += [pair("d1", DISCARDED, 1, run_id=line["run_id"]) for line in ledger if line["type"] == "run"]
    found = report(tmp_path, *ledgers)
    assert list(found.by("organization")) == names
    assert found.summary()["counts"]["listed"] == len(names), "the same pair once for each"


def test_a_packed_ledger_is_read(tmp_path: Path) -> None:
    """Whole; cut off in the middle, what can be had, and that is damage, as is a torn last line: nobody mends it."""
    text = "".join(json.dumps(line) + "\n" for line in [run("r1"), pair("d1", DISCARDED, 1), end("r1")])
    path = tmp_path / "ledger.jsonl.gz"
    path.write_bytes(gzip.compress(text.encode()))
    found = read_report([str(path)])
    assert (endings(found), found.warnings, bool(found.damage)) == ({"d1": "discarded"}, [], False)
    path.write_bytes(gzip.compress(text.encode())[:-9])
    found = read_report([str(path)])
    assert found.damage
    assert "ends early" in found.warnings[-1]
    path.write_bytes(gzip.compress(text.encode() + b"{"))
    assert read_report([str(path)]).damage


def test_of_very_many_spoilt_lines_the_first_are_named(tmp_path: Path) -> None:
    """What cannot be read takes no memory without bounds."""
    path = tmp_path / "ledger.jsonl"
    path.write_text(json.dumps(run("r1")) + "\n" + json.dumps(end("r1")) + "\n" + "x\n" * 1500)
    found = read_report([str(path)])
    assert len(found.warnings) == 1001
    assert found.warnings[-1] == "… and 500 more lines that cannot be read"


def test_a_line_costs_few_bytes() -> None:
    """A ledger of years has millions of lines; see `tests.benchmarks.growth`."""
    lines = Lines()
    tracemalloc.start()
    try:
        for number in range(20_000):
            lines.add(AGENTS[0], f"{number:024x}", float(number), 1, DISCARDED)
        assert tracemalloc.get_traced_memory()[0] / 20_000 < 64
    finally:
        tracemalloc.stop()


def test_the_ledger_that_is_measured_is_one(tmp_path: Path) -> None:
    """As many pairs as asked for, all of them read."""
    write_ledger(tmp_path / "ledger.jsonl", 500)
    found = read_report([str(tmp_path / "ledger.jsonl")]).summary()
    assert found["counts"] == {"listed": 500, "discarded": 495, "skipped": 0, "failed": 5, "not_attempted": 0}
    assert found["warnings"] == []


class Stream(io.StringIO):
    """A terminal, or none."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self.isatty = lambda: terminal  # type: ignore[method-assign]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_long_reading_shows_how_far_it_is_on_a_terminal(*, terminal: bool) -> None:
    """After two seconds, at most every fifth of one, and nothing is left of it."""
    stream, now = Stream(terminal=terminal), [0.0]
    meter = Meter(stream, lambda: now[0])
    for time, words in ((1.9, "early"), (2.0, "first"), (2.1, "too soon"), (2.3, "second")):
        now[0] = time
        meter.show(words)
    meter.clear()
    assert stream.getvalue().split() == (["first", "second"] if terminal else [])
    assert stream.getvalue()[-1:].strip() == ""


def test_another_file_is_refused(tmp_path: Path) -> None:
    """A list, a summary, a folder, nothing: no ledger; the report does not pass over it."""
    (tmp_path / "list.csv").write_text("agent,draft\n")
    for name in ("list.csv", ".", "missing"):
        with pytest.raises(SettingsError, match="ledger"):
            read_report([str(tmp_path / name)])


def test_a_ledger_without_a_run_says_so(tmp_path: Path) -> None:
    """As a run that was refused leaves it: nothing is called discarded."""
    assert report(tmp_path, []).summary()["meaning"] == "no run is recorded here; one that was refused writes no ledger"
