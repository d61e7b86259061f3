"""What a run says to do next, done: the command pasted into a shell that knows nothing of the run's environment."""

import subprocess
import sys
from pathlib import Path

import pytest

from cleanup.simulator import DEMO_KEY, Simulator
from tests.conftest import Drafts, aged
from tests.runner import JOB, Ended, Runner
from tests.surroundings import clean_environment
from tests.terminal import Terminal


def command_of(ended: Ended) -> str:
    """The text from `cd ` to the end of the sentence."""
    sentence = ended.events[-1]["next"]
    assert sentence == ended.summary["next"]
    return str(sentence[sentence.index("cd ") :])


def paste(command: str) -> "subprocess.CompletedProcess[str]":
    """Run it as a person would, elsewhere, with the key and nothing else."""
    shell = ["/bin/sh", "-c", command]
    environment = clean_environment(SMALLEST_API_KEY=DEMO_KEY)
    return subprocess.run(
        shell, env=environment, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )


def test_no_setting_is_lost_on_the_way(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """A run with everything in its environment runs out of time; what is protected stays, what goes has its copy."""
    held = drafts(9)
    protected = held[0].agent
    sim.faults.script(held[1].id, ["429:retry_after=90"])
    env = {
        "CLEANUP_GUARD__PROTECT": protected,
        "CLEANUP_GUARD__BACKUP": "copies",
        "CLEANUP_API__ORGANIZATION": sim.world.organization,
        "CLEANUP_LIMITS__DEADLINE": "60s",
        "CLEANUP_OUTPUT__LEDGER": "ledger.jsonl",
    }
    ended = job(job.list_of(held), "--concurrency", "1", env=env)
    assert ended.code == 4
    pasted = paste(command_of(ended))
    assert pasted.returncode == 0, pasted.stderr
    assert sim.left() == {draft.id for draft in held if draft.agent == protected}
    gone = {draft.id for draft in held if draft.agent != protected}
    assert {path.stem for path in (job.folder / "copies").rglob("*.json")} == gone
    ends = [line for line in ended.ledger() if line["type"] == "run"]
    assert [line["settings"]["run"]["resume"] for line in ends] == [False, True]


def test_folders_and_lists_of_any_name(job: Runner, sim: Simulator, drafts: Drafts, tmp_path: Path) -> None:
    """An apostrophe, a blank, an ampersand: in the folder, the program's place and the list's name."""
    folder = tmp_path / "o'brien & sons"
    folder.mkdir()
    (folder / "job.py").symlink_to(JOB)
    held = drafts(3)
    sim.faults.script(held[0].id, ["500"])
    job.folder = folder
    listed = job.list_of(held, "my $list.csv")
    command = [sys.executable, "job.py", *job.defaults, "--attempts", "1", "--format", "csv", listed]
    ran = subprocess.run(command, cwd=folder, env=job.environ, capture_output=True, text=True, timeout=60)
    ended = Ended(ran.returncode, ran.stdout, ran.stderr, folder)
    assert (ended.code, sim.left()) == (75, {held[0].id})
    assert "--format csv" in command_of(ended)
    assert paste(command_of(ended)).returncode == 0
    assert sim.left() == set()


def test_a_sweep_goes_on_as_a_sweep(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """The command's name comes before its flags, which include the rule; the settings file is not needed."""
    held = drafts(3, updated_at=aged(40))
    sim.faults.script(held[0].id, ["500"])
    file = job.write("c.yaml", "find: {older_than: 30d, max_share: off}\nrun: {yes: true}\nretry: {attempts: 1}\n")
    ended = job("sweep", "--config", file, env={"CLEANUP_API__ORGANIZATION": sim.world.organization})
    assert (ended.code, sim.left()) == (75, {held[0].id})
    (job.folder / file).unlink()
    assert paste(command_of(ended)).returncode == 0
    assert sim.left() == set()


def test_it_is_one_line_on_a_narrow_terminal(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Nothing breaks the command where the terminal ends: half of it would run alone."""
    held = drafts(3)
    sim.faults.script(held[0].id, ["500"])
    words = ["--attempts", "1", "--ledger", "ledger.jsonl", "--yes"]
    terminal = Terminal(job, job.list_of(held), *words, on=("stdout", "stderr"), env={"COLUMNS": "40", "LINES": "20"})
    ended = terminal.end()
    command = ended.summary["next"]
    command = command[command.index("cd ") :]
    assert command.endswith("--resume")
    assert any(line.endswith(command) for line in ended.stderr.splitlines())


def test_what_failed_for_good_needs_a_person(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """The same command again would end the same way."""
    held = drafts(3)
    sim.faults.script(held[0].id, ["400"])
    ended = job(job.list_of(held), "--leftover", "left.csv")
    assert ended.code == 3
    assert ended.events[-1]["next"].startswith("the same run would fail again: check what is left in left.csv")


def test_a_refused_run_says_why_and_what_to_change(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Also one whose settings cannot be used at all."""
    listed = job.list_of(drafts(3))
    last = job(listed, "--max-discards", "2").events[-1]
    assert last["reason"].startswith("3 drafts would be sent, more than limits.max_discards (2)")
    assert "pass --max-discards 3" in last["next"]
    last = job(listed, "--rate", "fast").events[-1]
    assert "limits.rate must be" in last["reason"]
    assert "limits.rate must be" in last["next"]


def test_a_list_on_standard_input_is_needed_again(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """No command can bring it; the sentence says so, and which secret has to be there."""
    (draft,) = drafts(1)
    sim.faults.script(draft.id, ["500"])
    ended = job("-", "--attempts", "1", stdin=f"agent,draft\n{draft.agent},{draft.id}\n")
    assert ended.code == 75
    said = ended.events[-1]["next"]
    assert said.startswith("for what is left, with SMALLEST_API_KEY set and the same list on standard input, run: cd ")
    assert DEMO_KEY not in said


@pytest.mark.parametrize("mode", ["find", "dry-run"])
def test_a_run_that_only_reads_does_not_say_that_anything_was_discarded(
    job: Runner, sim: Simulator, drafts: Drafts, mode: str
) -> None:
    """What it means depends on what it was for."""
    listed = job.list_of(drafts(2))
    ended = job("find", "-o", "found.csv") if mode == "find" else job(listed, "--dry-run")
    assert (ended.code, ended.summary["next"]) == (0, None)
    assert "nothing was discarded" in ended.events[-1]["meaning"]
