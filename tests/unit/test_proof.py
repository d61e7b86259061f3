"""Which discards are read back, and what the answers mean."""

import pytest

from cleanup.model import Pair
from cleanup.records.proof import FIRST, WAITS, Proof, is_chosen

PAIRS = [Pair(number, f"{number:024x}", f"d{number}", "list.csv:1") for number in range(4000)]


@pytest.mark.parametrize("share", [0.01, 0.25, 0.5])
def test_a_share_is_a_share_and_the_same_one_again(share: float) -> None:
    """By a hash of the pair: about as many as that, whatever the order; a larger share has the smaller one in it."""
    chosen = {pair.draft for pair in PAIRS if is_chosen(pair, share)}
    assert len(chosen) == pytest.approx(share * len(PAIRS), rel=0.35)
    assert chosen == {pair.draft for pair in reversed(PAIRS) if is_chosen(pair, share)}
    assert chosen <= {pair.draft for pair in PAIRS if is_chosen(pair, share * 2)}


def test_all_and_off() -> None:
    """`all` is every one, `off` not even the first."""
    assert all(is_chosen(pair, 1.0) for pair in PAIRS)
    assert not any(Proof(None).wants(pair) for pair in PAIRS)


def test_the_first_three_discards_are_read_back_whatever_the_share() -> None:
    """Of the others only those that are chosen."""
    proof = Proof(1e-9)
    assert [proof.wants(pair) for pair in PAIRS[:6]] == [True] * FIRST + [False] * 3


def test_three_may_be_begun_until_they_are_known() -> None:
    """A pair that ends as anything but a discard makes room for another one."""
    proof = Proof(0.5)
    for place in range(FIRST):
        assert proof.may_begin
        proof.begin(place)
    may = [proof.may_begin]
    proof.end(0)
    proof.end(0)  # a pair fails, and then ends
    may.append(proof.may_begin)
    proof.begin(FIRST)
    for place in range(1, FIRST + 1):
        may.append(proof.may_begin)
        proof.add(gone=True, early=True)
        proof.end(place)
    assert may == [False, True, False, False, False]
    assert (proof.may_begin, proof.is_settled) == (True, True)


def test_nothing_waits_when_nothing_is_read_back() -> None:
    """`off` is off."""
    proof = Proof(None)
    for place in range(10):
        proof.begin(place)
    assert proof.may_begin


@pytest.mark.parametrize(("gone", "refuted"), [(True, False), (None, False), (False, True)])
@pytest.mark.parametrize("early", [True, False])
def test_only_an_early_discard_that_stands_refutes_the_api(gone: bool | None, early: bool, refuted: bool) -> None:
    """What cannot be read refutes nothing; a later one is a failure of its own."""
    proof = Proof(0.5)
    for _ in range(FIRST):
        proof.add(gone=True, early=True)
    proof.add(gone=gone, early=early)
    assert proof.is_refuted is (refuted and early)
    assert proof.may_begin is not proof.is_refuted


def test_the_summary_counts_what_was_found() -> None:
    """And the sum of it."""
    proof = Proof(1.0)
    for gone in (True, True, False, None):
        proof.add(gone=gone, early=False)
    assert proof.summary() == {"checked": 4, "gone": 2, "not_gone": 1, "unknown": 1}


def test_a_draft_is_looked_for_during_fifteen_seconds() -> None:
    """With growing waits."""
    assert sum(WAITS) == 15
    assert list(WAITS) == sorted(WAITS)
