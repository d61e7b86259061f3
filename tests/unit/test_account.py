"""The account: one ending for each pair, and every count a fold over them."""

from collections import Counter
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cleanup.lists.pair_list import PairList
from cleanup.lists.rows import Row
from cleanup.model import Ending, Outcome, Result
from cleanup.plan import make_plan
from cleanup.records.account import MOST_FAILURES, Account, fold

SENT = [
    ending
    for ending in Ending
    if ending.outcome is not Outcome.NOT_ATTEMPTED
    and ending.outcome not in (Outcome.WOULD_DISCARD, Outcome.RESTORED, Outcome.WOULD_RESTORE)
    and ending not in (Ending.DUPLICATE, Ending.PROTECTED, Ending.SETTLED, Ending.RESTORED_BEFORE)
]
LEFT = [Ending.LEFT_STOPPED, Ending.LEFT_DEADLINE, Ending.LEFT_INTERRUPTED]


def account_of(count: int, doubles: int = 0, limit: int | None = None) -> Account:
    pairs = PairList("drafts.csv")
    for number in [*range(count), *range(min(doubles, count))]:
        pairs.add(Row(len(pairs) + 2, "0" * 24, f"d{number}"))
    return Account(make_plan(pairs, limit=limit))


@given(
    st.lists(st.none() | st.sampled_from(SENT), max_size=40), st.integers(0, 5), st.sampled_from(LEFT),
    st.none() | st.integers(0, 40),
)  # fmt: skip
def test_the_counts_add_up(endings: list[Ending | None], doubles: int, left: Ending, limit: int | None) -> None:
    """Whatever ended in whatever way, and whatever never began: each listed pair is counted once."""
    account = account_of(len(endings), doubles, limit)
    pairs = account.plan.pairs
    sendable = len(endings) if limit is None else min(limit, len(endings))
    for index, ending in enumerate(endings[:sendable]):
        if ending is not None:
            account.enter(Result(pairs[index], ending))
    account.close(left)
    folded = fold(account.endings(), Outcome.DISCARDED)
    counts = cast("dict[str, int]", folded["counts"])
    assert counts["listed"] == len(pairs) == sum(counts.values()) - counts["listed"]
    for outcome in ("skipped", "failed", "not_attempted"):
        assert sum(folded[outcome].values()) == counts[outcome]
    expected = Counter(ending for ending in endings[:sendable] if ending is not None)
    assert {ending: count for ending, count in account.endings().items() if ending in SENT} == expected
    still = list(account.still_standing())
    assert len(still) == counts["failed"] + counts["not_attempted"]
    assert [index for index, _ in still] == sorted(index for index, _ in still)
    assert sum(account.endings().values()) == len(pairs)


def test_a_pair_ends_once() -> None:
    """A second ending of a pair is a bug, and is not entered."""
    account = account_of(2)
    account.enter(Result(account.plan.pairs[0], Ending.DISCARDED))
    with pytest.raises(AssertionError, match="once"):
        account.enter(Result(account.plan.pairs[0], Ending.TIMEOUT))
    assert account.endings() == {Ending.DISCARDED: 1}


def test_only_the_first_failures_are_kept_whole() -> None:
    """A list may have a million; all of them are counted."""
    account = account_of(MOST_FAILURES + 50)
    for index in range(MOST_FAILURES + 50):
        account.enter(Result(account.plan.pairs[index], Ending.TIMEOUT))
    assert [result.pair.index for result in account.failures] == list(range(MOST_FAILURES))
    assert account.endings() == {Ending.TIMEOUT: MOST_FAILURES + 50}
