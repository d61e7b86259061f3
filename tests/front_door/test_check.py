"""`check`: what a run would do, without a single request."""

import builtins
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cleanup.cli.check import check as check_in_here
from cleanup.simulator import Simulator
from tests.monitors import listening
from tests.runner import Ended, Runner

A = "012345670123456701234567"
B = "deadbeefdeadbeefdeadbeef"


@pytest.fixture
def check(job: Runner, sim: Simulator) -> Callable[..., Ended]:
    """Runs `check` and sees that nothing was sent or written."""

    def run(*words: str, **more: Any) -> Ended:
        ended = job("check", *words, **more)
        assert not sim.requests()
        assert not (job.folder / "summary.json").exists()
        assert "Traceback" not in ended.stderr
        return ended

    return run


def test_counts_and_time_of_a_list(check: Callable[..., Ended], job: Runner) -> None:
    """In JSON: one line, with what would be sent, skipped and left, and the time at 5, 10 and 100 a second."""
    pairs = [(A, f"d{number}") for number in range(50)] + [(B, "d1"), (A, "d0"), (A, "d1")]
    ended = check(job.list_of(pairs), "--protect", B, "--limit", "40")
    assert ended.code == 0
    (line,) = ended.stdout.splitlines()
    found = json.loads(line)
    assert (found["listed"], found["to_send"], found["agents"], found["left_for_limit"]) == (53, 40, 1, 10)
    assert found["skipped"] == {"duplicate": 2, "protected": 1}
    assert found["seconds_at"] == {"5": 8.0, "10": 4.0, "100": 0.4}


def test_a_check_and_a_backup_take_their_time_too(check: Callable[..., Ended], job: Runner) -> None:
    """Guards read each draft before it is discarded."""
    job.list_of([(A, f"d{number}") for number in range(10)])
    found = json.loads(check("drafts.csv", "--min-idle", "1d", "--backup", "b").stdout)
    assert found["requests"] == 30
    assert found["seconds_at"]["5"] == 6


def test_a_person_reads_sentences(check: Callable[..., Ended], job: Runner, sim: Simulator) -> None:
    """The same in words, and where it would be sent."""
    job.list_of([(A, f"d{number}") for number in range(900)])
    ended = check("drafts.csv", "--log-format", "console")
    assert f"A run would discard 900 drafts of 1 agent at {sim.url}." in ended.stdout
    assert "3 min 00 s at 5, 1 min 30 s at 10, 9 s at 100" in ended.stdout


@pytest.mark.parametrize(
    ("words", "content", "code", "said"),
    [
        (["l.csv"], f"agent,draft\n{A},../archive\n", 65, "l.csv: 1 row is invalid"),
        (["missing.csv"], "", 66, "missing.csv: the list cannot be read"),
        (["l.csv", "--max-discards", "1"], f"{A},d1\n{A},d2\n", 78, "pass --max-discards 2"),
        (["l.csv", "--rate", "-1"], f"{A},d1\n", 78, "--rate: limits.rate must be"),
        (["l.csv", "--resume"], f"{A},d1\n", 78, "run.resume (--resume) needs output.ledger"),
        (["l.csv", "--key-file", "nowhere"], f"{A},d1\n", 78, "nowhere: the key file cannot be read"),
        (["--older-than", "30d"], "", 78, "a sweep needs api.organization (--organization)"),
        ([], "", 2, "there is no list"),
    ],
)
def test_what_would_refuse_a_run_refuses_the_check(
    check: Callable[..., Ended], job: Runner, words: list[str], content: str, code: int, said: str
) -> None:
    """With the same exit code, and a sentence."""
    job.write("l.csv", content)
    ended = check(*words)
    assert ended.code == code
    assert any(said in event.get("message", "") for event in ended.events)
    assert [event["source"] for event in ended.of("list.invalid")] == (["l.csv:2"] if code == 65 else [])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--leftover", "l.csv"], 78, "l.csv: output.leftover and the list are the same file"),
        (["--ledger", "x", "--metrics", "./x"], 78, "output.metrics and output.ledger are the same file"),
        (["--leftover", "absent/left.csv"], 74, "absent/left.csv: could not be written: there is no folder absent"),
        (["--metrics", "."], 74, ".: could not be written: it is a folder"),
        (["--summary", "l.csv/s.json"], 74, "l.csv/s.json: could not be written"),
        (["--ledger", "absent/l.jsonl"], 74, "absent/l.jsonl: the ledger could not be opened: No such file"),
        (["--ledger", "l.csv/l.jsonl"], 74, "l.csv/l.jsonl: the ledger could not be opened: Not a directory"),
        (["--ledger", "other.txt"], 78, "other.txt: this is not a ledger"),
        (["--ledger", "l.csv/l.jsonl", "--resume"], 74, "l.csv/l.jsonl: the ledger could not be opened"),
        (["--ledger", "l.csv/l.jsonl", "--resume", "--dry-run"], 78, "l.csv/l.jsonl: the ledger cannot be read"),
        (["--backup", "other.txt/copies"], 74, "other.txt/copies: the folder for backups cannot be used: Not a dir"),
    ],
)
def test_places_that_a_run_cannot_use_refuse_the_check(
    check: Callable[..., Ended], job: Runner, sim: Simulator, words: list[str], code: int, said: str
) -> None:
    """With the exit code of the run, of which a monitor hears, and without making anything to find out."""
    job.write("l.csv", f"{A},d1\n")
    job.write("other.txt", "hello\n")
    ended = check("l.csv", *words)
    assert ended.code == code
    assert said in ended.of("check.refused")[0]["message"]
    assert {path.name for path in job.folder.iterdir()} == {"l.csv", "other.txt"}
    with listening() as monitor:
        run = job("l.csv", *words, env={"CLEANUP_OUTPUT__HEARTBEAT_URL": monitor.url})
    assert run.code == code
    assert monitor.heard == ["/start", f"/{code}"]
    assert not sim.requests() or "--backup" in words
    assert said in run.stderr or "--backup" in words


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (74, ("--ledger", "closed/l")),
        (78, ("--ledger", "closed/l", "--resume", "--dry-run")),
        (74, ("--metrics", "closed/m")),
        (74, ("--backup", "closed/b")),
    ],
)
def test_a_folder_that_may_not_be_searched_is_reported(
    job: Runner,
    sim: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    code: int,
    words: tuple[str, ...],
) -> None:
    """In a sentence."""
    (job.folder / "closed").mkdir(mode=0)
    monkeypatch.chdir(job.folder)
    access = os.access

    # Root may search any folder: what the system says to everybody else is said here to it too.
    def closed(call: Callable[..., Any]) -> Callable[..., Any]:
        def refuse(path: Any, *more: Any, **named: Any) -> Any:
            if "closed/" in str(path):
                raise PermissionError(13, "Permission denied", str(path))
            return call(path, *more, **named)

        return refuse

    monkeypatch.setattr(os, "access", lambda path, *more, **named: "closed" not in str(path) and access(path, *more))
    for place, name in ((os, "stat"), (os, "lstat"), (builtins, "open")):
        monkeypatch.setattr(place, name, closed(getattr(place, name)))
    listed = job.list_of([(A, "d1")])
    ended = check_in_here([*job.defaults, listed, *words], job.environ, None)
    monkeypatch.undo()
    (told,) = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert ended == code
    assert told["event"] == "check.refused"
    assert "Permission denied" in told["message"]
    assert not sim.requests()
    assert not (job.folder / "summary.json").exists()


def test_what_a_run_could_use_is_not_made(check: Callable[..., Ended], job: Runner, tmp_path: Path) -> None:
    """Places that are good are left as they are."""
    (tmp_path / "out").mkdir()
    places = ("--ledger", "out/l.jsonl", "--leftover", "out/left.csv", "--backup", "copies/of/drafts")
    assert check(job.list_of([(A, "d1")]), *places, "--metrics", "out/m.prom").code == 0
    assert not (tmp_path / "copies").exists()
    assert not list((tmp_path / "out").iterdir())


def test_a_ledger_of_another_api_is_refused(check: Callable[..., Ended], job: Runner) -> None:
    """As a run with `--resume` would."""
    job.write("ledger.jsonl", json.dumps({"type": "run", "run_id": "r", "base_url": "https://other.example"}) + "\n")
    ended = check(job.list_of([(A, "d1")]), "--resume", "--ledger", "ledger.jsonl")
    assert ended.code == 78
    assert any("https://other.example" in event.get("message", "") for event in ended.events)


def test_a_missing_key_is_only_a_warning(check: Callable[..., Ended], job: Runner) -> None:
    """A list is checked where no key should be; an empty list is warned of."""
    ended = check(job.write("l.csv", "agent,draft\n"), env={"SMALLEST_API_KEY": ""})
    assert ended.code == 0
    assert json.loads(ended.stdout)["to_send"] == 0
    said = " ".join(event["message"] for event in ended.of("run.warning"))
    assert "there is no API key yet" in said
    assert "the list is empty" in said


def test_a_sweep_is_explained(check: Callable[..., Ended], sim: Simulator) -> None:
    """Without a list, with an age: which drafts would be searched for, where, and when nothing would be discarded."""
    flags = ("--older-than", "30d", "--organization", "org-1", "--name", "test *", "--exclude-agent", A, "--limit", "9")
    text = " ".join(check(*flags, "--log-format", "console").stdout.split())
    for part in ("30", "test *", A, "organization org-1", sim.url, "more than 1000 drafts", "25%", "9 oldest", "--yes"):
        assert part in text
    (line,) = check(*flags).stdout.splitlines()
    found = json.loads(line)
    assert (found["mode"], found["organization"], found["most"], found["per_run"]) == ("check", "org-1", 1000, 9)
