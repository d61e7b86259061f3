"""The one question to a person, on a terminal of the test's own; and what else a terminal gets to see."""

import asyncio
import re
from typing import Any

import pytest

from cleanup.console.ask import confirm
from cleanup.model import Owner
from cleanup.simulator import Simulator, World
from cleanup.stop import Stop
from tests.conftest import Drafts, script
from tests.runner import Ended, Runner
from tests.terminal import Terminal

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
COLOUR = re.compile(r"\x1b\[[0-9;]*[0-9]m")


def on_a_terminal(
    job: Runner,
    *args: str,
    answer: str | None,
    asked: str = "[y/N]",
    env: dict[str, str] | None = None,
    stdin: str | None = None,
) -> tuple[Ended, str]:
    """Run with a terminal as standard error and controlling terminal; returns also all that the terminal showed."""
    with (job.folder / job.write("stdin", stdin or "")).open() as listed:
        streams: dict[str, Any] = {} if stdin is None else {"stdin": listed}
        terminal = Terminal(job, *args, env=env, **streams)
    if answer is not None:
        terminal.read_until(asked)
        terminal.type(answer)
    return terminal.end(), terminal.shown


def test_yes_goes_on(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """It is asked once, with how many of what, where and whose, and then done."""
    ended, shown = on_a_terminal(job, job.list_of(drafts(5, agents=3)), answer="YES\n")
    assert ended.code == 0
    question = f"Discard 5 drafts of 3 agents in organization Acme ({sim.world.organization}) at {sim.url}? [y/N] "
    assert shown.count(question) == shown.count("[y/N]") == 1
    assert len(sim.requests("account")) == 1
    assert sim.left() == set()


@pytest.mark.parametrize("answer", ["\n", "\x04"])
def test_anything_else_does_not(job: Runner, sim: Simulator, drafts: Drafts, answer: str) -> None:
    """Nothing, the end of input: 2, and nothing was sent but whose key it is."""
    ended, _ = on_a_terminal(job, job.list_of(drafts(5)), answer=answer)
    assert ended.code == 2
    assert len(sim.left()) == 5
    assert [request.endpoint for request in sim.requests()] == ["user", "account"]
    assert (ended.summary["status"], ended.summary["stopped_by"]) == ("refused", None)
    assert ended.summary["not_attempted"] == {"stopped": 5}


@pytest.mark.parametrize(("answer", "code"), [("120\n", 0), ("y\n", 2), ("12\n", 2)])
def test_many_drafts_are_confirmed_by_their_number(
    job: Runner, sim: Simulator, drafts: Drafts, answer: str, code: int
) -> None:
    """A `y` slips out; the number of more than a hundred drafts does not."""
    listed = job.list_of(drafts(120))
    ended, shown = on_a_terminal(job, listed, "--rate", "off", answer=answer, asked="Type 120 to discard them: ")
    assert "[y/N]" not in shown
    assert (ended.code, len(sim.left())) == (code, 120 if code else 0)


def test_what_was_typed_before_the_question_does_not_answer_it(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """A line that waits there when it is asked is thrown away; an answer given afterwards counts."""
    terminal = Terminal(job, job.list_of(drafts(2)))
    terminal.type("y\n")
    terminal.read_until("[y/N]")
    terminal.type("n\n")
    ended = terminal.end()
    assert ended.code == 2
    assert len(sim.left()) == 2
    assert [request.endpoint for request in sim.requests()] == ["user", "account"]
    assert ended.summary["not_attempted"] == {"stopped": 2}


@pytest.mark.parametrize(
    ("name", "organization", "whose"),
    [
        ("Acme\x1b[2J", "66a1b2", "organization Acme\\x1b[2J (66a1b2)"),
        (None, "66a1b2", "organization 66a1b2"),
        (None, None, "an organization that could not be determined"),
    ],
)
def test_the_question_says_whose_drafts_they_are(
    monkeypatch: pytest.MonkeyPatch, name: str | None, organization: str | None, whose: str
) -> None:
    """By name and id, as far as they are known, and never with anything that a terminal would obey."""
    asked: list[str] = []

    async def answer(question: str, _stop: Stop) -> str:
        asked.append(question)
        return "y"

    async def run() -> None:
        await confirm("discard", 2, 1, f"{Owner(organization, name=name).in_words()} at URL", Stop())

    monkeypatch.setattr("cleanup.console.ask.ask", answer)
    asyncio.run(run())
    assert asked == [f"Discard 2 drafts of 1 agent in {whose} at URL? [y/N] "]


@pytest.mark.parametrize("fault", ["500", "cannot", "hang"])
def test_a_name_that_is_not_told_is_only_missing(
    fault: str, job: Runner, sim: Simulator, world: World, drafts: Drafts
) -> None:
    """The organization is asked for its name where a person is to read it; a failure is no more than a missing name."""
    listed = job.list_of(drafts(1))
    sim.faults.script("*", [fault], on="account")
    ended, shown = on_a_terminal(job, listed, "--timeout", "2s", answer="y\n")
    assert f"in organization {world.organization} at" in shown
    assert (ended.code, len(sim.requests("account"))) == (0, 1)


def test_a_piped_list_can_be_confirmed(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """The question goes to the terminal, not to standard input, which is the list."""
    (draft,) = drafts(1)
    stdin = f"agent,draft\n{draft.agent},{draft.id}\n"
    ended, shown = on_a_terminal(job, "-", answer="y\n", stdin=stdin)
    assert ended.code == 0
    assert "Discard 1 draft of 1 agent in" in shown
    assert sim.left() == set()


def test_a_dry_run_does_not_say_that_it_discards(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Nobody is asked, and its bar says what it does."""
    env = {"TERM": "xterm-256color"}
    ended, shown = on_a_terminal(job, job.list_of(drafts(3)), "--dry-run", answer=None, env=env)
    assert (ended.code, len(sim.left())) == (0, 3)
    assert "[y/N]" not in shown
    assert "checking" in shown
    assert "discarding" not in shown


@pytest.mark.parametrize("colours", [True, False])
def test_log_lines_stand_above_the_bar(job: Runner, sim: Simulator, drafts: Drafts, colours: bool) -> None:
    """Each line is whole, whatever the bar does below; with NO_COLOR there is no colour, and still a bar."""
    held = drafts(30)
    sim.workspace.latency = (0.02, 0.03)
    env = {"TERM": "xterm-256color"} | ({} if colours else {"NO_COLOR": "1"})
    words = [job.list_of(held), "--yes", "--log-level", "debug"]
    ended, shown = on_a_terminal(job, *words, answer=None, env=env)
    assert (ended.code, sim.left()) == (0, set())
    assert "[y/N]" not in shown, "with --yes nobody is asked"
    assert bool(COLOUR.search(shown)) is colours
    assert "discarding" in shown
    lines = [line.rstrip() for line in re.split(r"[\r\n]", CONTROL.sub("", shown)) if "draft.discarded" in line]
    assert len(lines) == 30
    for draft in held:
        (line,) = [line for line in lines if draft.id in line]
        said = rf"{draft.agent} {draft.id} 200, 1 attempt, \d\.\d\d s, sim-\d{{8}}"
        assert re.fullmatch(rf"\d\d:\d\d:\d\d info    draft\.discarded {said}", line)
    assert "run.finished" in CONTROL.sub("", shown).rstrip().splitlines()[-1]


def test_a_terminal_shows_what_is_worth_a_look(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """What failed, and what somebody should know; not a row for each draft that went as it was meant to."""
    held = drafts(12)
    for draft, faults in zip(held, (["404"], ["403"], ["500", "ok"], ["400"]), strict=False):
        script(sim, draft, faults)
    protected = held[11].agent
    words = [job.list_of(held), "--yes", "--protect", protected, "--concurrency", "1"]
    ended, shown = on_a_terminal(job, *words, answer=None)
    assert ended.counts["skipped"] >= 3
    lines = [line for line in re.split(r"[\r\n]+", CONTROL.sub("", shown)) if " draft." in line]
    assert [line.split()[2] for line in lines] == ["draft.skipped", "draft.failed"]
    assert f"{held[1].agent} {held[1].id} forbidden, 403" in lines[0]
    assert f"{held[3].agent} {held[3].id} bad_request, 400" in lines[1]


def test_the_last_line_does_not_repeat_the_table_above_it(job: Runner, sim: Simulator, drafts: Drafts) -> None:
    """Where both are seen on one terminal; where standard output goes elsewhere, the last line says it all."""
    held = drafts(2)
    sim.faults.script(held[0].id, ["500*"])
    words = [job.list_of(held), "--yes", "--attempts", "1"]
    for streams, told in ((("stdout", "stderr"), 1), (("stderr",), 1)):
        shown = Terminal(job, *words, on=streams).end().stderr
        assert shown.count("run: cd ") == told
        assert re.search(r"run\.finished +exit 75: worth another run", shown.splitlines()[-1])


@pytest.mark.parametrize("words", [["find"], ["find", "--format", "json"], ["find", "--log-format", "json"]])
def test_no_name_is_obeyed_by_a_terminal(
    job: Runner, sim: Simulator, world: World, drafts: Drafts, words: list[str]
) -> None:
    """A list shows them as escapes there; a file gets them as they are."""
    name = "\x1b[2J\x9b31m\u202egnirps"
    drafts(1, name=name)
    shown = Terminal(job, *words, on=("stdout", "stderr")).end().stderr
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", shown)
    assert "\\u202egnirps" in shown
    if words == ["find"]:
        assert name in job("find").stdout


@pytest.mark.parametrize("style", ["console", "json"])
def test_no_message_is_obeyed_by_a_terminal(job: Runner, sim: Simulator, drafts: Drafts, style: str) -> None:
    """Log lines, the table and the summary as JSON show what cannot be shown as escapes."""
    held = drafts(2)
    sim.faults.script(held[0].id, ["400"])
    listed = job.list_of(held, "\x1b[2J\x7f\x85\u2066.csv")
    ended = Terminal(job, listed, "--yes", "--log-format", style, on=("stdout", "stderr")).end()
    assert ended.code == 3
    shown = CONTROL.sub("", ended.stderr)  # the bar's own
    assert not re.search("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u2066]", shown)
    assert "\\u2066.csv" in shown
