"""What each reply means, for every status there is, and when answers together end a run."""

import inspect
import re

import pytest

from cleanup.api.reply import MIGRATION_ERROR, NOT_JSON, Reply, Trouble
from cleanup.discard import guards, verdict
from cleanup.model import Ending, Pair, Result
from cleanup.records.forbidden import ForbiddenRule

DONE = {"status": True, "data": None}
REFUSED = {"status": False, "errors": ["no"]}
NO_ROUTE = {"message": "no Route matched with those values"}
MIGRATION = {"status": False, "error_type": MIGRATION_ERROR}
BODIES: tuple[object, ...] = (
    *(None, NOT_JSON, DONE, REFUSED, NO_ROUTE, MIGRATION, [], "text", 7, True, {"status": "true"}),
)
FAILURES = {
    400: Ending.BAD_REQUEST,
    401: Ending.UNAUTHORIZED,
    409: Ending.CONFLICT,
    423: Ending.FROZEN,
    429: Ending.RATE_LIMITED,
}


def is_foreign(status: int, body: object) -> bool:
    """The bodies with which somebody else answers, written a second time."""
    match status:
        case 401:
            return not isinstance(body, dict)
        case 403:
            return body not in (REFUSED, MIGRATION)
        case 404:
            return body is None or body is NOT_JSON
        case 405:
            return body is NOT_JSON
        case _:
            return False


def expected(status: int, body: object) -> Ending:
    """The table of outcomes, written a second time."""
    if status == 204 or (status == 200 and body is DONE):
        return Ending.DISCARDED
    if is_foreign(status, body):
        return Ending.DISOWNED
    if status == 403:
        return Ending.FORBIDDEN
    if status == 409 and body is MIGRATION:
        return Ending.MIGRATION_REQUIRED
    if 500 <= status <= 599:
        return Ending.SERVER_ERROR
    return FAILURES.get(status, Ending.UNEXPECTED_RESPONSE)


@pytest.mark.parametrize("body", BODIES, ids=repr)
def test_every_status_with_every_body(body: object) -> None:
    """All statuses from 100 to 999 mean what the table says, with any body."""
    for status in range(100, 1000):
        assert verdict.of_discard(Reply(status, body)) is expected(status, body), status


@pytest.mark.parametrize("body", BODIES, ids=repr)
def test_what_is_tried_again(body: object) -> None:
    """5xx and 429 with any body, and a 401, 403, 404 or 405 that is not the API's own; nothing else."""
    for status in range(100, 1000):
        again = status == 429 or 500 <= status <= 599 or is_foreign(status, body)
        assert Reply(status, body).deserves_retry is again, status


@pytest.mark.parametrize("trouble", Trouble)
def test_no_answer_is_tried_again_unless_it_is_hopeless(trouble: Trouble) -> None:
    """TLS that cannot be set up, and a proxy that wants a login, stay as they are."""
    assert Reply(None, trouble=trouble).deserves_retry is (trouble not in (Trouble.TLS, Trouble.PROXY))


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
        (Reply(404), False),
    ],
)
def test_what_may_have_been_carried_out(reply: Reply, lost: bool) -> None:
    """After a 5xx or a lost answer the draft may be discarded. After a 429, or if nothing was sent, it is not."""
    assert reply.lost is lost


@pytest.mark.parametrize("trouble", Trouble)
def test_no_answer_is_named_by_what_came_instead(trouble: Trouble) -> None:
    """A timeout is a timeout; anything else is a connection."""
    reason = "timeout" if trouble is Trouble.TIMEOUT else "connection"
    assert verdict.of_discard(Reply(None, trouble=trouble)).reason == reason


def test_a_branch_that_says_it_was_not_discarded_was_not() -> None:
    """`"discarded": false` outweighs the status."""
    body = {"status": True, "data": {"discarded": False}}
    assert verdict.of_discard(Reply(200, body)) is Ending.UNEXPECTED_RESPONSE


@pytest.mark.parametrize(("maybe_done", "ending"), [(False, Ending.NOT_FOUND), (True, Ending.GONE_AFTER_RETRY)])
def test_a_draft_that_is_not_open(maybe_done: bool, ending: Ending) -> None:
    """It was never there for this run, or this run's own attempt may have done it."""
    assert verdict.of_absence(maybe_done=maybe_done) is ending


def test_an_answer_that_was_disowned_is_worth_another_run() -> None:
    """Whatever it says: a 404 of somebody else's is neither `not_found` nor final."""
    ending = verdict.of_read(Reply(404, REFUSED).disown())
    assert (ending, ending.passing) == (Ending.DISOWNED, True)


def result(ending: Ending, status: int | None) -> Result:
    """A pair's end."""
    return Result(Pair(0, "0" * 24, "d", "l:1"), ending, status=status)


@pytest.mark.parametrize("count", [1, 9, 10, 49, 50, 51, 119])
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
        (Ending.PUBLISHING, 200, False),
        (Ending.INTERRUPTED, None, False),
    ],
)
def test_only_answers_to_a_discard_count(ending: Ending, status: int | None, counts: bool) -> None:
    """One other answer clears the key. No answer, or a pair that ended with a read, says nothing about it."""
    rule = ForbiddenRule()
    rule.add(result(ending, status))
    stops = [rule.add(result(Ending.FORBIDDEN, 403)) for _ in range(50)]
    assert any(stops) is not counts


@pytest.mark.parametrize("name", sorted(set(re.findall(r"Ending\.(\w+)", inspect.getsource(guards)))))
def test_what_a_guard_decides_says_nothing_of_the_key(name: str) -> None:
    """Its status answers a read, so it does not clear a key that may discard nothing; but for an age that is no age."""
    rule = ForbiddenRule()
    rule.add(result(Ending[name], 200))
    stops = [rule.add(result(Ending.FORBIDDEN, 403)) for _ in range(50)]
    assert stops[-1] is (name != "UNEXPECTED_RESPONSE")
