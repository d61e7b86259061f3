"""Settings through the front door: which one wins, what is refused and how."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from cleanup.cli.main import main
from cleanup.simulator import Simulator
from tests.runner import JOB, ROOT, Runner


def test_what_any_source_protects_is_not_touched(job: Runner, sim: Simulator, drafts: Callable[..., list[Any]]) -> None:
    """An agent each by flag, variable and file; only the fourth agent's draft goes."""
    held = drafts(4, agents=4)
    job.write("c.yaml", f"guard:\n  protect:\n    - '{held[2].agent}'\n")
    ended = job(
        *("-c", "c.yaml", "--protect", held[0].agent, job.list_of(held)),
        env={"CLEANUP_GUARD__PROTECT": held[1].agent},
    )
    assert ended.code == 0
    assert ended.summary["skipped"] == {"protected": 3}
    assert sim.left() == {draft.id for draft in held[:3]}
    assert [request.draft for request in sim.requests("discard")] == [held[3].id]


def test_a_dry_run_in_the_file_is_not_switched_off_by_a_variable(
    job: Runner, sim: Simulator, drafts: Callable[..., list[Any]]
) -> None:
    """Nothing is discarded."""
    held = drafts(2)
    job.write("c.yaml", "run: {dry_run: yes}\n")
    ended = job("-c", "c.yaml", job.list_of(held), env={"CLEANUP_RUN__DRY_RUN": "no"})
    assert ended.code == 0
    assert ended.counts["would_discard"] == 2
    assert not sim.requests("discard")


def test_the_same_setting_in_four_places(job: Runner, sim: Simulator, drafts: Callable[..., list[Any]]) -> None:
    """The ledger records what a run used: the flag's value, the variable's, the file's, the default."""
    held = drafts(4)
    job.write(
        "c.yaml",
        "limits: {max_discards: 33, max_outage: 3m}\nretry: {attempts: 3}\noutput: {ledger: ledger.jsonl}\n",
    )
    env = {"CLEANUP_CONFIG": "c.yaml", "CLEANUP_RETRY__ATTEMPTS": "2", "CLEANUP_LIMITS__MAX_DISCARDS": "22"}
    assert job("--max-discards", "11", "--note", "CHG-1", job.list_of(held), env=env).code == 0
    first = job.ended[0].ledger()[0]
    used = first["settings"]
    assert (used["limits"]["max_discards"], used["retry"]["attempts"]) == (11, 2)
    assert (used["limits"]["max_outage"], used["limits"]["concurrency"]) == ("3m", 8)
    assert first["note"] == "CHG-1"


def test_config_yaml_beside_the_program_is_taken(runner: Runner, sim: Simulator) -> None:
    """Whatever the working directory."""
    home = runner.folder / "home"
    home.mkdir()
    shutil.copy(ROOT / "job.py", home)
    (home / "cleanup").symlink_to(ROOT / "cleanup")
    (home / "config.yaml").write_text(f"api: {{base_url: '{sim.url}'}}\npairs: []\n")
    ended = subprocess.run(
        [sys.executable, home / "job.py", "check"],
        cwd=runner.folder,
        env=runner.environ,
        capture_output=True,
        text=True,
    )
    assert json.loads(ended.stdout)["base_url"] == sim.url


def test_everything_that_is_wrong_is_named_with_its_place(job: Runner, sim: Simulator) -> None:
    """One event each, exit 78, the last line says so, no request, no value of a secret."""
    job.write("c.yaml", "limits:\n  rate: fast\n  rte: 5\noutput:\n  heartbeat_url: hc.example/s3cret-slug\n")
    ended = job(
        *("-c", "c.yaml", "l.csv", "--concurrency", "0", "--deadline", "-5m"),
        env={"CLEANUP_X__Y": "1", "CLEANUP_PORT": "tcp://1.2.3.4:80", "CLEANUP_RETRY__WAIT": "nan"},
    )
    assert ended.code == 78
    messages = [event["message"] for event in ended.of("settings.invalid")]
    starts = [
        "CLEANUP_X__Y: no such setting",
        "c.yaml:3: limits.rte: no such setting; did you mean limits.rate?",
        "--concurrency: limits.concurrency must be at least 1 (given: 0)",
        "--deadline: limits.deadline is not a duration",
        "CLEANUP_RETRY__WAIT: retry.wait is not a duration",
        "c.yaml:2: limits.rate must be 0.001 to 100000 requests",
        "c.yaml:5: output.heartbeat_url must be a URL",
    ]
    assert [message[: len(start)] for message, start in zip(messages, starts, strict=True)] == starts
    assert (ended.events[-1]["event"], ended.events[-1]["exit_code"]) == ("run.finished", 78)
    assert "s3cret-slug" not in ended.stderr + ended.stdout
    assert not sim.requests()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--no-such-flag"], "--no-such-flag"),
        (["--rate"], "--rate"),
        (["l.csv", "other.csv"], "other.csv"),
        (["--rate", "5", "check"], "the command comes first: python job.py check"),
        (["l.csv", "--older-than", "5d"], "--older-than does not apply to a run over a list"),
        (["find", "--dry-run"], "--dry-run does not apply to `find`"),
        (["repot", "ledger.jsonl"], "there is no command or file `repot`; did you mean `report`?"),
        (["swep"], "there is no command or file `swep`; did you mean `sweep`?"),
        (["l.csv", "--dryrun"], "unrecognized arguments: --dryrun; did you mean --dry-run?"),
        (["l.csv", "--older-thn", "5d"], "unrecognized arguments: --older-thn; did you mean --older-than?"),
        (["find", "--outptu=s3cret"], "unrecognized arguments: --outptu; did you mean --output?"),
        (["l.csv", "--key", "s3cret"], "unrecognized arguments: --key; did you mean --key-file?"),
        (["l.csv", "-ks3cret"], "unrecognized arguments: -k."),
        (["l.csv", "--zzzzzz"], "unrecognized arguments: --zzzzzz."),
        (["-", "--heartbeat-url=https://s3cret"], "unrecognized arguments: --heartbeat-url"),
        (["-", "--heartbeat-url", "https://s3cret"], "unrecognized arguments: --heartbeat-url"),
        (["-", "--push-url=https://s3cret"], "unrecognized arguments: --push-url"),
        (["-", "--push-url", "https://s3cret"], "unrecognized arguments: --push-url"),
        (["l.csv", "--dry-run=s3cret"], "--dry-run takes no value: write --dry-run alone, or leave it out."),
    ],
)
def test_wrong_usage_is_exit_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    """An unknown flag, a missing argument, one list too many: a sentence without values, and where the help is."""
    monkeypatch.setattr(sys, "argv", [str(JOB), *words])
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    out, err = capsys.readouterr()
    assert said in err
    assert "s3cret" not in err + out
    command = "find " if words[0] == "find" else ""
    assert f"See `python job.py {command}--help`" in err
    assert len(err.splitlines()) == 1


def test_the_last_line_of_a_refusal_says_what_to_correct(job: Runner) -> None:
    """The first thing that is wrong, however long the value is: the line stays one that Kubernetes shows."""
    ended = job("l.csv", "--rate", "fast", "--attempts", "0", "--protect", "x" * 5000)
    assert ended.events[-1]["next"].startswith("correct this and run it again: --rate: limits.rate must be 0.001 to")
    ended = job("l.csv", "--protect", "\u00e4" * 5000)
    assert ended.events[-1]["next"].startswith("correct this and run it again: --protect: guard.protect")
    assert len(ended.stderr.splitlines()[-1].encode()) <= 2000


@pytest.mark.parametrize(("command", "place"), [((), "flag"), (("check",), "file")])
def test_a_refusal_is_logged_in_the_format_that_is_set(job: Runner, command: tuple[str, ...], place: str) -> None:
    """Whichever source sets it, for a run and for a check."""
    file = "output: {log_format: console}\n" if place == "file" else "{}\n"
    ended = job(
        *(*command, "l.csv", "--rate", "fast", "-c", job.write("c.yaml", file)),
        *(("--log-format", "console") if place == "flag" else ()),
    )
    assert ended.code == 78
    assert not ended.events
    assert "settings.invalid" in ended.stderr


def test_a_dry_run_by_a_variable_of_almost_the_right_name_is_refused(
    job: Runner, sim: Simulator, drafts: Callable[..., list[Any]]
) -> None:
    """Not taken for a run that discards; Kubernetes' own variables are."""
    pairs = job.list_of(drafts(3))
    ended = job(pairs, env={"CLEANUP_DRY_RUN": "true", "CLEANUP_PORT": "tcp://10.0.0.1:443"})
    assert ended.code == 78
    assert "CLEANUP_DRY_RUN: no such setting; did you mean CLEANUP_RUN__DRY_RUN?" in ended.stderr
    assert not sim.requests()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--ledger", "-", "--older-than", "30"), "write /dev/stdout for standard output (given: -)"),
        (("--ledger", "no", "--older-than", "0"), "write off for none, or ./no for"),
    ],
)
def test_what_is_easily_misunderstood_is_refused(
    job: Runner, sim: Simulator, words: tuple[str, str], said: str
) -> None:
    """Before anything is read or made."""
    ended = job("sweep", "--organization", "org-1", *words)
    assert ended.code == 78
    age, path = [event["message"] for event in ended.of("settings.invalid")]
    assert path.startswith(f"--ledger: output.ledger must be a path: {said}")
    assert age.startswith("--older-than: find.older_than is not an age")
    assert not sim.requests()
    assert not list(job.folder.iterdir())


def test_a_list_that_is_found_is_not_written_to_a_file_called_minus(job: Runner, sim: Simulator) -> None:
    """Standard output is where it goes anyway."""
    ended = job("find", "-o", "-")
    assert ended.code == 2
    assert "`-` is not a file: omit this flag for standard output" in ended.stderr
    assert not list(job.folder.iterdir())


def test_a_tilde_in_a_path_is_the_home_folder(job: Runner, drafts: Callable[..., list[Any]]) -> None:
    """Of the list, a flag, a variable, and what is found."""
    home = job.folder / "home"
    home.mkdir()
    job.list_of(drafts(1), "home/drafts.csv")
    env = {"HOME": str(home), "CLEANUP_OUTPUT__METRICS": "~/m.prom"}
    assert job("find", "-o", "~/found.csv", env=env).code == 0
    assert job("~/drafts.csv", "--ledger", "~/l.jsonl", env=env).code == 0
    assert {path.name for path in home.iterdir()} == {"drafts.csv", "found.csv", "l.jsonl", "m.prom"}


@pytest.mark.parametrize("config", ["missing.yaml", "."])
def test_a_settings_file_that_cannot_be_read(job: Runner, sim: Simulator, config: str) -> None:
    """Missing, a folder: exit 78 with its name, no request."""
    ended = job("-c", config, "l.csv")
    assert ended.code == 78
    (event,) = ended.of("settings.invalid")
    assert event["message"].startswith(config)
    assert not sim.requests()
