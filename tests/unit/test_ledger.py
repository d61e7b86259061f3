"""The ledger: torn tails at every byte, what is refused untouched, what it says of earlier runs."""

import errno
import fcntl
import json
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from cleanup.errors import LedgerLocked, OutputError, SettingsError
from cleanup.lists.pair_list import pack
from cleanup.records.ledger import Ledger
from cleanup.records.past import Past, read

AGENT = "0123456789abcdef01234567"
NEXT = {"type": "run", "run_id": "2", "base_url": "https://one.example", "organization": "o"}


def pair(draft: str, outcome: str = "discarded", reason: str | None = None, **more: Any) -> dict[str, Any]:
    return {"type": "pair", "agent": AGENT, "draft": draft, "outcome": outcome, "reason": reason} | more


HISTORY = [
    {"type": "run", "run_id": "1", "base_url": "https://one.example", "organization": "o", "note": "Änderung 7 …"},
    pair("d1"),
    pair("d2", "failed", "server_error", source="Liste „März“.csv:3"),
    {"type": "end", "run_id": "1", "exit_code": 75, "counts": {"listed": 2}},
]


def text(lines: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_a_ledger_cut_at_any_byte_is_mended(tmp_path: Path) -> None:
    """Whole lines stay, one without its line break gets it, a torn one goes, and what is appended can be read."""
    whole = text(HISTORY)
    path = tmp_path / "ledger.jsonl"
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        with Ledger(str(path)) as ledger:
            ledger.write(NEXT)
        complete = [json.loads(line) for line in whole[:cut].splitlines(keepends=True) if line.endswith(b"}\n")]
        if whole[cut : cut + 1] == b"\n":
            complete = HISTORY[: whole[:cut].count(b"\n") + 1]
        assert lines_of(path) == [*complete, NEXT], f"cut at {cut}"


def test_a_tail_longer_than_what_is_read_at_once(tmp_path: Path) -> None:
    """A torn line of any length is cut off, no more and no less."""
    path = tmp_path / "ledger.jsonl"
    for length in (1 << 16, (1 << 16) + 1, 200_000):
        torn = json.dumps(pair("d3", source="x" * length)).encode()
        for kept in (len(torn) - 1, len(torn) - 3000):
            path.write_bytes(text(HISTORY) + torn[:kept])
            with Ledger(str(path)) as ledger:
                ledger.write(NEXT)
            assert lines_of(path) == [*HISTORY, NEXT]


def test_zeros_at_the_end_after_a_power_cut(tmp_path: Path) -> None:
    """A file system may leave zeros where the last lines were."""
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(text(HISTORY) + b"\0" * 100)
    with Ledger(str(path)) as ledger:
        ledger.write(NEXT)
    assert lines_of(path) == [*HISTORY, NEXT]


@pytest.mark.parametrize(
    "content",
    [
        b"agent,draft\n0123456789abcdef01234567,d1\n",
        b"agent,draft\n0123456789abcdef01234567,d1",
        b"agent,draft",
        b'{"agent": "0123456789abcdef01234567"}\n{"type": "run"}\n',
        b"{}",
        b"[]\n",
        b"\n\n",
        b"x" * 300_000,
        b"\x00\xff" * 50,
        text(HISTORY)[1:],
    ],
    ids=[
        "list",
        "list without last break",
        "one line",
        "JSON",
        "object",
        "array",
        "blank",
        "long",
        "binary",
        "shifted",
    ],
)
def test_what_is_no_ledger_is_refused_untouched(tmp_path: Path, content: bytes) -> None:
    """A wrong file name must not cost that file its end, nor get lines appended to it."""
    path = tmp_path / "drafts.csv"
    path.write_bytes(content)
    with pytest.raises(SettingsError, match="not a ledger"):
        Ledger(str(path))
    assert path.read_bytes() == content


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    """A second one is refused at once; when the first lets go, the next may."""
    path = str(tmp_path / "ledger.jsonl")
    with Ledger(path) as first:
        first.write(NEXT)
        with pytest.raises(LedgerLocked):
            Ledger(path)
        first.write(pair("d1"))
    with Ledger(path) as second:
        second.write(pair("d2"))
    assert lines_of(Path(path)) == [NEXT, pair("d1"), pair("d2")]


def test_a_line_has_left_the_process_when_written(tmp_path: Path) -> None:
    """Another process can read each line at once, and whole."""
    path = tmp_path / "ledger.jsonl"
    with Ledger(str(path)) as ledger:
        for number in range(1, 20):
            ledger.write(pair(f"d{number}", source="surrogate \udcff, Ümlaut, \n in a name"))
            assert len(lines_of(path)) == number


def test_a_ledger_that_cannot_be_opened(tmp_path: Path) -> None:
    """A folder, or a place in a folder that is not there, is an output that cannot be written."""
    for place in (tmp_path, tmp_path / "missing" / "ledger.jsonl"):
        with pytest.raises(OutputError):
            Ledger(str(place))


def test_reading_back(tmp_path: Path) -> None:
    """Lines come with their numbers; one that cannot be read is None and hides none of the others."""
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(text(HISTORY[:2]) + b"\x00garbage\n" + b'{"type": "other"}\n' + text(HISTORY[2:]) + b'{"type": "p')
    assert list(read(str(path))) == [
        (1, HISTORY[0]),
        (2, HISTORY[1]),
        (3, None),
        (4, None),
        (5, HISTORY[2]),
        (6, HISTORY[3]),
        (7, None),
    ]


@pytest.mark.parametrize(
    ("lines", "settled"),
    [
        ([pair("d")], True),
        ([pair("d", "skipped", "not_found")], True),
        ([pair("d", "skipped", "gone_after_retry")], True),
        ([pair("d", "skipped", "forbidden")], False),
        ([pair("d", "skipped", "changed")], False),
        ([pair("d", "skipped", "recently_edited")], False),
        ([pair("d", "skipped", "protected")], False),
        ([pair("d", "failed", "interrupted")], False),
        ([pair("d", "failed", "unexpected_response")], False),
        ([pair("d", "failed", "timeout"), pair("d")], True),
        ([pair("d", "failed", "timeout"), pair("d", "skipped", "not_found")], True),
        ([pair("d", "skipped", "not_found"), pair("d", "failed", "server_error")], False),
        ([pair("d"), pair("d", "failed", "server_error")], True),
        ([pair("d"), pair("d", "skipped", "forbidden")], True),
        ([pair("other")], False),
        ([pair("d", agent="f" * 24)], False),
        ([], False),
    ],
    ids=lambda value: "+".join(line["reason"] or line["outcome"] for line in value) if type(value) is list else "",
)
def test_what_is_settled(tmp_path: Path, lines: list[dict[str, Any]], settled: bool) -> None:
    """The latest line of a pair counts, but what was discarded once stays discarded."""
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(text([*HISTORY, *lines]))
    past = Past(str(path), {pack(AGENT, "d")})
    assert past.settled == ({pack(AGENT, "d")} if settled else set())
    assert not past.unreadable


@pytest.mark.parametrize(
    ("outcome", "reason", "settled"),
    [("skipped", "not_found", False), ("skipped", "gone_after_retry", True), ("discarded", None, True)],
)
def test_what_may_be_mistyped_is_not_settled_by_not_found(
    tmp_path: Path, outcome: str, reason: str | None, settled: bool
) -> None:
    """Every other ending that makes a pair `settled` still does."""
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(text([*HISTORY, pair("d") | {"outcome": outcome, "reason": reason}]))
    key = pack(AGENT, "d")
    assert Past(str(path), {key}).settled == {key}
    assert Past(str(path), {key}, {key}).settled == ({key} if settled else set())


def test_a_past_of_several_runs(tmp_path: Path) -> None:
    """Each base URL and organization of a run is known; an organization that could not be determined is none."""
    path = tmp_path / "ledger.jsonl"
    runs: list[dict[str, Any]] = [
        {"type": "run", "base_url": "https://one.example", "organization": "o1"},
        {"type": "run", "base_url": "https://two.example", "organization": None},
        {"type": "run", "base_url": "https://one.example", "organization": "o2"},
    ]
    path.write_bytes(text(runs) + b"torn")
    past = Past(str(path), set())
    assert past.base_urls == {"https://one.example", "https://two.example"}
    assert past.organizations == {"o1", "o2"}
    assert past.unreadable == [4]


def test_no_past(tmp_path: Path) -> None:
    """Without a file nothing is settled; some other file is refused."""
    past = Past(str(tmp_path / "none.jsonl"), {pack(AGENT, "d")})
    assert not past.settled | past.base_urls | past.organizations
    (tmp_path / "drafts.csv").write_text("agent,draft\n")
    with pytest.raises(SettingsError, match="not a ledger"):
        Past(str(tmp_path / "drafts.csv"), set())


def test_what_could_not_be_written_goes_before_the_next_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that was full, with half a line written, and has room again: no line is lost and none is torn."""
    path = tmp_path / "ledger.jsonl"
    really, room = os.write, [10**6]

    def write(descriptor: int, data: bytes) -> int:
        size = min(len(data), room[0])
        room[0] -= size
        if not size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return really(descriptor, data[:size])

    monkeypatch.setattr(os, "write", write)
    ledger = Ledger(str(path))
    ledger.write(NEXT)
    room[0] = 30
    for draft in ("d1", "d2"):
        with pytest.raises(OutputError, match="No space left"):
            ledger.write(pair(draft))
    room[0] = 10**6
    with pytest.raises(OutputError):  # the run stops all the same
        ledger.write(pair("d3"))
    assert lines_of(path) == [NEXT, pair("d1"), pair("d2"), pair("d3")]
    room[0] = 20
    with pytest.raises(OutputError):
        ledger.write(pair("d4"))
    with pytest.raises(OutputError):
        ledger.close()
    assert lines_of(path) == [NEXT, pair("d1"), pair("d2"), pair("d3")]  # not left torn


def test_lines_are_on_disk_soon_without_waiting_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One write for each line, a sync soon after in a thread of its own, and one at the end; trouble is raised."""
    syncs: list[threading.Thread] = []
    writes: list[bytes] = []
    synced = threading.Event()
    really_sync, really_write = os.fsync, os.write

    def sync(descriptor: int) -> None:
        syncs.append(threading.current_thread())
        synced.set()
        really_sync(descriptor)

    def write(descriptor: int, data: bytes) -> int:
        writes.append(data)
        return really_write(descriptor, data)

    monkeypatch.setattr(os, "write", write)
    with Ledger(str(tmp_path / "ledger.jsonl")) as ledger:
        monkeypatch.setattr(os, "fsync", sync)
        for number in range(50):
            ledger.write(pair(f"d{number}"))
        assert len(writes) == 50
        assert synced.wait(10)
        assert threading.current_thread() not in syncs
    assert threading.current_thread() in syncs

    def fails(_descriptor: int) -> None:
        synced.set()
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with Ledger(str(tmp_path / "other.jsonl")) as ledger:
        monkeypatch.setattr(os, "fsync", fails)
        synced.clear()
        ledger.write(NEXT)
        assert synced.wait(10)
        with pytest.raises(OutputError, match="Input/output error"):
            ledger.close()


@pytest.mark.parametrize(
    "line",
    ['"agent": 123456789012345678901234, "draft": "d"', '"agent": null, "draft": null', '"outcome": ["discarded"]'],
)
def test_values_of_other_types_are_no_trouble(line: str, tmp_path: Path) -> None:
    """A line that somebody wrote by hand makes no pair `settled` and causes no error."""
    path = tmp_path / "ledger.jsonl"
    ids = "" if "agent" in line else f'"agent": "{"a" * 24}", "draft": "d", '
    path.write_text('{"type": "run", "run_id": "1"}\n{"type": "pair", ' + ids + line + "}\n")
    assert not Past(str(path), [pack("a" * 24, "d")]).settled


def test_a_ledger_that_is_renamed_between_open_and_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is the file's, not the name's: what is locked is the file that others will find."""
    path = tmp_path / "ledger.jsonl"
    really = fcntl.flock
    renamed: list[Path] = []

    def lock(file: int, how: int) -> None:
        if not renamed:
            renamed.append(path.rename(tmp_path / "ledger.1"))
        really(file, how)

    monkeypatch.setattr(fcntl, "flock", lock)
    with Ledger(str(path)) as ledger:
        ledger.write(NEXT)
    assert lines_of(path) == [NEXT]
    assert (tmp_path / "ledger.1").read_bytes() == b""


@pytest.mark.parametrize("what", ["renamed", "removed", "replaced", "cut"])
def test_a_ledger_that_nobody_would_find(tmp_path: Path, what: str) -> None:
    """It is noticed, at the latest at the end."""
    path = tmp_path / "ledger.jsonl"
    ledger = Ledger(str(path))
    ledger.write(NEXT)
    if what == "cut":
        os.truncate(path, 0)
    elif what == "removed":
        path.unlink()
    else:
        path.rename(tmp_path / "ledger.1")
        if what == "replaced":
            path.touch()
    with pytest.raises(OutputError, match="during the run"):
        ledger.close()


def test_a_new_ledger_is_no_business_of_others(tmp_path: Path) -> None:
    """It names drafts and people; an old one keeps its mode."""
    path = tmp_path / "ledger.jsonl"
    for mode in (0o640, 0o600):
        with Ledger(str(path)) as ledger:
            ledger.write(NEXT)
        assert stat.S_IMODE(path.stat().st_mode) == mode
        path.chmod(0o600)


def test_which_run_tried_a_pair_in_vain(tmp_path: Path) -> None:
    """The number of the last run that did; none for what is settled or has no line."""
    path = tmp_path / "ledger.jsonl"
    forbidden = pair("d2", "skipped", "forbidden")
    path.write_bytes(text([*HISTORY, NEXT, pair("d1", "failed", "timeout"), forbidden, NEXT]))
    keys = [pack(AGENT, f"d{number}") for number in range(4)]
    past = Past(str(path), keys)
    assert past.tried == {keys[2]: 2}
    assert past.settled == {keys[1]}


def test_a_draft_that_was_not_gone_is_not_settled(tmp_path: Path) -> None:
    """The only line that overrides a `discarded` before it; what `undo` wrote overrides nothing."""
    path = tmp_path / "ledger.jsonl"
    proof = {"type": "proof", "agent": AGENT, "draft": "d1", "gone": False}
    undo = {"type": "run", "run_id": "3", "mode": "undo", "settings": {"guard": {}}}
    lines = [*HISTORY, pair("d3", "skipped", "gone_after_retry"), proof, pair("d1", "failed", "not_gone"), undo]
    path.write_bytes(text([*lines, pair("d3", "restored")]))
    past = Past(str(path), [pack(AGENT, "d1"), pack(AGENT, "d3")])
    assert past.settled == {pack(AGENT, "d3")}
    assert past.unreadable == []


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every line that is parsed as JSON."""
    lines: list[bytes] = []
    really = json.loads

    def loads(line: bytes) -> Any:
        lines.append(line)
        return really(line)

    monkeypatch.setattr(json, "loads", loads)
    return lines


def test_only_the_runs_are_read_where_no_pair_matters(tmp_path: Path, parsed: list[bytes]) -> None:
    """A ledger of years is read only for which API and organization it belongs to."""
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(text([*HISTORY, *[pair(f"d{number}") for number in range(1000)]]))
    past = Past(str(path), None)
    assert (past.base_urls, past.organizations) == ({"https://one.example"}, {"o"})
    assert len(parsed) <= 4, "the lines of runs and of their ends"


def test_lines_of_other_pairs_are_not_parsed(tmp_path: Path, parsed: list[bytes]) -> None:
    """Most of the lines belong to pairs that are not listed. A torn line among them is reported all the same."""
    path = tmp_path / "ledger.jsonl"
    begin = {"type": "pair", "time": "2026-11-24T18:00:00.000Z", "run_id": "2"}
    lines = text([NEXT, *[begin | pair(f"d{number}") for number in range(1000)]]).splitlines(keepends=True)
    lines[8] = lines[8][:120] + b"\n"
    path.write_bytes(b"".join(lines))
    past = Past(str(path), [pack(AGENT, "d500")])
    assert past.settled == {pack(AGENT, "d500")}
    assert past.unreadable == [9]
    assert len(parsed) <= 4
