"""The leftover: the pairs that are not done, as a list for the next run; also of runs that were refused."""

import csv
import json

import pytest

from cleanup.simulator import Simulator
from tests.accounts import keys, leftover
from tests.conftest import Drafts
from tests.runner import Runner

ODD = ['a, b; "c"\nd', "=HYPERLINK(1)", "  x ", "Grüße 🎉", "", "'", "line\r\nbreak", "\ttab"]


def as_text(cell: str) -> str:
    """A cell as a spreadsheet must find it."""
    return "'" + cell if cell.startswith("=") else cell


def test_no_cell_is_a_formula(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Whatever the list's other columns contain or are called; once is enough, and times stay as they are."""
    (held,) = drafts(1)
    cells = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "'=1", "a=1", ""]
    edited = "2026-01-01T00:00:00+01:00"
    record = dict(zip("=bcdefghi", cells, strict=True)) | {"-Updated at": edited}
    job.write("drafts.json", json.dumps([{"agent": held.agent, "draft": held.id} | record]))
    expected = ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "'\tx", "'\rx", "'=1", "a=1", "", edited]
    for listed in ("drafts.json", "leftover.csv"):
        assert job(listed, "--leftover", "leftover.csv", "--max-discards", "0").code == 78
        (row,) = leftover(job.folder)
        assert list(row) == ["agent", "draft", "'=", *"bcdefghi", "-Updated at", "outcome", "reason"]
        assert list(row.values()) == [held.agent, held.id, *expected, "not_attempted", "stopped"]


def test_other_columns_come_along(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Cells come out as they went in, but for formulas; outcome and reason are this run's; what is done is left out."""
    held = drafts(len(ODD) + 2)
    with (job.folder / "drafts.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["Name", "draft_id", "Outcome", "agent id", "reason", "why, then?"])
        for draft, cell in zip(held, [*ODD, "done", "gone"], strict=True):
            writer.writerow([cell, draft.id, "failed", draft.agent, "old", cell * 2])
    for draft in held[: len(ODD)]:
        sim.faults.script(draft.id, "400")
    ended = job("drafts.csv", "--leftover", "leftover.csv")
    assert ended.code == 3
    rows = leftover(job.folder)
    assert list(rows[0]) == ["agent", "draft", "Name", "why, then?", "outcome", "reason"]
    assert [row["Name"] for row in rows] == [as_text(cell.strip(" \t")) for cell in ODD]
    assert [row["why, then?"] for row in rows] == [as_text((cell * 2).strip(" \t")) for cell in ODD]
    assert {(row["outcome"], row["reason"]) for row in rows} == {("failed", "bad_request")}
    assert [(row["agent"], row["draft"]) for row in rows] == keys(held)[: len(ODD)]

    again = job("leftover.csv", "--leftover", "rest.csv")
    assert again.code == 0
    assert sim.left() == set()
    header = (job.folder / "rest.csv").read_text()
    assert header == 'agent,draft,Name,"why, then?",outcome,reason\n'


@pytest.mark.parametrize("ending", ["yaml", "json"])
def test_a_list_that_is_no_table(ending: str, job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Keys become columns, where each entry has its own cells; a nested value is one, with its scalars as written."""
    held = drafts(3)
    nested = {"who": "Zoë", "no": [1, None, True, '"x"']}
    entries = [
        {"agent": held[0].agent, "draft": held[0].id, "owner": "A, B", "why": nested, "tags": []},
        {"agent": held[1].agent, "draft": held[1].id, "ticket": "7", "why": "plain"},
        {"agent": held[2].agent, "draft": held[2].id},
    ]
    sim.faults.script("*", "400*")
    listed = job.write(f"drafts.{ending}", json.dumps(entries))
    assert job(listed, "--leftover", "leftover.csv").code == 3
    rows = leftover(job.folder)
    assert [(row["owner"], row["ticket"]) for row in rows] == [
        ("A, B", ""), ("", "7"), ("", "")
    ]  # fmt: skip
    no = '["1", null, "true", "\\"x\\""]' if ending == "yaml" else '[1, null, true, "\\"x\\""]'
    assert [row["why"] for row in rows] == [f'{{"who": "Zoë", "no": {no}}}', "plain", ""]


REFUSED = {
    "the cap": (("--max-discards", "2"), {}, 78, []),
    "another organization": (("--organization", "f" * 24), {}, 77, ["user"]),
    "no key": ((), {"SMALLEST_API_KEY": ""}, 78, []),
    "a key that is none": ((), {"SMALLEST_API_KEY": "sk_with a blank"}, 78, []),
    "resume without a ledger": (("--resume",), {}, 78, []),
    "a summary that cannot be written": (("--summary", "missing/summary.json"), {}, 74, []),
    "a ledger that is none": (("--ledger", "drafts.csv.txt", "--resume"), {}, 78, []),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_run_leaves_an_account(name: str, job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """No old leftover or summary passes for a new one: both say that nothing was sent, and why."""
    flags, env, code, asked = REFUSED[name]
    held = drafts(4)
    for file in ("leftover.csv", "summary.json"):
        job.write(file, "old")
    job.write("drafts.csv.txt", "agent,draft\n")
    ended = job(job.list_of(held), "--leftover", "leftover.csv", *flags, env=env)
    assert ended.code == code
    assert [request.endpoint for request in sim.requests()] == asked
    assert [(row["outcome"], row["reason"]) for row in leftover(job.folder)] == [("not_attempted", "stopped")] * 4
    last = ended.events[-1]
    assert (last["event"], last["exit_code"], last["counts"]["not_attempted"]) == ("run.finished", code, 4)
    if code == 74:
        return
    summary = ended.summary
    assert (summary["status"], summary["exit_code"]) == ("refused", code)
    assert summary["stopped_by"] is None
    assert summary["next"] or code == 77


@pytest.mark.parametrize(
    ("args", "code"),
    [((), 2), (("sweep",), 78), (("missing.csv",), 66), (("bad.csv",), 65)],
    ids=["no list", "sweep without anything", "missing list", "bad list"],
)
def test_a_run_that_has_no_list(args: tuple[str, ...], code: int, job: Runner, sim: Simulator) -> None:
    """Without a list there is no leftover, but a summary and a last line there are."""
    job.write("summary.json", "old")
    job.write("bad.csv", "agent,draft\nx,y\n")
    ended = job(*args)
    assert ended.code == code
    assert sim.requests() == []
    summary = ended.summary
    assert (summary["status"], summary["stopped_by"], summary["exit_code"]) == ("refused", None, code)
    assert summary["counts"]["listed"] == 0
    assert summary["mode"] == ("dry-run" if "sweep" in args else "discard")
    assert (ended.events[-1]["event"], ended.events[-1]["exit_code"]) == ("run.finished", code)


SAME = {
    "the list by a link as metrics": ("--metrics", "link.csv"),
    "ledger and leftover": ("--ledger", "one", "--leftover", "one"),
    "the key file as summary": ("--summary", "key", "--key-file", "key"),
    "the settings as summary": ("--summary", "settings.yaml", "--config", "settings.yaml"),
}


@pytest.mark.parametrize("name", SAME)
def test_one_file_for_two_things(name: str, job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Refused, whatever it is called: one would overwrite the other, and a list or a ledger would be lost.

    That it holds for every output is asserted in tests/unit/test_files.py.
    """
    held = drafts(3)
    listed = job.list_of(held)
    (job.folder / "link.csv").symlink_to("drafts.csv")
    job.write("key", "sk_simulator")
    job.write("settings.yaml", "limits: {rate: 7}\n")
    before = {path.name: path.read_bytes() for path in job.folder.iterdir() if path.is_file()}
    ended = job(listed, *SAME[name])
    assert ended.code == 78
    assert "same file" in ended.stderr
    assert sim.requests() == []
    after = {path.name: path.read_bytes() for path in job.folder.iterdir() if path.is_file()}
    assert {file: after[file] for file in before} == before


def test_devices_may_be_shared(job: Runner, drafts: Drafts) -> None:
    """What is thrown away or shown can be so twice."""
    assert job(job.list_of(drafts(1)), "--summary", "/dev/null", "--leftover", "/dev/null").code == 0
