"""What to do next: the command does the same from anywhere, because it is made of the settings."""

import shlex
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from cleanup.cli.options import parse, takes
from cleanup.errors import ExitCode, LedgerLocked, OutputError, SettingsError
from cleanup.records.next_step import Again, End, make_again, next_step
from cleanup.settings.sources import Refused, load

NOWHERE = Path("/nowhere")
AGAIN = Again("/srv/it's here", ("/usr/bin/python3", "/opt/job.py", "drafts.csv"))
AGENTS = st.text("0123456789abcdef", min_size=24, max_size=24)
TEXT = st.text(min_size=1, max_size=20).filter(lambda text: "\0" not in text and text.strip())
SECONDS = st.floats(0.001, 1e8).map(lambda value: f"{value:f}s") | st.sampled_from(["500ms", "10s", "90m", "2h", "7d"])
COUNTS = st.integers(0, 10**9).map(str)
SWITCH = st.sampled_from(["yes", "no"])
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "api.base_url": st.sampled_from(["http://127.0.0.1:8080/atoms/v1", "https://api.smallest.ai/atoms/v1"]),
    "api.key_file": TEXT,
    "api.model": st.sampled_from(["auto", "drafts", "branches"]),
    "api.organization": TEXT,
    "api.timeout": SECONDS,
    "limits.concurrency": st.integers(1, 256).map(str),
    "limits.rate": st.floats(0.001, 100_000).map(str) | st.sampled_from(["off", "auto", "5"]),
    "limits.max_discards": COUNTS,
    "limits.per_run": COUNTS | st.just("off"),
    "limits.deadline": SECONDS | st.just("off"),
    "retry.max_wait": SECONDS,
    "guard.protect": st.lists(AGENTS, max_size=3),
    "guard.min_idle": SECONDS,
    "guard.backup": TEXT,
    "find.name": st.lists(TEXT, max_size=3),
    "find.agents": st.lists(AGENTS, max_size=3),
    "find.max_share": st.floats(0.0001, 1).map(lambda share: f"{share:f}") | st.just("off"),
    "run.dry_run": SWITCH,
    "run.shard": st.sampled_from(["0/4", "3/4", "off"]),
    "run.yes": SWITCH,
    "run.note": TEXT,
    "output.ledger": TEXT,
    "output.log_level": st.sampled_from(["debug", "info", "error"]),
}


def value_of(settings: Any, key: str) -> Any:
    """A setting's value."""
    section, _, name = key.partition(".")
    return getattr(getattr(settings, section), name)


@pytest.mark.parametrize("command", ["", "find", "sweep"])
@given(given_values=st.fixed_dictionaries({}, optional=VALUES))
def test_the_flags_say_the_same_as_the_settings(command: str, given_values: dict[str, Any]) -> None:
    """Wherever a setting came from, the command read in an empty environment gives the very same value."""
    try:
        settings = load(given_values, {}, None, NOWHERE).settings
    except Refused:  # a word such as NULL where a path is meant
        reject()
    again = make_again("/", [], settings, takes=lambda key: takes(command, key))
    _, flags = parse(command, shlex.split(shlex.join(again.words)))
    read = load(flags, {}, None, NOWHERE).settings
    for key in VALUES:
        if takes(command, key):
            assert value_of(read, key) == value_of(settings, key), key


@pytest.mark.parametrize("pairs", ["drafts.csv", "-", "-x.csv", "check", "o'brien & sons/my list.csv"])
def test_the_list_is_taken_for_a_list(pairs: str) -> None:
    """Also one whose name begins like a flag or is a command's."""
    settings = load({"pairs": pairs}, {}, None, NOWHERE).settings
    again = make_again("/", [], settings, takes=lambda key: takes("", key), pairs=pairs)
    _, flags = parse("", list(again.words))
    assert Path(flags["pairs"]) == Path(pairs)


def test_a_settings_file_has_no_say_any_more(tmp_path: Path) -> None:
    """What it said is among the flags; what a variable set back to the default stays so, though the file is found."""
    (tmp_path / "config.yaml").write_text("limits: {rate: 3, concurrency: 2}\nrun: {yes: true}\n")
    loaded = load({}, {"CLEANUP_LIMITS__RATE": "5", "CLEANUP_RUN__YES": "no"}, None, tmp_path)
    again = make_again("/", [], loaded.settings, takes=lambda key: takes("", key), file=str(loaded.file))
    options, flags = parse("", list(again.words))
    read = load(flags, {}, options.config, tmp_path).settings
    assert (read.limits.rate, read.limits.concurrency, read.run.yes) == (5, 2, False)


def test_a_list_in_the_settings_file_is_read_there_again(tmp_path: Path) -> None:
    """The file is named, and does not have the last word about what was set elsewhere."""
    file = tmp_path / "c.yaml"
    file.write_text("pairs: []\nlimits: {rate: 3}\n")
    loaded = load({"limits.rate": "5"}, {}, str(file), tmp_path)
    again = make_again("/", [], loaded.settings, takes=lambda key: takes("", key), file=str(file), inline=True)
    options, flags = parse("", list(again.words))
    assert load(flags, {}, options.config, tmp_path).settings.limits.rate == 5
    assert f"the same list in {file}" in again.needs


def test_secrets_are_named_and_never_shown() -> None:
    """By their variables; a key in a file needs none."""
    secret = {"CLEANUP_OUTPUT__HEARTBEAT_URL": "https://hc-ping.com/3f2b"}
    settings = load({}, secret, None, NOWHERE).settings
    again = make_again("/srv", ["p"], settings, takes=lambda key: takes("", key), pairs="-")
    sentence = again.command("for what is left")
    assert sentence == (
        "for what is left, with SMALLEST_API_KEY set and CLEANUP_OUTPUT__HEARTBEAT_URL set"
        " and the same list on standard input, run: cd /srv && p -"
    )
    assert "3f2b" not in sentence
    settings = load({"api.key_file": "key"}, {}, None, NOWHERE).settings
    assert make_again("/srv", ["p"], settings, takes=lambda key: takes("", key)).needs == ()


def test_the_command_is_what_stands_from_cd_on() -> None:
    """Every word as a shell reads it."""
    said = next_step(End(ExitCode.TRY_AGAIN, ledger=True), AGAIN)
    assert said is not None
    _, _, command = said.partition("run: ")
    assert shlex.split(command) == ["cd", "/srv/it's here", "&&", *AGAIN.words, "--resume"]


@pytest.mark.parametrize(
    ("again", "obstacle"),
    [
        (Again("/srv", ("p", "x" * 2000)), "it is too long to be shown"),
        (Again("/srv", ("p", "a\nb")), "it contains characters that cannot be shown"),
        (Again("/srv", ("p", "\udc80")), "it contains characters that cannot be shown"),
        (Again(None, ("p",)), "the folder where it was started is gone"),
    ],
)
def test_a_command_that_cannot_be_shown_is_said_in_words(again: Again, obstacle: str) -> None:
    """Rather than cut, or changed."""
    assert next_step(End(ExitCode.DEADLINE, ledger=True), again) == (
        f"for what is left, run the same command again with --resume, with the same settings ({obstacle})"
    )


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (End(ExitCode.OK, ledger=True), None),
        (End(ExitCode.SETTINGS, refusal=SettingsError("pass --max-discards 5")), "pass --max-discards 5"),
        (End(ExitCode.KEY, stopped="it is refused"), "fix this first: it is refused; then, for what is left, run: cd "),
        (
            End(ExitCode.FAILED, leftover="left.csv"),
            "the same run would fail again: check what is left in left.csv, ",
        ),
        (End(ExitCode.FAILED), "the same run would fail again: check the failures above, "),
        (
            End(ExitCode.TRY_AGAIN, refusal=LedgerLocked("held"), ledger=True),
            "wait until the run that is using the ledger has ended; then, for what it leaves, run: cd ",
        ),
        (
            End(ExitCode.OUTPUT, OutputError("left.csv: no space"), to_mend="left.csv: no space", ledger=True),
            "fix this first: left.csv: no space; then, for what is left, run: cd ",
        ),
        (End(ExitCode.OUTPUT, to_mend="x: full"), "fix this first: x: full; then, for what is left, run: cd "),
        (End(ExitCode.TRY_AGAIN, reads_only=True, ledger=True), "to check again, run: cd "),
        (End(ExitCode.SIGTERM, ledger=True), "for what is left, run: cd "),
    ],
)
def test_what_to_do_depends_on_how_it_ended(end: End, said: str | None) -> None:
    """Nothing, what to change, what to check, whom to wait for, or the command to run."""
    found = next_step(end, AGAIN)
    assert found is None if said is None else (found or "").startswith(said)
    assert found is None or ("--resume" in found) == (end.ledger and not end.reads_only and "cd " in found)
