"""The detector of outages: what counts as one, what ends it, how often it is probed."""

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from cleanup.api.outage import SEVERAL, Outage
from hypothesis import given
from hypothesis import strategies as st

ANSWER, REFUSAL = "answered", "429"


def doubling(number: int) -> float:
    return float(2**number)


def made(patience: float = 1000.0) -> Outage:
    return Outage(patience, doubling)


def play(outage: Outage, events: tuple[Any, ...]) -> Iterator[tuple[Any, bool, bool]]:
    """Tell the detector of each event: yields it, whether it was said to turn the state, and whether it holds."""
    for now, event in enumerate(events):
        if event == ANSWER:
            yield event, outage.answered(), outage.holding
        elif event == REFUSAL:
            before = outage.holding
            outage.held_off(now)
            yield event, before, outage.holding
        else:
            yield event, outage.failed(event, now, probe=outage.holding), outage.holding


def check(events: tuple[Any, ...]) -> None:
    """What is so after any history, told without the detector's own bookkeeping."""
    held = False
    failed_ever: set[Any] = set()
    failing: set[Any] = set()
    unheard: set[Any] = set()
    for event, turned, holds in play(made(), events):
        assert turned == (held != holds)
        if event in (ANSWER, REFUSAL):
            assert not holds, "an answer, whatever it is, ends an outage"
            failing, unheard = set(), set()
        else:
            failing.add(event)
            if event not in failed_ever:
                unheard.add(event)
            failed_ever.add(event)
            if len(failing) < SEVERAL:
                assert not holds, "fewer pairs than several are no outage"
            if len(unheard) >= SEVERAL:
                assert holds, "several pairs of which nothing bad was known are one"
            if held:
                assert holds, "only an answer ends it"
        held = holds


def test_every_short_history() -> None:
    """All histories of seven events about four pairs keep the rules."""
    for events in product(("a", "b", "c", "d", ANSWER), repeat=7):
        check(events)


@given(st.lists(st.sampled_from([*range(12), ANSWER, ANSWER, REFUSAL]), max_size=200))
def test_any_history(events: list[Any]) -> None:
    """So do long ones about more pairs, with 429s."""
    check(tuple(events))


@given(st.lists(st.sampled_from(["a", "b", "c", "d", "e"]), max_size=60))
def test_pairs_that_failed_while_others_were_answered_are_no_outage(events: list[str]) -> None:
    """Bad pairs at the end of a list fail by themselves, however many they are and in whatever order."""
    outage = made()
    for pair in "abcde":
        outage.failed(pair, 0, probe=False)
        outage.answered()
    for now, pair in enumerate(events):
        assert not outage.failed(pair, now, probe=False)
        assert not outage.holding
        assert not outage.suspected


@pytest.mark.parametrize(
    ("failed_probes", "evidence_again"),
    [(0, False), (1, True), (4, True)],
    ids=["the first probe is answered: these pairs are bad", "after one failed probe", "after four failed probes"],
)
def test_an_outage_that_lasted_leaves_no_mark_on_its_pairs(failed_probes: int, evidence_again: bool) -> None:
    """Pairs that failed in an outage count in the next one; pairs that failed beside an API at work do not."""
    outage = made()
    for pair in "abc":
        outage.failed(pair, 0, probe=False)
    for number in range(failed_probes):
        outage.failed(f"probe {number}", 1, probe=True)
    assert outage.answered()
    for pair in "abc":
        outage.failed(pair, 2, probe=False)
    assert outage.holding == evidence_again


def test_one_pair_that_fails_again_and_again_is_no_outage() -> None:
    """Three failures of one pair, or of two, are not of several pairs."""
    outage = made()
    assert not any(outage.failed(pair, now, probe=False) for now, pair in enumerate("aaaabbbbabab"))
    assert outage.suspected
    assert outage.failed("c", 12, probe=False)
    assert (outage.suspected, outage.began) == (False, 12)


def test_waits_between_probes_grow() -> None:
    """The wait before each probe is the next of the back-off, counted anew in the next outage."""
    outage = made()
    for _ in range(2):
        for pair in "abc":
            outage.failed(pair, 100, probe=False)
        assert outage.next_probe == 102
        now = 102.0
        for number in range(2, 6):
            outage.failed("late, in flight since before", now, probe=False)
            outage.failed(f"probe {number}", now, probe=True)
            assert outage.next_probe == now + 2**number
            now = outage.next_probe
        outage.answered()


def test_patience() -> None:
    """It ends so long after the outage's beginning, or the first of a row of 429s; one long wait is enough."""
    outage = made(patience=60)
    assert not outage.over_patience(0, 60)
    assert outage.over_patience(0, 61)
    for pair in "abc":
        outage.failed(pair, 5, probe=False)
    assert outage.gives_up_at == 65
    assert not outage.over_patience(65)
    assert outage.over_patience(66)
    outage.answered()
    assert not outage.over_patience(66)
    outage.held_off(70)
    outage.held_off(100)
    assert not outage.over_patience(100, 30)
    assert outage.over_patience(100, 31)
    outage.answered()
    assert not outage.over_patience(140, 31)


def test_a_request_that_never_reached_the_api_is_evidence_whatever_its_pair() -> None:
    """Pairs known to be bad still tell of an API that cannot be reached, as when only they are left of a list."""
    outage = made()
    for pair in "abc":
        outage.failed(pair, 0, probe=False)
        outage.answered()
    assert not any(outage.failed(pair, 1, probe=False, reached=True) for pair in "abc")
    assert [outage.failed(pair, 2, probe=False, reached=False) for pair in "abc"] == [False, False, True]


def test_what_fails_in_two_outages_one_after_the_other_fails_by_itself() -> None:
    """An outage that lasted is no pair's fault; a pair that is there in the next one too is no evidence any more."""
    outage = made()
    pairs = ["a", "b", "c"]
    for _ in range(2):
        assert [outage.failed(pair, 0.0, probe=False) for pair in pairs] == [False, False, True]
        outage.failed("probe", 1.0, probe=True)
        assert outage.answered()
    assert not any(outage.failed(pair, 2.0, probe=False) for pair in pairs)


def test_when_all_were_tried_what_failed_before_fails_by_itself() -> None:
    """No pair is left to tell the API from them: those that failed in an outage that ended are not waited for again."""
    outage = made()
    pairs = ["a", "b", "c"]
    for pair in pairs:
        outage.failed(pair, 0.0, probe=False)
    outage.failed("probe", 1.0, probe=True)
    assert outage.answered()
    assert [outage.failed(pair, 2.0, probe=False) for pair in pairs] == [False, False, True]
    assert outage.all_tried()
    assert not outage.holding
    assert not any(outage.failed(pair, 3.0, probe=False) for pair in [*pairs, "probe"])


def test_when_all_were_tried_pairs_that_never_failed_before_are_still_waited_for() -> None:
    """An API that goes down with the last pairs of a list is down."""
    outage = made()
    for pair in "abc":
        outage.failed(pair, 0.0, probe=False)
    assert not outage.all_tried()
    assert outage.holding
    assert outage.answered()
