"""Lists through the front door: the same pairs give the same requests, and a bad list gives none."""

import codecs
import io
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from cleanup.errors import ListMalformed
from cleanup.lists.pair_list import unpack
from cleanup.lists.reading import read_list
from cleanup.simulator import Simulator, World
from tests.conftest import Drafts
from tests.runner import Runner
from tests.terminal import Terminal

A = "012345670123456701234567"
B = "deadbeefdeadbeefdeadbeef"
PAIRS = [(A, "1e5"), (A, "0123"), (B, "on"), (B, "Draft_2-x")]
ROWS = f"{A},1e5\n{A},0123\n{B},on\n{B},Draft_2-x\n"
CSV = "agent,draft\n" + ROWS
RECORDS = "".join(f"- agent: {agent}\n  # why not\n  draft: {draft}\n" for agent, draft in PAIRS)
COUPLES = "".join(f"- [{agent}, {draft}]\n" for agent, draft in PAIRS)
MAPPING = f"{A}:\n  # first\n  - 1e5\n  - 0123\n{B}: [on, Draft_2-x]\n"
OBJECTS = [{"agentId": agent, "draft_id": draft} for agent, draft in PAIRS]

LISTS: dict[str, tuple[str, str | bytes]] = {
    "semicolons": ("l.csv", CSV.replace(",", ";")),
    "tabs": ("l.csv", CSV.replace(",", "\t")),
    "tsv": ("l.tsv", CSV.replace(",", "\t")),
    "bom, crlf": ("l.csv", codecs.BOM_UTF8 + CSV.replace("\n", "\r\n").encode()),
    "utf-16 le": ("l.csv", codecs.BOM_UTF16_LE + CSV.replace("\n", "\r\n").encode("utf-16-le")),
    "utf-16 be": ("l.csv", codecs.BOM_UTF16_BE + CSV.encode("utf-16-be")),
    "no header, no last line end": ("l.csv", ROWS.rstrip("\n")),
    "comments, blanks, quotes, other columns": (
        "l.csv",
        "# exported\n\n,,,\nName,DRAFT-ID,note,Agent ID\n"
        + "".join(f'"a ""name""",{draft},"one, two\n# three", "{agent}"\n , ,\t,\n\n# x\n' for agent, draft in PAIRS),
    ),
    "a told delimiter": (
        "l.csv",
        codecs.BOM_UTF8 + ("sep=;\r\n" + CSV.replace(",", ";").replace("\n", "\r\n")).encode(),
    ),
    "a told delimiter, in a table by its name": ("l.tsv", "SEP=,\n" + CSV),
    "blanks around quoted cells, Ctrl-Z": (
        "l.csv",
        'draft, "why" ,agent\n'
        + "".join(f'"{draft}" , "a, ""b"" ,\n # c"\t,\t"{agent}" \n' for agent, draft in PAIRS)
        + "\x1a",
    ),
    "comments that a spreadsheet saved": (
        "l.csv",
        '"# exported, ""by"" hand",,\n"#",,\nagent,draft,why\n'
        + "".join(f'{agent},{draft},x\n"# {A}, old" , "other-of-0123",\n"# a",,\n' for agent, draft in PAIRS),
    ),
    "json lines": ("l.jsonl", "".join(json.dumps(record) + "\n" for record in OBJECTS)),
    "json lines by another name, no last line end": ("l.json", "\r\n\n".join(json.dumps(pair) for pair in PAIRS)),
    "records with nested values": (
        "l.yaml",
        RECORDS.replace("  # why not", "  why: {a: [b, ~], c: {d: 1e5}}\n  and: []"),
    ),
    "records": ("l.yaml", RECORDS),
    "couples under pairs": ("l.yml", "# x\npairs:\n" + "".join(f"  {line}\n" for line in COUPLES.splitlines())),
    "a mapping under drafts": ("l.yaml", "drafts:\n" + "".join(f"  {line}\n" for line in MAPPING.splitlines())),
    "json records": ("l.json", json.dumps({"pairs": OBJECTS}, indent=1)),
    "json mapping": ("l.json", json.dumps({A: ["1e5", "0123"], B: ["on", "Draft_2-x"]})),
}

STDIN: dict[str, tuple[str, list[str]]] = {
    "csv told": (CSV, ["--format", "csv"]),
    "tsv told": (ROWS.replace(",", "\t"), ["--format", "tsv"]),
    "yaml told": (COUPLES, ["--format", "yaml"]),
    "json told": (json.dumps(PAIRS), ["--format", "json"]),
    "json lines told": ("".join(json.dumps(record) + "\n" for record in OBJECTS), ["--format", "jsonl"]),
    "json lines": ("".join(json.dumps(record) + "\n" for record in OBJECTS) + "\x1a", []),
    "yaml and Ctrl-Z": (COUPLES + "\x1a", []),
    "csv with comments": ("# agent: draft\n\n" + CSV, []),
    "tsv": (CSV.replace(",", "\t"), []),
    "yaml after a long comment": ("# x\n" * 3000 + MAPPING, []),
    "yaml flow": ("\n[\n" + ",\n".join(f"[{agent}, {draft}]" for agent, draft in PAIRS) + "]\n", []),
    "yaml with a document start": ("---\n" + RECORDS, []),
    "json with a bom and blanks": ("\ufeff\n  \n" + json.dumps(OBJECTS, indent=2), []),
}


@pytest.fixture
def world(world: World) -> World:
    """A workspace that holds the drafts of `PAIRS`, and one more of each agent."""
    for agent in (A, B):
        world.add_agent(agent_id=agent)
        world.open_draft(agent, draft_id=f"other-of-{agent[:4]}")
    for agent, draft in PAIRS:
        world.open_draft(agent, draft_id=draft)
    return world


def _read(path: str, told: str | None = None) -> list[tuple[str, str]]:
    """The pairs of a list, none of which is refused."""

    def bad(source: str, reason: str) -> None:
        raise AssertionError(f"{source}: {reason}")

    return sorted(unpack(key) for key in read_list(path, told, bad).keys)


def _only_these_went(sim: Simulator) -> None:
    assert sorted(request.path for request in sim.requests("discard")) == sorted(
        f"/atoms/v1/agent/{agent}/drafts/{draft}" for agent, draft in PAIRS
    )
    assert sim.left() == {"other-of-0123", "other-of-dead"}


@pytest.mark.parametrize("chosen", ["bom, crlf", "json lines", "a mapping under drafts", "json records"])
def test_the_same_pairs_are_the_same_requests(job: Runner, sim: Simulator, chosen: str) -> None:
    """Whatever the format of the list."""
    assert job(job.write(*LISTS[chosen])).code == 0
    _only_these_went(sim)


@pytest.mark.parametrize(("name", "content"), LISTS.values(), ids=LISTS)
def test_every_list_is_read_as_the_same_pairs(tmp_path: Path, name: str, content: str | bytes) -> None:
    """Whatever its format, dialect, encoding and shape."""
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    assert _read(str(path)) == sorted(PAIRS)


@pytest.mark.parametrize("chosen", ["tsv told", "yaml and Ctrl-Z"])
def test_standard_input_is_a_list_too(job: Runner, sim: Simulator, chosen: str) -> None:
    """Its format is given, or guessed from how it begins."""
    text, flags = STDIN[chosen]
    assert job("-", *flags, stdin=text).code == 0
    _only_these_went(sim)


@pytest.mark.parametrize(("text", "flags"), STDIN.values(), ids=STDIN)
def test_standard_input_is_read_as_the_same_pairs(monkeypatch: pytest.MonkeyPatch, text: str, flags: list[str]) -> None:
    """Whatever its format is, and however it begins."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(text.encode()))))
    assert _read("-", *flags[1:]) == sorted(PAIRS)


def test_a_list_may_be_in_the_settings(job: Runner, sim: Simulator) -> None:
    """`pairs` in the settings file is the list itself; a row's source is the settings file's line."""
    job.write("c.yaml", "# my list\n\npairs:\n" + MAPPING.replace(A, f"  {A}").replace(B, f"  {B}"))
    assert job("-c", "c.yaml", "--ledger", "ledger.jsonl").code == 0
    _only_these_went(sim)
    sources = [line["source"] for line in job.ended[0].ledger() if line["type"] == "pair"]
    assert sorted(sources) == ["c.yaml:6", "c.yaml:7", "c.yaml:8", "c.yaml:8"]


def test_a_list_in_the_settings_gives_way_to_one_on_the_command_line(job: Runner, sim: Simulator) -> None:
    """And a path in the settings is relative to their file."""
    (job.folder / "sub").mkdir()
    job.write("sub/l.csv", CSV)
    job.write("sub/c.yaml", f"pairs: l.csv\nlimits: {{concurrency: 1}}\nguard: {{protect: {A}}}\n")
    ended = job("-c", "sub/c.yaml")
    assert ended.counts["discarded"] == 2
    assert job("-c", "sub/c.yaml", job.list_of([(B, "other-of-dead")])).counts["listed"] == 1
    assert sim.left() == {"1e5", "0123", "other-of-0123"}


REFUSED: dict[str, tuple[str, str | bytes, list[str]]] = {
    "an id that is a path": ("l.csv", CSV + f"{A},../archive\n{A},..\n{A},ok\n{A},%2e%2e\n", ["6", "7", "9"]),
    "a number of a spreadsheet": ("l.csv", "6.01235E+23,d1\n" + ROWS, ["1"]),
    "a spreadsheet": ("l.xlsx", b"PK\x03\x04...", ["1"]),
    "no bytes": ("l.csv", "", ["1"]),
    "bytes that are no text": ("l.yaml", COUPLES.encode() + b"- [\xff, x]\n", ["5"]),
    "a lone surrogate": ("l.json", f'[["{A}", "1e5"],\n{{"agent": "{A}", "draft": "d", "x": "\\ud800"}}]', ["2"]),
    "a hundred thousand brackets": ("l.yaml", "[" * 100_000, ["1"]),
    "times": (
        "l.csv",
        f"agent,draft,updated_at\n{A},0123,yesterday\n{A},1e5,2026-01-01T12:00:00\n{B},on,2099-01-01T00:00Z\n",
        ["2", "3", "4"],
    ),
    "an end inside the last row": ("l.csv", CSV + B, ["6"]),
    "an end inside the last id": ("l.csv", CSV.replace("on\n", "another\n") + f"{B},Dr", ["6"]),
    "an end inside the last line": ("l.jsonl", f'["{A}", "1e5"]\n["{B}", "o', ["2"]),
    "a URL": ("l.csv", f"https://app.smallest.ai/dashboard/agents/{A}?draft=1e5\n", ["1"]),
}


@pytest.mark.parametrize(("name", "content", "lines"), REFUSED.values(), ids=REFUSED)
def test_every_bad_row_is_told(tmp_path: Path, name: str, content: str | bytes, lines: list[str]) -> None:
    """With file, line and reason."""
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    told: list[tuple[str, str]] = []
    with pytest.raises(ListMalformed):
        read_list(str(path), None, lambda *row: told.append(row))
    assert [source for source, _ in told] == [f"{name}:{line}" for line in lines]
    assert all(reason for _, reason in told)


@pytest.mark.parametrize("chosen", ["an id that is a path", "a lone surrogate", "a hundred thousand brackets"])
def test_one_bad_row_and_nothing_is_sent(job: Runner, sim: Simulator, chosen: str) -> None:
    """Exit 65, each bad row in the log with file and line, not one request, and a summary that says so."""
    name, content, lines = REFUSED[chosen]
    ended = job(job.write(name, content))
    assert ended.code == 65
    assert [event["source"] for event in ended.of("list.invalid")] == [f"{name}:{line}" for line in lines]
    assert all(event["reason"] and event["level"] == "error" for event in ended.of("list.invalid"))
    assert "Traceback" not in ended.stderr
    assert (ended.summary["status"], ended.summary["stopped_by"]) == ("refused", None)
    assert (ended.summary["exit_code"], ended.events[-1]["exit_code"]) == (65, 65)
    assert ended.summary["next"] == ended.events[-1]["next"]
    assert not sim.requests()


def test_a_bad_list_in_the_settings_is_named_by_its_line(job: Runner, sim: Simulator) -> None:
    """The file is the settings file."""
    job.write("c.yaml", f"pairs:\n  - [{A}, ok]\n  - [{A}, 'no/']\n")
    ended = job("-c", "c.yaml")
    assert ended.code == 65
    assert [event["source"] for event in ended.of("list.invalid")] == ["c.yaml:3"]
    assert not sim.requests()


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_a_list_that_is_not_there(job: Runner, sim: Simulator, name: str) -> None:
    """Exit 66, a sentence with its name, no request."""
    ended = job(name)
    assert ended.code == 66
    assert f"{name}: the list cannot be read" in ended.events[-1]["next"]
    assert "the commands are" not in ended.stderr
    assert not sim.requests()


def test_a_misspelled_command_is_not_only_a_list_that_is_not_there(job: Runner, sim: Simulator) -> None:
    """The sentence names the commands; on a terminal no empty table is shown."""
    ended = job("drafts", "--log-format", "console")
    assert ended.code == 66
    assert "the commands are check, find, sweep, undo, report, simulate" in " ".join(ended.stdout.split())
    assert "listed" not in ended.stdout
    assert not sim.requests()


def test_an_empty_list_is_a_run_with_nothing_to_do(job: Runner, sim: Simulator) -> None:
    """A warning, exit 0, no request; in every format a list may be empty."""
    ended = job(job.write("l.csv", "agent,draft\n"))
    assert ended.code == 0
    assert ended.summary["counts"]["listed"] == 0
    assert [entry["level"] for entry in ended.of("run.warning")] == ["warning"]
    assert "the list is empty" in ended.summary["warnings"][0]
    assert not sim.requests()
    for name, content in (("l.yaml", "pairs: []\n"), ("l.json", "{}")):
        assert _read(str(job.folder / job.write(name, content))) == []


def test_a_person_sees_the_first_bad_rows_a_log_sees_all(job: Runner, sim: Simulator) -> None:
    """Twenty on a terminal and how many more there are; every one in a JSON log, also on a terminal."""
    job.write("l.csv", "agent,draft\n" + "x,y\n" * 57)
    for flags, shown in ((["l.csv"], 20), (["l.csv", "--log-format", "json"], 57), (["check", "l.csv"], 20)):
        text = Terminal(job, *flags).end().stderr
        assert text.count("list.invalid") == shown
        assert "l.csv:21" in text
        if shown == 20:
            assert "l.csv:22" not in text
            assert "57 rows are invalid (only the first 20 are shown)" in text
    assert not sim.requests()


def test_edits_are_noticed_that_a_list_in_local_time_would_hide(job: Runner, sim: Simulator, world: World) -> None:
    """Exported at UTC+2, edited an hour later: without its zone such a list is refused, with it the edit is seen."""
    exported = datetime.now(UTC) - timedelta(hours=2)
    local = exported.astimezone(timezone(timedelta(hours=2)))
    world.edit("1e5", updated_at=exported + timedelta(hours=1))
    for text, code in ((local.replace(tzinfo=None).isoformat(), 65), (local.isoformat(), 0)):
        ended = job(job.write("l.csv", f"agent,draft,updated_at\n{A},1e5,{text}\n"))
        assert ended.code == code
        assert "1e5" in sim.left()
    assert ended.summary["skipped"] == {"changed": 1}


def test_a_draft_id_that_looks_unlike_the_others_is_reported_and_never_settled(
    job: Runner, sim: Simulator, drafts: Drafts
) -> None:
    """In upper case or cut short it is another draft's, or nobody's: `not_found` says nothing of what was meant."""
    held = drafts(8)
    typed = [(draft.agent, draft.id) for draft in held]
    typed[2] = (held[2].agent, held[2].id.upper())
    typed[5] = (held[5].agent, held[5].id[:-1])
    listed = job.list_of([*typed, (held[0].agent, "0" * 24)])
    words = [listed, "--ledger", "ledger.jsonl", "--resume"]
    for skipped in ({"not_found": 3}, {"settled": 7, "not_found": 2}):
        ended = job(*words)
        assert ended.summary["skipped"] == skipped
        (warning,) = [text for text in ended.summary["warnings"] if "unlike" in text]
        assert "2 draft ids look unlike the rest" in warning
        assert f"{typed[2][1]!r} (drafts.csv:4)" in warning
    (told,) = [entry["message"] for entry in job("check", listed).of("run.warning") if "unlike" in entry["message"]]
    assert told == warning


def test_a_list_of_many_rows_takes_time_and_memory_in_proportion(tmp_path: Path) -> None:
    """Four times the rows take no more than eight times the processor time, and about 100 bytes a row."""
    program = (
        "import sys, time\nfrom cleanup.lists.reading import read_list\n"
        "times = []\nfor name in sys.argv[1:]:\n"
        "    began = time.process_time()\n    assert len(read_list(name, None, print)) > 1000\n"
        "    times.append(time.process_time() - began)\n"
        # Not getrusage: there, a child's peak begins with its parent's.
        "peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM')).split()[1]\n"
        "print(times[1] / times[0], peak)\n"
    )
    for ending, row in (("csv", f"{A},d{{}}\n"), ("yaml", f"- [{A}, d{{}}]\n"), ("json", f'["{A}", "d{{}}"],\n')):
        names = [str(tmp_path / f"{size}.{ending}") for size in (4000, 16000)]
        for name, size in zip(names, (4000, 16000), strict=True):
            text = "".join(row.format(number) for number in range(size))
            Path(name).write_text({"csv": CSV + text, "json": "[" + text[:-2] + "]"}.get(ending, text))
        found = subprocess.run(
            [sys.executable, "-c", program, *names],
            capture_output=True,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
        ratio, memory = map(float, found.stdout.split())
        assert ratio < 8
        assert memory < 100_000


@pytest.mark.parametrize(("style", "command"), [("console", ()), ("json", ("check",))])
def test_a_job_that_waits_for_a_typed_list_says_so(job: Runner, style: str, command: tuple[str, ...]) -> None:
    """Without a message, a job that reads a terminal would seem to hang."""
    terminal = Terminal(job, *command, "-", "--log-format", style, on=("stdin", "stderr"))
    terminal.read_until("waiting for a list")
    terminal.type("agent,draft\n\x04")
    assert terminal.end().code == 0
