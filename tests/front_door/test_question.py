"""The one question to a person, on a terminal of the test's own; and what else a terminal gets to see."""

import re
import subprocess

import pytest

from cleanup.simulator import Simulator
from tests.conftest import Drafts, Ended, Runner
from tests.terminal import Terminal

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*[0-9]m")


def on_a_terminal(
    job: Runner, *args: str, answer: str | None, env: dict[str, str] | None = None, stdin: str | None = None
) -> tuple[Ended, str]:
    """Run with a terminal as standard error and controlling terminal; returns also all that the terminal showed."""
    terminal = Terminal(job, *args, env=env, stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE)
    if stdin is not None:
        process = terminal.process
        assert process.stdin is not None
        process.stdin.write(stdin)
        process.stdin.close()
        process.stdin = None
    if answer is not None:
        terminal.read_until("[y/N]")
        terminal.type(answer)
    return terminal.end(), terminal.shown


def test_yes_goes_on(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """It is asked once, with how many of what, where and whose, and then done."""
    ended, shown = on_a_terminal(job, job.list_of(drafts(5, agents=3)), answer="YES\n")
    assert ended.code == 0
    question = f"Discard 5 drafts of 3 agents in organization {sim.world.organization} at {sim.url}? [y/N] "
    assert shown.count(question) == shown.count("[y/N]") == 1
    assert sim.left() == set()


@pytest.mark.parametrize("answer", ["n\n", "\n", "\x04"])
def test_anything_else_does_not(job: Runner, sim: Simulator, drafts: Drafts, answer: str) -> None:
    """No, nothing, the end of input: 2, and nothing was sent but whose key it is."""
    ended, _ = on_a_terminal(job, job.list_of(drafts(5)), answer=answer)
    assert ended.code == 2
    assert len(sim.left()) == 5
    assert [request.endpoint for request in sim.requests()] == ["user"]
    assert (ended.summary["status"], ended.summary["stopped_by"]) == ("refused", None)
    assert ended.summary["not_attempted"] == {"stopped": 5}


def test_a_piped_list_can_be_confirmed(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """The question goes to the terminal, not to standard input, which is the list."""
    (draft,) = drafts(1)
    stdin = f"agent,draft\n{draft.agent},{draft.id}\n"
    ended, shown = on_a_terminal(job, "-", answer="y\n", stdin=stdin)
    assert ended.code == 0
    assert "Discard 1 draft of 1 agent in" in shown
    assert sim.left() == set()


def test_it_can_be_answered_beforehand(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """`--yes` is not asked; and without a terminal nobody is."""
    ended, shown = on_a_terminal(job, job.list_of(drafts(2)), "--yes", answer=None)
    assert (ended.code, sim.left()) == (0, set())
    assert "[y/N]" not in shown
    ended = job(job.list_of(drafts(2)))
    assert (ended.code, sim.left()) == (0, set())
    assert "[y/N]" not in ended.stderr + ended.stdout


def test_a_dry_run_does_not_say_that_it_discards(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Nobody is asked, and its bar says what it does."""
    env = {"TERM": "xterm-256color"}
    ended, shown = on_a_terminal(job, job.list_of(drafts(3)), "--dry-run", answer=None, env=env)
    assert (ended.code, len(sim.left())) == (0, 3)
    assert "[y/N]" not in shown
    assert "looking" in shown
    assert "discarding" not in shown


@pytest.mark.parametrize("colours", [True, False])
def test_log_lines_stand_above_the_bar(job: Runner, sim: Simulator, drafts: Drafts, colours: bool) -> None:
    """Each line is whole, whatever the bar does below; with NO_COLOR there is no colour, and still a bar."""
    held = drafts(30)
    sim.workspace.latency = (0.02, 0.03)
    env = {"TERM": "xterm-256color"} | ({} if colours else {"NO_COLOR": "1"})
    ended, shown = on_a_terminal(job, job.list_of(held), "--yes", answer=None, env=env)
    assert ended.code == 0
    assert bool(COLOUR.search(shown)) is colours
    assert "discarding" in shown
    lines = [line.rstrip() for line in re.split(r"[\r\n]", CONTROL.sub("", shown)) if "draft.discarded" in line]
    assert len(lines) == 30
    for draft in held:
        (line,) = [line for line in lines if f"draft={draft.id}" in line]
        assert re.match(r"\d\d:\d\d:\d\d \[info +\] draft\.discarded ", line)
        assert f"agent={draft.agent}" in line
        assert re.search(r"status=200\b.*request_id=sim-\d{8}$", line) or "status=200" in line
    assert "run.finished" in CONTROL.sub("", shown).rstrip().splitlines()[-1]
