"""What each reply means, for every status there is, and when answers together end a run."""

import pytest

from cleanup import verdict
from cleanup.model import NOT_JSON, Ending, Pair, Reply, Result, Trouble
from cleanup.rules import ForbiddenRule

DONE = {"status": True, "data": None}
REFUSED = {"status": False, "errors": ["no"]}
MIGRATION = {"status": False, "error_type": verdict.MIGRATION_ERROR}
BODIES: tuple[object, ...] = (None, NOT_JSON, DONE, REFUSED, MIGRATION, [], "text", 7, True, {"status": "true"})
FAILURES = {
    400: Ending.BAD_REQUEST,
    401: Ending.UNAUTHORIZED,
    409: Ending.CONFLICT,
    423: Ending.FROZEN,
    429: Ending.RATE_LIMITED,
}


def expected(status: int, body: object, *, maybe_done: bool) -> Ending:
    """The table of outcomes, written a second time."""
    if status == 204 or (status == 200 and body is DONE):
        return Ending.DISCARDED
    if status == 403 and body is not NOT_JSON:
        return Ending.FORBIDDEN
    if status == 404 and body is not NOT_JSON:
        return Ending.GONE_AFTER_RETRY if maybe_done else Ending.NOT_FOUND
    if status == 409 and body is MIGRATION:
        return Ending.MIGRATION_REQUIRED
    if 500 <= status <= 599:
        return Ending.SERVER_ERROR
    return FAILURES.get(status, Ending.UNEXPECTED_RESPONSE)


@pytest.mark.parametrize("maybe_done", [False, True])
def test_every_status_with_every_body(maybe_done: bool) -> None:
    """All statuses from 100 to 999 mean what the table says, with any body."""
    for status in range(100, 1000):
        for body in BODIES:
            reply = Reply(status, body)
            found = verdict.of_discard(reply, maybe_done=maybe_done)
            assert found is expected(status, body, maybe_done=maybe_done), (status, body)


def test_what_is_tried_again_is_decided_by_the_status_alone() -> None:
    """5xx and 429 with any body, and no answer unless a certificate is the reason; nothing else."""
    for status in range(100, 1000):
        for body in BODIES:
            assert verdict.deserves_retry(Reply(status, body)) is (status == 429 or 500 <= status <= 599)
    for trouble in Trouble:
        assert verdict.deserves_retry(Reply(None, trouble=trouble)) is (trouble is not Trouble.TLS)


@pytest.mark.parametrize(
    ("reply", "lost"),
    [
        (Reply(None, trouble=Trouble.TIMEOUT), True),
        (Reply(None, trouble=Trouble.CONNECTION), True),
        (Reply(None, trouble=Trouble.CONNECTION, sent=False), False),
        (Reply(500), True),
        (Reply(599, NOT_JSON), True),
        (Reply(429), False),
        (Reply(423), False),
        (Reply(600), False),
    ],
)
def test_what_may_have_been_carried_out(reply: Reply, lost: bool) -> None:
    """A 5xx or a lost answer may stand for a deed that was done; a 429, or what was never sent, does not."""
    assert reply.lost is lost


def test_no_answer_is_named_by_what_came_instead() -> None:
    """A timeout is a timeout; anything else is a connection."""
    reasons = {trouble: verdict.of_discard(Reply(None, trouble=trouble), maybe_done=True).reason for trouble in Trouble}
    assert reasons == {Trouble.TIMEOUT: "timeout", Trouble.CONNECTION: "connection", Trouble.TLS: "connection"}


def test_a_branch_that_says_it_was_not_discarded_was_not() -> None:
    """`"discarded": false` outweighs the status."""
    body = {"status": True, "data": {"discarded": False}}
    assert verdict.of_discard(Reply(200, body), maybe_done=False) is Ending.UNEXPECTED_RESPONSE


def result(ending: Ending, status: int | None) -> Result:
    """A pair's end."""
    return Result(Pair(0, "0" * 24, "d", "l:1"), ending, status=status)


@pytest.mark.parametrize("count", range(1, 120))
def test_how_many_403_end_a_run(count: int) -> None:
    """The 50th of nothing but 403 ends it at once; 10 to 49 do at the end; up to 9 never do."""
    rule = ForbiddenRule()
    stops = [rule.add(result(Ending.FORBIDDEN, 403)) for _ in range(count)]
    assert [number for number, stop in enumerate(stops, 1) if stop] == ([50] if count >= 50 else [])
    assert rule.all_of_a_few() is (10 <= count <= 49)


@pytest.mark.parametrize(
    ("ending", "status", "counts"),
    [
        (Ending.DISCARDED, 200, True),
        (Ending.NOT_FOUND, 404, True),
        (Ending.SERVER_ERROR, 500, True),
        (Ending.TIMEOUT, None, False),
        (Ending.RECENTLY_EDITED, 200, False),
        (Ending.CHANGED, 200, False),
        (Ending.INTERRUPTED, None, False),
    ],
)
def test_only_answers_to_a_discard_count(ending: Ending, status: int | None, counts: bool) -> None:
    """One other answer clears the key; no answer, or a look that ended a pair, says nothing about it."""
    rule = ForbiddenRule()
    rule.add(result(ending, status))
    stops = [rule.add(result(Ending.FORBIDDEN, 403)) for _ in range(50)]
    assert any(stops) is not counts
