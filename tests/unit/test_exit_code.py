"""The exit code for every combination of what can come together at the end of a run."""

from itertools import combinations, product

import pytest

from cleanup.errors import (
    ExitCode,
    JobError,
    LedgerLocked,
    ListMalformed,
    ListMissing,
    OutputError,
    SettingsError,
    UsageError,
    meaning,
)
from cleanup.model import Ending, Outcome, StopCause
from cleanup.records.summary import Facts, exit_code

REFUSALS: tuple[JobError | None, ...] = (
    None,
    SettingsError("x"),
    ListMissing("x"),
    ListMalformed("x"),
    OutputError("x"),
    LedgerLocked("x"),
    UsageError("x"),
)
ENDINGS = (Ending.DISCARDED, Ending.FORBIDDEN, Ending.LEFT_LIMIT, Ending.TIMEOUT, Ending.CONFLICT)
ORDER = (74, 130, 143, 77, 78, 66, 65, 4, 75, 3, 2, 1, 0)
PASSING = {"server_error", "rate_limited", "timeout", "connection", "frozen", "interrupted"}


def codes_that_apply(facts: Facts) -> set[int]:
    """The table of exit codes, written a second time: everything that is true of a run."""
    causes, endings = set(facts.causes), {ending for ending, count in facts.endings.items() if count}
    failed = {ending.reason for ending in endings if ending.outcome is Outcome.FAILED}
    refused = StopCause.UNAUTHORIZED in causes
    codes = {0} | ({int(facts.refusal.code)} if facts.refusal else set())
    for code, applies in (
        (74, facts.unwritten or StopCause.OUTPUT in causes),
        (130, facts.signal == 2),
        (143, facts.signal == 15),
        (77, (refused and not facts.answered) or StopCause.FORBIDDEN in causes),
        (78, causes & {StopCause.TLS, StopCause.MIGRATION_REQUIRED}),
        (4, StopCause.DEADLINE in causes),
        (75, StopCause.OUTAGE in causes or refused or failed & PASSING),
        (3, failed or StopCause.PROOF in causes),
        (1, facts.bug),
    ):
        if applies:
            codes.add(code)
    return codes


CAUSES: list[list[StopCause]] = [
    list(some)
    for size in range(3)
    for some in combinations([cause for cause in StopCause if cause is not StopCause.SIGNAL], size)
]


@pytest.mark.parametrize("signal", [None, 2, 15])
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: type(refusal).__name__)
def test_the_first_that_applies(signal: int | None, refusal: JobError | None) -> None:
    """Over all refusals, signals, causes, endings, unwritten files and bugs: the first code of the table."""
    some_endings = [some for size in range(len(ENDINGS) + 1) for some in combinations(ENDINGS, size)]
    for causes, endings, unwritten, bug, answered in product(
        CAUSES, some_endings, ([], ["x"]), (False, True), (False, True)
    ):
        facts = Facts(
            endings=dict.fromkeys(endings, 1),
            causes=causes,
            signal=signal,
            refusal=refusal,
            unwritten=unwritten,
            bug=bug,
            answered=answered,
        )
        applying = codes_that_apply(facts)
        assert exit_code(facts) == next(code for code in ORDER if code in applying), facts


def test_each_failure_is_worth_another_run_or_not() -> None:
    """Alone, a failure that may pass is 75 and any other 3; skipped and left for the limit is 0."""
    for ending in Ending:
        passing = ending in (Ending.DISOWNED, Ending.BUSY) or (
            ending.outcome is Outcome.FAILED and ending.reason in PASSING
        )
        code = 75 if passing else 3 if ending.outcome is Outcome.FAILED else 0
        assert exit_code(Facts(endings={ending: 1, Ending.DISCARDED: 5})) == code


def test_what_never_counts_is_no_reason() -> None:
    """An ending of no pair at all changes nothing."""
    assert exit_code(Facts(endings=dict.fromkeys(Ending, 0))) is ExitCode.OK


def test_which_codes_a_scheduler_should_try_again() -> None:
    """74, 75, the signals and a bug; nothing else."""
    assert {int(code) for code in ExitCode if code.retry} == {1, 74, 75, 130, 143}
    assert {int(code) for code in ExitCode} == set(ORDER)


@pytest.mark.parametrize(
    ("facts", "status", "stopped_by"),
    [
        (Facts(sent=True), "complete", None),
        (Facts(refusal=SettingsError("x")), "refused", None),
        (Facts(refusal=UsageError("x")), "refused", None),
        (Facts(causes=[StopCause.TLS]), "refused", "tls"),
        (Facts(causes=[StopCause.UNAUTHORIZED]), "refused", "unauthorized"),
        (Facts(sent=True, causes=[StopCause.OUTAGE, StopCause.DEADLINE]), "stopped", "outage"),
        (Facts(sent=True, signal=15), "stopped", "signal"),
        (Facts(sent=True, unwritten=["x"], causes=[StopCause.OUTPUT]), "stopped", "output"),
        (Facts(sent=True, bug=True), "stopped", None),
        (Facts(refusal=OutputError("x")), "refused", "output"),
    ],
)
def test_status_and_what_stopped_it(facts: Facts, status: str, stopped_by: str | None) -> None:
    """A run that sent nothing is refused. The first cause to stop a run is the one that is reported."""
    assert (facts.status, facts.stopped_by) == (status, stopped_by)


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (Facts(), None),
        (Facts(causes=[StopCause.OUTAGE], stopped_because="down"), None),
        (Facts(causes=[StopCause.UNAUTHORIZED], stopped_because="401"), "401"),
        (Facts(causes=[StopCause.OUTPUT], stopped_because="no copy"), "no copy"),
        (Facts(causes=[StopCause.SIGNAL, StopCause.OUTPUT], stopped_because="SIGTERM"), None),
        (Facts(causes=[StopCause.SIGNAL, StopCause.OUTPUT], stopped_because="SIGTERM", unwritten=["full"]), "full"),
        (Facts(refusal=OutputError("ledger"), unwritten=["summary"]), "ledger"),
        (Facts(refusal=SettingsError("x")), None),
    ],
)
def test_what_has_to_be_mended_before_another_run(facts: Facts, sentence: str | None) -> None:
    """What came first: a file that could not be written, or a key that is refused."""
    assert facts.to_mend == sentence


@pytest.mark.parametrize(
    ("mode", "done"), [("would_discard", "discarded"), ("find", "discarded"), ("would_restore", "restored")]
)
@pytest.mark.parametrize("code", [ExitCode.OK, ExitCode.TRY_AGAIN, ExitCode.DEADLINE])
def test_a_run_that_only_reads_says_that_nothing_was_done(mode: str, done: str, code: ExitCode) -> None:
    """After a run that only read, `every pair is discarded or skipped` would be alarming."""
    assert f"nothing was {done}" in meaning(code, mode)


@pytest.mark.parametrize("code", ExitCode)
def test_a_run_that_discards_means_what_the_table_says(code: ExitCode) -> None:
    """The table of exit codes; so does a mode that has no words of its own."""
    assert meaning(code, "discard") == meaning(code, "another") == code.meaning
