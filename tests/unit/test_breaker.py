"""The breaker: three different items that fail in a row open it, and only a probe closes it."""

from itertools import product

import pytest

from cleanup.api.breaker import SEVERAL, Breaker

STEPS = ("a", "b", "c", "answered")


def opened_by(*steps: str) -> bool:
    """Whether a fresh breaker is open after these: the item of a failure, or `answered`."""
    breaker = Breaker()
    for step in steps:
        if step == "answered":
            breaker.answered()
        else:
            breaker.failed([step])
    return breaker.is_open


def test_what_opens_it() -> None:
    """Every sequence of five failures and answers: it opens after three different items with no answer in between."""
    for steps in product(STEPS, repeat=5):
        runs: list[set[str]] = [set()]
        for step in steps:
            if step == "answered":
                runs.append(set())
            else:
                runs[-1].add(step)
        assert opened_by(*steps) == any(len(run) >= SEVERAL for run in runs), steps


def test_failing_says_when_it_opens() -> None:
    """Only the failure that opens it."""
    breaker = Breaker()
    assert [breaker.failed([item]) for item in "aabccd"] == [False, False, False, True, False, False]


def test_several_items_that_wait_for_one_attempt_count_each() -> None:
    """Those that wait for the same answer all failed."""
    assert Breaker().failed(["a", "b", "c"])


def test_an_attempt_for_nobody_is_no_evidence() -> None:
    """Whose key it is, asked again and again."""
    breaker = Breaker()
    assert not any(breaker.failed([]) for _ in range(9))


def test_an_answer_does_not_close_it() -> None:
    """While it is open only probes decide."""
    breaker = Breaker()
    breaker.failed("abc")
    breaker.answered()
    assert breaker.is_open


@pytest.mark.parametrize("items_are_bad", [False, True])
def test_it_is_closed_by_whoever_probes(items_are_bad: bool) -> None:
    """With blame or without."""
    breaker = Breaker()
    breaker.failed("abc")
    breaker.close(items_are_bad=items_are_bad)
    assert not breaker.is_open


def test_without_blame_the_same_items_open_it_again() -> None:
    """The API was down; it may be again."""
    breaker = Breaker()
    breaker.failed("abc")
    breaker.close(items_are_bad=False)
    assert breaker.failed("abc")


def test_after_it_closed_the_old_failures_are_forgotten() -> None:
    """Three new ones are needed."""
    breaker = Breaker()
    breaker.failed("abc")
    breaker.close(items_are_bad=False)
    assert not breaker.failed("ab")


def test_items_that_are_known_to_be_bad_are_no_evidence() -> None:
    """Blamed once, they never open it again, not even together with one that is new."""
    breaker = Breaker()
    breaker.failed("abc")
    breaker.close(items_are_bad=True)
    assert not breaker.failed("abcab")
    assert not breaker.failed("ad")
    assert not breaker.failed("be")


def test_three_new_items_open_it_beside_the_bad_ones() -> None:
    """The API may go down all the same."""
    breaker = Breaker()
    breaker.failed("abc")
    breaker.close(items_are_bad=True)
    assert breaker.failed("adbecf")


def test_items_that_failed_while_it_was_open_are_blamed_too() -> None:
    """What was in flight when it opened."""
    breaker = Breaker()
    breaker.failed("abc")
    breaker.failed("d")
    breaker.close(items_are_bad=True)
    assert not breaker.failed("def")
